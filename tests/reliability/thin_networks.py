"""Networks of a few hundred parameters in place of CNet and LNet, for tests of everything around them.

A run of train.py with them takes seconds. Data, engine, saved states and checkpoints are the real ones.
"""

import utils.environment  # noqa: F401, I001  before MindSpore

from mindspore import nn, ops

from models import inference
from models.DMR import DMR
from training import engine

STRIDE = 4  # of the IUV image
SEED_CELLS = 8  # side of the location map before it is enlarged


class ThinCNet(nn.Cell):
    """image [B, 3, S, S] -> (IUV image [B, 3, S/4, S/4], features [B, 4, S/4, S/4], codes [B, 4])."""

    def __init__(self):
        super().__init__()
        self.resnet = nn.Conv2d(3, 4, STRIDE, STRIDE, pad_mode="valid", has_bias=True)
        self.norm = nn.BatchNorm2d(4)
        self.head = nn.Conv2d(4, 3, 1, has_bias=True)

    def construct(self, image):
        features = self.norm(self.resnet(image))
        return ops.sigmoid(self.head(features)), features, features.mean((2, 3))


class ThinLNet(nn.Cell):
    """The outputs of the CNet -> (location map [B, R, R, 3], camera [B, 3])."""

    def __init__(self, resolution: int):
        super().__init__()
        self.repeats = resolution // SEED_CELLS
        self.norm = nn.BatchNorm1d(4)
        self.map = nn.Dense(4, 3 * SEED_CELLS * SEED_CELLS)
        self.camera = nn.Dense(4, 3)

    def construct(self, dp_out, features, codes):
        codes = self.norm(codes)
        small = self.map(codes).reshape(-1, SEED_CELLS, SEED_CELLS, 3)
        rows = ops.repeat_interleave(small, self.repeats, 1)
        return ops.repeat_interleave(rows, self.repeats, 2), self.camera(codes)


def install(replace=setattr) -> None:
    """Let train.py and eval.py of this process build them; `replace`: a test's monkeypatch.setattr, to undo it."""
    replace(engine, "build_cnet", lambda options: ThinCNet())
    replace(engine, "build_dmr", lambda cnet, options: DMR(cnet, ThinLNet(options.uv_res)))
    replace(inference, "get_CNet", lambda _: ThinCNet())
    replace(inference, "get_LNet", lambda options: ThinLNet(options.uv_res))
