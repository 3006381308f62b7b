"""Valid files of Human3.6M, MPI-INF-3DHP and 3DPW, as bytes."""

import pickle
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from tests.helpers import tiny_mocap


def _written(write: Callable[[Path], object]) -> bytes:
    """What `write`, called with a path, writes there."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file.mat"
        write(path)
        return path.read_bytes()


def pose_files() -> list[bytes]:
    """A .cdf of Human3.6M's joints: plain, with a compressed variable, and compressed as a whole."""
    return [_written(partial(_write_pose, *compressed)) for compressed in ((0, 0), (0, 6), (6, 0))]


def _write_pose(file: int, variable: int, path: Path) -> None:
    from cdflib.cdfwrite import CDF

    joints = np.arange(2 * 96.0).reshape(1, 2, 96)
    about = {"Variable": "Pose", "Data_Type": 45, "Num_Elements": 1, "Rec_Vary": True, "Dim_Sizes": [2, 96]}
    with CDF(path.with_suffix(".cdf"), cdf_spec={"Compressed": file}) as written:
        written.write_var(about | {"Compress": variable}, var_data=joints)
    path.with_suffix(".cdf").rename(path)


def box_files() -> list[bytes]:
    """A .mat of Human3.6M's boxes."""
    return [_written(lambda path: tiny_mocap.write_masks(path, np.array([[1, 2, 9, 9], [3, 4, 5, 6]])))]


def annotation_files() -> list[bytes]:
    """annot.mat of MPI-INF-3DHP in both versions."""
    found = tiny_mocap.training_joints(0, 2)
    return [_written(partial(_write_annotations, found, version)) for version in (5, 7)]


def _write_annotations(found: tuple, version: int, path: Path) -> None:
    tiny_mocap.write_annotations(path, *found, version=version)


def annotation_files_of_test() -> list[bytes]:
    """annot_data.mat of MPI-INF-3DHP."""
    with tempfile.TemporaryDirectory() as folder:
        tiny_mocap.write_test(Path(folder) / "TS1", frames=2)
        return [(Path(folder) / "TS1/annot_data.mat").read_bytes()]


def recordings() -> list[bytes]:
    """Pickles of 3DPW in Python 2's protocols."""
    content = tiny_mocap.recording("a", people=1, frames=2)
    return [pickle.dumps(content, protocol) for protocol in (0, 2)]
