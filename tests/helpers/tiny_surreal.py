"""A small SURREAL of the tiny body: two bright people, a woman and a man, in videos over a dark background."""

import pickle
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from synthetic.photographs.videos import FEMALE, MALE, Take, annotate
from synthetic.surreal import video_name, write_video
from tests.helpers.tiny_up3d import write_body
from utils import config
from utils.body_model import BodyModel, load_body_model, pose_vertices
from utils.pictures import overlay
from utils.renderer import cast_mesh, shade
from utils.surreal_files import HEIGHT, WIDTH

# index -> frames, and how far the person walks to the side in metres
TRAIN = {0: (21, 0.3), 1: (1, 0.0), 2: (21, 4.0), 3: (12, -0.3)}
VALIDATION = {0: (5, 0.0), 1: (5, 0.0), 2: (1, 0.0), 3: (4, 0.2)}
VALID = [1, 3, 4]  # numbers, from 1, in valid_list.txt
# the gendered bodies differ from the neutral one by these factors
SIZES = {"MALE_SMPL_FILE": (1.1, 1.0, 1.1), "FEMALE_SMPL_FILE": (0.9, 0.95, 1.0)}


def write_bodies(root: Path) -> None:
    write_body(root)
    content = pickle.loads((root / config.SMPL_FILE.name).read_bytes())
    for name, size in SIZES.items():
        body = content | {"v_template": content["v_template"] * size}
        (root / getattr(config, name).name).write_bytes(pickle.dumps(body, 2))


def make_take(models: dict, index: int, frames: int, walk: float) -> Take:
    """A person who stands upright, turns a little and walks `walk` metres to the side."""
    rng = np.random.default_rng(index)
    pose = rng.normal(size=(frames, 72)) * 0.03
    yaw = rng.normal() * 0.5 + np.linspace(0, 0.5, frames)
    pose[:, :3] = (Rotation.from_euler("x", np.pi) * Rotation.from_euler("y", yaw[:, None])).as_rotvec()
    betas, gender = rng.normal(size=10), MALE if index % 2 else FEMALE
    middle = pose_vertices(models[gender], pose[0], betas).mean(axis=0)
    place = np.array([0.2, 0.05, 6.5]) - middle * (1, 1, 0) + np.linspace(0, walk, frames)[:, None] * (1, 0, 0)
    return Take(pose, betas, place, np.full(frames, rng.uniform(0, 6)), gender)


def draw(model: BodyModel, take: Take, seed: int = 0):
    """Mirrored frames of a take: the body in bright grey over dark noise."""
    noise = np.random.default_rng(seed).integers(0, 40, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    for frame in range(len(take)):
        vertices = pose_vertices(model, take.pose[frame], take.betas)
        hits = cast_mesh(vertices, model.faces, take.camera(frame), HEIGHT, WIDTH)
        shaded = shade(hits, vertices, model.faces, colour=(0.95, 0.95, 0.95), ambient=0.9)
        yield overlay(noise, shaded)[:, ::-1]


def write_split(root: Path, folder: str, videos: dict) -> None:
    models = {FEMALE: config.FEMALE_SMPL_FILE.name, MALE: config.MALE_SMPL_FILE.name}
    models = {gender: load_body_model(root / name) for gender, name in models.items()}
    for index, (frames, walk) in videos.items():
        take = make_take(models, index + len(folder), frames, walk)
        path = root / config.SURREAL_ROOT.name / folder / video_name(index)
        write_video(path, draw(models[take.gender], take), annotate(models[take.gender], take))


def write_data(root: Path) -> None:
    """A data root: bodies, atlas, videos of both splits and the lists of the validation."""
    write_bodies(root)
    write_split(root, config.SURREAL_TRAIN_FOLDER, TRAIN)
    write_split(root, config.SURREAL_VALIDATION_FOLDER, VALIDATION)
    lines = [f"/somewhere/cmu/val/{video_name(index)}\t{frames}" for index, (frames, _) in VALIDATION.items()]
    folder = root / config.SURREAL_ROOT.name
    (folder / "namescmu.txt").write_bytes("\r\n".join([*lines, ""]).encode())
    (folder / "valid_list.txt").write_text(f"{VALID}\n")
