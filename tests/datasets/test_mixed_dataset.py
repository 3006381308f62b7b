"""Mixtures of data sets in the SPIN / GraphCMR format, and regions of pictures kept in memory."""

import copy
from collections import Counter

import cv2
import numpy as np
import pytest

from datasets import registry
from datasets.loader import create_loader
from datasets.open_dataset import open_dataset, open_for_training
from datasets.regions import Reach
from datasets.registry import DATASETS, MIXTURES
from tests.datasets.test_dataset import make_options, same
from utils import config, imutils
from utils.errors import UserError
from utils.media import image_files

SIZES = {"h36m": 9, "lsp-orig": 4, "coco": 6, "mpii": 5, "up-3d": 7, "lspet": 8, "mpi-inf-3dhp": 5}
PICTURE = (60, 80)


def write_member(root, name: str, count: int) -> None:
    """A data set in SPIN's format; the pixels, the pose and the joints of sample i all say i."""
    rng, folder = np.random.default_rng(count), root / getattr(config, DATASETS[name].root).name
    names, iuv_names = [f"images/{i}.png" for i in range(count)], [f"BF_IUV_gt/images/{i}.png" for i in range(count)]
    for path in (*names, *iuv_names):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
    for i, (path, iuv) in enumerate(zip(names, iuv_names, strict=True)):
        cv2.imwrite(str(folder / path), np.full((*PICTURE, 3), 10 + i, np.uint8))
        cv2.imwrite(str(folder / iuv), np.full((*PICTURE, 3), 1, np.uint8))
    ones = np.ones((count, 24, 1))
    table = {
        "imgname": names, "center": np.full((count, 2), (40.0, 30.0)), "scale": np.full(count, 0.2),
        "part": np.concatenate([rng.uniform(10, 50, (count, 24, 2)), ones], 2),
        "pose": np.arange(count)[:, None] + np.zeros((count, 72)), "shape": np.zeros((count, 10)),
    }  # fmt: skip
    if name == "h36m":  # everything of a studio, but no IUV
        joints = rng.normal(size=(count, 24, 3))
        table |= {"S": np.concatenate([joints, ones], 2), "S_smpl": np.concatenate([joints, ones], 2)}
        table |= {"part_smpl": table["part"]}
    else:
        table |= {"iuv_names": iuv_names, "has_smpl": np.arange(count) % 2, "maskname": names, "partname": names}
    npz = root / "DATASET_NPZ_PATH"
    npz.mkdir(exist_ok=True)
    np.savez(npz / f"{DATASETS[name].npz['train'][0]}.npz", **table)
    if DATASETS[name].fits:
        fits = {"pose": table["pose"] + 100, "shape": table["shape"], "fit_joint_error": np.full(count, 0.03)}
        (root / "spin_fits").mkdir(exist_ok=True)
        np.savez(root / f"spin_fits/{DATASETS[name].fits}.npz", **fits, has_smpl=np.ones(count))


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    root = tmp_path_factory.mktemp("mixed")
    for name, count in SIZES.items():
        write_member(root, name, count)
    return root


@pytest.fixture(autouse=True)
def data_root(written, monkeypatch):
    monkeypatch.setattr(config, "_root", written)
    return written


def opened(name: str, **changes):
    return open_dataset(make_options(dataset=name, img_res=32, **changes), "train")


# ---- shares ----


def test_the_shares_are_those_of_the_release():
    assert MIXTURES["itw"] == {"lsp-orig": 0.1, "coco": 0.3, "mpii": 0.3, "up-3d": 0.3}
    assert MIXTURES["mesh"] == {"h36m": 0.7, "up-3d": 0.3}
    assert MIXTURES["all"] == {"h36m": 0.3, "lsp-orig": 0.1, "coco": 0.2, "mpii": 0.2, "up-3d": 0.2}
    wild = {name: 0.6 * SIZES[name] / 23 for name in ("lsp-orig", "mpii", "lspet", "coco")}
    spin = opened("spin")
    expected = {"h36m": 0.3, **wild, "mpi-inf-3dhp": 0.1}
    assert dict(zip([member.dataset for member in spin.members], spin.shares, strict=True)) == pytest.approx(expected)


