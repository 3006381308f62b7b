"""Items and batches: what they hold, and that seed, epoch and index alone decide it."""

import shutil
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from mindspore import Tensor

from datasets.base_dataset import COLUMNS, BaseDataset
from datasets.loader import create_loader, epoch_order, rank_indices
from datasets.registry import DATASETS
from tests.helpers.prepared import load
from tests.helpers.tiny_up3d import IMAGE_SIZE, NUM_SAMPLES
from utils import config, imutils
from utils.body_model import load_body_model, load_joint_regressors, pose_vertices
from utils.camera import fit_camera
from utils.errors import UserError
from utils.files import write_npz
from utils.joints import TRAINING_FLIP

SIZE = 96

pytestmark = pytest.mark.usefixtures("in_prepared")


def make_options(**changes) -> SimpleNamespace:
    defaults = {
        "img_res": SIZE,
        "uv_type": "BF",
        "seed": 3,
        "rot_factor": 30,
        "noise_factor": 0.4,
        "scale_factor": 0.25,
        "no_augmentation": False,
        "no_augmentation_rgb": False,
        "no_flip": False,
        "use_spin_fit": False,
        "gtkey3d_from_mesh": False,
        "cache_ram": False,
    }
    return SimpleNamespace(**(defaults | changes))


@pytest.fixture(scope="module")
def prepared(prepared_up_3d):
    return prepared_up_3d


def same(first: dict, second: dict) -> bool:
    return all(np.array_equal(np.asarray(first[key]), np.asarray(second[key])) for key in first)


# ---- items ----


def test_an_item_has_every_column_with_its_shape_and_type():
    item = BaseDataset(make_options())[0]
    assert list(item) == list(COLUMNS)
    for name, description in COLUMNS.items():
        if not description.startswith("["):
            assert isinstance(item[name], str)
            continue
        shape = description[1 : description.index("]")].replace("S", str(SIZE))
        assert item[name].shape == tuple(int(n) for n in shape.split(",") if n), name
        assert item[name].dtype == (np.int32 if "int32" in description else np.float32), name
        assert np.isfinite(item[name]).all(), name


def test_annotations_that_up3d_lacks_are_zero_and_marked_so():
    item = BaseDataset(make_options())[1]
    assert (item["has_smpl"], item["has_dp"]) == (1, 1)
    for flag, key in (("has_pose_3d", "pose_3d"), ("has_pose_3d_smpl", "pose_3d_smpl")):
        assert item[flag] == 0
        assert not item[key].any()
    assert not item["keypoints_smpl"].any()
    assert item["gender"] == -1


def test_the_mesh_gives_joints_to_samples_that_have_none_and_leaves_the_others_theirs(own_copy):
    path = own_copy / "DATASET_NPZ_PATH/up_3d_trainval.npz"
    table = load(own_copy, "up_3d_trainval")
    count = len(table["scale"])
    joints = np.concatenate([np.full((count, 24, 3), 0.5), np.ones((count, 24, 1))], axis=2)
    has_joints = np.arange(count) == 0
    write_npz(path, **table, S=joints, has_pose_3d=has_joints, has_smpl=np.arange(count) != 2)
    dataset = BaseDataset(make_options(gtkey3d_from_mesh=True, no_augmentation=True))
    for index, (known, from_mesh) in enumerate([(1, [0, 1]), (1, [1, 1]), (0, [0, 0])]):
        item = dataset[index]
        assert item["has_pose_3d"] == known and item["from_mesh"].tolist() == from_mesh
    np.testing.assert_array_equal(dataset[0]["pose_3d"], joints[0].astype(np.float32))
    assert not BaseDataset(make_options())[1]["from_mesh"].any()


def test_a_plain_item_is_the_crop_of_the_image():
    dataset = BaseDataset(make_options(), split="test")
    item, table = dataset[0], dataset.table
    image = cv2.imread(str(config.UP_3D_ROOT / item["imgname"]))[..., ::-1]
    # independent crop: bilinear remap at the image position of every crop pixel
    grid = np.stack(np.meshgrid(np.arange(SIZE), np.arange(SIZE)), axis=-1)
    source = (grid - SIZE / 2) * (200 * table["scale"][0] / SIZE) + table["center"][0]
    source = source.astype(np.float32)
    crop = cv2.remap(np.ascontiguousarray(image), source[..., 0], source[..., 1], cv2.INTER_LINEAR)
    difference = np.abs(item["img_orig"].transpose(1, 2, 0) * 255 - crop)
    assert np.median(difference) <= 1.5
    assert item["orig_shape"].tolist() == list(IMAGE_SIZE)
    normalised = (item["img_orig"][0] - 0.485) / 0.229
    assert np.allclose(item["img"][0], normalised, atol=1e-5)


