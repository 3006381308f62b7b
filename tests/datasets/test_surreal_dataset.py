"""Items of SURREAL: frames, genders, SMPL joints and IUV that stay together, and the true mesh of each gender."""

import cv2
import numpy as np
import pytest

from datasets.loader import create_loader
from datasets.open_dataset import open_dataset
from datasets.surreal_dataset import SurrealDataset
from models.ground_truth import GroundTruth
from tests.datasets.test_dataset import make_options, same
from tests.datasets.test_surreal import GENDERS, WOMAN, overlap
from tests.helpers.prepared import load
from utils import config
from utils.body_model import load_body_model, load_joint_regressors, pose_vertices
from utils.errors import UserError
from utils.joints import SMPL_FLIP
from utils.metrics import pose_errors

pytestmark = pytest.mark.usefixtures("in_prepared")


@pytest.fixture(scope="module")
def prepared(prepared_surreal):
    return prepared_surreal


def dataset(split: str = "train", **changes) -> SurrealDataset:
    return open_dataset(make_options(dataset="surreal", **changes), split)


def test_an_item_holds_smpl_joints_and_gender_and_no_training_joints():
    for index, item in enumerate(map(dataset().item, range(6))):
        assert (item["has_smpl"], item["has_dp"], item["has_pose_3d_smpl"], item["has_pose_3d"]) == (1, 1, 1, 0)
        assert item["gender"] == (0 if index in (3, 4) else 1)  # the third video has one row, of a woman
        assert not item["keypoints"].any() and (item["keypoints_smpl"][:, 2] == 1).all()
        assert item["orig_shape"].tolist() == [240, 320]
    assert dataset().item(1)["imgname"] == f"data/cmu/train/{WOMAN}:10"


@pytest.mark.parametrize("epoch", range(3))
def test_person_iuv_and_joints_stay_together_under_augmentation(epoch):
    """SMPL joints lie on this body's surface, so in the augmented picture they lie on the person's edge or within."""
    found = dataset(noise_factor=0.0)
    for index in range(len(found)):
        item = found.item(index, epoch)
        person, mask = item["img_orig"].max(axis=0) > 0.4, item["gt_iuv"][0] > 0
        assert overlap(person, mask) > 0.9
        near = cv2.dilate(mask.astype(np.uint8), np.ones((5, 5))) > 0
        pixels = np.rint((item["keypoints_smpl"][:, :2] + 1) * 48).astype(int)
        pixels = pixels[((pixels >= 0) & (pixels < 96)).all(axis=1)]
        assert len(pixels) and near[pixels[:, 1], pixels[:, 0]].all()


def test_a_mirrored_item_has_the_smpl_joints_of_the_mirrored_body():
    found, straight = dataset(rot_factor=0, scale_factor=0), dataset(no_augmentation=True)
    flipped = [(i, e) for i in range(6) for e in range(6) if found.draw_augmentation(i, e).flip]
    for index, epoch in flipped[:4]:
        one, two = straight.item(index), found.item(index, epoch)
        np.testing.assert_allclose(
            two["pose_3d_smpl"][:, :3], one["pose_3d_smpl"][SMPL_FLIP, :3] * (-1, 1, 1), atol=1e-6
        )
        np.testing.assert_allclose(
            two["keypoints_smpl"][:, :2], one["keypoints_smpl"][SMPL_FLIP, :2] * (-1, 1), atol=1e-5
        )


@pytest.mark.parametrize("num_workers", [1, 2])
def test_frames_are_the_same_for_any_number_of_workers_after_this_process_has_read_some(num_workers):
    found = dataset()
    expected = [found.item(index, 1) for index in (4, 0, 2)]  # leaves videos open, which workers inherit
    loader = create_loader(
        found, ("img", "keypoints_smpl", "gender"), 1, epoch=1, shuffle=False, drop_last=False, num_workers=num_workers
    )
    batches = [{key: np.asarray(value)[0] for key, value in batch.items()} for batch in loader]
    for index, item in zip((4, 0, 2), expected, strict=True):
        assert same(batches[index], {key: item[key] for key in batches[index]})
    assert same(found.item(4, 1), expected[0])  # and this process reads on


def test_the_true_mesh_is_that_of_the_gender_s_own_body(prepared):
    found = dataset("test")
    for index, gender in enumerate("fm"):
        model = load_body_model(prepared / getattr(config, GENDERS[gender]).name)
        expected = pose_vertices(model, found.table["pose"][index], found.table["shape"][index])
        np.testing.assert_array_equal(found.true_vertices(index), expected)


def test_an_npz_that_is_missing_or_not_of_surreal_says_what_to_run(prepared, tmp_path, monkeypatch):
    table = load(prepared, "surreal_val")
    monkeypatch.setattr(config, "_root", tmp_path)
    path = config.DATASET_NPZ_PATH / "surreal_val.npz"
    path.parent.mkdir()
    np.savez(path, **{key: value for key, value in table.items() if key != "framenum"})
    with pytest.raises(UserError, match=r"has no framenum. Delete it. Run: python preprocess_surreal.py"):
        dataset("test")
    path.unlink()
    with pytest.raises(UserError, match=r"surreal_val.npz does not exist. Run: python preprocess_surreal.py"):
        dataset("test")


def test_a_body_model_that_the_meshes_need_is_asked_for_by_name(own_copy):
    assert dataset("test").mesh_genders() == (0, 1)
    config.MALE_SMPL_FILE.unlink()
    with pytest.raises(UserError, match=r"basicmodel_m_lbs.* does not exist, but .*surreal_val.npz has meshes of this"):
        dataset("test").mesh_genders()
    path = config.DATASET_NPZ_PATH / "surreal_val.npz"
    np.savez(path, **load(own_copy, "surreal_val") | {"gender": np.array(["f", "female"])})
    assert dataset("test").mesh_genders() == (1,)  # the man's model is not needed


# ---- the true mesh on the device ----


def test_a_perfectly_known_mesh_has_no_shape_error_for_either_gender():
    """What eval.py compares: a prediction equal to the true mesh, by numpy, with the truth made from a batch."""
    found, names = dataset("test"), ("pose", "betas", "gender")
    batch = next(iter(create_loader(found, names, 2, shuffle=False, drop_last=False, num_workers=0)))
    true, location_map = (
        output.asnumpy() for output in GroundTruth(128, "BF", found.mesh_genders())(*map(batch.get, names))
    )
    assert np.isfinite(location_map).all()
    assert batch["gender"].asnumpy().tolist() == [1, 0]
    lsp_rows = load_joint_regressors().lsp_rows

    def shape_error(index, vertices) -> float:
        vertices, one = np.asarray(vertices)[None], true[index : index + 1].astype(np.float64)
        return float(pose_errors(vertices, lsp_rows @ vertices, one, lsp_rows @ one)["shape_error"][0])

    for index, gender in enumerate("fm"):
        assert shape_error(index, found.true_vertices(index)) < 1e-3  # mm; the batch is in single precision
        row = found.table["pose"][index], found.table["shape"][index]
        for other in ("SMPL_FILE", *(file for letter, file in GENDERS.items() if letter != gender)):
            assert shape_error(index, pose_vertices(load_body_model(getattr(config, other)), *row)) > 5
