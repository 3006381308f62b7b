"""One training or test item: crop, augmentation and annotations of a sample of an npz file.

It uses numpy and no MindSpore, so worker processes stay small. An item depends on (seed, epoch, index) only, not on the
worker or rank that makes it.
"""

import re
from functools import cached_property
from pathlib import Path

import numpy as np

from datasets.annotations import Annotations
from datasets.columns import filled_rows, read_table
from datasets.regions import Reach, Region, load_all
from datasets.registry import BRING_IT, DATASETS, dataset_files
from datasets.spin_fits import read_fits
from utils import imutils
from utils.array_files.arrays import release
from utils.camera import normalise_pixels
from utils.errors import UserError
from utils.joints import SMPL_FLIP, TRAINING_FLIP
from utils.media import image_files

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
    "from_mesh": "[2] float32, 1 where the mesh gives the 3-D joints: the training joints, the SMPL joints",
    "gender": "[] int32, the body model of pose and betas: 0 male, 1 female, -1 neutral",
    "gt_iuv": "[3, S, S] float32: mask 0 or 1, u and v in [0, 1]",
    "has_dp": "[] float32, 1 where gt_iuv is given",
    "fit_joint_error": "[] float32, how far the fitted body is from the keypoints",
    "maskname": "name of the silhouette annotation, or ''",
    "partname": "name of the part annotation, or ''",
    "iuvname": "path of the IUV image below the data set's folder, or ''",
}
IUV_ELSEWHERE = "Train stage dp on up-3d or surreal, then this with --stage end --pretrained_checkpoint CNET."
RELEASE_EVERY = 64  # items
MOST_LOOKED_FOR = 1000  # of the IUV images of a table, evenly spaced: millions take minutes
IUV_FOLDER = re.compile(r"^(BF|SMPL)_IUV_gt/")


