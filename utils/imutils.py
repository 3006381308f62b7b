"""Crop and augmentation: one affine map per sample, applied to pixels, keypoints, joints, pose and IUV.

An augmented sample is the sample of an augmented body: projecting the turned or mirrored body with
the turned or mirrored camera gives exactly the turned or mirrored keypoints. Everything follows
from one rule, crop -> rotate about the crop's centre -> flip, and from the pixel convention of
utils/camera.py. Nothing is rounded to whole pixels.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from utils.camera import BOX_UNIT
from utils.joints import NUM_JOINTS, SMPL_FLIP
from utils.rotations import axis_angle, rotation_matrices

IMAGE_MEAN = np.array([0.485, 0.456, 0.406], np.float32)  # ImageNet, RGB
IMAGE_STD = np.array([0.229, 0.224, 0.225], np.float32)

FLIP_PROBABILITY = 0.5
NO_ROTATION_PROBABILITY = 0.6
ROTATION_LIMIT = 2.0  # in standard deviations


@dataclass(frozen=True)
class Augmentation:
    """How one sample is changed.

    flip: mirror left and right. noise: a factor per RGB channel. rotation: degrees, clockwise on the
    screen. scale: a factor on the side of the crop square.
    """

    flip: bool = False
    noise: tuple[float, float, float] = (1.0, 1.0, 1.0)
    rotation: float = 0.0
    scale: float = 1.0


def sample_augmentation(
    rng: np.random.Generator,
    rot_factor: float = 30.0,
    noise_factor: float = 0.4,
    scale_factor: float = 0.25,
    flip: bool = True,
    colour: bool = True,
) -> Augmentation:
    """Draw an augmentation. Every call draws equally many numbers, so that one option does not change the others."""
    mirrored = bool(rng.uniform() < FLIP_PROBABILITY)
    noise = rng.uniform(1 - noise_factor, 1 + noise_factor, 3)
    limit = ROTATION_LIMIT * rot_factor
    rotation = float(np.clip(rng.normal() * rot_factor, -limit, limit))
    scale = float(np.clip(1 + rng.normal() * scale_factor, 1 - scale_factor, 1 + scale_factor))
    if rng.uniform() < NO_ROTATION_PROBABILITY:
        rotation = 0.0
    return Augmentation(mirrored and flip, tuple(noise) if colour else (1.0, 1.0, 1.0), rotation, scale)


def rotation_2d(degrees: float) -> np.ndarray:
    """[2, 2]; with y down a positive angle turns clockwise on the screen."""
    angle = np.deg2rad(degrees)
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def plane_transform(augmentation: Augmentation) -> np.ndarray:
    """[2, 2] map of the image plane about the crop's centre: rotate, then flip."""
    mirror = np.diag([-1.0, 1.0]) if augmentation.flip else np.eye(2)
    return mirror @ rotation_2d(augmentation.rotation)


def crop_matrix(centre: np.ndarray, scale: float, size: int, augmentation: Augmentation) -> np.ndarray:
    """Affine map [2, 3] from image pixels to pixels of the size x size crop.

    Without augmentation x' = size * (x - cx) / (200 * scale) + size / 2.
    """
    linear = plane_transform(augmentation) * (size / (BOX_UNIT * scale * augmentation.scale))
    shift = size / 2 - linear @ np.asarray(centre, np.float64)
    return np.concatenate([linear, shift[:, None]], axis=1)


def apply_affine(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Map points [N, 2] by matrix [2, 3]."""
    return points @ matrix[:, :2].T + matrix[:, 2]


def warp_image(image: np.ndarray, matrix: np.ndarray, size: int) -> np.ndarray:
    """Crop an image [H, W, 3] uint8 bilinearly to [size, size, 3]; black outside the image.

    If the crop shrinks the image more than twice, blocks of pixels are averaged first, so that fine
    patterns in large photos do not turn into noise.
    """
    shrink = int(1 / np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    if shrink >= 2 and min(image.shape[:2]) >= shrink:
        height, width = image.shape[0] // shrink, image.shape[1] // shrink
        image = image[: height * shrink, : width * shrink]
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        # pixel i of the small image is the block whose middle is at shrink * i + (shrink - 1) / 2
        block_middle = np.full(2, (shrink - 1) / 2)
        matrix = np.concatenate([matrix[:, :2] * shrink, apply_affine(matrix, block_middle)[:, None]], axis=1)
    return cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR)


def warp_iuv(iuv: np.ndarray, matrix: np.ndarray, size: int, flip: bool) -> np.ndarray:
    """Crop an IUV image [H, W, 3] uint8 by nearest pixel; a flip also mirrors U of the BF atlas."""
    crop = cv2.warpAffine(iuv, matrix, (size, size), flags=cv2.INTER_NEAREST)
    return mirror_iuv_labels(crop) if flip else crop


def mirror_iuv_labels(iuv: np.ndarray) -> np.ndarray:
    """IUV [..., 3] uint8: U -> 255 - U inside the mask, as the atlas is mirror-symmetric."""
    mirrored = iuv.copy()
    mirrored[..., 1] = np.where(iuv[..., 0] > 0, 255 - iuv[..., 1], iuv[..., 1])
    return mirrored


def transform_keypoints(keypoints: np.ndarray, matrix: np.ndarray, flip: bool, permutation: np.ndarray) -> np.ndarray:
    """Keypoints [J, 3] (x px, y px, confidence) of the image -> of the crop; a flip swaps left and right."""
    moved = np.concatenate([apply_affine(matrix, keypoints[:, :2]), keypoints[:, 2:]], axis=1)
    return moved[permutation] if flip else moved


def transform_joints(joints: np.ndarray, augmentation: Augmentation, permutation: np.ndarray) -> np.ndarray:
    """3-D joints [J, >=3] (x, y, z, ...) of the augmented body."""
    moved = np.array(joints, np.float64)
    moved[:, :2] = moved[:, :2] @ plane_transform(augmentation).T
    return moved[permutation] if augmentation.flip else moved


def transform_pose(pose: np.ndarray, augmentation: Augmentation) -> np.ndarray:
    """SMPL pose [72] (axis-angle) of the augmented body."""
    moved = np.array(pose, np.float64)
    moved[:3] = rotate_root(moved[:3], augmentation.rotation)
    return flip_pose(moved) if augmentation.flip else moved


def rotate_root(root: np.ndarray, degrees: float) -> np.ndarray:
    """Turn a root orientation [3] (axis-angle) about the viewing axis."""
    if degrees == 0:
        return np.array(root, np.float64)
    turn, orientation = rotation_matrices(np.array([[0, 0, np.deg2rad(degrees)], root], np.float64))
    return axis_angle(turn @ orientation)


def flip_pose(pose: np.ndarray) -> np.ndarray:
    """Pose [72] of the mirror image: joints change sides, rotations about y and z change sign."""
    return (pose.reshape(NUM_JOINTS, 3)[SMPL_FLIP] * (1, -1, -1)).ravel()


def colour_noise(image: np.ndarray, noise) -> np.ndarray:
    """Image [3, H, W] uint8 RGB -> float32 in [0, 1], channels multiplied by noise [3] and clipped."""
    factors = np.asarray(noise, np.float32)[:, None, None] / 255
    return np.minimum(image * factors, np.float32(1))


def normalise_image(image: np.ndarray) -> np.ndarray:
    """Image [3, H, W] in [0, 1] -> zero mean, unit variance by the ImageNet statistics."""
    return (image - IMAGE_MEAN[:, None, None]) / IMAGE_STD[:, None, None]
