"""Every loss of DecoMR in PyTorch; samples are selected, not weighted (Zeng et al., CVPR 2020).

`batch` is a dict of tensors with the names of the data set's columns, and gt_vertices, gt_uv_map. Its flags has_pose_3d
and has_pose_3d_smpl are those of the joints that the samples bring.
"""

import torch
import torch.nn.functional as F

from tests.reference.surface import EPSILON, pixel_grid


def over_annotated(per_sample: torch.Tensor, has_it: torch.Tensor) -> torch.Tensor:
    """Mean of [B] over the samples whose flag is set; 0 where none is."""
    chosen = per_sample[has_it > 0]
    return chosen.mean() if len(chosen) else per_sample.new_zeros(())


def per_sample(values: torch.Tensor) -> torch.Tensor:
    return values.flatten(1).mean(1)


def mask_loss(dp_out, gt_iuv):
    mask = F.interpolate(dp_out[:, :1], gt_iuv.shape[2:], mode="bilinear", align_corners=False).clamp(0, 1)
    return per_sample(F.binary_cross_entropy(mask, (gt_iuv[:, :1] > 0).to(mask), reduction="none"))


def uv_image_loss(dp_out, gt_iuv):
    uv, target = F.interpolate(dp_out[:, 1:], gt_iuv.shape[2:], mode="nearest"), gt_iuv[:, 1:]
    weight = (target.amax(1, keepdim=True) > 0).to(uv)
    weight = weight / (weight.mean((1, 2, 3), keepdim=True) + EPSILON)
    return per_sample((weight * uv - weight * target).abs())


def uv_weight(part_weights, mask):
    """Part weights and atlas mask, each [R, R] -> [R, R, 1] of mean 1."""
    weight = part_weights * mask
    return (weight / weight.mean())[..., None]


def total_variation(location_map):
    right = (location_map[:, :-1, :-1] - location_map[:, :-1, 1:]).abs().sum()
    below = (location_map[:, :-1, :-1] - location_map[:, 1:, :-1]).abs().sum()
    return (right + below) / (location_map.shape[1] - 1) ** 2


def middle_of_hips(joints):
    return joints[:, [2, 3]].mean(1, keepdim=True)


def first_joint(joints):
    return joints[:, [0]]


def joints_3d(predicted, target, confidence, origin):
    return per_sample(confidence * ((predicted - origin(predicted)) - (target - origin(target))).abs())


def project(points, camera):
    scale, shift = camera[:, None, :1], camera[:, None, 1:]
    return scale * (points[..., :2] + shift)


def joints_2d(joints, camera, keypoints):
    return per_sample(keypoints[..., 2:] * F.mse_loss(project(joints, camera), keypoints[..., :2], reduction="none"))


def consistency(location_map, camera, gt_iuv):
    plane = project(location_map.flatten(1, 2), camera).unflatten(1, location_map.shape[1:3]).permute(0, 3, 1, 2)
    landed = F.grid_sample(plane, 2 * gt_iuv[:, 1:].permute(0, 2, 3, 1) - 1, align_corners=True)
    body = gt_iuv[:, :1] > 0.5
    own = pixel_grid(*gt_iuv.shape[2:]).to(landed)
    return per_sample((landed * body - own * body) ** 2)


def dp_losses(dp_out, batch, options) -> dict:
    """The weighted terms of stage dp, by name."""
    terms = {
        "dp_mask": over_annotated(mask_loss(dp_out, batch["gt_iuv"]), batch["has_dp"]),
        "dp_uv": over_annotated(uv_image_loss(dp_out, batch["gt_iuv"]), batch["has_dp"]),
    }
    return {name: getattr(options, f"lam_{name}") * value for name, value in terms.items()}


def key3d(name, rows, origin, vertices, trust, batch, options) -> tuple:
    """(loss [B] of the 3-D joints in column `name`, flags [B]): joints of the mesh, damped, only where it has none."""
    losses, flags = [], []
    for vertex, true_vertex, target, weight, has_mesh, has_joints in zip(
        vertices, batch["gt_vertices"], batch[name], trust, batch["has_smpl"], batch[f"has_{name}"], strict=True
    ):
        joints, confidence = target[None, :, :3], target[None, :, 3:]
        is_filled = options.gtkey3d_from_mesh and has_mesh > has_joints
        if is_filled:
            joints, confidence = (rows @ true_vertex)[None], 1.0
        loss = joints_3d((rows @ vertex)[None], joints, confidence, origin)[0]
        losses.append(loss * weight if is_filled else loss)
        flags.append(bool(is_filled or has_joints > 0))
    return torch.stack(losses), torch.tensor(flags)


def end_losses(outputs, batch, body, sampler, weight, options) -> dict:
    """The weighted terms of stage end, by name.

    outputs = (dp_out, location map, camera); body, sampler: tests.reference.body and .surface.
    """
    dp_out, location_map, camera = outputs
    vertices = sampler.resample(location_map)
    trust = torch.ones(len(vertices))
    if options.adaptive_weight:
        trust = (1 - 10 * batch["fit_joint_error"]).clamp(min=0)
    training_rows, smpl_rows = body.training_rows.to(vertices), body.smpl_rows.to(vertices)
    joints, everyone = training_rows @ vertices, torch.ones(len(vertices))

    terms = {
        "dp_mask": (mask_loss(dp_out, batch["gt_iuv"]) * trust, batch["has_dp"]),
        "dp_uv": (uv_image_loss(dp_out, batch["gt_iuv"]) * trust, batch["has_dp"]),
        "uv": (per_sample((weight * (location_map - batch["gt_uv_map"])).abs()) * trust, batch["has_smpl"]),
        "mesh": (per_sample((vertices - batch["gt_vertices"]).abs()) * trust, batch["has_smpl"]),
        "key3D": key3d("pose_3d", training_rows, middle_of_hips, vertices, trust, batch, options),
        "key2D": (joints_2d(joints, camera, batch["keypoints"]), everyone),
        "con": (consistency(location_map, camera, batch["gt_iuv"]) * trust, batch["has_dp"]),
    }
    if options.use_smpl_joints:
        terms["key3D_smpl"] = key3d("pose_3d_smpl", smpl_rows, first_joint, vertices, trust, batch, options)
        terms["key2D_smpl"] = joints_2d(smpl_rows @ vertices, camera, batch["keypoints_smpl"]), everyone
    means = {name: over_annotated(*term) for name, term in terms.items()}
    means["tv"] = total_variation(location_map)
    return {name: getattr(options, f"lam_{name}") * value for name, value in means.items()}
