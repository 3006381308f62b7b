"""One training or test item: crop, augmentation and annotations of a sample of an npz file.

The source is numpy only and random access, so worker processes stay small. What an item holds
depends on (seed, epoch, index) and on nothing else: not on the worker or the rank that makes it.
"""

import re

import numpy as np

from datasets.regions import Reach, Region, load_all
from datasets.registry import dataset_files, is_gendered, read_table
from utils import image_files, imutils
from utils.body_model import GENDERS, NEUTRAL, load_model_of_gender, pose_vertices
from utils.camera import normalise_pixels
from utils.errors import UserError

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
IUV_FOLDER = re.compile(r"^(BF|SMPL)_IUV_gt/")


class BaseDataset:
    """A split of a data set as random-access items (dicts with the keys of COLUMNS).

    options: img_res, uv_type, seed, rot_factor, noise_factor, scale_factor, no_augmentation,
    no_augmentation_rgb, no_flip, use_spin_fit, cache_ram. Training items are augmented and need IUV
    images, unless `needs_iuv` is False; without is_train items are the plain crops.
    """

    source_columns: tuple[str, ...] = ("imgname",)  # what names the image of a row

    def __init__(
        self, options, dataset: str = "up-3d", split: str = "train", is_train: bool | None = None, needs_iuv=True
    ):
        self.options, self.dataset, self.split = options, dataset, split
        self.is_train = split == "train" if is_train is None else is_train
        self.root, npz_file, self.prepare = dataset_files(dataset, split, options.use_spin_fit)
        self.npz_file = npz_file
        self.table = read_table(npz_file, self.prepare, (*self.source_columns, "center", "scale"))
        self.length = len(self.table["center"])
        if self.is_train and needs_iuv and "iuv_names" not in self.table:
            raise UserError(f"{npz_file} has no iuv_names, the ground-truth IUV images. {self.prepare}")
        self.images = self.image_names()
        self.iuv_names = [self._iuv_name(index) for index in range(self.length)]
        self.augment = self.is_train and not options.no_augmentation
        # mirrored labels are known only for the mirror-symmetric atlas
        self.may_flip = not options.no_flip and options.uv_type == "BF"
        self.reach = Reach(
            options.img_res,
            turns=self.augment and options.rot_factor > 0,
            scale=options.scale_factor if self.augment else 0.0,
        )
        self.cached = None
        if options.cache_ram and self.is_train:
            self.cached = load_all(self._cut, self.length, dataset)

    def image_names(self) -> list[str]:
        """What the item's imgname is, for every row: the path of the image below the data set's folder."""
        return [name.lstrip("/") for name in self.table["imgname"].tolist()]

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict:
        return self.item(index)

    def item(self, index: int, epoch: int = 0, columns=tuple(COLUMNS), position: int | None = None) -> dict:
        """The item of sample `index` in `epoch`, limited to `columns`; images not asked for are not read.

        position: what the augmentation is drawn for instead of `index`, where a sample may come more than
        once in an epoch.
        """
        augmentation = self.draw_augmentation(index if position is None else position, epoch)
        centre, scale = self._box(index)
        matrix = imutils.crop_matrix(centre, scale, self.options.img_res, augmentation)

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
        path = self.root / self.images[index]
        return image_files.read_image(path, "Download it again or take it out of the data set.")

    def _cut(self, index: int) -> tuple[Region, Region | None] | str:
        """Image and IUV image of a sample for the cache, or what is wrong with them."""
        try:
            return self._cut_image(index), self._cut_iuv(index)
        except UserError as error:
            return str(error)

    def _cached(self, index: int) -> tuple[Region, Region | None]:
        assert self.cached is not None, "asked for where --cache_ram is on"
        kept = self.cached[index]
        if isinstance(kept, str):
            raise UserError(kept)
        return kept

    def _cut_image(self, index: int) -> Region:
        return self.reach.cut(self.read_image(index), *self._box(index))

    def _cut_iuv(self, index: int) -> Region | None:
        if not self.iuv_names[index]:
            return None
        advice = f"{self.prepare} (with --uv_type {self.options.uv_type})"
        iuv = image_files.read_image(self.root / self.iuv_names[index], advice)
        return self.reach.cut(iuv, *self._box(index), labels=True)

    def _box(self, index: int) -> tuple[np.ndarray, float]:
        return self.table["center"][index].astype(np.float64), float(self.table["scale"][index])

    def _image(self, index: int, matrix: np.ndarray, augmentation: imutils.Augmentation) -> dict:
        region = self._cached(index)[0] if self.cached else self._cut_image(index)
        crop = imutils.warp_image(region.pixels, region.matrix(matrix), self.options.img_res)
        crop = imutils.colour_noise(np.ascontiguousarray(crop[..., ::-1].transpose(2, 0, 1)), augmentation.noise)
        return {"img": imutils.normalise_image(crop), "img_orig": crop, "orig_shape": np.array(region.shape, np.int32)}

    def _iuv(self, index: int, matrix: np.ndarray, flip: bool) -> np.ndarray:
        size = self.options.img_res
        region = self._cached(index)[1] if self.cached else self._cut_iuv(index)
        if region is None:
            return np.zeros((3, size, size), np.float32)
        crop = imutils.warp_iuv(region.pixels, region.matrix(matrix), size, flip)
        target = np.empty((3, size, size), np.float32)
        target[0] = crop[..., 0] > 0
        for channel in (1, 2):
            np.divide(crop[..., channel], np.float32(255), out=target[channel])
        return target

    def _annotations(self, index: int, matrix: np.ndarray, augmentation: imutils.Augmentation) -> dict:
        """Everything but the pictures."""
        flip, table = augmentation.flip, self.table
        keypoints = imutils.transform_keypoints(self._joints("part", index, (24, 3)), matrix, flip, imutils.JOINT_FLIP)
        keypoints_smpl = imutils.transform_keypoints(
            self._joints("part_smpl", index, (24, 3)), matrix, flip, imutils.SMPL_JOINT_FLIP
        )
        joints = imutils.transform_joints(self._joints("S", index, (24, 4)), augmentation, imutils.JOINT_FLIP)
        joints_smpl = imutils.transform_joints(
            self._joints("S_smpl", index, (24, 4)), augmentation, imutils.SMPL_JOINT_FLIP
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
            "gender": np.int32(self.gender(index)),
            "has_dp": np.float32(bool(self.iuv_names[index])),
            "fit_joint_error": np.float32(table["fit_joint_error"][index] if "fit_joint_error" in table else 0),
            "maskname": self._text("maskname", index),
            "partname": self._text("partname", index),
            "iuvname": self.iuv_names[index],
        }

    def gender(self, index: int) -> int:
        """0 male, 1 female, -1 neutral or unknown."""
        return GENDERS.get(self._text("gender", index), NEUTRAL)

    def true_vertices(self, index: int) -> np.ndarray:
        """The annotated mesh [V, 3] of a row in metres, without augmentation."""
        model = load_model_of_gender(self.gender(index) if is_gendered(self.dataset) else NEUTRAL)
        return pose_vertices(model, self.table["pose"][index], self.table["shape"][index])

    def _row(self, key: str, index: int, shape: tuple) -> np.ndarray:
        """Row of a table column as float64, zeros where the data set lacks it."""
        return self.table[key][index].astype(np.float64) if key in self.table else np.zeros(shape)

    def _joints(self, key: str, index: int, shape: tuple) -> np.ndarray:
        """Joints of a row, confidence last; zeros where nothing is trusted, whatever stands there, even NaN."""
        joints = self._row(key, index, shape)
        trusted = joints[..., -1:] > 0
        joints = np.where(trusted, joints, 0.0)
        if not np.isfinite(joints).all():
            raise UserError(
                f"{self.npz_file}, row {index} ({self.images[index]}): {key} holds numbers that are not finite "
                "in a joint of confidence above 0. Correct them, or set the confidence to 0."
            )
        return joints

    def _flag(self, key: str, flag: str, index: int) -> np.float32:
        """1 where column `key` is given, unless the npz has a column `flag` that says otherwise."""
        return np.float32(key in self.table and (flag not in self.table or self.table[flag][index] > 0))

    def _text(self, key: str, index: int) -> str:
        return str(self.table[key][index]) if key in self.table else ""

    def _iuv_name(self, index: int) -> str:
        """Path of the IUV image of the chosen atlas; the npz may have been made for the other one."""
        name = self._text("iuv_names", index).lstrip("/")
        return IUV_FOLDER.sub(f"{self.options.uv_type}_IUV_gt/", name)


def crop_keypoints(keypoints: np.ndarray, size: int) -> np.ndarray:
    """Keypoints [J, 3] in crop pixels -> crop units, float32; those of no confidence become zero."""
    result = np.concatenate([normalise_pixels(keypoints[:, :2], size), keypoints[:, 2:]], axis=1)
    return (result * (keypoints[:, 2:] > 0)).astype(np.float32)
