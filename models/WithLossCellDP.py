"""Stage `dp`: CNet and the losses of its IUV image."""

from mindspore import Tensor, nn

from models.losses import AnnotatedMean, annotated_only, current_world_size, mask_loss, uv_image_loss


class WithLossCellDP(nn.Cell):
    """(img, gt_iuv, has_dp) -> (total, *weighted terms in the order of `loss_names`)."""

    input_names = ("img", "gt_iuv", "has_dp")
    loss_names = ("dp_mask", "dp_uv")

    def __init__(self, CNet: nn.Cell, options):  # noqa: N803  names that users know
        super().__init__()
        self.CNet = CNet
        self.lam_dp_mask = options.lam_dp_mask
        self.lam_dp_uv = options.lam_dp_uv
        self.annotated_mean = AnnotatedMean(current_world_size(), options.accumulate)

    def construct(self, img: Tensor, gt_iuv: Tensor, has_dp: Tensor):
        gt_iuv = annotated_only(gt_iuv, has_dp)
        dp_out, _, _ = self.CNet(img)
        dp_mask = self.lam_dp_mask * self.annotated_mean(mask_loss(dp_out, gt_iuv), has_dp)
        dp_uv = self.lam_dp_uv * self.annotated_mean(uv_image_loss(dp_out, gt_iuv), has_dp)
        return dp_mask + dp_uv, dp_mask, dp_uv
