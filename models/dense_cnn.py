"""The two networks of DecoMR (Zeng et al., CVPR 2020).

DPNet (the CNet): image -> IUV image, features, global codes.
warp_feature (models/warp.py): features move from the image to the places on the body surface that (u, v) name.
UVNet (the LNet): surface features -> location map and weak-perspective camera.
"""

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops

from atlas.reference_map import load_or_build_reference_map, warp_resolution
from models.group_norm import add_to_channels
from models.layer import GROUP_SIZE, BilinearBottleNeck, ConvBottleNeck, HourGlass, NearestBottleNeck, conv1x1
from models.resnet import LAST_LEVEL, ResNet50, feature_channels
from models.warp import POSITION_CHANNELS, Warp, warp_feature  # noqa: F401  users import the warp from here

REFERENCE_CHANNELS = 3


class DPNet(nn.Cell):
    """Image [B, 3, H, W] -> dp_out [B, 3, H/4, W/4] = (mask, u, v), features [B, 256, H/4, W/4], codes [B, 2048].

    Sizes hold for warp_lv = 2 and width = 1; in general the outputs have stride 2**warp_lv. `width` scales all channel
    counts, those of features and codes too; the groups of GroupNorm keep their number (see UVNet).
    """

    def __init__(self, warp_lv: int = 2, norm_type: str = "GN", width: float = 1.0):
        super().__init__()
        self.warp_lv = warp_lv
        self.width = width
        self.resnet = ResNet50(width)
        group_size = scaled_group_size(width)
        # dp_layers[i] brings the features of level warp_lv + i + 1 to level warp_lv + i
        self.dp_layers = nn.CellList(
            [
                NearestBottleNeck(
                    feature_channels(level + 1, width), feature_channels(level, width), norm_type, group_size
                )
                for level in range(warp_lv, LAST_LEVEL)
            ]
        )
        channels = feature_channels(warp_lv, width)
        self.dp_uv_end = nn.SequentialCell(ConvBottleNeck(channels, 32, norm_type), conv1x1(32, 2), nn.Sigmoid())
        self.dp_mask_end = nn.SequentialCell(ConvBottleNeck(channels, 32, norm_type), conv1x1(32, 1), nn.Sigmoid())

    def construct(self, image: Tensor):
        codes, encoder_features = self.resnet(image)
        features = encoder_features[-1]
        for level in range(LAST_LEVEL - 1, self.warp_lv - 1, -1):
            features = self.dp_layers[level - self.warp_lv](features) + encoder_features[level - 1]
        dp_out = ops.concat([self.dp_mask_end(features), self.dp_uv_end(features)], 1)
        return dp_out, features, codes


def scaled_group_size(width: float) -> int:
    """Channels per group of GroupNorm in a network of this width."""
    return max(1, int(GROUP_SIZE * width))


def make_fc_head(code_channels: int, out_channels: int) -> nn.SequentialCell:
    """Codes [B, code_channels] -> [B, out_channels]."""
    return nn.SequentialCell(nn.Dense(code_channels, 512), nn.BatchNorm1d(512), nn.ReLU(), nn.Dense(512, out_channels))


def make_camera_head(code_channels: int) -> nn.SequentialCell:
    """Codes [B, code_channels] -> camera [B, 3] = (s, tx, ty)."""
    return nn.SequentialCell(
        nn.Dense(code_channels, 512),
        nn.BatchNorm1d(512),
        nn.ReLU(),
        nn.Dense(512, 256),
        nn.BatchNorm1d(256),
        nn.LeakyReLU(0.2),
        nn.Dense(256, 3),
    )


class SurfaceInput(nn.SequentialCell):
    """Three 1x1 convolutions over (warped features, code, reference map): [B, codes, R, R] of the hourglass.

    The code is the same at every pixel, so its share of the first convolution is one vector a sample:
    half of the products, and no map of copies. The weight keeps the channel order of PyTorch's
    concatenation: warped features, code, reference map.
    """

    def __init__(self, map_channels: int, codes: int):
        super().__init__(
            conv1x1(map_channels + codes, 2 * codes),
            nn.ReLU(),
            conv1x1(2 * codes, 2 * codes),
            nn.ReLU(),
            conv1x1(2 * codes, codes),
        )
        self.warped = map_channels - REFERENCE_CHANNELS
        self.codes = codes
        self.convolve = ops.Conv2D(2 * codes, 1)

    def construct(self, maps: Tensor, code: Tensor) -> Tensor:
        """maps [B, map_channels, R, R]: warped features, then the reference map; code [B, codes]."""
        # in half precision MindSpore casts what a layer is given, but not the parameters of another layer
        weight, bias = self[0].weight.astype(maps.dtype), self[0].bias.astype(maps.dtype)
        behind = self.warped + self.codes
        of_maps = ops.concat([weight[:, : self.warped], weight[:, behind:]], 1)
        of_code = weight[:, self.warped : behind].reshape(-1, self.codes)
        features = self.convolve(maps, of_maps)
        bias = ops.matmul(code.astype(maps.dtype), of_code.T) + bias
        features = self[1](add_to_channels(features, bias))
        return self[4](self[3](self[2](features)))


