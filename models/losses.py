"""Every loss term of DecoMR, one function each (Zeng et al., CVPR 2020).

Each function returns one value per sample, [B]; `annotated_mean` averages them over the samples
that carry the annotation. `tv` is the exception: the paper sums it over the batch.
"""

import numpy as np
from mindspore import Tensor, nn, ops

from models.geometric_layers import orthographic_projection
from models.grid_sample import GridSample
from models.upsample import resize_bilinear, resize_nearest
from models.warp import pixel_positions
from utils.joints import LEFT_HIP, RIGHT_HIP

EPSILON = 1e-8
# as in PyTorch: log(0) counts as -100, and the denominator p (1 - p) of the gradient as 1e-12 at least
LOG_FLOOR, DENOMINATOR_FLOOR = -100.0, 1e-12


def annotated_mean(values: Tensor, shares: Tensor) -> Tensor:
    """Mean of per-sample values [B] over the samples that carry an annotation; `shares`: models.distributed.Shares."""
    return (values * shares).sum()


def annotated_only(values: Tensor, flags: Tensor) -> Tensor:
    """values [B, ...] with zeros for the samples whose flag [B] is 0, whatever stands there, even NaN."""
    keep = (flags > 0).reshape((-1,) + (1,) * (values.ndim - 1))
    return ops.select(ops.broadcast_to(keep, values.shape), values, ops.zeros_like(values))


def _mean(values: Tensor) -> Tensor:
    """[B, ...] -> [B], mean over all other axes."""
    return values.reshape(values.shape[0], -1).mean(1)


class BinaryCrossEntropy(nn.Cell):
    """(probability, target of zeros and ones) -> the cross-entropy of each element, of the same shape.

    It has PyTorch's gradient. The derived one is NaN, 0 times infinity, where the probability is 0 or 1: a sigmoid in
    float32 is 1 from 17 on, as it soon is where a network is sure.
    """

    def construct(self, probability: Tensor, target: Tensor) -> Tensor:
        log_foreground = ops.maximum(ops.log(probability), LOG_FLOOR)
        log_background = ops.maximum(ops.log(1 - probability), LOG_FLOOR)
        return -(target * log_foreground + (1 - target) * log_background)

    def bprop(self, probability, target, output, gradient):
        denominator = ops.maximum(probability * (1 - probability), DENOMINATOR_FLOOR)
        return gradient * (probability - target) / denominator, ops.zeros_like(target)


_cross_entropy = BinaryCrossEntropy()


def mask_loss(dp_out: Tensor, gt_iuv: Tensor) -> Tensor:
    """Binary cross-entropy of the mask channel, resized bilinearly to the size of the target.

    dp_out [B, 3, h, w]; gt_iuv [B, 3, H, W]: foreground where its mask is above 0.
    """
    height, width = gt_iuv.shape[2:]
    probability = resize_bilinear(dp_out[:, :1], height, width).clip(0.0, 1.0)
    target = (gt_iuv[:, :1] > 0).astype(probability.dtype)
    return _mean(_cross_entropy(probability, target))


def uv_image_loss(dp_out: Tensor, gt_iuv: Tensor) -> Tensor:
    """Mean |w pred - w gt| over u and v; w = 1 on the body, divided by its mean over the image.

    The prediction is resized by nearest neighbour. dp_out [B, 3, h, w]; gt_iuv [B, 3, H, W].
    """
    height, width = gt_iuv.shape[2:]
    prediction = resize_nearest(dp_out[:, 1:], height, width)
    target = gt_iuv[:, 1:]
    weight = (target.max(1, keepdims=True) > 0).astype(target.dtype)
    mean_weight = _mean(weight) + EPSILON
    return _mean(weight * ops.abs(prediction - target)) / mean_weight


def location_map_loss(location_map: Tensor, gt_map: Tensor, uv_weight: Tensor) -> Tensor:
    """Mean of uv_weight [1, R, R, 1] * |difference| of two location maps [B, R, R, 3]."""
    return _mean(ops.abs(location_map - gt_map) * uv_weight)


def total_variation(location_map: Tensor) -> Tensor:
    """Sum over the batch [B, R, R, 3] of |differences to the right and lower neighbour|, / (R - 1)^2; a scalar."""
    batch, height, width, channels = location_map.shape
    row = width * channels
    # in pieces that lie together in memory: MindSpore cuts out others number by number
    rows, maps = location_map.reshape(batch * height, row), location_map.reshape(batch, height * row)
    across = ops.abs(rows[:, :-channels] - rows[:, channels:]).reshape(batch, height, row - channels)
    down = ops.abs(maps[:, :-row] - maps[:, row:]).reshape(batch, height - 1, row)
    # neither the last row nor the last column has both neighbours
    beyond = across[:, -1].sum() + down[:, :, -channels:].sum()
    return (across.sum() + down.sum() - beyond) / float((height - 1) ** 2)


def mesh_loss(vertices: Tensor, gt_vertices: Tensor) -> Tensor:
    """Mean |difference| of two meshes [B, V, 3]."""
    return _mean(ops.abs(vertices - gt_vertices))


def pelvis_of_hips(joints: Tensor) -> Tensor:
    """[B, J, 3] of the training joint set -> [B, 1, 3], the middle of the hips."""
    return (joints[:, RIGHT_HIP : RIGHT_HIP + 1] + joints[:, LEFT_HIP : LEFT_HIP + 1]) / 2


def root_joint(joints: Tensor) -> Tensor:
    """[B, J, 3] of the SMPL joint set -> [B, 1, 3], joint 0."""
    return joints[:, :1]


def joints_3d_loss(joints: Tensor, gt_joints: Tensor, confidence: Tensor, centre) -> Tensor:
    """Mean of confidence [B, J, 1] * |difference| of joints [B, J, 3], each set minus `centre(joints)`."""
    difference = (joints - centre(joints)) - (gt_joints - centre(gt_joints))
    return _mean(confidence * ops.abs(difference))


def joints_2d_loss(joints: Tensor, camera: Tensor, keypoints: Tensor) -> Tensor:
    """Mean of confidence * squared difference; keypoints [B, J, 3] = x, y in crop units, confidence."""
    projected = orthographic_projection(joints, camera)
    return _mean(keypoints[..., 2:] * (projected - keypoints[..., :2]) ** 2)


class ConsistencyLoss(nn.Cell):
    """Dense re-projection: the surface point a pixel names must project back onto that pixel.

    (location_map [B, R, R, 3], camera [B, 3], gt_iuv [B, 3, S, S]) -> [B].
    """

    def __init__(self, image_size: int):
        super().__init__()
        self.positions = Tensor(pixel_positions(image_size, image_size)[None])
        self.grid_sample = GridSample()

    def construct(self, location_map: Tensor, camera: Tensor, gt_iuv: Tensor) -> Tensor:
        batch, height, width, _ = location_map.shape
        projected = orthographic_projection(location_map.reshape(batch, height * width, 3), camera)
        projected = projected.reshape(batch, height, width, 2).transpose(0, 3, 1, 2)
        grid = 2 * gt_iuv[:, 1:].transpose(0, 2, 3, 1) - 1
        foreground = (gt_iuv[:, :1] > 0.5).astype(gt_iuv.dtype)
        difference = (self.grid_sample(projected, grid) - self.positions) * foreground
        return _mean(difference**2)


def training_uv_weight(part_weights: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Part weight map [R, R] times the atlas mask [R, R], divided by its mean: [1, R, R, 1] float32."""
    weight = part_weights * mask
    return (weight / weight.mean()).astype(np.float32)[None, :, :, None]
