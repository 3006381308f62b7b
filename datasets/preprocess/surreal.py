"""SURREAL raw files -> one .npz per split.

SURREAL: Varol et al., "Learning from Synthetic Humans", CVPR 2017. A sample is a video
`<run>/<sequence>/<name>.mp4` with annotations of every frame in `<name>_info.mat`. SURREAL's Blender camera mirrors
left and right; frames and 2-D joints are mirrored back here. The world has z to the right, y down and x towards the
viewer of the un-mirrored picture.
"""

import re
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from datasets.columns import read_table
from datasets.preprocess.generate_gt_iuv import RENEW_ADVICE as IUV_ADVICE
from datasets.preprocess.generate_gt_iuv import AtlasFaces, draw_iuv, load_atlas_faces, make_iuv
from datasets.preprocess.preparation import TEST, TRAIN, Plan, Preparation, newest_change
from datasets.preprocess.samples import Incomplete, SkipSample, Summary, centre_and_scale
from datasets.preprocess.tables import Layout
from datasets.video import count_frames
from utils import config
from utils.body_model import GENDERS, BodyModel, load_model_of_gender, pose_vertices
from utils.errors import UserError
from utils.files import inside, read_lines, require_file
from utils.joints import NUM_JOINTS
from utils.rotations import axis_angle, rotation_matrices
from utils.surreal_files import HEIGHT, RENEW_ADVICE, UPRIGHT, WIDTH, WORLD_TO_CAMERA, Info, info_file, read_info

FRAME_STEP = 10  # training takes every 10th frame
NUMBER_LIST = re.compile(r"\s*\[(?:[\s,]|\d{1,9}(?!\d))*\]\s*")
LAYOUT = Layout(
    "videoname", ("videoname", "framenum", "gender", "center", "scale", "pose", "shape", "part_smpl", "S_smpl")
)


def camera_orientation(root: np.ndarray, zrot: float) -> np.ndarray:
    """Root orientation [3] of the .mat -> the same in camera coordinates (x right, y down, z away); axis-angle."""
    turn, orientation = rotation_matrices(np.array([(0.0, 0.0, zrot), root]))
    return axis_angle(WORLD_TO_CAMERA @ UPRIGHT @ turn @ orientation)


def frame_row(info: Info, frame: int) -> dict:
    """Annotations of one frame in camera coordinates, seen in the frame mirrored back."""
    joints = info.joints2d[frame] * (-1, 1) + (WIDTH - 1, 0)
    centre, scale = centre_and_scale(joints.min(axis=0), joints.max(axis=0))
    ones = np.ones((NUM_JOINTS, 1))
    return {
        "framenum": frame,
        "gender": info.gender,
        "center": centre,
        "scale": scale,
        "pose": np.concatenate([camera_orientation(info.pose[frame, :3], info.zrot[frame]), info.pose[frame, 3:]]),
        "shape": info.shape[frame],
        "part_smpl": np.concatenate([joints, ones], axis=1),
        "S_smpl": np.concatenate([info.joints3d[frame] @ WORLD_TO_CAMERA.T, ones], axis=1),
    }


def is_inside(row: dict) -> bool:
    """True if all joints of a row lie inside the frame."""
    joints = row["part_smpl"][:, :2]
    return bool(((joints >= 0) & (joints <= (WIDTH - 1, HEIGHT - 1))).all())


