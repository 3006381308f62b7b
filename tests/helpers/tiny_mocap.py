"""Original files of Human3.6M, MPI-INF-3DHP and 3DPW with random numbers in them, made in a moment for the data tests.

Frame f of every video and image folder is grey of brightness 10 f, so that a picture tells which frame it is.
"""

import pickle
from pathlib import Path

import cv2
import numpy as np
import scipy.io

from synthetic.benchmarks.h36m import write_joints
from synthetic.benchmarks.matlab import write_mat, write_mat_of_cells
from utils.media.video_files import write_frames

HEIGHT, WIDTH = 40, 60
# ---- datasets.md: joints of the files, and the training joints that they become ----
H36M_ROWS = [11, 6, 7, 8, 1, 2, 3, 12, 24, 14, 15, 17, 18, 19, 25, 26, 27]
TRAIN_ROWS = [4, 18, 19, 20, 23, 24, 25, 3, 5, 6, 7, 9, 10, 11, 14, 15, 16]
TEST_ROWS = [14, 11, 12, 13, 8, 9, 10, 15, 1, 16, 0, 5, 6, 7, 2, 3, 4]
TO_TRAINING = [14, 3, 4, 5, 2, 1, 0, 16, 12, 17, 18, 9, 10, 11, 8, 7, 6]