class BaseDataset:
    """A split of a data set as random-access items (dicts with the keys of COLUMNS).

    options: img_res, uv_type, seed, rot_factor, noise_factor, scale_factor, no_augmentation,
    no_augmentation_rgb, no_flip, use_spin_fit, gtkey3d_from_mesh, cache_ram. is_train: whether items are augmented;
    by default those of the training split are.
    """

    source_columns: tuple[str, ...] = ("imgname",)  # columns that name the image of a row

    def __init__(self, options, dataset: str = "up-3d", split: str = "train", is_train: bool | None = None):
        self.options, self.dataset, self.split = options, dataset, split
        self.is_train = split == "train" if is_train is None else is_train
        files = dataset_files(dataset, split, options.use_spin_fit)
        self.root, self.npz_file, self.prepare = files.root, files.npz_file, files.prepare
        self.table = read_table(self.npz_file, self.prepare, (*self.source_columns, "center", "scale"))
        self.length = len(self.table["center"])
        if files.fits_file:
            self.table |= read_fits(files.fits_file, self.npz_file, self.length)
        self.rows = Annotations(self.npz_file, self.table, self.image_name, DATASETS[dataset].gendered)
        self.augment = self.is_train and not options.no_augmentation
        # mirrored labels are known only for the mirror-symmetric atlas
        self.may_flip = not options.no_flip and options.uv_type == "BF"
        self.reach = Reach(
            options.img_res,
            turns=self.augment and options.rot_factor > 0,
            scale=options.scale_factor if self.augment else 0.0,
        )
        self.cached, self.items_made = None, 0
        if options.cache_ram and self.is_train:
            self.cached = load_all(self._cut, self.length, dataset)

    def image_name(self, index: int) -> str:
        """The item's imgname: the path of a row's image below the data set's folder."""
        return str(self.table["imgname"][index]).lstrip("/")

    @cached_property
    def missing_iuv(self) -> tuple[int, int]:
        """(IUV images that are not there, images looked for): of those that the table names, at most MOST_LOOKED_FOR.

        A sample whose IUV image is not there has no dense annotation.
        """
        named = filled_rows(self.table["iuv_names"]) if "iuv_names" in self.table else np.zeros(0, int)
        chosen = named[np.unique(np.linspace(0, len(named) - 1, min(len(named), MOST_LOOKED_FOR)).astype(int))]
        return sum(not self._iuv_file(int(index)) for index in chosen), len(chosen)

    @property
    def has_iuv(self) -> bool:
        """Whether any sample that was looked for has an IUV image."""
        missing, looked_for = self.missing_iuv
        return missing < looked_for

    @property
    def iuv_advice(self) -> str:
        """What a user whose samples have no IUV images should do to train stage dp."""
        return IUV_ELSEWHERE if self.prepare == BRING_IT else self.prepare

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict:
        return self.item(index)

    def item(self, index: int, epoch: int = 0, columns=tuple(COLUMNS), position: int | None = None) -> dict:
        """The item of sample `index` in `epoch`, limited to `columns`; images not asked for are not read.

        position: takes the place of `index` in drawing the augmentation, because a mixture may have a sample several
        times in an epoch.
        """
        self._release_table()
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

    def _release_table(self) -> None:
        """Let go of the table's pages now and then; else a worker would hold the whole table after some time."""
        self.items_made += 1
        if self.items_made % RELEASE_EVERY == 0:
            release(self.table.values())

    def draw_augmentation(self, index: int, epoch: int) -> imutils.Augmentation:
        """The augmentation of sample `index` in `epoch`; one that changes nothing if augmentation is off."""
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
        path = self.root / self.image_name(index)
        return image_files.read_image(path, "Download it again or take it out of the data set.")

    def _cut(self, index: int) -> tuple[Region, Region | None] | str:
        """Image and IUV image of a sample for the cache, or the error as text."""
        try:
            return self._cut_image(index), self._cut_iuv(index)
        except UserError as error:
            return str(error)

    def _cached(self, index: int) -> tuple[Region, Region | None]:
        assert self.cached is not None, "only --cache_ram reads the cache"
        kept = self.cached[index]
        if isinstance(kept, str):
            raise UserError(kept)
        return kept

    def _cut_image(self, index: int) -> Region:
        return self.reach.cut(self.read_image(index), *self._box(index))

    def _cut_iuv(self, index: int) -> Region | None:
        path = self._iuv_file(index)
        if path is None:
            return None
        iuv = image_files.read_image(path, f"{self.prepare} (with --uv_type {self.options.uv_type})")
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
        flip, rows = augmentation.flip, self.rows
        keypoints = imutils.transform_keypoints(rows.keypoints("part", index), matrix, flip, TRAINING_FLIP)
        keypoints_smpl = imutils.transform_keypoints(rows.keypoints("part_smpl", index), matrix, flip, SMPL_FLIP)
        joints = imutils.transform_joints(rows.joints(index), augmentation, TRAINING_FLIP)
        joints_smpl = imutils.transform_joints(rows.smpl_joints(index), augmentation, SMPL_FLIP)
        pose = imutils.transform_pose(rows.pose(index), augmentation)
        size = self.options.img_res
        has_joints = np.array([rows.has_joints[index], rows.has_smpl_joints[index]])
        has_joints, from_mesh = fill_from_mesh(has_joints, rows.has_mesh[index], self.options.gtkey3d_from_mesh)
        return {
            "imgname": self.image_name(index),
            "pose": pose.astype(np.float32),
            "betas": rows.betas(index).astype(np.float32),
            "has_smpl": rows.has_mesh[index],
            "keypoints": crop_keypoints(keypoints, size),
            "pose_3d": joints.astype(np.float32),
            "has_pose_3d": has_joints[0],
            "keypoints_smpl": crop_keypoints(keypoints_smpl, size),
            "pose_3d_smpl": joints_smpl.astype(np.float32),
            "has_pose_3d_smpl": has_joints[1],
            "from_mesh": from_mesh,
            "gender": rows.genders[index],
            "has_dp": np.float32(self._iuv_file(index) is not None),
            "fit_joint_error": rows.fit_error(index),
            "maskname": self._text("maskname", index),
            "partname": self._text("partname", index),
            "iuvname": self._iuv_name(index),
        }

    def true_vertices(self, index: int) -> np.ndarray:
        """The annotated mesh [V, 3] of a row in metres, not augmented; the rest pose if it has none."""
        return self.rows.vertices(index)

    def mesh_genders(self) -> tuple[int, ...]:
        """The genders, 0 and 1, whose body models the true meshes need; UserError if such a file is missing."""
        return self.rows.mesh_genders()

    def _text(self, key: str, index: int) -> str:
        return str(self.table[key][index]) if key in self.table else ""

    def _iuv_name(self, index: int) -> str:
        """Path of the IUV image of the chosen atlas; the npz file may name the image of the other one."""
        name = self._text("iuv_names", index).lstrip("/")
        return IUV_FOLDER.sub(f"{self.options.uv_type}_IUV_gt/", name)

    def _iuv_file(self, index: int) -> Path | None:
        """The IUV image of a row; None if it has none, or it is not there."""
        name = self._iuv_name(index)
        path = self.root / name
        return path if name and path.is_file() else None


def fill_from_mesh(has_joints: np.ndarray, has_smpl, wanted: bool) -> tuple[np.ndarray, np.ndarray]:
    """Two flags [...] of samples: 1 if the 3-D joints are known, and 1 if the mesh gives them.

    has_joints: 1 if a sample has 3-D joints of its own, which are kept. has_smpl: 1 if it has a mesh. wanted: whether
    the mesh gives the joints of samples without their own (--gtkey3d_from_mesh).
    """
    from_mesh = np.asarray(wanted & (has_smpl > has_joints), np.float32)
    return np.maximum(has_joints, from_mesh), from_mesh


def crop_keypoints(keypoints: np.ndarray, size: int) -> np.ndarray:
    """Keypoints [J, 3] in crop pixels -> crop units, float32; those without confidence become zero."""
    result = np.concatenate([normalise_pixels(keypoints[:, :2], size), keypoints[:, 2:]], axis=1)
    return (result * (keypoints[:, 2:] > 0)).astype(np.float32)
