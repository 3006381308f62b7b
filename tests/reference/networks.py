"""CNet and LNet in PyTorch (DecoMR, Zeng et al., CVPR 2020)."""

import torch
import torch.nn.functional as F
from torch import nn

from pretrained_model_convert.resnet_pth import ResNet50
from tests.reference.surface import warp_feature

CHANNELS = [3, 64, 256, 512, 1024, 2048]  # of the encoder's features at stride 2 ** level


def norm(kind: str, channels: int, per_group: int = 8) -> nn.Module:
    return nn.GroupNorm(channels // per_group, channels) if kind == "GN" else nn.BatchNorm2d(channels)


class ConvBottleNeck(nn.Module):
    """[B, in, H, W] -> [B, out, H, W]."""

    def __init__(self, in_channels: int, out_channels: int, norm_type: str = "GN", per_group: int = 8):
        super().__init__()
        half = out_channels // 2
        self.conv1, self.norm1 = nn.Conv2d(in_channels, half, 1), norm(norm_type, half, per_group)
        self.conv2, self.norm2 = nn.Conv2d(half, half, 3, padding=1), norm(norm_type, half, per_group)
        self.conv3, self.norm3 = nn.Conv2d(half, out_channels, 1), norm(norm_type, out_channels, per_group)
        if in_channels != out_channels:
            self.skip_conv = nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, x):
        skip = self.skip_conv(x) if hasattr(self, "skip_conv") else x
        x = F.relu(self.norm1(self.conv1(x)))
        x = F.relu(self.norm2(self.conv2(x)))
        return F.relu(self.norm3(self.conv3(x)) + skip)


class HourGlass(nn.Module):
    """[B, C, H, W] -> [B, C, H, W]; every level down halves the size and doubles the channels."""

    def __init__(self, channels: int, levels: int = 3, norm_type: str = "GN", per_group: int = 8):
        super().__init__()
        self.down_layers, self.up_layers = nn.ModuleList(), nn.ModuleList()
        for level in range(levels):
            fine, coarse = channels << level, channels << (level + 1)
            down, up = (fine, coarse, norm_type, per_group), (coarse, fine, norm_type, per_group)
            self.down_layers.append(nn.Sequential(ConvBottleNeck(*down), nn.MaxPool2d(2)))
            self.up_layers.append(nn.Sequential(nn.Upsample(scale_factor=2), ConvBottleNeck(*up)))
        self.norm = norm(norm_type, channels, per_group)

    def forward(self, x):
        return self.norm(self._below(0, x))

    def _below(self, level: int, x):
        if level == len(self.down_layers):
            return x
        return x + self.up_layers[level](self._below(level + 1, self.down_layers[level](x)))


class CNet(nn.Module):
    """Image [B, 3, H, W] -> (mask, u, v) [B, 3, H/4, W/4], features [B, 256, H/4, W/4], codes [B, 2048]."""

    def __init__(self, warp_level: int = 2, norm_type: str = "GN", width: float = 1.0):
        super().__init__()
        self.warp_level = warp_level
        self.resnet = ResNet50(round(64 * width))
        channels = [round(count * width) for count in CHANNELS]
        per_group = round(8 * width)  # as many groups at any width; the ends have the paper's sizes
        self.dp_layers = nn.ModuleList(
            nn.Sequential(
                nn.Upsample(scale_factor=2), ConvBottleNeck(channels[i + 1], channels[i], norm_type, per_group)
            )
            for i in range(warp_level, 5)
        )
        last = channels[warp_level]
        self.dp_uv_end = nn.Sequential(ConvBottleNeck(last, 32, norm_type), nn.Conv2d(32, 2, 1), nn.Sigmoid())
        self.dp_mask_end = nn.Sequential(ConvBottleNeck(last, 32, norm_type), nn.Conv2d(32, 1, 1), nn.Sigmoid())

    def forward(self, image):
        codes, encoder = self.resnet(image)
        features = encoder[4]
        for layer, skip in zip(reversed(self.dp_layers), reversed(encoder[self.warp_level - 1 : 4]), strict=True):
            features = layer(features) + skip
        return torch.cat([self.dp_mask_end(features), self.dp_uv_end(features)], 1), features, codes


class LNet(nn.Module):
    """(dp_out, features, codes) of the CNet -> location map [B, R, R, 3], camera [B, 3].

    reference_map: [1, S, S, 3] with S = 256 / 2 ** warp_level; width scales all channels, cnet_width
    those of the CNet's outputs.
    """

    def __init__(
        self, reference_map, uv_res=128, uv_channels=128, warp_level=2, norm_type="GN", width=1.0, cnet_width=1.0
    ):
        super().__init__()
        uv_level = {256: 0, 128: 1}[uv_res]
        base, final = int(256 * width), int(uv_channels * width)
        per_group = round(8 * width)  # 32 groups over the base channels at any width
        self.reference_map = torch.as_tensor(reference_map).permute(0, 3, 1, 2)
        codes = round(2048 * cnet_width)
        self.fc_head = nn.Sequential(nn.Linear(codes, 512), nn.BatchNorm1d(512), nn.ReLU(), nn.Linear(512, base))
        self.camera = nn.Sequential(
            nn.Linear(codes, 512), nn.BatchNorm1d(512), nn.ReLU(),
            nn.Linear(512, 256), nn.BatchNorm1d(256), nn.LeakyReLU(0.2), nn.Linear(256, 3),
        )  # fmt: skip
        self.uv_conv1 = nn.Sequential(
            nn.Conv2d(round(CHANNELS[warp_level] * cnet_width) + 3 + base + 3, 2 * base, 1), nn.ReLU(),
            nn.Conv2d(2 * base, 2 * base, 1), nn.ReLU(), nn.Conv2d(2 * base, base, 1),
        )  # fmt: skip
        self.hg = HourGlass(base, 3, norm_type, per_group)
        factors = [min(8, 2 ** (warp_level - uv_level))]
        for level in range(warp_level, uv_level, -1):
            factors.append(min(factors[-1], 2 ** (level - uv_level - 1)))
        self.uv_conv2 = ConvBottleNeck(base, final * factors[0], norm_type, per_group)
        self.decoder = nn.Sequential(
            *(
                nn.Sequential(
                    nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False),
                    ConvBottleNeck(final * coarse, final * fine, norm_type, per_group),
                )
                for coarse, fine in zip(factors, factors[1:], strict=False)
            )
        )
        self.uv_end = nn.Sequential(ConvBottleNeck(final, 32, norm_type), nn.Conv2d(32, 3, 1))

    def forward(self, dp_out, features, codes):
        side = self.reference_map.shape[-1]
        surface = warp_feature(dp_out, features, side)
        head = self.fc_head(codes)[:, :, None, None].expand(-1, -1, side, side)
        reference = self.reference_map.to(surface).expand(len(codes), -1, -1, -1)
        surface = self.uv_conv1(torch.cat([surface, head, reference], 1))
        surface = self.uv_end(self.decoder(self.uv_conv2(self.hg(surface))))
        return surface.permute(0, 2, 3, 1), self.camera(codes)


class DMR(nn.Module):
    """Image -> dp_out, location map, camera."""

    def __init__(self, cnet: nn.Module, lnet: nn.Module):
        super().__init__()
        self.CNet, self.LNet = cnet, lnet

    def forward(self, image):
        dp_out, features, codes = self.CNet(image)
        return (dp_out, *self.LNet(dp_out, features, codes))