def grey(frame: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    return np.full((height, width, 3), 10 * frame, np.uint8)


def write_video(path: Path, frames: int) -> None:
    write_frames(path, map(grey, range(frames)))


def frame_of(path: Path) -> int:
    """The number of the frame that a picture shows."""
    return round(cv2.imread(str(path)).mean() / 10)


def expected_joints(joints: np.ndarray, rows: list[int]) -> np.ndarray:
    """Joints [T, J, 3] mm of a file -> column S [T, 24, 4] in float64, as the page of the data sets says."""
    found = np.zeros((len(joints), 24, 4))
    for place, row in zip(TO_TRAINING, rows, strict=True):
        found[:, place, :3] = (joints[:, row] - joints[:, rows[0]]) / 1000
        found[:, place, 3] = 1
    return found


# ---- Human3.6M ----


def write_h36m(root: Path, name: str, frames: int = 11, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Write a sample, `S9/Directions 1.54138969`; returns joints [T, 32, 3] mm, boxes [T, 4] = x, y, width, height."""
    rng = np.random.default_rng(seed)
    subject, stem = name.split("/")
    joints = rng.normal(size=(frames, 32, 3)) * 300
    boxes = np.column_stack([rng.integers(0, 20, (frames, 2)), rng.integers(5, 20, (frames, 2))])
    write_joints(root / subject / "MyPoseFeatures/D3_Positions_mono" / f"{stem}.cdf", joints)
    write_masks(root / subject / "MySegmentsMat/ground_truth_bb" / f"{stem}.mat", boxes)
    write_video(root / subject / "Videos" / f"{stem}.mp4", frames)
    return joints.astype(np.float32).astype(np.float64), boxes


def masks(boxes: np.ndarray) -> list[np.ndarray]:
    found = [np.zeros((HEIGHT, WIDTH), np.uint8) for _ in boxes]
    for mask, (x, y, width, height) in zip(found, boxes.tolist(), strict=True):
        mask[y : y + height, x : x + width] = 1
    return found


def write_masks(path: Path, boxes: np.ndarray) -> None:
    write_mat_of_cells(path, {"Masks": masks(boxes)})


# ---- MPI-INF-3DHP ----


def training_joints(seed: int, frames: int) -> tuple[list, list]:
    """annot2 [T, 28, 2] px and annot3 [T, 28, 3] mm of 14 videos; a fifth of the frames have a joint outside."""
    rng = np.random.default_rng(seed)
    pixels = [rng.uniform(0, 2047, (frames, 28, 2)) for _ in range(14)]
    for video in pixels:
        outside = rng.random(frames) < 0.2
        video[outside, rng.choice(TRAIN_ROWS), rng.integers(2)] = rng.choice([-0.5, 2048.0])
    return pixels, [rng.normal(size=(frames, 28, 3)) * 300 for _ in range(14)]


def write_training(root: Path, sequence: str, frames: int = 23, seed: int = 0) -> tuple[list, list]:
    pixels, joints = training_joints(seed, frames)
    folder = root / sequence
    for video in (0, 1, 2, 4, 5, 6, 7, 8):
        write_video(folder / "imageSequence" / f"video_{video}.avi", frames)
    write_annotations(folder / "annot.mat", pixels, joints)
    return pixels, joints


def flat(videos: list) -> list[np.ndarray]:
    return [video.reshape(len(video), -1) for video in videos]


def write_annotations(path: Path, pixels: list, joints: list, version: int = 5) -> None:
    content = {"annot2": flat(pixels), "annot3": flat(joints)}
    if version == 7:
        write_mat_of_cells(path, content)
        return
    cells = {name: np.empty((len(videos), 1), object) for name, videos in content.items()}
    for name, videos in content.items():
        for number, video in enumerate(videos):
            cells[name][number, 0] = video
    scipy.io.savemat(path, cells)


def write_test(folder: Path, frames: int = 6, seed: int = 0, version: int = 7) -> dict[str, np.ndarray]:
    """Write a test sequence; returns what its annot_data.mat holds, as MATLAB shows it."""
    rng = np.random.default_rng(seed)
    folder.joinpath("imageSequence").mkdir(parents=True)
    for frame in range(frames):
        cv2.imwrite(str(folder / "imageSequence" / f"img_{frame + 1:06d}.jpg"), grey(frame))
    content = {
        "annot2": rng.uniform(0, HEIGHT - 1, (2, 17, 1, frames)),
        "univ_annot3": rng.normal(size=(3, 17, 1, frames)) * 300,
        "valid_frame": np.ones((1, frames)),
    }
    write_test_annotations(folder, content, version)
    return content


def write_test_annotations(folder: Path, content: dict, version: int = 7) -> None:
    path = folder / "annot_data.mat"
    scipy.io.savemat(path, content) if version == 5 else write_mat(path, content)


# ---- 3DPW ----


def recording(name: str, people: int = 2, frames: int = 6, seed: int = 0) -> dict:
    """The content of a sequence's pickle."""
    rng = np.random.default_rng(seed)
    cameras = np.tile(np.eye(4), (frames, 1, 1))
    for pose in cameras:
        pose[:3, :3] = np.linalg.qr(rng.normal(size=(3, 3)))[0]
        pose[:3, :3] *= np.sign(np.linalg.det(pose[:3, :3]))
    keypoints = rng.uniform(5, 35, (people, frames, 3, 18))
    keypoints[:, :, 2] = rng.random((people, frames, 18)) * (rng.random((people, frames, 18)) < 0.7)
    return {
        "sequence": name,
        "poses": list(rng.normal(size=(people, frames, 72)) * 0.3),
        "betas": list(rng.normal(size=(people, 10))),
        "poses2d": list(keypoints),
        "cam_poses": cameras,
        "genders": ["m", "f"][:people],
        "campose_valid": list(np.ones((people, frames), int)),
        "trans": list(rng.normal(size=(people, frames, 3))),
    }


def write_recording(root: Path, content: dict, file: str = "") -> None:
    """Write a sequence: its pickle and its images."""
    name = content["sequence"]
    path = root / "sequenceFiles/test" / (file or f"{name}.pkl")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(content, 2))
    images = root / "imageFiles" / name
    images.mkdir(parents=True, exist_ok=True)
    for frame in range(len(content["cam_poses"])):
        cv2.imwrite(str(images / f"image_{frame:05d}.jpg"), grey(frame))


def cut(path: Path) -> None:
    """Leave the first half of a file."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