@dataclass(frozen=True)
class RowsOfVideo:
    """Make the npz rows of a video, called with its name: columns [n, ...].

    middle_frame: make one row of the middle frame, wherever the person is; otherwise one of every 10th frame in which
    all joints lie inside. Frames that only the annotations have give no rows.
    """

    folder: Path
    middle_frame: bool

    def __call__(self, videoname: str) -> dict | Incomplete:
        video = self.folder / videoname
        require_file(video, RENEW_ADVICE)
        info = read_info(info_file(video))
        if len(info) == 1:
            raise SkipSample("the video has one frame only")
        frames = [len(info) // 2] if self.middle_frame else range(0, len(info), FRAME_STEP)
        rows = [frame_row(info, frame) for frame in frames]
        if not self.middle_frame:
            rows = [row for row in rows if is_inside(row)]
        if not rows:
            raise SkipSample("the person is never wholly inside the frame")
        last = rows[-1]["framenum"]
        count = count_frames(video, last + 1)
        if count > last:
            return _table(videoname, rows)
        reason = f"{count} frames can be decoded, but the annotations have {len(info)}. {RENEW_ADVICE}"
        rows = [row for row in rows if row["framenum"] < count]
        if not rows:
            raise UserError(f"{video}: {reason}")
        return Incomplete(_table(videoname, rows), reason)


def _table(videoname: str, rows: list[dict]) -> dict:
    """The rows of a video as columns [n, ...]."""
    table = {key: np.array([row[key] for row in rows]) for key in LAYOUT.columns if key != "videoname"}
    single = {key: table[key].astype(np.float32) for key in ("pose", "shape", "part_smpl", "S_smpl")}
    return table | single | {"videoname": np.array([videoname] * len(rows))}


@dataclass(frozen=True)
class IuvDrawer:
    """Draw the IUV image of an npz row with the body of its gender."""

    bodies: dict[str, BodyModel]
    atlas: AtlasFaces

    def __call__(self, row: dict) -> np.ndarray:
        body = self.bodies[str(row["gender"])]
        vertices = pose_vertices(body, row["pose"], row["shape"])
        return draw_iuv(vertices, body.joint_regressor @ vertices, row["part_smpl"], HEIGHT, WIDTH, self.atlas)


def iuv_name(row: dict, uv_type: str) -> str:
    """Name of the IUV image of a training row, relative to SURREAL's folder."""
    stem = str(row["videoname"]).removesuffix(".mp4")
    return f"{uv_type}_IUV_gt/{config.SURREAL_TRAIN_FOLDER}/{stem}_{row['framenum']}.png"


def training_videos(folder: Path) -> list[str]:
    """Names of the videos below `folder`, as <run>/<sequence>/<name>.mp4, sorted."""
    names = sorted(str(path.relative_to(folder).as_posix()) for path in folder.glob("*/*/*.mp4"))
    if not names:
        raise UserError(f"{folder} holds no <run>/<sequence>/<name>.mp4. Put SURREAL there; see data/README.md.")
    return names


def validation_videos(names_file: Path, valid_file: Path) -> list[str]:
    """The videos of namescmu.txt whose number (from 1) is in the list of valid_list.txt."""
    lines = read_lines(names_file, "It lists the validation videos of SURREAL; see data/README.md.")
    text = " ".join(read_lines(valid_file, "It says which lines of namescmu.txt count; see data/README.md."))
    if not NUMBER_LIST.fullmatch(text):
        raise UserError(f"{valid_file} is not a list such as [1, 2, 4].")
    numbers = [int(word) for word in re.findall(r"\d+", text)]
    beyond = [number for number in numbers if not 1 <= number <= len(lines)]
    if beyond:
        raise UserError(f"{valid_file} names line {max(beyond)}, but {names_file} has {len(lines)} lines.")
    chosen = [lines[number - 1] for number in numbers]
    wrong = [line for line in chosen if ".mp4" not in _video_of(line)]
    if wrong or not chosen:
        found = f"the line {wrong[0]!r}" if wrong else "no valid line"
        raise UserError(f"{names_file} has {found}, expected tab-separated lines with .../val/<run>/<sequence>/*.mp4.")
    names = list(dict.fromkeys(_video_of(line) for line in chosen))
    for name in names:
        inside(config.SURREAL_ROOT, name, names_file)
    return names


def _video_of(line: str) -> str:
    """The path after `val/` in a line of namescmu.txt, '' where there is none."""
    fields = [field.strip() for field in line.split("\t") if "val/" in field]
    return fields[0].split("val/", 1)[1] if fields else ""


class Surreal(Preparation):
    """The preparation of SURREAL: tables of its two splits, and the IUV images of the training frames."""

    name = "surreal"

    def plan(self, split: str) -> Plan:
        """Every tenth frame of the training videos, or the middle frames of the listed validation videos."""
        if split == TRAIN:
            folder = self.root / config.SURREAL_TRAIN_FOLDER
            names = training_videos(folder)
        else:
            folder = self.root / config.SURREAL_VALIDATION_FOLDER
            names = validation_videos(config.SURREAL_VALIDATION_NAMES, config.SURREAL_VALIDATION_LIST)
        return Plan(LAYOUT, names, RowsOfVideo(folder, split == TEST), lambda name: video_change(folder / name))

    def make_iuv(self, npz_file: Path, uv_type: str, workers: int) -> Summary:
        """Draw the missing IUV images of the training frames."""
        bodies = {gender: load_model_of_gender(number) for gender, number in GENDERS.items()}
        atlas = load_atlas_faces(uv_type, len(bodies["m"].v_template))
        # consecutive rows are frames of one video and share its files
        change = lru_cache(maxsize=16)(video_change)
        folder = self.root / config.SURREAL_TRAIN_FOLDER
        columns = ("videoname", "framenum", "gender", "part_smpl", "pose", "shape")
        table = read_table(npz_file, IUV_ADVICE, columns)
        return make_iuv(
            npz_file, self.root, uv_type, workers,
            table={name: table[name] for name in columns},
            names=partial(iuv_name, uv_type=uv_type),
            newest_change=lambda row: change(folder / str(row["videoname"])),
            draw=IuvDrawer(bodies, atlas),
        )  # fmt: skip


def video_change(video: Path) -> float:
    """Time of the last change to a video or its annotations; infinite if one of them is missing."""
    return newest_change(video, info_file(video))
