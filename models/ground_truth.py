"""The mesh and the location map that a sample's SMPL parameters stand for, computed on the device."""

from mindspore import Tensor, nn, ops

from models.smpl import SMPL
from models.uv_generator import Index_UV_Generator
from utils import config
from utils.body_model import GENDERS, MODEL_FILES


class GroundTruth(nn.Cell):
    """(pose [B, 72], betas [B, 10], gender [B]) -> vertices [B, V, 3] in metres, location map [B, R, R, 3].

    Args:
        gendered: use the male and the female model for samples whose gender is 0 and 1, as data sets need
            whose meshes are of these models; otherwise the neutral model serves all.
    """

    def __init__(self, uv_res: int, uv_type: str, gendered: bool = False):
        super().__init__()
        self.neutral = SMPL()
        self.sampler = Index_UV_Generator(uv_res, uv_type=uv_type)
        self.genders = tuple(GENDERS.values()) if gendered else ()
        self.models = nn.CellList([SMPL(getattr(config, MODEL_FILES[gender])) for gender in self.genders])

    def construct(self, pose: Tensor, betas: Tensor, gender: Tensor):
        vertices = self.neutral(pose, betas)
        for index, wanted in enumerate(self.genders):
            own = ops.broadcast_to((gender == wanted)[:, None, None], vertices.shape)
            vertices = ops.select(own, self.models[index](pose, betas), vertices)
        return vertices, self.sampler.get_UV_map(vertices)
