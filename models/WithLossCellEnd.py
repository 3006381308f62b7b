"""Stage `end`: the whole model and every loss."""

import mindspore as ms
from mindspore import Tensor, nn, ops

from atlas.part_weights import load_or_build_part_weights
from models import losses
from models.distributed import Shares, current_world_size
from models.smpl import SMPL
from models.uv_generator import Index_UV_Generator

FIT_ERROR_SLOPE = 10  # --adaptive_weight: a fit error of 0.1 and more takes a sample out


class WithLossCellEnd(nn.Cell):
    """The columns of `input_names` -> (total, *weighted terms in the order of `loss_names`).

    Column shapes are those of datasets.base_dataset.COLUMNS with a leading batch axis;
    gt_vertices [B, V, 3] and gt_uv_map [B, R, R, 3] come from models.ground_truth. With --accumulate the flags
    has_... are each sample's shares already (models.accumulation).
    """

    input_names = (
        "img",
        "gt_iuv",
        "has_dp",
        "has_smpl",
        "keypoints",
        "pose_3d",
        "has_pose_3d",
        "keypoints_smpl",
        "pose_3d_smpl",
        "has_pose_3d_smpl",
        "from_mesh",
        "fit_joint_error",
        "gt_vertices",
        "gt_uv_map",
    )

    def __init__(self, DMR: nn.Cell, options):  # noqa: N803  names that users know
        super().__init__()
        self.DMR = DMR
        self.lam = {name: getattr(options, f"lam_{name}") for name in self._names(options)}
        self.loss_names = tuple(self.lam)
        self.use_smpl_joints = options.use_smpl_joints
        self.adaptive_weight = options.adaptive_weight
        self.gtkey3d_from_mesh = options.gtkey3d_from_mesh
        self.smpl = SMPL()
        self.sampler = Index_UV_Generator(options.uv_res, uv_type=options.uv_type)
        part_weights = load_or_build_part_weights(options.uv_type, options.uv_res, options.uv_res)
        self.uv_weight = Tensor(losses.training_uv_weight(part_weights, self.sampler.mask.asnumpy()))
        self.consistency = losses.ConsistencyLoss(options.img_res)
        self.world_size = current_world_size()
        self.parts = options.accumulate
        self.shares = Shares(self.world_size)

    @staticmethod
    def _names(options) -> tuple:
        names = ("dp_mask", "dp_uv", "uv", "tv", "mesh", "key3D", "key2D", "con")
        return names + ("key3D_smpl", "key2D_smpl") if options.use_smpl_joints else names

    def construct(
        self,
        img,
        gt_iuv,
        has_dp,
        has_smpl,
        keypoints,
        pose_3d,
        has_pose_3d,
        keypoints_smpl,
        pose_3d_smpl,
        has_pose_3d_smpl,
        from_mesh,
        fit_joint_error,
        gt_vertices,
        gt_uv_map,
    ):
        if self.parts == 1:
            has_dp, has_smpl, has_pose_3d, has_pose_3d_smpl = self.shares(
                has_dp, has_smpl, has_pose_3d, has_pose_3d_smpl
            )
        gt_iuv = losses.annotated_only(gt_iuv, has_dp)
        gt_vertices = losses.annotated_only(gt_vertices, has_smpl)
        gt_uv_map = losses.annotated_only(gt_uv_map, has_smpl)
        pose_3d = losses.annotated_only(pose_3d, has_pose_3d)
        pose_3d_smpl = losses.annotated_only(pose_3d_smpl, has_pose_3d_smpl)

        # the networks may be in half precision
        dp_out, location_map, camera = [output.astype(ms.float32) for output in self.DMR(img)]
        vertices = self.sampler.resample(location_map)
        trust = ops.ones_like(fit_joint_error)  # in the mesh, and in all that is made from it
        if self.adaptive_weight:
            trust = ops.relu(1 - FIT_ERROR_SLOPE * fit_joint_error)
        joints = self.smpl.get_train_joints(vertices)
        joints_3d = self._joints_3d_loss(
            joints, pose_3d, self.smpl.get_train_joints(gt_vertices), from_mesh[:, 0], trust, losses.pelvis_of_hips
        )

        terms = (
            self._term("dp_mask", losses.mask_loss(dp_out, gt_iuv) * trust, has_dp),
            self._term("dp_uv", losses.uv_image_loss(dp_out, gt_iuv) * trust, has_dp),
            self._term("uv", losses.location_map_loss(location_map, gt_uv_map, self.uv_weight) * trust, has_smpl),
            # a sum over the batch: the mean of gradients over ranks must give the whole sum
            self._weighted("tv", self.world_size * losses.total_variation(location_map)),
            self._term("mesh", losses.mesh_loss(vertices, gt_vertices) * trust, has_smpl),
            self._term("key3D", joints_3d, has_pose_3d),
            self._mean("key2D", losses.joints_2d_loss(joints, camera, keypoints)),
            self._term("con", self.consistency(location_map, camera, gt_iuv) * trust, has_dp),
        )
        if self.use_smpl_joints:
            terms += self._smpl_joint_terms(
                vertices, camera, keypoints_smpl, pose_3d_smpl, has_pose_3d_smpl, gt_vertices, from_mesh[:, 1], trust
            )
        total = terms[0]
        for term in terms[1:]:
            total = total + term
        return (total, *terms)

    def _weighted(self, name, value):
        if self.lam[name] == 0:
            return ops.zeros((), ms.float32)  # a graph then leaves out what gives the value
        return self.lam[name] * value

    def _term(self, name, values, shares):
        return self._weighted(name, losses.annotated_mean(values, shares))

    def _mean(self, name, values):
        """A term over all samples."""
        return self._weighted(name, values.mean() / self.parts)

    def _smpl_joint_terms(self, vertices, camera, keypoints, pose_3d, has_pose_3d, gt_vertices, from_mesh, trust):
        joints = self.smpl.get_smpl_joints(vertices)
        joints_3d = self._joints_3d_loss(
            joints, pose_3d, self.smpl.get_smpl_joints(gt_vertices), from_mesh, trust, losses.root_joint
        )
        return (
            self._term("key3D_smpl", joints_3d, has_pose_3d),
            self._mean("key2D_smpl", losses.joints_2d_loss(joints, camera, keypoints)),
        )

    def _joints_3d_loss(self, joints, pose_3d, mesh_joints, from_mesh, trust, centre):
        """Values [B]; where the truth is the mesh's joints (--gtkey3d_from_mesh), times the trust in the fit."""
        confidence = pose_3d[..., 3:]
        if not self.gtkey3d_from_mesh:
            return losses.joints_3d_loss(joints, pose_3d[..., :3], confidence, centre)
        filled = from_mesh > 0
        truth = ops.select(ops.broadcast_to(filled[:, None, None], mesh_joints.shape), mesh_joints, pose_3d[..., :3])
        confidence = ops.select(
            ops.broadcast_to(filled[:, None, None], confidence.shape), ops.ones_like(confidence), confidence
        )
        weight = ops.select(filled, trust, ops.ones_like(trust))
        return losses.joints_3d_loss(joints, truth, confidence, centre) * weight