class UVNet(nn.Cell):
    """(dp_out, dp_feature, codes) -> location map [B, uv_res, uv_res, 3] in metres, camera [B, 3] = (s, tx, ty).

    Args:
        reference_map: [1, R, R, 3], location map of the rest pose at the warp resolution R.
        uv_res: 128 or 256, resolution of the location map.
        uv_channels: channels of the decoder at the output resolution.
        warp_lv: level of the CNet's outputs; R = 256 / 2**warp_lv.
        width: scales all channel counts; 1 is the paper's network. The groups of GroupNorm keep
            their number, not their size: in a thin network, wide groups would mix so many of the few
            channels that their different means drown what varies over the map.
        warps: False leaves the surface empty: the LNet then sees the code and the reference map alone.
            For comparison, to measure what dense correspondence earns.
        cnet_width: the CNet's width, which gives the channels of its features and codes.
    """

    def __init__(
        self,
        reference_map: np.ndarray,
        uv_res: int = 128,
        uv_channels: int = 128,
        warp_lv: int = 2,
        norm_type: str = "GN",
        width: float = 1.0,
        warps: bool = True,
        cnet_width: float = 1.0,
    ):
        super().__init__()
        self.warps = warps
        self.warp_res = warp_resolution(warp_lv)
        self.warp = Warp(self.warp_res)
        uv_level = {warp_resolution(level): level for level in range(2)}[uv_res]
        base = int(256 * width)
        final = int(uv_channels * width)
        group_size = scaled_group_size(width)
        self.reference_map = Tensor(np.transpose(reference_map, (0, 3, 1, 2)), ms.float32)

        codes = feature_channels(LAST_LEVEL, cnet_width)
        self.fc_head = make_fc_head(codes, base)
        self.camera = make_camera_head(codes)
        inputs = feature_channels(warp_lv, cnet_width) + POSITION_CHANNELS + REFERENCE_CHANNELS
        self.uv_conv1 = SurfaceInput(inputs, base)
        self.hg = HourGlass(base, 3, norm_type, group_size)

        # channels in units of `final`; they halve towards the output where they are above 1
        current = min(8, 2 ** (warp_lv - uv_level))
        self.uv_conv2 = ConvBottleNeck(base, final * current, norm_type, group_size)
        decoder = []
        for level in range(warp_lv, uv_level, -1):
            previous, current = current, min(current, 2 ** (level - uv_level - 1))
            decoder.append(BilinearBottleNeck(final * previous, final * current, norm_type, group_size))
        self.decoder = nn.SequentialCell(decoder)
        self.uv_end = nn.SequentialCell(ConvBottleNeck(final, 32, norm_type), conv1x1(32, 3))

    def construct(self, dp_out: Tensor, dp_feature: Tensor, codes: Tensor):
        batch = codes.shape[0]
        surface = self.warp(dp_out, dp_feature)
        if not self.warps:
            surface = ops.zeros_like(surface)
        reference_map = ops.tile(self.reference_map, (batch, 1, 1, 1)).astype(surface.dtype)
        features = self.uv_conv1(ops.concat([surface, reference_map], 1), self.fc_head(codes))
        features = self.decoder(self.uv_conv2(self.hg(features)))
        return self.uv_end(features).transpose(0, 2, 3, 1), self.camera(codes)


def get_CNet(options) -> DPNet:  # noqa: N802  named like get_LNet
    """The CNet that `options` describe."""
    return DPNet(options.warp_level, options.norm_type, options.cnet_width)


def get_LNet(options) -> UVNet:  # noqa: N802  name that users import
    """The LNet that `options` describe; its reference map is built from reference_mesh.obj when missing."""
    reference_map = load_or_build_reference_map(options.uv_type, warp_resolution(options.warp_level))
    return UVNet(
        reference_map,
        uv_res=options.uv_res,
        uv_channels=options.uv_channels,
        warp_lv=options.warp_level,
        norm_type=options.norm_type,
        width=options.lnet_width,
        warps=not options.no_warp,
        cnet_width=options.cnet_width,
    )
