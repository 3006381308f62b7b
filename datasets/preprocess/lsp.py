"""LSP, LSP original and HR-LSPET original files -> their tables.

Leeds Sports Pose: Johnson and Everingham, "Clustered Pose and Nonlinear Appearance Models for Human Pose Estimation",
BMVC 2010. The extended set is theirs too, CVPR 2011; HR-LSPET has its pictures in their first size. `joints.mat` holds
14 joints of every picture as x, y and a flag that tells whether the joint is hidden. Hidden joints are annotated too,
so every joint has confidence 1, as in the PyTorch releases. The box is the extent of the joints.

The test pictures of LSP have silhouettes and body parts of UPi-S1h (Lassner et al., "Unite the People", CVPR 2017).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from datasets.preprocess.annotated_pictures import (
    RENEW_ADVICE,
    AnnotatedPictures,
    boxes_of_keypoints,
    centres_and_scales,
    training_keypoints,
)
from datasets.preprocess.preparation import Plan, Preparation
from datasets.preprocess.samples import Incomplete
from datasets.preprocess.tables import Layout
from utils import config
from utils.array_files.matlab import read_mat
from utils.errors import UserError
from utils.joints import LSP_JOINTS
from utils.media.image_files import image_size

JOINTS_FILE = "joints.mat"
NUM_TRAINING = 1000  # the first pictures; those for testing follow
NUM_PICTURES = 2000
PICTURE_ENDING = ".png"  # of HR-LSPET
ANNOTATION_ENDINGS = {"maskname": "segmentation", "partname": "part_segmentation"}
LAYOUT = Layout("imgname", ("imgname", "center", "scale", "part"))
TEST_LAYOUT = Layout("imgname", (*LAYOUT.columns, *ANNOTATION_ENDINGS))


def read_joints(path: Path) -> np.ndarray:
    """The joints [N, 14, 2] px of a joints.mat.

    LSP has the axes (x y flag, joint, picture), its extended set (joint, x y flag, picture). Matlab drops the last axis
    of arrays with one picture.
    """
    joints = read_mat(path, ("joints",), RENEW_ADVICE)["joints"]
    stored, count = joints.shape, len(LSP_JOINTS)
    if joints.ndim == 2:
        joints = joints[..., None]
    if joints.ndim == 3 and joints.shape[0] in (2, 3) and joints.shape[1] == count:
        return joints[:2].transpose(2, 1, 0)
    if joints.ndim == 3 and joints.shape[0] == count and joints.shape[1] in (2, 3):
        return joints[:, :2].transpose(2, 0, 1)
    raise UserError(f"{path} has joints of shape {stored}, expected (3, {count}, N) or ({count}, 3, N). {RENEW_ADVICE}")


def columns_of(names: list[str], joints: np.ndarray) -> dict[str, np.ndarray]:
    """The columns of LAYOUT for pictures and their joints [N, 14, 2] px."""
    centre, scale = centres_and_scales(*boxes_of_keypoints(joints))
    keypoints = np.concatenate([joints, np.ones((*joints.shape[:2], 1))], axis=2)
    part = training_keypoints(keypoints, LSP_JOINTS)
    return {"imgname": np.array(names), "center": centre, "scale": scale, "part": part}


def numbered_pictures(first: int, last: int) -> list[str]:
    """Names of pictures of LSP by their numbers, which count from 1."""
    return [f"images/im{number:04d}.jpg" for number in range(first, last + 1)]


def extended_pictures(root: Path, path: Path, count: int) -> list[str]:
    """Names of the pictures of HR-LSPET, sorted; UserError if there are not as many as joints in `path`."""
    pictures = (entry.name for entry in root.iterdir() if entry.suffix.lower() == PICTURE_ENDING)
    names = sorted(name for name in pictures if not name.startswith("."))
    if len(names) != count:
        raise UserError(
            f"{root} holds {len(names)} pictures ({PICTURE_ENDING}), but {path} has joints of {count}. They belong "
            f"together in the order of their names. {RENEW_ADVICE}"
        )
    return names


@dataclass(frozen=True)
class PicturesWithParts(AnnotatedPictures):
    """The rows of test pictures; a row names silhouette and parts, below `masks`, if they fit its picture."""

    masks: Path = Path()

    def files(self, name: str) -> list[Path]:
        """The picture of a sample, its silhouette and its parts."""
        index = self.places[name]
        return [*super().files(name), *(self.masks / str(self.columns[key][index]) for key in ANNOTATION_ENDINGS)]

    def __call__(self, name: str) -> dict | Incomplete:
        row = self.checked_row(name)
        picture, *annotations = self.files(name)
        size, problems = image_size(picture, RENEW_ADVICE), []
        for key, path in zip(ANNOTATION_ENDINGS, annotations, strict=True):
            try:
                found = image_size(path, RENEW_ADVICE)
                if found != size:
                    raise UserError(f"{path} is not as large as {picture}.")
            except UserError as error:
                problems.append(str(error))
                row[key] = np.array([""])
        return Incomplete(row, " ".join(problems)) if problems else row


class LspTest(Preparation):
    """The preparation of LSP: the table of its test pictures."""

    name = "lsp"

    def plan(self, split: str) -> Plan:
        """The pictures from the 1001st on."""
        path, masks = self.root / JOINTS_FILE, config.UPI_S1H_ROOT
        joints = read_joints(path)[NUM_TRAINING:NUM_PICTURES]
        if not len(joints):
            raise UserError(f"{path} has joints of up to {NUM_TRAINING} pictures; those for testing come after them.")
        if not masks.is_dir():
            raise UserError(f"{masks} does not exist. LSP is evaluated on its images; see data/README.md.")
        names = numbered_pictures(NUM_TRAINING + 1, NUM_TRAINING + len(joints))
        columns = columns_of(names, joints)
        for key, ending in ANNOTATION_ENDINGS.items():
            columns[key] = np.array([f"data/lsp/{Path(name).stem}_{ending}.png" for name in names])
        pictures = PicturesWithParts(self.root, path, TEST_LAYOUT.source, columns, masks=masks)
        return Plan(TEST_LAYOUT, pictures.names, pictures, pictures.newest_change)


class LspOriginal(Preparation):
    """The preparation of LSP original: the table of its training pictures, and IUV images of SPIN's fits."""

    name = "lsp-orig"

    def plan(self, split: str) -> Plan:
        """The first 1000 pictures."""
        path = self.root / JOINTS_FILE
        joints = read_joints(path)[:NUM_TRAINING]
        columns = columns_of(numbered_pictures(1, len(joints)), joints)
        pictures = AnnotatedPictures(self.root, path, LAYOUT.source, columns)
        return Plan(LAYOUT, pictures.names, pictures, pictures.newest_change)


class LspExtended(Preparation):
    """The preparation of HR-LSPET: the table of all its pictures, for training, and IUV images of SPIN's fits."""

    name = "lspet"

    def plan(self, split: str) -> Plan:
        """All pictures, in the order of their names."""
        path = self.root / JOINTS_FILE
        joints = read_joints(path)
        columns = columns_of(extended_pictures(self.root, path, len(joints)), joints)
        pictures = AnnotatedPictures(self.root, path, LAYOUT.source, columns)
        return Plan(LAYOUT, pictures.names, pictures, pictures.newest_change)
