"""The annotations in the rows of a data set's table: joints, poses, shapes, and the body model that these belong to.

A value without confidence, or whose flag is 0, becomes zero whatever it was, even NaN. A trusted value that is not a
finite number is an error that names file, row and column.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from datasets.columns import SHAPES
from utils import config
from utils.body_model import GENDERS, MODEL_FILES, NEUTRAL, load_model_of_gender, pose_vertices
from utils.errors import UserError, warn


class Annotations:
    """The rows of a table that datasets.columns.read_table has read.

    gendered: whether the table must have the column gender, the body model of each mesh. image_name: number of a row
    -> the name of its picture. has_mesh, has_joints, has_smpl_joints: [N] float32, 0 or 1. genders: [N] int32, the
    body model of a row's pose and shape: 0 male, 1 female, -1 neutral.
    """

    def __init__(self, npz_file: Path, table: dict[str, np.ndarray], image_name: Callable[[int], str], gendered: bool):
        self.npz_file, self.table, self.image_name = npz_file, table, image_name
        self.count = len(table["center"])
        self.has_mesh = self._flags("pose", "has_smpl")
        self.has_joints = self._flags("S", "has_pose_3d")
        self.has_smpl_joints = self._flags("S_smpl", "has_pose_3d_smpl")
        self.genders = self._mesh_genders(gendered)

    def keypoints(self, key: str, index: int) -> np.ndarray:
        """Keypoints [24, 3] of column `key`, part or part_smpl: x, y in px of the image, confidence."""
        return self._joints(key, index)

    def joints(self, index: int) -> np.ndarray:
        """The training joints [24, 4]: metres, confidence."""
        return self._joints("S", index, self.has_joints)

    def smpl_joints(self, index: int) -> np.ndarray:
        """The SMPL joints [24, 4]: metres, confidence."""
        return self._joints("S_smpl", index, self.has_smpl_joints)

    def pose(self, index: int) -> np.ndarray:
        """The pose [72], axis-angle."""
        return self._parameters("pose", index)

    def betas(self, index: int) -> np.ndarray:
        """The shape [10]."""
        return self._parameters("shape", index)

    def fit_error(self, index: int) -> np.float32:
        """How far the fitted body is from the keypoints."""
        error = self._row("fit_joint_error", index)
        if not self.has_mesh[index] and not np.isfinite(error):
            return np.float32(0)  # the row has no fit
        return np.float32(self._finite("fit_joint_error", index, error, "Correct it, or set has_smpl to 0."))

    def vertices(self, index: int) -> np.ndarray:
        """The mesh [V, 3] in metres; the rest pose if the row has none."""
        model = load_model_of_gender(int(self.genders[index]))
        return pose_vertices(model, self.pose(index), self.betas(index))

    def mesh_genders(self) -> tuple[int, ...]:
        """The genders, 0 and 1, whose body models the meshes need; UserError if such a file is missing."""
        found = [int(gender) for gender in np.unique(self.genders[self.has_mesh > 0]) if gender != NEUTRAL]
        for gender in found:
            path = config.body_model_file(getattr(config, MODEL_FILES[gender]))
            if not path.is_file():
                raise UserError(
                    f"{path} does not exist, but {self.npz_file} has meshes of this body model. Put it there (see "
                    "data/README.md), or take the column gender out if they are of the neutral one."
                )
        return tuple(found)

    def _mesh_genders(self, gendered: bool) -> np.ndarray:
        if "gender" not in self.table:
            if gendered:
                raise UserError(f"{self.npz_file} has no gender, which says the body model of its meshes.")
            return np.full(self.count, NEUTRAL, np.int32)
        letters = self.table["gender"]
        genders = np.full(self.count, NEUTRAL, np.int32)
        for letter, number in GENDERS.items():
            genders[letters == letter] = number
        if not gendered and (genders[self.has_mesh > 0] != NEUTRAL).any():
            warn(
                f"{self.npz_file}: pose and shape are taken for those of the male and female body models that its "
                "column gender names. Take the column out if they are of the neutral one."
            )
        return genders

    def _flags(self, key: str, flag: str) -> np.ndarray:
        """[N] float32: column `flag` as 0 or 1; without it, 1 if the table has column `key`."""
        if key not in self.table:
            return np.zeros(self.count, np.float32)
        flags = self.table.get(flag)
        return np.ones(self.count, np.float32) if flags is None else (flags > 0).astype(np.float32)

    def _row(self, key: str, index: int) -> np.ndarray:
        """A row of a column as float64; zeros if the table lacks the column."""
        return self.table[key][index].astype(np.float64) if key in self.table else np.zeros(SHAPES[key])

    def _joints(self, key: str, index: int, flags: np.ndarray | None = None) -> np.ndarray:
        joints = self._row(key, index)
        trusted = joints[:, -1:] > 0 if flags is None else (joints[:, -1:] > 0) & (flags[index] > 0)
        return self._finite(key, index, np.where(trusted, joints, 0.0), "Correct them, or set the confidence to 0.")

    def _parameters(self, key: str, index: int) -> np.ndarray:
        if not self.has_mesh[index]:
            return np.zeros(SHAPES[key])
        return self._finite(key, index, self._row(key, index), "Correct them, or set has_smpl to 0.")

    def _finite(self, key: str, index: int, values: np.ndarray, advice: str) -> np.ndarray:
        if not np.isfinite(values).all():
            raise UserError(
                f"{self.npz_file}, row {index} ({self.image_name(index)}): {key} holds numbers that are not finite "
                f"where they are trusted. {advice}"
            )
        return values
