"""LSP, LSP original and HR-LSPET: pictures, joints and boxes of each; silhouettes and parts; variants of joints.mat."""

import h5py
import numpy as np
import pytest
import scipy.io

from datasets.preprocess.lsp import LspExtended, LspOriginal, LspTest, read_joints
from tests.helpers import tiny_up3d, tiny_wild
from tests.helpers.prepared import load, preprocess
from utils import config
from utils.errors import UserError

SPREAD = np.stack([np.arange(24.0) + 5, 100 - 2 * np.arange(24.0)], axis=1)  # places of joints that all differ
# preparation, split, table, what writes it, name of picture 0 and 1
SETS = {
    "lsp": (LspTest, "test", "lsp_dataset_test", tiny_wild.write_lsp, ["images/im1001.jpg", "images/im1002.jpg"]),
    "lsp-orig": (LspOriginal, "train", "lsp_dataset_original_train", tiny_wild.write_lsp_original,
                 ["images/im0001.jpg", "images/im0002.jpg"]),
    "lspet": (LspExtended, "train", "hr-lspet_train", tiny_wild.write_lspet, ["im00001.png", "im00004.png"]),
}  # fmt: skip


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setattr(config, "_root", tmp_path)
    return tmp_path


def make(name):
    kind, split, *_ = SETS[name]
    return kind().make_split(split, 1)


def prepare(root, name, joints):
    SETS[name][3](root, joints)
    summary = make(name)
    return summary, load(root, SETS[name][2])


@pytest.mark.parametrize("name", SETS)
def test_every_joint_is_the_training_joint_of_its_number(root, name):
    """The flags of the file do not matter."""
    part = prepare(root, name, tiny_wild.one_moved_at_a_time(SPREAD, 14))[1]["part"]
    tiny_wild.assert_own_places(part, SPREAD, tiny_wild.LSP)


@pytest.mark.parametrize("name", SETS)
def test_pictures_and_boxes(root, name):
    table = prepare(root, name, [SPREAD, SPREAD * 2])[1]
    assert table["imgname"].tolist() == SETS[name][4]
    # x from 5 to 18, y from 74 to 100: 1.2 times 26 px
    np.testing.assert_allclose(table["center"], [[11.5, 87], [23, 174]])
    np.testing.assert_allclose(table["scale"], [1.2 * 26 / 200, 1.2 * 52 / 200])


def test_only_the_first_1000_pictures_train_and_the_next_1000_test(root):
    array = np.random.default_rng(0).uniform(1, 90, (3, 14, 2100))
    for name, numbers in (("lsp", range(1001, 2001)), ("lsp-orig", range(1, 1001))):
        SETS[name][3](root, [SPREAD])
        base = root / config._PATHS["LSP_ROOT" if name == "lsp" else "LSP_ORIGINAL_ROOT"]
        tiny_wild.write_mat(base, array)
        plan = SETS[name][0]().plan(SETS[name][1])
        assert plan.names == [f"images/im{number:04d}.jpg" for number in numbers]
        np.testing.assert_allclose(plan.job.columns["part"][7, :14, :2], array[:2, :, numbers[7] - 1].T, rtol=1e-6)


# ---- silhouettes and parts ----


def test_silhouette_and_parts_are_named_below_the_folder_of_upi_s1h(root):
    table = prepare(root, "lsp", [SPREAD, SPREAD])[1]
    assert table["maskname"].tolist() == [f"data/lsp/im{number}_segmentation.png" for number in (1001, 1002)]
    assert table["partname"].tolist() == [f"data/lsp/im{number}_part_segmentation.png" for number in (1001, 1002)]
    assert all((root / "upi-s1h" / name).is_file() for key in ("maskname", "partname") for name in table[key])


def test_a_row_whose_silhouette_is_missing_or_too_small_is_incomplete_until_it_is_there(root):
    tiny_wild.write_lsp(root, [SPREAD] * 3)
    masks = root / "upi-s1h/data/lsp"
    content = (masks / "im1001_segmentation.png").read_bytes()
    (masks / "im1001_segmentation.png").unlink()
    tiny_wild.write_picture(masks / "im1002_part_segmentation.png", 20, 30)
    summary = make("lsp")
    assert set(summary.incomplete) == {"images/im1001.jpg", "images/im1002.jpg"}
    assert "im1001_segmentation.png does not exist" in summary.incomplete["images/im1001.jpg"]
    assert "is not as large as" in summary.incomplete["images/im1002.jpg"]
    table = load(root, "lsp_dataset_test")
    assert [bool(name) for name in table["maskname"]] == [False, True, True]
    assert [bool(name) for name in table["partname"]] == [True, False, True]
    (masks / "im1001_segmentation.png").write_bytes(content)
    summary = make("lsp")
    assert set(summary.incomplete) <= {"images/im1002.jpg"}
    assert load(root, "lsp_dataset_test")["maskname"].tolist()[0] == "data/lsp/im1001_segmentation.png"


def test_without_upi_s1h_one_line_says_so(root):
    tiny_wild.write_lsp(root, [SPREAD])
    (root / "upi-s1h").rename(root / "elsewhere")
    finished = preprocess("preprocess_datasets.py", root, "--dataset", "lsp", "--eval_files")
    assert finished.returncode == 2 and len(finished.stderr.strip().splitlines()) == 1
    assert f"{root}/upi-s1h does not exist" in finished.stderr


# ---- pictures ----


