"""The pairs of networks that weights are carried between: how to build, flatten and run each."""

import models  # noqa: F401, I001  settings that must precede the import of MindSpore

from pathlib import Path

import mindspore as ms
import numpy as np
import torch

from models.dense_cnn import ATLAS_LEVEL_SIZE, CODE_CHANNELS, DPNet, UVNet, warp_feature
from models.DMR import DMR
from pretrained_model_convert import resnet_msp, resnet_pth, vgg_msp, vgg_pth
from pretrained_model_convert.decomr_pth import run_cnet, run_lnet
from pretrained_model_convert.files import state_dict
from utils.errors import UserError

IMAGE_SHAPE = (1, 3, 64, 64)
CLASSES = 1000  # of the ImageNet classifier


def random_array(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


class Pair:
    classifier: str  # the file's weights that start so serve a classifier, which the network does not have

    def is_unused(self, name: str) -> bool:
        return name.startswith(self.classifier)


class Plain(Pair):
    """One network, its state_dict at the top of the file (or under `state_dict`)."""

    def flatten(self, content: dict, path: Path) -> dict:
        return state_dict(content.get("state_dict", content), str(path))

    def unflatten(self, state: dict) -> dict:
        return state

    def run_both(self, network, state: dict) -> list:
        """Pairs of outputs (MindSpore, PyTorch) on one random image."""
        twin = self.build_pytorch(state).eval()
        twin.load_state_dict(state)
        image = random_array(*IMAGE_SHAPE)
        ours, theirs = network(ms.Tensor(image)), twin(torch.tensor(image))
        return [(ours, theirs)] if isinstance(theirs, torch.Tensor) else [(ours[0], theirs[0])]


class ResNet(Plain):
    """torchvision's ResNet-50 and the encoder of the CNet."""

    classifier = "fc."

    def build(self, state: dict, options):
        return resnet_msp.ResNet50()

    def build_pytorch(self, state: dict):
        return resnet_pth.ResNet50()


class VGG(Plain):
    """The convolutions of torchvision's vgg16 or, where the file has BatchNorm, vgg16_bn."""

    classifier = "classifier."

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

    def build(self, state: dict, options):
        size = ATLAS_LEVEL_SIZE >> options.warp_level
        lnet = UVNet(
            random_array(1, size, size, 3),
            options.uv_res,
            options.uv_channels,
            options.warp_level,
            options.norm_type,
            options.lnet_width,
        )
        return DMR(DPNet(options.warp_level, options.norm_type), lnet)

    def flatten(self, content: dict, path: Path) -> dict:
        missing = [part for part in self.parts if part not in content]
        if missing:
            raise UserError(f"{path} is not a DecoMR checkpoint: it has no {' and no '.join(missing)}.")
        flat = {}
        for part in self.parts:
            state = state_dict(content[part], f"{path}: {part}")
            flat |= {f"{part}.{name}": value for name, value in state.items()}
        return flat

    def unflatten(self, state: dict) -> dict:
        # the release's encoder still has its classifier, which nothing uses but strict loading asks for
        unused = {"weight": torch.zeros(CLASSES, CODE_CHANNELS), "bias": torch.zeros(CLASSES)}
        state = state | {f"{self.classifier}{name}": value for name, value in unused.items()}
        return {part: self._part(state, part) for part in self.parts}

    @staticmethod
    def _part(state: dict, part: str) -> dict:
        return {name.removeprefix(f"{part}."): value for name, value in state.items() if name.startswith(f"{part}.")}

    def run_both(self, network, state: dict) -> list:
        """Pairs of outputs (MindSpore, PyTorch). Both LNets get the same input: rounding in the warp is abrupt."""
        image = random_array(*IMAGE_SHAPE)
        ours, theirs = network.CNet(ms.Tensor(image)), run_cnet(self._part(state, "CNet"), torch.tensor(image))
        dp_out, features, codes = (ms.Tensor(output.numpy()) for output in theirs)
        surface = torch.tensor(warp_feature(dp_out, features, network.LNet.warp_res).asnumpy())
        reference_map = torch.tensor(network.LNet.reference_map.asnumpy())
        lnet_theirs = run_lnet(self._part(state, "LNet"), surface, theirs[2], reference_map)
        return [*zip(ours, theirs, strict=True), *zip(network.LNet(dp_out, features, codes), lnet_theirs, strict=True)]


PAIRS = {"resnet": ResNet(), "vgg": VGG(), "decomr": DecoMR()}
