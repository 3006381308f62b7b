"""Recognise the network that a state_dict belongs to, torchvision's or DecoMR, by names and shapes."""

import re

RESNETS = {(2, 2, 2, 2): 18, (3, 4, 6, 3): 50, (3, 4, 23, 3): 101, (3, 8, 36, 3): 152}
VGG_HEAD = 3  # linear layers, which the number in its name includes


def identify_network(shapes: dict) -> str | None:
    """Name the network of these shapes by name: 'ResNet-50', 'VGG-16', 'DecoMR' ...; None for an unknown one."""
    if any(name.startswith(("CNet.", "LNet.", "dp_layers.", "uv_conv1.")) for name in shapes):
        return "DecoMR"
    if any(re.match(r"layer1\.0\.", name) for name in shapes):
        return _identify_resnet(shapes)
    convolutions = [name for name, shape in shapes.items() if name.startswith("features.") and len(shape) == 4]
    is_vgg = convolutions and all(re.fullmatch(r"features\.\d+\.weight", name) for name in convolutions)
    return f"VGG-{len(convolutions) + VGG_HEAD}" if is_vgg else None


def _identify_resnet(shapes: dict) -> str:
    blocks = tuple(len({name.split(".")[1] for name in shapes if name.startswith(f"layer{k}.")}) for k in range(1, 5))
    depth = RESNETS.get(blocks)
    if "layer1.0.conv3.weight" not in shapes:
        depth = {18: 18, 50: 34}.get(depth or 0)  # blocks of two convolutions
    middle = shapes.get("layer1.0.conv2.weight", (64, 64))
    kind = "ResNet" if middle[0] == middle[1] else "ResNeXt"
    if kind == "ResNet" and middle[0] > 64:
        kind = "Wide ResNet"
    return f"{kind}-{depth}" if depth else f"{kind} of {'-'.join(map(str, blocks))} blocks"
