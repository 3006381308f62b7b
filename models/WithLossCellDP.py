"""Stage `dp`: CNet and the losses of its IUV image."""

import mindspore as ms
from mindspore import Tensor, nn

from models.distributed import Shares, current_world_size
from models.losses import annotated_mean, annotated_only, mask_loss, uv_image_loss


class WithLossCellDP(nn.Cell):
    """(img, gt_iuv, has_dp) -> (total, *weighted terms in the order of `loss_names`).

    With --accumulate the flag is the sample's share already (models.accumulation).
    """

    input_names = ("img", "gt_iuv", "has_dp")
    loss_names = ("dp_mask", "dp_uv")

    def __init__(self, CNet: nn.Cell, options):  # noqa: N803  names that users know
        super().__init__()
        self.CNet = CNet
        self.lam_dp_mask = options.lam_dp_mask
        self.lam_dp_uv = options.lam_dp_uv
        self.takes_shares = options.accumulate > 1
        self.shares = Shares(current_world_size())

    def construct(self, img: Tensor, gt_iuv: Tensor, has_dp: Tensor):
        if not self.takes_shares:
            (has_dp,) = self.shares(has_dp)
        gt_iuv = annotated_only(gt_iuv, has_dp)
        dp_out = self.CNet(img)[0].astype(ms.float32)  # the CNet may be in half precision
        dp_mask = self.lam_dp_mask * annotated_mean(mask_loss(dp_out, gt_iuv), has_dp)
        dp_uv = self.lam_dp_uv * annotated_mean(uv_image_loss(dp_out, gt_iuv), has_dp)
        return dp_mask + dp_uv, dp_mask, dp_uv
