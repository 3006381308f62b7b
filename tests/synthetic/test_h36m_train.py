"""The synthetic training set of Human3.6M: a table with meshes, as users bring it, and IUV images of them."""

import numpy as np
import pytest

from datasets.base_dataset import BaseDataset
from datasets.preprocess.command import PREPARATIONS
from synthetic import generate
from tests.datasets.test_dataset import make_options
from utils import config
from utils.body_model import load_body_model, load_joint_regressors, pose_vertices
from utils.errors import UserError
from utils.joints import HIPS, TRAINING_JOINTS, indices


@pytest.fixture(scope="module")
def root(tmp_path_factory, generated_root):
    """Two photographs of the generated body, whose atlas is needed for IUV images."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(config, "_root", tmp_path_factory.mktemp("h36m"))
        generate.generate(1, 1, workers=1, body=generated_root, benchmarks={"h36m_train": 2})
        yield config.data_root()


def test_joints_and_keypoints_of_a_row_are_those_of_its_mesh(root):
    dataset = BaseDataset(make_options(dataset="h36m", no_augmentation=True), "h36m", "train")
    model = load_body_model(config.SMPL_FILE)
    rows = load_joint_regressors(model=model).train_rows
    hips = indices(HIPS, TRAINING_JOINTS)
    assert len(dataset) == 2
    for index in range(2):
        item = dataset[index]
        joints = rows @ pose_vertices(model, dataset.table["pose"][index], dataset.table["shape"][index])
        np.testing.assert_allclose(item["pose_3d"][:, :3], joints - joints[hips].mean(0), atol=1e-6)
        assert (item["has_smpl"], item["has_pose_3d"], item["has_dp"], item["gender"]) == (1, 1, 0, -1)
        assert (np.abs(item["keypoints"][item["keypoints"][:, 2] > 0, :2]) < 1).all()
        assert item["img_orig"].std() > 0.05


def test_its_iuv_images_are_drawn_and_its_table_is_not_made(root):
    preparation = PREPARATIONS["h36m"]()
    with pytest.raises(UserError, match="h36m_train_new.npz cannot be made from public files. Bring it"):
        preparation.make_split("train", 1)
    (table,) = preparation.iuv_tables()
    summary = preparation.make_iuv(table, "BF", 1)
    assert (summary.done, summary.broken) == (2, {})
    dataset = BaseDataset(make_options(dataset="h36m", no_augmentation=True), "h36m", "train")
    assert [dataset[index]["has_dp"] for index in range(2)] == [1, 1]
    assert all(dataset[index]["gt_iuv"][0].mean() > 0.02 for index in range(2))
