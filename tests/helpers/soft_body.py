"""A body model of about two thousand vertices, soft at the joints."""

import dataclasses
import functools

import numpy as np

from tests.helpers.random_people import smooth_fields
from tests.helpers.rigged_body import straight_body
from utils.body_model import BodyModel
from utils.joints import PARENTS
from utils.own_body.regressors import joint_regressor


@functools.cache
def soft_body() -> BodyModel:
    """The capsule body with smooth blend shapes, which differ in size as SMPL's do."""
    mesh, joints, weights = straight_body()
    rng = np.random.default_rng(5)
    shapes = smooth_fields(mesh.vertices, rng, 10, length=0.4) * np.geomspace(0.02, 0.002, 10)
    bends = 0.004 * smooth_fields(mesh.vertices, rng, 207, length=0.2) * np.repeat(weights[:, 1:], 9, axis=1)[:, None]
    regressor = joint_regressor(mesh.vertices, joints)
    return BodyModel(mesh.vertices, shapes, bends, regressor, weights, mesh.faces, PARENTS)


def part_of(model: BodyModel, kept: np.ndarray) -> BodyModel:
    """The same body with the `kept` vertices [V'] alone, in this order; its joints are regressed from these."""
    regressor = joint_regressor(model.v_template[kept], model.joint_regressor @ model.v_template)
    return dataclasses.replace(
        model, v_template=model.v_template[kept], shapedirs=model.shapedirs[kept], posedirs=model.posedirs[kept],
        joint_regressor=regressor, weights=model.weights[kept],
    )  # fmt: skip
