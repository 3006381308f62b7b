"""CNet and LNet in PyTorch as functions of a state_dict, for the check after a conversion.

The functions take the weights by the names of a checkpoint (`dp_layers.0.1.conv1.weight`) and read all sizes from
them. Inference only: BatchNorm uses its running statistics.
Source: DecoMR (Zeng et al., CVPR 2020).
"""

import torch
import torch.nn.functional as F

from pretrained_model_convert.resnet_pth import ResNet50

GROUP_SIZE = 8
STEM_CHANNELS = 64  # of the encoder's first convolution at full width
LNET_GROUPS = 32  # groups of the LNet's base channels, at any width


class Weights:
    """A state_dict, seen from one of its submodules: `weights["norm1"]["bias"]` is `norm1.bias`."""

    def __init__(self, state: dict, path: str = "", group_size: int = GROUP_SIZE):
        self.state, self.path, self.group_size = state, path, group_size

    def __getitem__(self, name):
        path = f"{self.path}{name}"
        return self.state[path] if path in self.state else Weights(self.state, f"{path}.", self.group_size)

    def __contains__(self, name) -> bool:
        return any(key.startswith(f"{self.path}{name}.") for key in self.state)

    def children(self) -> list:
        """List the numbers of the children of a list or sequence, in order."""
        names = {key.removeprefix(self.path).split(".")[0] for key in self.state if key.startswith(self.path)}
        return sorted(int(name) for name in names if name.isdigit())


def linear(x, weights: Weights):
    return F.linear(x, weights["weight"], weights["bias"])


def conv(x, weights: Weights):
    return F.conv2d(x, weights["weight"], weights["bias"], padding=weights["weight"].shape[-1] // 2)


def norm(x, weights: Weights):
    scale, shift = weights["weight"], weights["bias"]
    if f"{weights.path}running_mean" in weights.state:
        return F.batch_norm(x, weights["running_mean"], weights["running_var"], scale, shift)
    return F.group_norm(x, len(scale) // weights.group_size, scale, shift)


def bottleneck(x, weights: Weights):
    skip = conv(x, weights["skip_conv"]) if "skip_conv" in weights else x
    for index in (1, 2):
        x = F.relu(norm(conv(x, weights[f"conv{index}"]), weights[f"norm{index}"]))
    return F.relu(norm(conv(x, weights["conv3"]), weights["norm3"]) + skip)


def upsampled_bottleneck(x, weights: Weights, mode: str):
    corners = {"align_corners": False} if mode == "bilinear" else {}
    return bottleneck(F.interpolate(x, scale_factor=2, mode=mode, **corners), weights[1])


def hourglass(x, weights: Weights):
    stored = []
    for level in weights["down_layers"].children():
        stored.append(x)
        x = F.max_pool2d(bottleneck(x, weights["down_layers"][level][0]), 2)
    for level, skip in reversed(list(enumerate(stored))):
        x = upsampled_bottleneck(x, weights["up_layers"][level], "nearest") + skip
    return norm(x, weights["norm"])


def run_cnet(state: dict, image: torch.Tensor):
    """Image [B, 3, H, W] -> dp_out [B, 3, h, w], features [B, C, h, w], codes [B, 2048]."""
    stem, prefix = len(state["resnet.bn1.weight"]), "resnet."
    weights = Weights(state, group_size=max(1, GROUP_SIZE * stem // STEM_CHANNELS))
    encoder = ResNet50(stem).eval()
    encoder.load_state_dict({key[len(prefix) :]: value for key, value in state.items() if key.startswith(prefix)})
    codes, strides = encoder(image)
    x, layers = strides[-1], weights["dp_layers"].children()
    # dp_layers[i] upsamples to level warp_level + i; the last one to level 4, stride 16
    for layer, skip in zip(reversed(layers), reversed(strides[:-1]), strict=False):
        x = upsampled_bottleneck(x, weights["dp_layers"][layer], "nearest") + skip
    ends = [Weights(state)[name] for name in ("dp_mask_end", "dp_uv_end")]
    dp_out = [torch.sigmoid(conv(bottleneck(x, end[0]), end[1])) for end in ends]
    return torch.cat(dp_out, 1), x, codes


def run_lnet(state: dict, surface: torch.Tensor, codes: torch.Tensor, reference_map: torch.Tensor):
    """Warped features [B, C + 3, S, S], codes, reference map [1, 3, S, S] -> location map, camera."""
    base_channels = len(state["fc_head.3.bias"])
    weights = Weights(state, group_size=max(1, base_channels // LNET_GROUPS))
    size = surface.shape[-1]
    head = linear(F.relu(norm(linear(codes, weights["fc_head"][0]), weights["fc_head"][1])), weights["fc_head"][3])
    head = head[:, :, None, None].expand(-1, -1, size, size)
    reference = reference_map.expand(len(codes), -1, -1, -1)
    x = torch.cat([surface, head, reference], 1)
    for index in (0, 2):
        x = F.relu(conv(x, weights["uv_conv1"][index]))
    x = bottleneck(hourglass(conv(x, weights["uv_conv1"][4]), weights["hg"]), weights["uv_conv2"])
    for step in weights["decoder"].children():
        x = upsampled_bottleneck(x, weights["decoder"][step], "bilinear")
    end = Weights(state, "uv_end.")  # its inner channels do not depend on the width
    location_map = conv(bottleneck(x, end[0]), end[1]).permute(0, 2, 3, 1)
    return location_map, _camera(codes, weights["camera"])


def _camera(codes, weights: Weights):
    x = F.relu(norm(linear(codes, weights[0]), weights[1]))
    x = F.leaky_relu(norm(linear(x, weights[3]), weights[4]), 0.2)
    return linear(x, weights[6])
