"""The networks whose weights are converted, each in MindSpore and PyTorch: how to build, flatten and run them."""

import models  # noqa: F401, I001  settings that must precede the import of MindSpore

from collections.abc import Callable
from pathlib import Path

import mindspore as ms
import numpy as np
import torch

from atlas.reference_map import warp_resolution
from models.dense_cnn import UVNet, get_CNet, warp_feature
from models.DMR import DMR
from pretrained_model_convert import architecture, resnet_msp, resnet_pth, vgg_msp, vgg_pth
from pretrained_model_convert.decomr_pth import run_cnet, run_lnet
from pretrained_model_convert.known_networks import identify_network
from pretrained_model_convert.wrapping import extract_state_dict, unwrap
from utils.errors import UserError

IMAGE_SHAPE = (1, 3, 64, 64)
CLASSES = 1000  # ImageNet


def make_random_array(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


class Pair:
    """A network in MindSpore and in PyTorch."""

    classifier: str  # start of the names of a classifier's weights, which the network does not have
    expected: str  # the network's name

    def is_unused(self, name: str) -> bool:
        """Tell whether a weight of the file has no place in the network."""
        return name.startswith(self.classifier)

    def check_network(self, shapes: dict, path: Path) -> None:
        """Raise UserError if name -> shape belongs to another known network."""
        found = identify_network(shapes)
        if found not in (None, self.expected):
            fitting = next(
                (f" Give {name!r} as MODEL_NAME." for name, pair in PAIRS.items() if pair.expected == found), ""
            )
            raise UserError(f"{path} holds a {found}, expected a {self.expected}.{fitting}")

    def settle(self, options, given: set, shapes: dict, path: Path, folders: list[Path]) -> None:
        """Set the architecture in `options`; nothing to do if there is one architecture only."""

    def prepare_config(self, options, target: Path) -> Callable:
        """Return a function that writes config.json beside `target`; UserError if another config.json is there."""
        return lambda: None


class Plain(Pair):
    """A pair whose file holds one state_dict, in any wrapping."""

    def flatten(self, content: dict, path: Path) -> dict:
        if all(part in content for part in DecoMR.parts):
            raise UserError(f"{path} holds a DecoMR, expected a {self.expected}. Give 'decomr' as MODEL_NAME.")
        return extract_state_dict(unwrap(content, str(path)), str(path))

    def unflatten(self, state: dict) -> dict:
        return state

    def run_both(self, network, state: dict) -> list:
        """Pairs of outputs (MindSpore, PyTorch) on one random image."""
        twin = self.build_pytorch(state).eval()
        twin.load_state_dict(state)
        image = make_random_array(*IMAGE_SHAPE)
        ours, theirs = network(ms.Tensor(image)), twin(torch.tensor(image))
        return [(ours, theirs)] if isinstance(theirs, torch.Tensor) else [(ours[0], theirs[0])]


class ResNet(Plain):
    """torchvision's ResNet-50 and the encoder of the CNet."""

    classifier = "fc."
    expected = "ResNet-50"

    def build(self, state: dict, options):
        return resnet_msp.ResNet50()

    def build_pytorch(self, state: dict):
        return resnet_pth.ResNet50()


class VGG(Plain):
    """The convolutions of torchvision's vgg16 or, if the file has BatchNorm, vgg16_bn.

    No network here uses VGG-16. The word `vgg` is part of the 2022 port's script, so it goes on working.
    """

    classifier = "classifier."
    expected = "VGG-16"

    def build(self, state: dict, options):
        return vgg_msp.VGG16(self._has_batch_norm(state))

    def build_pytorch(self, state: dict):
        return vgg_pth.VGG16(self._has_batch_norm(state))

    @staticmethod
    def _has_batch_norm(state: dict) -> bool:
        return any(name.endswith("running_mean") for name in state)


class DecoMR(Pair):
    """CNet and LNet of the public release: {'CNet': state_dict, 'LNet': state_dict, ...}."""

    parts = ("CNet", "LNet")
    classifier = "CNet.resnet.fc."
    expected = "DecoMR"

    def build(self, state: dict, options):
        size = warp_resolution(options.warp_level)
        lnet = UVNet(
            make_random_array(1, size, size, 3),
            options.uv_res,
            options.uv_channels,
            options.warp_level,
            options.norm_type,
            options.lnet_width,
            cnet_width=options.cnet_width,
        )
        return DMR(get_CNet(options), lnet)

    def settle(self, options, given: set, shapes: dict, path: Path, folders: list[Path]) -> None:
        architecture.settle(options, given, shapes, path, architecture.find_config(folders))

    def prepare_config(self, options, target: Path) -> Callable:
        if architecture.refuse_other_config(options, target):
            return lambda: None
        return lambda: architecture.write_config(options, target)

    def flatten(self, content: dict, path: Path) -> dict:
        content = unwrap(content, str(path), self.parts)
        if any(part in content for part in self.parts):
            flat = {}
            for part in (part for part in self.parts if part in content):
                state = self._read_part(content[part], f"{path}: {part}")
                flat |= {f"{part}.{name}": value for name, value in state.items()}
        else:  # perhaps the weights of one module that has both parts
            flat = extract_state_dict(content, str(path))
        missing = [part for part in self.parts if not any(name.startswith(f"{part}.") for name in flat)]
        if missing:
            other = identify_network({name: tuple(value.shape) for name, value in flat.items()})
            hint = f" It holds a {other}." if other not in (None, self.expected) else ""
            raise UserError(f"{path} is not a DecoMR checkpoint: it has no {' and no '.join(missing)}.{hint}")
        return flat

    @staticmethod
    def _read_part(content, where: str) -> dict:
        return extract_state_dict(unwrap(content, where) if isinstance(content, dict) else content, where)

    def unflatten(self, state: dict) -> dict:
        # The release's encoder still has its classifier. Nothing uses it, but strict loading needs it.
        codes = len(state["LNet.fc_head.0.weight"][0])
        unused = {"weight": torch.zeros(CLASSES, codes), "bias": torch.zeros(CLASSES)}
        state = state | {f"{self.classifier}{name}": value for name, value in unused.items()}
        return {part: self._select_part(state, part) for part in self.parts}

    @staticmethod
    def _select_part(state: dict, part: str) -> dict:
        return {name.removeprefix(f"{part}."): value for name, value in state.items() if name.startswith(f"{part}.")}

    def run_both(self, network, state: dict) -> list:
        """Pairs of outputs (MindSpore, PyTorch). Both LNets get the same input: the warp turns rounding into jumps."""
        image = make_random_array(*IMAGE_SHAPE)
        ours, theirs = network.CNet(ms.Tensor(image)), run_cnet(self._select_part(state, "CNet"), torch.tensor(image))
        dp_out, features, codes = (ms.Tensor(output.numpy()) for output in theirs)
        surface = torch.tensor(warp_feature(dp_out, features, network.LNet.warp_res).asnumpy())
        reference_map = torch.tensor(network.LNet.reference_map.asnumpy())
        lnet_theirs = run_lnet(self._select_part(state, "LNet"), surface, theirs[2], reference_map)
        return [*zip(ours, theirs, strict=True), *zip(network.LNet(dp_out, features, codes), lnet_theirs, strict=True)]


PAIRS = {"resnet": ResNet(), "vgg": VGG(), "decomr": DecoMR()}
