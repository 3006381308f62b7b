"""One training or test item: crop, augmentation and annotations of a sample of an npz file.

The source is numpy only and random access, so worker processes stay small. What an item holds
depends on (seed, epoch, index) and on nothing else: not on the worker or the rank that makes it.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from utils import config, imutils
from utils.camera import normalise_pixels
from utils.errors import UserError
from utils.files import read_npz

# name -> what it holds; the order of the columns of a batch
COLUMNS = {
    "img": "[3, S, S] float32, normalised RGB crop",
    "img_orig": "[3, S, S] float32 in [0, 1], the crop before normalisation",
    "imgname": "path of the image below the data set's folder",
    "scale": "[] float32, side of the crop square / 200 px",
    "center": "[2] float32, px of the image",
    "orig_shape": "[2] int32, height and width of the image",
    "pose": "[72] float32, SMPL axis-angle",
    "betas": "[10] float32",
    "has_smpl": "[] float32, 1 where pose and betas are given",
    "keypoints": "[24, 3] float32, training joints: x, y in [-1, 1] of the crop, confidence",
    "pose_3d": "[24, 4] float32, training joints: metres, confidence",
    "has_pose_3d": "[] float32",
    "keypoints_smpl": "[24, 3] float32, SMPL joints, as keypoints",
    "pose_3d_smpl": "[24, 4] float32, SMPL joints, as pose_3d",
    "has_pose_3d_smpl": "[] float32",
    "gender": "[] int32, 0 male, 1 female, -1 neutral",
    "gt_iuv": "[3, S, S] float32: mask 0 or 1, u and v in [0, 1]",
    "has_dp": "[] float32, 1 where gt_iuv is given",
    "fit_joint_error": "[] float32, how far the fitted body is from the keypoints",
    "maskname": "name of the silhouette annotation, or ''",
    "partname": "name of the part annotation, or ''",
    "iuvname": "path of the IUV image below the data set's folder, or ''",
}
TEXT_COLUMNS = ("imgname", "maskname", "partname", "iuvname")
GENDERS = {"m": 0, "f": 1}
IUV_FOLDER = re.compile(r"^(BF|SMPL)_IUV_gt/")


@dataclass(frozen=True)
class DatasetFiles:
    """Where a data set lies: constants of utils.config for its folder, and npz names by split."""

    root: str  # images and IUV images are named relative to this folder
    npz: dict[str, str]
    prepare: str  # the command that makes the npz files


DATASETS = {
    "up-3d": DatasetFiles(
        root="UP_3D_ROOT",
        npz={"train": "up_3d_trainval", "test": "up_3d_lsp_test"},
        prepare="python preprocess_datasets.py --train_files --eval_files --gt_iuv",
    ),
}


def dataset_files(dataset: str, split: str) -> tuple[Path, Path, str]:
    """Folder, npz file and preparing command of a split of a data set; UserError for unknown names."""
    if dataset not in DATASETS:
        raise UserError(f"unknown dataset {dataset!r}, expected one of: {', '.join(DATASETS)}.")
    entry = DATASETS[dataset]
    if split not in entry.npz:
        raise UserError(f"dataset {dataset} has no split {split!r}, expected one of: {', '.join(entry.npz)}.")
    return getattr(config, entry.root), config.DATASET_NPZ_PATH / f"{entry.npz[split]}.npz", entry.prepare


class BaseDataset:
    """A split of a data set as random-access items (dicts with the keys of COLUMNS).

    options: img_res, uv_type, seed, rot_factor, noise_factor, scale_factor, no_augmentation,
    no_augmentation_rgb, no_flip. Training items are augmented and need IUV images; without
    is_train items are the plain crops.
    """

    def __init__(self, options, dataset: str = "up-3d", split: str = "train", is_train: bool | None = None):
        self.options = options
        self.dataset = dataset
        self.is_train = split == "train" if is_train is None else is_train
        self.root, npz_file, prepare = dataset_files(dataset, split)
        self.table = read_table(npz_file, prepare)
        self.length = len(self.table["imgname"])
        if self.is_train and "iuv_names" not in self.table:
            raise UserError(f"{npz_file} has no iuv_names, the ground-truth IUV images. Run: {prepare}")
        self.prepare = prepare
        self.images = [name.lstrip("/") for name in self.table["imgname"].tolist()]
        self.iuv_names = [self._iuv_name(index) for index in range(self.length)]
        self.augment = self.is_train and not options.no_augmentation
        # mirrored labels are known only for the mirror-symmetric atlas
        self.may_flip = not options.no_flip and options.uv_type == "BF"

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict:
        return self.item(index)

    def item(self, index: int, epoch: int = 0, columns=tuple(COLUMNS)) -> dict:
        """The item of sample `index` in `epoch`, limited to `columns`; images not asked for are not read."""
        augmentation = self.draw_augmentation(index, epoch)
        centre = self.table["center"][index].astype(np.float64)
        scale, size = float(self.table["scale"][index]), self.options.img_res
        matrix = imutils.crop_matrix(centre, scale, size, augmentation)

        item = self._annotations(index, matrix, augmentation)
        item["scale"] = np.float32(scale * augmentation.scale)
        item["center"] = centre.astype(np.float32)
        if {"img", "img_orig", "orig_shape"} & set(columns):
            item |= self._image(index, matrix, augmentation)
        if "gt_iuv" in columns:
            item["gt_iuv"] = self._iuv(index, matrix, augmentation.flip)
        return {name: item[name] for name in columns}

    def draw_augmentation(self, index: int, epoch: int) -> imutils.Augmentation:
        """The augmentation of sample `index` in `epoch`; without augmentation nothing is changed."""
        if not self.augment:
            return imutils.Augmentation()
        options = self.options
        return imutils.sample_augmentation(
            np.random.default_rng([options.seed, epoch, index]),
            options.rot_factor,
            options.noise_factor,
            options.scale_factor,
            flip=self.may_flip,
            colour=not options.no_augmentation_rgb,
        )

    def read_image(self, index: int) -> np.ndarray:
        """Image [H, W, 3] uint8, BGR. Video data sets override this."""
        return imutils.read_image(self.root / self.images[index], "Download it again or take it out of the data set.")

    def _image(self, index: int, matrix: np.ndarray, augmentation: imutils.Augmentation) -> dict:
        image = self.read_image(index)
        crop = imutils.warp_image(image, matrix, self.options.img_res)
        crop = imutils.colour_noise(np.ascontiguousarray(crop[..., ::-1].transpose(2, 0, 1)), augmentation.noise)
        shape = np.array(image.shape[:2], np.int32)
        return {"img": imutils.normalise_image(crop), "img_orig": crop, "orig_shape": shape}

    def _iuv(self, index: int, matrix: np.ndarray, flip: bool) -> np.ndarray:
        size = self.options.img_res
        if not self.iuv_names[index]:
            return np.zeros((3, size, size), np.float32)
        iuv = imutils.read_image(
            self.root / self.iuv_names[index], f"Run: {self.prepare} --uv_type {self.options.uv_type}"
        )
        crop = imutils.warp_iuv(iuv, matrix, size, flip).transpose(2, 0, 1).astype(np.float32)
        crop[0] = crop[0] > 0
        crop[1:] /= 255
        return crop

    def _annotations(self, index: int, matrix: np.ndarray, augmentation: imutils.Augmentation) -> dict:
        """Everything but the pictures."""
        flip, table = augmentation.flip, self.table
        keypoints = imutils.transform_keypoints(self._row("part", index, (24, 3)), matrix, flip, imutils.JOINT_FLIP)
        keypoints_smpl = imutils.transform_keypoints(
            self._row("part_smpl", index, (24, 3)), matrix, flip, imutils.SMPL_JOINT_FLIP
        )
        joints = imutils.transform_joints(self._row("S", index, (24, 4)), augmentation, imutils.JOINT_FLIP)
        joints_smpl = imutils.transform_joints(
            self._row("S_smpl", index, (24, 4)), augmentation, imutils.SMPL_JOINT_FLIP
        )
        pose = imutils.transform_pose(self._row("pose", index, (72,)), augmentation)
        size = self.options.img_res
        return {
            "imgname": self.images[index],
            "pose": pose.astype(np.float32),
            "betas": self._row("shape", index, (10,)).astype(np.float32),
            "has_smpl": self._flag("pose", "has_smpl", index),
            "keypoints": crop_keypoints(keypoints, size),
            "pose_3d": joints.astype(np.float32),
            "has_pose_3d": self._flag("S", "has_pose_3d", index),
            "keypoints_smpl": crop_keypoints(keypoints_smpl, size),
            "pose_3d_smpl": joints_smpl.astype(np.float32),
            "has_pose_3d_smpl": self._flag("S_smpl", "has_pose_3d_smpl", index),
            "gender": np.int32(GENDERS.get(str(table["gender"][index]), -1) if "gender" in table else -1),
            "has_dp": np.float32(bool(self.iuv_names[index])),
            "fit_joint_error": np.float32(table["fit_joint_error"][index] if "fit_joint_error" in table else 0),
            "maskname": self._text("maskname", index),
            "partname": self._text("partname", index),
            "iuvname": self.iuv_names[index],
        }

    def _row(self, key: str, index: int, shape: tuple) -> np.ndarray:
        """Row of a table column as float64, zeros where the data set lacks it."""
        return self.table[key][index].astype(np.float64) if key in self.table else np.zeros(shape)

    def _flag(self, key: str, flag: str, index: int) -> np.float32:
        """1 where column `key` is given, unless the npz has a column `flag` that says otherwise."""
        return np.float32(key in self.table and (flag not in self.table or self.table[flag][index] > 0))

    def _text(self, key: str, index: int) -> str:
        return str(self.table[key][index]) if key in self.table else ""

    def _iuv_name(self, index: int) -> str:
        """Path of the IUV image of the chosen atlas; the npz may have been made for the other one."""
        name = self._text("iuv_names", index).lstrip("/")
        return IUV_FOLDER.sub(f"{self.options.uv_type}_IUV_gt/", name)


def read_table(npz_file: Path, prepare: str) -> dict[str, np.ndarray]:
    """The arrays of a data set's npz file, checked for the columns that every item needs."""
    if not npz_file.is_file():
        raise UserError(f"{npz_file} does not exist. Run: {prepare}")
    table = read_npz(npz_file, f"Delete it and run: {prepare}")
    missing = [key for key in ("imgname", "center", "scale") if key not in table]
    if missing:
        raise UserError(f"{npz_file} has no {', '.join(missing)}. Delete it and run: {prepare}")
    count = len(table["imgname"])
    uneven = [key for key, column in table.items() if column.shape[:1] != (count,)]
    if uneven or not count:
        raise UserError(f"{npz_file} has {count} images, but another number of {', '.join(uneven) or 'rows'}.")
    return table


def crop_keypoints(keypoints: np.ndarray, size: int) -> np.ndarray:
    """Keypoints [J, 3] in crop pixels -> crop units, float32; those of no confidence become zero."""
    result = np.concatenate([normalise_pixels(keypoints[:, :2], size), keypoints[:, 2:]], axis=1)
    return (result * (keypoints[:, 2:] > 0)).astype(np.float32)