@pytest.mark.parametrize("epoch", range(4))
def test_the_augmented_body_lies_where_the_augmented_iuv_shows_it(epoch):
    """Keypoints fit a camera to the item's own pose; its projected mesh must fill the item's IUV mask."""
    dataset = BaseDataset(make_options(scale_factor=0.0))
    body = load_body_model(config.SMPL_FILE)
    regressors = load_joint_regressors(model=body)
    for index in range(len(dataset)):
        item = dataset.item(index, epoch)
        mask = item["gt_iuv"][0] > 0
        if dataset.draw_augmentation(index, epoch).flip:  # this body is not symmetric, so undo the mirror image
            mask = mask[:, ::-1]
            item["keypoints"] = item["keypoints"][TRAINING_FLIP] * (-1, 1, 1)
            item["pose"] = imutils.flip_pose(item["pose"])
        vertices = pose_vertices(body, item["pose"], item["betas"])
        keypoints = item["keypoints"][:14].copy()
        keypoints[:, :2] = (keypoints[:, :2] + 1) * SIZE / 2
        camera = fit_camera(regressors.joints(vertices)[:14], keypoints, SIZE, SIZE)
        low, high = (fold(camera.project(vertices, SIZE, SIZE), axis=0) for fold in (np.min, np.max))
        rows, columns = np.nonzero(mask)
        assert np.abs(low.clip(0) - (columns.min(), rows.min())).max() < 3.5
        assert np.abs(high.clip(max=SIZE - 1) - (columns.max(), rows.max())).max() < 3.5


def test_iuv_is_mask_and_texcoords_in_the_unit_range():
    iuv = BaseDataset(make_options())[2]["gt_iuv"]
    assert set(np.unique(iuv[0])) == {0, 1}
    assert 0 <= iuv.min() <= iuv.max() <= 1
    assert not iuv[1:, iuv[0] == 0].any()


def test_an_item_depends_on_seed_epoch_and_index_only():
    first, second = BaseDataset(make_options()), BaseDataset(make_options())
    second.item(4, 0)  # what was asked before plays no part
    assert same(first.item(1, 2), second.item(1, 2))
    assert not np.array_equal(first.item(1, 2)["img"], first.item(1, 3)["img"])
    other_seed = BaseDataset(make_options(seed=4))
    assert not np.array_equal(first.item(1, 2)["img"], other_seed.item(1, 2)["img"])


def test_no_augmentation_and_test_split_leave_items_alone():
    for dataset in (BaseDataset(make_options(no_augmentation=True)), BaseDataset(make_options(), split="test")):
        assert same(dataset.item(0, 0), dataset.item(0, 5))
        assert np.allclose(dataset.item(0)["pose"], dataset.table["pose"][0], atol=1e-6)


@pytest.mark.parametrize("changes", [{"no_flip": True}, {"uv_type": "SMPL"}])
def test_no_flip_and_the_smpl_atlas_never_flip(changes):
    never, always = BaseDataset(make_options(**changes)), BaseDataset(make_options())
    assert not any(never.draw_augmentation(index, epoch).flip for index in range(5) for epoch in range(20))
    assert any(always.draw_augmentation(index, epoch).flip for index in range(5) for epoch in range(20))


def test_columns_not_asked_for_are_not_read(own_copy):
    shutil.rmtree(own_copy / "up-3d" / "BF_IUV_gt")
    item = BaseDataset(make_options()).item(0, columns=("img", "pose"))
    assert list(item) == ["img", "pose"]


def test_the_test_split_needs_no_iuv(own_copy):
    path = config.DATASET_NPZ_PATH / "up_3d_lsp_test.npz"
    table = dict(np.load(path))
    table.pop("iuv_names")
    np.savez(path, **table)
    item = BaseDataset(make_options(), split="test")[0]
    assert item["has_dp"] == 0
    assert not item["gt_iuv"].any()


# ---- what the user is told ----


