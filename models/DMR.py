"""The whole model: image -> IUV image, location map, camera."""

from mindspore import Tensor, nn


class DMR(nn.Cell):
    """CNet followed by LNet.

    Call: image [B, 3, H, W], normalised -> dp_out [B, 3, h, w], location map [B, R, R, 3] in
    metres, camera [B, 3] = (s, tx, ty).
    """

    def __init__(self, CNet: nn.Cell, LNet: nn.Cell):  # noqa: N803  names that users know
        super().__init__()
        self.CNet = CNet
        self.LNet = LNet

    def construct(self, image: Tensor):
        dp_out, dp_feature, codes = self.CNet(image)
        location_map, camera = self.LNet(dp_out, dp_feature, codes)
        return dp_out, location_map, camera


class FrozenCNetDMR(DMR):
    """A DMR whose LNet alone trains: called with the outputs of its CNet, which stays in evaluation mode."""

    def set_train(self, mode: bool = True):
        """Training mode for the LNet alone."""
        super().set_train(mode)
        self.CNet.set_train(False)
        return self

    def construct(self, cnet_outputs: tuple):
        dp_out, dp_feature, codes = cnet_outputs
        location_map, camera = self.LNet(dp_out, dp_feature, codes)
        return dp_out, location_map, camera