@pytest.mark.parametrize("name", MIXTURES)
def test_members_come_as_often_as_their_shares_say(name):
    mixture = opened(name)
    assert len(mixture) == max(len(member) for member in mixture.members)
    draws = 4000
    chosen = [
        mixture.choose(position, epoch) for epoch in range(draws // len(mixture)) for position in range(len(mixture))
    ]
    counts = Counter(member.dataset for member, _ in chosen)
    for member, share in zip(mixture.members, mixture.shares, strict=True):
        # four standard deviations of a binomial
        assert abs(counts[member.dataset] / len(chosen) - share) < 4 * np.sqrt(share * (1 - share) / len(chosen))
        found = Counter(index for one, index in chosen if one is member)
        assert set(found) == set(range(len(member)))


# ---- reproducible, and different in every epoch and rank ----

COLUMNS = ("imgname", "img", "pose", "keypoints", "has_smpl", "fit_joint_error")


def batches(mixture, **changes) -> list[dict]:
    arguments = {"epoch": 2, "shuffle": True, "drop_last": True, "num_workers": 0, "seed": 3} | changes
    loader = create_loader(mixture, COLUMNS, arguments.pop("batch", 2), **arguments)
    return [{key: np.asarray(value) for key, value in batch.items()} for batch in loader]


@pytest.mark.parametrize("num_workers", [1, 2])
def test_the_number_of_workers_changes_nothing(num_workers):
    mixture = opened("all")
    assert all(map(same, batches(mixture), batches(mixture, num_workers=num_workers)))


def test_every_epoch_and_seed_has_its_own_draw_and_ranks_share_one():
    def drawn(epoch=0, **changes):
        mixture = opened("all", **changes)
        return [(member.dataset, index) for member, index in (mixture.choose(i, epoch) for i in range(len(mixture)))]

    assert drawn() == drawn()
    assert len({tuple(drawn(epoch)) for epoch in range(4)} | {tuple(drawn(seed=9))}) == 5
    whole = batches(opened("all"), batch=4)
    ranks = [batches(opened("all"), batch=2, rank=rank, world_size=2) for rank in range(2)]
    for step, batch in enumerate(whole):
        assert same(batch, {key: np.concatenate([rank[step][key] for rank in ranks]) for key in batch})
        assert not np.array_equal(ranks[0][step]["img"], ranks[1][step]["img"])


def test_a_sample_that_comes_twice_in_an_epoch_is_augmented_anew():
    mixture = opened("mesh")
    found = {}
    for epoch in range(30):
        for position in range(len(mixture)):
            member, index = mixture.choose(position, epoch)
            found.setdefault((epoch, member.dataset, index), []).append(mixture.item(position, epoch))
    twice = [items for items in found.values() if len(items) > 1]
    assert twice
    for first, second, *_ in twice:
        assert first["imgname"] == second["imgname"]
        assert not np.array_equal(first["img_orig"], second["img_orig"])


def test_samples_keep_their_own_annotations():
    mixture, seen = opened("all", no_augmentation=True), set()
    for epoch in range(20):
        for position in range(len(mixture)):
            (member, index), item = mixture.choose(position, epoch), mixture.item(position, epoch)
            seen.add(member.dataset)
            assert item["pose"][5] == index * item["has_smpl"]
            assert np.rint(255 * item["img_orig"]).max() == 10 + index
            studio = member.dataset == "h36m"
            assert (item["has_pose_3d"], item["has_pose_3d_smpl"], item["has_dp"]) == (studio, studio, not studio)
            assert item["has_smpl"] == (1 if studio else index % 2)
            assert item["gender"] == -1
            assert item["maskname"] == ("" if studio else item["imgname"])
    assert seen == set(MIXTURES["all"])


def test_use_spin_fit_reads_the_fits_of_in_the_wild_sets_only():
    for member in opened("spin", use_spin_fit=True).members:
        item = copy.copy(member).item(1, columns=("pose", "has_smpl", "fit_joint_error"))
        wild = member.dataset != "h36m"
        assert (member.table["pose"][1, 5], item["has_smpl"]) == (101 if wild else 1, 1)
        assert item["fit_joint_error"] == pytest.approx(0.03 if wild else 0)


# ---- what the user is told ----


@pytest.mark.parametrize(
    ("mixture", "npz", "changes", "advice"),
    [
        ("itw", "coco_2014_train", {}, "Run: python preprocess_datasets.py --dataset coco --train_files --gt_iuv"),
        ("mesh", "up_3d_trainval", {}, "Run: python preprocess_datasets.py"),
        ("spin", "mpi_inf_3dhp_train", {}, "Run: python preprocess_datasets.py --dataset mpi-inf-3dhp"),
        ("h36m", "h36m_train_new", {}, "Bring it in the format of SPIN"),
    ],
)
def test_a_missing_npz_is_named(written, mixture, npz, changes, advice):
    path = written / "DATASET_NPZ_PATH" / f"{npz}.npz"
    aside = path.rename(path.with_suffix(".aside"))
    try:
        with pytest.raises(UserError, match=rf"{npz}.npz does not exist. {advice}"):
            opened(mixture, **changes)
    finally:
        aside.rename(path)


def test_what_cannot_be_trained_on_is_explained(monkeypatch):
    with pytest.raises(UserError, match="itw is a mixture for training and has no test images"):
        open_dataset(make_options(dataset="itw"), "test")
    with pytest.raises(UserError, match="unknown dataset 'itv', expected one of: .*surreal.*itw"):
        opened("itv")


def test_stage_end_trains_without_iuv_images_and_stage_dp_says_what_to_do(monkeypatch, capsys):
    monkeypatch.setitem(registry.MIXTURES, "mesh", {"h36m": 1.0})
    for name, table in (("h36m", "h36m_train_new.npz"), ("mesh", "the mixture mesh")):
        for stage in (None, "dp"):
            with pytest.raises(UserError, match=f"{table} has no IUV images .* stage dp learns from. Train stage dp"):
                open_for_training(make_options(dataset=name, img_res=32, stage=stage))
        dataset = open_for_training(make_options(dataset=name, img_res=32, stage="end"))
        assert f"{table} has no IUV images (iuv_names): the losses dp_mask" in capsys.readouterr().err
        assert not any(dataset.item(index)["has_dp"] for index in range(len(dataset)))
    assert open_for_training(make_options(dataset="all", img_res=32, stage=None)).has_iuv


def test_a_mixture_needs_the_body_models_of_its_members(written):
    path = written / "DATASET_NPZ_PATH/h36m_train_new.npz"
    table = dict(np.load(path))
    np.savez(path, **table | {"gender": ["neutral"] * 9})
    assert opened("mesh").mesh_genders() == ()
    np.savez(path, **table | {"gender": ["male"] * 8 + ["neutral"]})
    try:
        with pytest.raises(UserError, match=r"basicmodel_m_.* does not exist, but .*h36m_train_new.npz has meshes"):
            opened("mesh").mesh_genders()
        (written / "SMPL_MALE.npz").touch()
        assert opened("mesh").mesh_genders() == (0,)
        genders = {member.dataset: member.rows.genders.tolist() for member in opened("mesh").members}
        assert genders == {"h36m": [0] * 8 + [-1], "up-3d": [-1] * 7}
    finally:
        (written / "SMPL_MALE.npz").unlink(missing_ok=True)
        np.savez(path, **table)


# ---- regions ----


def test_the_cache_changes_no_item_by_a_single_bit():
    plain, cached = opened("up-3d"), opened("up-3d", cache_ram=True)
    for index in range(len(plain)):
        for epoch in range(4):
            assert same(plain.item(index, epoch), cached.item(index, epoch))


def test_a_cached_data_set_reads_no_more_files(monkeypatch):
    cached = opened("up-3d", cache_ram=True)
    monkeypatch.setattr(image_files, "read_image", None)
    assert cached.item(3, 1)["img"].any()


def test_a_cache_that_does_not_fit_is_refused_with_figures(monkeypatch):
    monkeypatch.setattr("datasets.regions.available_memory", lambda: 1)
    monkeypatch.setattr("datasets.regions.SAMPLES_TO_JUDGE_BY", 2)
    with pytest.raises(UserError, match=r"--cache_ram needs about \d+\.\d GiB for 7 samples, of 0.0 GiB free"):
        opened("up-3d", cache_ram=True)


@pytest.mark.parametrize("side", [100, 260, 900])
def test_no_crop_reaches_beyond_its_region(side):
    """Crops of the region equal crops of the whole picture: exactly, or where both are shrunk, nearly."""
    rng = np.random.default_rng(side)
    small = rng.integers(0, 255, (12, 16, 3)).astype(np.uint8)
    picture, size = cv2.resize(small, (1200, 900), interpolation=cv2.INTER_CUBIC), 96
    for _ in range(12):
        augmentation = imutils.sample_augmentation(rng, scale_factor=0.25)
        centre, scale = rng.uniform(-50, 950, 2), side / 200
        matrix = imutils.crop_matrix(centre, scale, size, augmentation)
        region = Reach(size, True, 0.25).cut(picture, centre, scale)
        assert region.shape == (900, 1200)
        found = imutils.warp_image(region.pixels, region.matrix(matrix), size)
        expected = imutils.warp_image(picture, matrix, size)
        difference = np.abs(found.astype(int) - expected)
        assert np.median(difference) <= 1 and np.quantile(difference, 0.97) <= (0 if side == 100 else 5)
        labels = Reach(size, True, 0.25).cut(picture, centre, scale, labels=True)
        assert labels.pixels.shape == region.pixels.shape and labels.corner == region.corner


def test_regions_are_no_larger_than_a_few_crops():
    picture = np.zeros((3000, 4000, 3), np.uint8)
    for side in (150, 600, 2900):
        region = Reach(224, True, 0.25).cut(picture, np.array([2000, 1500]), side / 200)
        assert max(region.pixels.shape) < 5 * 224
