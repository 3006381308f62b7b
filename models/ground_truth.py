"""The mesh and the location map that a sample's SMPL parameters stand for, computed on the device."""

from mindspore import Tensor, nn, ops

from models.smpl import SMPL
from models.uv_generator import Index_UV_Generator
from utils import config
from utils.body_model import MODEL_FILES


class GroundTruth(nn.Cell):
    """(pose [B, 72], betas [B, 10], gender [B]) -> vertices [B, V, 3] in metres, location map [B, R, R, 3].

    Args:
        genders: those, of 0 and 1, whose samples have meshes of the male and the female model; the neutral
            model serves all others.
    """

    def __init__(self, uv_res: int, uv_type: str, genders: tuple[int, ...] = ()):
        super().__init__()
        self.neutral = SMPL()
        self.sampler = Index_UV_Generator(uv_res, uv_type=uv_type)
        self.genders = genders
        self.models = nn.CellList([SMPL(getattr(config, MODEL_FILES[gender])) for gender in genders])

    def construct(self, pose: Tensor, betas: Tensor, gender: Tensor):
        vertices = self.neutral(pose, betas)
        for index, wanted in enumerate(self.genders):
            own = ops.broadcast_to((gender == wanted)[:, None, None], vertices.shape)
            vertices = ops.select(own, self.models[index](pose, betas), vertices)
        return vertices, self.sampler.get_UV_map(vertices)
