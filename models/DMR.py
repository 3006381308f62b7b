"""The whole model: image -> IUV image, location map, camera."""

from mindspore import Tensor, nn, ops


class DMR(nn.Cell):
    """CNet followed by LNet.

    Call: image [B, 3, H, W], normalised -> dp_out [B, 3, h, w], location map [B, R, R, 3] in
    metres, camera [B, 3] = (s, tx, ty). With freeze_cnet no gradient reaches the CNet, which stays in
    evaluation mode while the LNet trains.
    """

    def __init__(self, CNet: nn.Cell, LNet: nn.Cell, freeze_cnet: bool = False):  # noqa: N803  names that users know
        super().__init__()
        self.freeze_cnet = freeze_cnet
        self.CNet = CNet
        self.LNet = LNet

    def set_train(self, mode: bool = True):
        super().set_train(mode)
        if self.freeze_cnet:
            self.CNet.set_train(False)
        return self

    def construct(self, image: Tensor):
        dp_out, dp_feature, codes = self.CNet(image)
        if self.freeze_cnet:
            dp_out, dp_feature, codes = (
                ops.stop_gradient(dp_out),
                ops.stop_gradient(dp_feature),
                ops.stop_gradient(codes),
            )
        location_map, camera = self.LNet(dp_out, dp_feature, codes)
        return dp_out, location_map, camera
