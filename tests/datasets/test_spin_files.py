"""SPIN's ready-made files are read as they are: its folders, names in bytes, fits beside the table, no IUV images."""

import cv2
import numpy as np
import pytest

from datasets.open_dataset import open_dataset, open_for_training
from tests.datasets.test_dataset import make_options
from utils import config
from utils.errors import UserError

COUNT = 4
RNG = np.random.default_rng(0)
TABLE = {
    "imgname": np.array([f"images/{i}.jpg".encode() for i in range(COUNT)]),
    "center": np.full((COUNT, 2), (40.0, 30.0)),
    "scale": np.full(COUNT, 0.2),
    "part": np.concatenate([RNG.uniform(10, 50, (COUNT, 24, 2)), np.ones((COUNT, 24, 1))], 2),
    "openpose": np.zeros((COUNT, 25, 3)),
}
FITS = {
    "pose": RNG.normal(size=(COUNT, 72)),
    "shape": RNG.normal(size=(COUNT, 10)),
    "fit_joint_error": RNG.random(COUNT),
}


@pytest.fixture
def spin(tmp_path, monkeypatch):
    """A data root with SPIN's MPII: the table in dataset_extras, the fits in spin_fits."""
    monkeypatch.setattr(config, "_root", tmp_path)
    for folder in ("mpii/images", "dataset_extras", "spin_fits"):
        (tmp_path / folder).mkdir(parents=True)
    for index in range(COUNT):
        cv2.imwrite(str(tmp_path / f"mpii/images/{index}.jpg"), np.full((60, 80, 3), 50, np.uint8))
    np.savez(tmp_path / "dataset_extras/mpii_train.npz", **TABLE)
    np.savez(tmp_path / "spin_fits/mpii.npz", **FITS)
    return tmp_path


def opened(split="train", **changes):
    return open_dataset(make_options(dataset="mpii", img_res=32, no_augmentation=True, **changes), split)


def test_table_and_fits_are_joined_row_by_row(spin):
    plain, fitted = opened(), opened(use_spin_fit=True)
    for index in range(COUNT):
        item = plain[index]
        assert (item["imgname"], item["has_smpl"], item["has_dp"]) == (f"images/{index}.jpg", 0, 0)
        item = fitted[index]
        assert item["has_smpl"] == 1
        np.testing.assert_allclose(item["betas"], FITS["shape"][index], rtol=1e-6)
        np.testing.assert_allclose(item["pose"][3:], FITS["pose"][index][3:], rtol=1e-6)
        assert item["fit_joint_error"] == pytest.approx(FITS["fit_joint_error"][index])


def test_a_table_made_here_takes_the_place_of_the_download(spin):
    (spin / "DATASET_NPZ_PATH").mkdir()
    np.savez(spin / "DATASET_NPZ_PATH/mpii_train.npz", **{name: column[:2] for name, column in TABLE.items()})
    assert (len(opened()), opened().npz_file.parent.name) == (2, "DATASET_NPZ_PATH")
    with pytest.raises(UserError, match="mpii.npz has pose of 4 rows, but .*mpii_train.npz has 2: they do not belong"):
        opened(use_spin_fit=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda path: path.unlink(), "spin_fits/mpii.npz does not exist. It holds SPIN's fits of mpii"),
        (lambda path: np.savez(path, pose=FITS["pose"]), "mpii.npz has no shape. Download SPIN's fits again"),
        (lambda path: path.write_bytes(b"x"), "mpii.npz cannot be read: .* Download SPIN's fits again"),
        (lambda path: np.savez(path, **FITS | {"pose": np.zeros((4, 3))}), r"pose of shape \(4, 3\)"),
    ],
)
def test_wrong_fits_are_explained(spin, change, message):
    change(spin / "spin_fits/mpii.npz")
    with pytest.raises(UserError, match=message):
        opened(use_spin_fit=True)


def test_samples_whose_iuv_image_is_missing_have_no_dense_annotation(spin, capsys):
    names = [f"BF_IUV_gt/images/{i}_40_30.png" for i in range(COUNT - 1)] + [""]
    np.savez(spin / "dataset_extras/mpii_train.npz", **TABLE, iuv_names=names)
    (spin / "mpii/BF_IUV_gt/images").mkdir(parents=True)
    options = make_options(dataset="mpii", img_res=32, stage="dp")
    with pytest.raises(UserError, match=r"mpii_train.npz has no IUV images \(iuv_names\), which stage dp learns from"):
        open_for_training(options)
    assert "3 of 3 IUV images that were looked for of" in capsys.readouterr().err
    cv2.imwrite(str(spin / "mpii" / names[1]), np.full((60, 80, 3), 1, np.uint8))
    dataset = open_for_training(options)
    assert "2 of 3 IUV images that were looked for of" in capsys.readouterr().err
    items = [dataset.item(index) for index in range(COUNT)]
    assert [item["has_dp"] for item in items] == [0, 1, 0, 0]
    assert [bool(item["gt_iuv"].any()) for item in items] == [False, True, False, False]


def test_a_damaged_iuv_image_is_an_error(spin):
    np.savez(spin / "dataset_extras/mpii_train.npz", **TABLE, iuv_names=["a.png", "", "", ""])
    (spin / "mpii/a.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match="a.png"):
        opened().item(0)
