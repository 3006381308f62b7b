"""The cell that is exported, and the names of its input and outputs."""

from mindspore import Tensor, nn

from models.inference import MeshPredictor

INPUT = "image"
OUTPUTS = ("vertices", "camera", "iuv")


class ExportedNetwork(nn.Cell):
    """Normalised image [B, 3, S, S] -> vertices [B, V, 3] in metres, camera [B, 3], iuv [B, 3, h, w]."""

    def __init__(self, predictor: MeshPredictor):
        super().__init__()
        self.predictor = predictor
        self.set_train(False)

    def construct(self, image: Tensor):
        iuv, vertices, camera = self.predictor(image)
        return vertices, camera, iuv