def test_a_missing_npz_says_what_to_run(own_copy):
    shutil.rmtree(config.DATASET_NPZ_PATH)
    with pytest.raises(UserError, match=r"does not exist\. Run: python preprocess_datasets.py"):
        BaseDataset(make_options())


def test_a_damaged_npz_is_named(own_copy):
    path = config.DATASET_NPZ_PATH / "up_3d_trainval.npz"
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(UserError, match="up_3d_trainval.npz cannot be read"):
        BaseDataset(make_options())


def test_an_unknown_dataset_lists_the_known_ones():
    with pytest.raises(UserError, match="unknown dataset 'up3d', expected one of: .*up-3d"):
        BaseDataset(make_options(), dataset="up3d")


@pytest.mark.parametrize("num_workers", [0, 2])
def test_an_unreadable_image_reaches_the_main_process_as_one_line(own_copy, num_workers):
    (own_copy / "up-3d/00002_image.png").write_bytes(b"not an image")
    loader = create_loader(
        BaseDataset(make_options()), ("img",), 2, shuffle=False, drop_last=False, num_workers=num_workers
    )
    with pytest.raises(UserError) as error:
        list(loader)
    assert "00002_image.png cannot be decoded as an image" in str(error.value)
    assert "\n" not in str(error.value)


# ---- batches ----

BATCH_COLUMNS = ("img", "keypoints", "gt_iuv", "gender", "imgname")


def batches(dataset=None, **changes) -> list[dict]:
    arguments = {"epoch": 1, "shuffle": True, "drop_last": False, "num_workers": 0, "seed": 3} | changes
    loader = create_loader(
        dataset or BaseDataset(make_options()), BATCH_COLUMNS, arguments.pop("batch", 2), **arguments
    )
    found = [{key: np.asarray(value) for key, value in batch.items()} for batch in loader]
    assert len(found) == len(loader)
    return found


def test_batches_are_tensors_and_text_stays_text():
    loader = create_loader(BaseDataset(make_options()), BATCH_COLUMNS, 2, shuffle=False, drop_last=True, num_workers=0)
    batch = next(iter(loader))
    assert isinstance(batch["img"], Tensor)
    assert batch["img"].shape == (2, 3, SIZE, SIZE)
    assert batch["imgname"].tolist() == ["00000_image.png", "00001_image.png"]


@pytest.mark.parametrize("num_workers", [1, 2, 8])
def test_the_number_of_workers_changes_nothing(num_workers):
    assert all(map(same, batches(num_workers=0), batches(num_workers=num_workers)))


def test_every_sample_comes_once_per_epoch_in_a_new_order():
    names = [np.concatenate([batch["imgname"] for batch in batches(epoch=epoch)]).tolist() for epoch in range(3)]
    assert all(sorted(order) == sorted(names[0]) and len(set(order)) == NUM_SAMPLES - 1 for order in names)
    assert len({tuple(order) for order in names}) > 1


def test_two_ranks_together_see_the_batches_of_one_process():
    whole = batches(batch=4)
    ranks = [batches(batch=2, rank=rank, world_size=2) for rank in range(2)]
    for step, batch in enumerate(whole):
        parts = [rank[step] for rank in ranks if step < len(rank)]
        assert same(batch, {key: np.concatenate([part[key] for part in parts]) for key in batch})


def test_a_resumed_epoch_continues_with_the_next_batch():
    assert all(map(same, batches()[1:], batches(start_batch=1)))


def test_incomplete_global_batches_are_dropped_in_every_rank_alike():
    order = np.arange(11)
    for rank in range(2):
        assert len(rank_indices(order, 2, rank, 2, drop_last=True)) == 4
    kept = [rank_indices(order, 2, rank, 2, drop_last=False) for rank in range(2)]
    assert sorted(np.concatenate(kept)) == list(range(11))
    assert len(rank_indices(order[:2], 2, 1, 2, drop_last=False)) == 0


def test_a_data_set_smaller_than_a_batch_is_refused_where_batches_must_be_full():
    with pytest.raises(UserError, match="5 samples, fewer than one batch"):
        batches(batch=16, drop_last=True)


def test_the_order_without_shuffling_is_the_order_of_the_npz():
    assert epoch_order(5, seed=0, epoch=3, shuffle=False).tolist() == [0, 1, 2, 3, 4]
    assert DATASETS["up-3d"].npz["train"] == ("up_3d_trainval",)
