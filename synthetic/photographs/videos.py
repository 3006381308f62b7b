"""Synthetic videos: moving people before a still background.

`stage_take` draws a person and its movement, `film_people` the frames. `film` and `annotate` make the mirrored frames
of SURREAL and the content of its `_info.mat`. SURREAL's level Blender camera has a focal length of 600 px, stands at
world (distance, -1, 0), looks along -x and swaps left and right. The world has y down and z to the (un-mirrored) right.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from synthetic.photographs.attire import make_attire
from synthetic.photographs.backgrounds import make_backdrop
from synthetic.photographs.clothing_choice import sample_outfit
from synthetic.photographs.framing import Sitter, sample_betas
from synthetic.photographs.lighting import sample_light
from synthetic.photographs.photos import SUPERSAMPLE, Stage, build_scene, develop, light_foreground
from synthetic.photographs.poses import SampledPose, sample_pose
from synthetic.photographs.rooms import studio
from synthetic.photographs.view import View, world_to_camera
from utils.body_model import BodyModel, pose_vertices
from utils.camera import PerspectiveCamera
from utils.joints import NUM_JOINTS
from utils.surreal_files import HEIGHT, UPRIGHT, WIDTH, WORLD_TO_CAMERA

FOCAL_LENGTH = 600.0  # px, SURREAL's
CAMERA_HEIGHT = 1.0  # metres above the world's origin
FEMALE, MALE = 0, 1
OUTSIDE_EVERY = 3  # in every third video the person walks out of the frame


@dataclass(frozen=True)
class Lens:
    """The camera of a video: focal length and principal point (x, y) in px, and the size of its frames in px."""

    focal: float
    centre: tuple[float, float]
    height: int
    width: int


# the principal point of the mirrored frame is its middle, (W/2, H/2)
SURREAL_LENS = Lens(FOCAL_LENGTH, (WIDTH - 1 - WIDTH / 2, HEIGHT / 2), HEIGHT, WIDTH)


@dataclass(frozen=True)
class Take:
    """A person in T frames, in camera coordinates of the un-mirrored picture: pose [T, 72], betas [10], place
    [T, 3] metres (added to the posed body), zrot [T] radians, gender FEMALE or MALE, and the lens."""

    pose: np.ndarray
    betas: np.ndarray
    place: np.ndarray
    zrot: np.ndarray
    gender: int
    lens: Lens = SURREAL_LENS

    def __len__(self) -> int:
        return len(self.pose)

    def camera(self, frame: int) -> PerspectiveCamera:
        """The camera of a frame of the un-mirrored picture."""
        return PerspectiveCamera(self.lens.focal, self.lens.centre, self.place[frame])


def stage_take(
    model: BodyModel, seed: int, index: int, frames: int, lens: Lens = SURREAL_LENS, leaves: bool | None = None
) -> Take:
    """Draw what happens in video `index`: a person turns and moves from one pose to another.

    Women and men alternate. leaves: whether the person leaves the frame; None: in every third video.
    """
    leaves = index % OUTSIDE_EVERY == OUTSIDE_EVERY - 1 if leaves is None else leaves
    rng = np.random.default_rng([seed, index])
    betas = sample_betas(rng)
    yaw = rng.uniform(0, 360) + np.linspace(0, rng.uniform(-90, 90), frames)
    turn = Rotation.from_euler("y", yaw[:, None], degrees=True)
    pose = _between(_standing_pose(rng, model, betas), _standing_pose(rng, model, betas), frames)
    pose[:, :3] = (Rotation.from_matrix(world_to_camera(0, 0)) * turn).as_rotvec()

    distance = rng.uniform(5.0, 7.0)
    half_width = distance * lens.width / 2 / lens.focal
    if leaves:
        across = np.linspace(0, rng.choice([-1, 1]) * 2.2 * half_width, frames)
    else:
        across = rng.uniform(-0.25, 0.25) * half_width + np.linspace(-0.15, 0.15, frames) * rng.choice([-1, 1])
    level = -pose_vertices(model, pose[0], betas)[:, 1].mean()
    place = np.stack([across, np.full(frames, level), np.full(frames, distance)], axis=1)
    zrot = np.full(frames, rng.uniform(0, 2 * np.pi))
    return Take(pose, betas, place, zrot, MALE if index % 2 else FEMALE, lens)


def _standing_pose(rng: np.random.Generator, model: BodyModel, betas: np.ndarray) -> np.ndarray:
    while True:
        sampled = sample_pose(rng, model, betas)
        if not sampled.seated:
            return sampled.pose


def _between(first: np.ndarray, last: np.ndarray, frames: int) -> np.ndarray:
    """Poses [T, 72] from one pose [72] to another, every joint turning evenly."""
    poses = np.empty((frames, NUM_JOINTS, 3))
    for joint, ends in enumerate(zip(first.reshape(NUM_JOINTS, 3), last.reshape(NUM_JOINTS, 3), strict=True)):
        poses[:, joint] = Slerp([0, 1], Rotation.from_rotvec(np.array(ends)))(np.linspace(0, 1, frames)).as_rotvec()
    return poses.reshape(frames, 72)


def film(stage: Stage, take: Take, seed: int, index: int) -> Iterator[np.ndarray]:
    """The frames [H, W, 3] uint8 BGR of a take, as SURREAL stores them: mirrored."""
    for frame in film_people([(stage, take)], seed, index):
        yield frame[:, ::-1]


def film_people(people: list[tuple[Stage, Take]], seed: int, index: int) -> Iterator[np.ndarray]:
    """The frames [H, W, 3] uint8 BGR of people with the same lens; the first stands on the floor."""
    rng = np.random.default_rng([seed, index, 1])
    outfits = [sample_outfit(rng, people[0][0].clothing)]
    first = _sitter(people[0][0].model, people[0][1], 0)
    in_studio = people[0][0].clothing == "suit"  # as in photographs
    backdrop = studio(rng, first.view) if in_studio else make_backdrop(rng, first.view, False)
    light = sample_light(rng, first.view, backdrop.outdoors)
    # as in the original, which lays people over photographs, the person throws no shadow on the background
    open_sky = np.ones(backdrop.distance.shape, np.float32)
    near = np.isfinite(backdrop.distance)[..., None]
    behind = np.where(near, backdrop.colour * light.on(backdrop.normal, open_sky, open_sky), backdrop.colour)
    outfits += [sample_outfit(rng, stage.clothing) for stage, _ in people[1:]]
    attires = [make_attire(outfit, stage.rest_body) for outfit, (stage, _) in zip(outfits, people, strict=True)]
    for frame in range(len(people[0][1])):
        # the same random numbers for all frames, so that exposure and noise do not flicker
        own = np.random.default_rng([seed, index, 2])
        picture = behind
        # from the farthest person to the nearest
        for number in sorted(range(len(people)), key=lambda number: -people[number][1].place[frame, 2]):
            stage, take = people[number]
            sitter = _sitter(stage.model, take, frame)
            scene = build_scene(stage, sitter, attires[number], [])
            hits = scene.renderer.cast(sitter.view.camera, take.lens.height, take.lens.width, SUPERSAMPLE)
            if hits.mask.any():  # the person may have left
                front, coverage = light_foreground(stage, sitter, outfits[number], scene, hits, backdrop, light, own)
                picture = picture * (1 - coverage) + front
        yield develop(picture, own)


def _sitter(model: BodyModel, take: Take, frame: int) -> Sitter:
    pose = take.pose[frame]
    vertices = pose_vertices(model, pose, take.betas)
    axes = world_to_camera(0, 0).astype(np.float32)
    floor = (pose_vertices(model, take.pose[0], take.betas) @ axes[:, 1]).min()
    view = View(take.camera(frame), take.lens.height, take.lens.width, axes, floor)
    return Sitter(pose, take.betas, vertices, view, 0.0, SampledPose(pose, np.zeros(0)))


def annotate(model: BodyModel, take: Take) -> dict[str, np.ndarray]:
    """The content of the video's `_info.mat`, frames last: pose [72, T], joints3D [3, 24, T], ..."""
    joints2d, joints3d, pose = [], [], take.pose.copy()
    in_world = Rotation.from_matrix(WORLD_TO_CAMERA @ UPRIGHT).inv()
    for frame in range(len(take)):
        joints = model.joint_regressor @ pose_vertices(model, take.pose[frame], take.betas)
        pixels = take.camera(frame).project(joints, HEIGHT, WIDTH)
        joints2d.append(pixels * (-1, 1) + (WIDTH - 1, 0))
        seen_from_origin = joints + take.place[frame] - (0, CAMERA_HEIGHT, take.place[0, 2])
        joints3d.append(seen_from_origin @ WORLD_TO_CAMERA)
        undo = Rotation.from_euler("z", -take.zrot[frame]) * in_world
        pose[frame, :3] = (undo * Rotation.from_rotvec(take.pose[frame, :3])).as_rotvec()
    count = len(take)
    return {
        "pose": pose.T,
        "shape": np.repeat(take.betas[:, None], count, axis=1),
        "joints2D": np.stack(joints2d, axis=-1).swapaxes(0, 1),
        "joints3D": np.stack(joints3d, axis=-1).swapaxes(0, 1),
        "gender": np.full((count, 1), take.gender, np.uint8),
        "zrot": take.zrot[:, None],
        "camDist": np.float64(take.place[0, 2]),
    }
