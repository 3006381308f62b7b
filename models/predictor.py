"""From an image to the mesh: the model followed by sampling its location map at the vertices."""

from mindspore import Tensor, nn

from models.compiled_cell import CompiledCell
from models.uv_generator import Index_UV_Generator


class MeshPredictor(CompiledCell):
    """Image [B, 3, S, S] -> dp_out [B, 3, h, w], vertices [B, V, 3] in metres, camera [B, 3] = (s, tx, ty)."""

    def __init__(self, dmr: nn.Cell, sampler: Index_UV_Generator):
        super().__init__()
        self.dmr = dmr
        self.sampler = sampler
        self.set_train(False)

    def construct(self, image: Tensor):
        dp_out, location_map, camera = self.dmr(image)
        return dp_out, self.sampler.resample(location_map), camera
