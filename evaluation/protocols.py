"""How each data set is evaluated: what the truth is, the joints by name, their root, and the figures, in one table.

A figure without the name of its protocol is worth nothing, so the name is printed and stored with the figures.
"""

from dataclasses import dataclass, replace

import numpy as np

from evaluation.lsp_masks import FIGURE_PREFIX
from utils.body_model import JointRegressors, load_h36m_regressor
from utils.errors import UserError, warn
from utils.joints import (
    BENCHMARK_17,
    BENCHMARK_JOINTS,
    H36M_JOINTS,
    HIPS,
    LSP_JOINTS,
    SPIN_17,
    SPIN_ROWS,
    TRAINING_JOINTS,
    indices,
)

MESH, JOINTS, MASKS = "true mesh", "annotated joints", "silhouettes and body parts in image coordinates"
TRAINING, SPIN = "training", "spin"  # the values of --joints
# name in a protocol -> the joints that the rows of a regressor make, and the file that they mostly come from
REGRESSORS = {
    "lsp": (LSP_JOINTS, "the LSP regressor"),
    "training": (TRAINING_JOINTS, "the training regressor"),
    "h36m": (H36M_JOINTS, "J_regressor_h36m.npy"),
}
IUV_ERRORS = ("mask_iou", "mask_iou_coarse", "uv_error")


@dataclass(frozen=True)
class JointRule:
    """The joints of a protocol: how a mesh gives them, and which annotated joints are their truth.

    rows: names of the rows of `regressor` that make the joints of a mesh, and root_rows of those whose mean is its
    root. names: the same joints among the training joints, and root those whose mean is the root of annotated joints.
    """

    regressor: str
    rows: tuple[str, ...]
    root_rows: tuple[str, ...]
    names: tuple[str, ...]
    root: tuple[str, ...]

    def __str__(self) -> str:
        root = "middle of the hips" if self.root_rows == HIPS else " and ".join(self.root_rows).replace("_", " ")
        return f"{len(self.rows)} joints of {REGRESSORS[self.regressor][1]}, root: {root}"

    def load(self, regressors: JointRegressors) -> tuple[np.ndarray, np.ndarray]:
        """(rows [K, V] that make the joints of a mesh, row [1, V] that makes its root); UserError without the file."""
        if self.regressor == "h36m":
            matrix = load_h36m_regressor(regressors.lsp_rows.shape[1])
        else:
            matrix = regressors.lsp_rows if self.regressor == "lsp" else regressors.train_rows
        order = REGRESSORS[self.regressor][0]
        return matrix[indices(self.rows, order)], matrix[indices(self.root_rows, order)].mean(0, keepdims=True)


@dataclass(frozen=True)
class Protocol:
    """How a data set is evaluated. figures: those of its table; the first sorts the cases of a report.

    beside: what is measured too. Both name columns of results (evaluation.summary.SUMMARY), or for silhouettes the
    entries of evaluation.lsp_masks.summarise.
    """

    title: str
    truth: str
    joints: JointRule
    figures: tuple[str, ...]
    beside: tuple[str, ...] = ("reprojection_error",)

    @property
    def name(self) -> str:
        """The name that is printed and stored with the figures."""
        return f"{self.title}; {self.truth}" + ("" if self.truth == MASKS else f"; {self.joints}")

    @property
    def main(self) -> str:
        """The column of results that the cases of a report are sorted by."""
        return "silhouette_error" if self.truth == MASKS else self.figures[0]

    @property
    def measured(self) -> tuple[str, ...]:
        """All that is measured."""
        return (*self.figures, *self.beside)


_LSP = JointRule("lsp", LSP_JOINTS, HIPS, LSP_JOINTS, HIPS)
_BENCHMARK = JointRule("training", BENCHMARK_JOINTS, HIPS, BENCHMARK_JOINTS, HIPS)
_BENCHMARK_17 = replace(_BENCHMARK, rows=BENCHMARK_17, names=BENCHMARK_17)
# SPIN: Kolotouros et al., 2019. Its root of annotated joints is the pelvis, to which they are relative.
_SPIN = JointRule("h36m", SPIN_ROWS, ("hips_centre",), BENCHMARK_JOINTS, ("pelvis",))
_SPIN_17 = replace(_SPIN, rows=SPIN_17, names=BENCHMARK_17)

_POSITIONS = ("mpjpe", "pa_mpjpe")
_MESHES = ("shape_error", *_POSITIONS)
_WITH_IUV = ("shape_error_l1", "reprojection_error", *IUV_ERRORS)
_MASK_FIGURES = ("mask accuracy", "mask F1, mean of 2 classes", "part accuracy", "part F1, mean of 7 classes")
PROTOCOLS = {
    "up-3d": Protocol("UP-3D", MESH, _LSP, _MESHES, _WITH_IUV),
    "surreal": Protocol("SURREAL", MESH, _LSP, _MESHES, _WITH_IUV),
    "h36m-p1": Protocol("Human3.6M protocol 1", JOINTS, _BENCHMARK, _POSITIONS),
    "h36m-p2": Protocol("Human3.6M protocol 2", JOINTS, _BENCHMARK, _POSITIONS),
    "3dpw": Protocol("3DPW", MESH, _BENCHMARK, (*_POSITIONS, "pve")),
    "mpi-inf-3dhp": Protocol("MPI-INF-3DHP", JOINTS, _BENCHMARK_17, (*_POSITIONS, "pck", "auc")),
    "lsp": Protocol(
        "LSP",
        MASKS,
        _LSP,
        tuple(FIGURE_PREFIX + name for name in _MASK_FIGURES),
        ("silhouette_error", "reprojection_error"),
    ),
}
# with --joints spin
_OF_SPIN = {"h36m-p1": _SPIN, "h36m-p2": _SPIN, "3dpw": _SPIN, "mpi-inf-3dhp": _SPIN_17}


def find_protocol(dataset: str, joints: str = TRAINING) -> Protocol:
    """The protocol of a data set; UserError if it has none.

    joints: TRAINING, or SPIN for that of SPIN's tables. Where SPIN has none it is the data set's own, with a warning.
    """
    if dataset not in PROTOCOLS:
        raise UserError(
            f"there is no protocol for dataset {dataset}. Those that are evaluated: {', '.join(PROTOCOLS)}."
        )
    protocol = PROTOCOLS[dataset]
    if joints == SPIN and dataset not in _OF_SPIN:
        warn(f"--joints spin: SPIN has no protocol for {dataset}; its figures are those of {protocol.name}.")
    elif joints == SPIN:
        protocol = replace(protocol, title=f"{protocol.title} as SPIN", joints=_OF_SPIN[dataset])
    return protocol