def test_pictures_that_cannot_be_read_are_named(root):
    tiny_wild.write_lsp_original(root, [SPREAD] * 4)
    (root / "lsp_dataset_original/images/im0002.jpg").unlink()
    (root / "lsp_dataset_original/images/im0004.jpg").write_bytes(b"GIF89a")
    finished = preprocess("preprocess_datasets.py", root, "--dataset", "lsp-orig", "--train_files")
    assert finished.returncode == 1
    assert "2 broken samples: images/im0002.jpg, images/im0004.jpg" in finished.stdout
    assert load(root, "lsp_dataset_original_train")["imgname"].tolist() == ["images/im0001.jpg", "images/im0003.jpg"]
    assert make("lsp-orig").kept == 2


def test_joints_that_coincide_or_are_not_finite_break_their_row_only(root):
    summary, table = prepare(root, "lsp-orig", [SPREAD, 0 * SPREAD + 7, SPREAD * [np.nan, 1]])
    assert "box of size 0" in summary.broken["images/im0002.jpg"]
    assert "not finite" in summary.broken["images/im0003.jpg"]
    assert table["imgname"].tolist() == ["images/im0001.jpg"]


def test_hr_lspet_takes_pictures_by_their_names_in_any_case_and_needs_as_many_as_joints(root):
    joints = [SPREAD + index for index in range(3)]
    path = tiny_wild.write_lspet(root, joints)
    folder = root / "hr-lspet"
    (folder / "im00004.png").rename(folder / "im00004.PNG")
    (folder / "._im00001.png").write_bytes(b"what macOS leaves")
    assert make("lspet").done == 3
    table = load(root, "hr-lspet_train")
    assert table["imgname"].tolist() == ["im00001.png", "im00004.PNG", "im00007.png"]
    np.testing.assert_array_equal(table["part"][:, 0, 0], [5, 6, 7])
    (folder / "im00004.PNG").unlink()
    with pytest.raises(UserError, match=f"holds 2 pictures .*but {path} has joints of 3"):
        make("lspet")


# ---- joints.mat ----


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2)])
@pytest.mark.parametrize("sides", [2, 3])
@pytest.mark.parametrize("version", ["5", "5 compressed", "7.3"])
def test_both_orders_of_axes_with_and_without_flags_in_every_version(tmp_path, order, sides, version):
    joints = np.random.default_rng(0).uniform(1, 90, (3, 14, 5))[:sides]
    path, array = tmp_path / "joints.mat", joints.transpose(order)
    if version == "7.3":
        write_version_7(path, array)
    else:
        scipy.io.savemat(path, {"joints": array}, do_compression="compressed" in version)
    np.testing.assert_array_equal(read_joints(path), joints[:2].transpose(2, 1, 0))


def write_version_7(path, array) -> None:
    """Matlab's header of 512 bytes, then HDF5 with the axes in the opposite order."""
    with h5py.File(path, "w", userblock_size=512) as file:
        file["joints"] = array.T
    with open(path, "r+b") as stream:
        stream.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM")


def test_one_picture_has_two_axes_in_matlab(tmp_path):
    scipy.io.savemat(tmp_path / "joints.mat", {"joints": np.ones((3, 14))})
    assert read_joints(tmp_path / "joints.mat").shape == (1, 14, 2)


@pytest.mark.parametrize("shape", [(3, 16, 4), (14, 14, 3), (4, 3, 14), (14,), (1, 3, 14, 2), (0, 0)])
def test_other_shapes_are_refused(tmp_path, shape):
    path = tmp_path / "joints.mat"
    scipy.io.savemat(path, {"joints": np.ones(shape)})
    with pytest.raises(UserError, match=r"joints of shape .*expected \(3, 14, N\) or \(14, 3, N\)"):
        read_joints(path)


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (lambda path: path.unlink(), "does not exist"),
        (lambda path: path.write_bytes(path.read_bytes()[:300]), "cannot be read as a .mat file"),
        (lambda path: path.write_bytes(b"\0" * 4000), "does not begin with 'MATLAB 5.0 MAT-file'"),
        (lambda path: path.write_bytes(b"MATLAB 7.3 MAT-file" + b" " * 800), "cannot be read as an HDF5 file"),
        (lambda path: scipy.io.savemat(path, {"points": np.ones((3, 14, 2))}), "has no joints"),
        (lambda path: scipy.io.savemat(path, {"joints": np.array(["a", "b"], object)}), "joints that are not numbers"),
    ],
)
def test_a_damaged_joints_file_gives_one_line(root, name, damage, expected):
    path = SETS[name][3](root, [SPREAD])
    damage(path)
    with pytest.raises(UserError) as error:
        make(name)
    assert str(path) in str(error.value) and expected in str(error.value) and "\n" not in str(error.value)


def test_a_file_of_the_training_pictures_alone_has_no_test_pictures(root):
    path = tiny_wild.write_lsp(root, [SPREAD])
    tiny_wild.write_mat(path.parent, np.ones((3, 14, 1000)))
    with pytest.raises(UserError, match="joints of up to 1000 pictures"):
        make("lsp")


@pytest.mark.parametrize(("name", "fits"), [("lsp-orig", "lsp"), ("lspet", "lspet")])
def test_iuv_images_are_drawn_of_spin_s_fits(root, name, fits):
    tiny_up3d.write_body(root)
    people = tiny_wild.people(root, 2)
    prepare(root, name, [person.joints for person in people])
    tiny_wild.write_fits(root, fits, people)
    data_set = SETS[name][0]()
    assert data_set.make_iuv(data_set.npz_file("train"), "BF", 1).done == 2
    table = load(root, SETS[name][2])
    for picture, centre, iuv in zip(table["imgname"], table["center"], table["iuv_names"], strict=True):
        assert iuv == f"BF_IUV_gt/{picture[:-4]}_{round(centre[0])}_{round(centre[1])}.png"
        assert (data_set.root / iuv).is_file()
