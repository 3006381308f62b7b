"""UP-3D preprocessing: formats, messy lists, broken samples, and what the user is told."""

import pickle
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from datasets.preprocess import up_3d
from datasets.preprocess.up_3d import Up3D
from tests.helpers.prepared import ALL_STEPS, UP_3D, load, preprocess
from tests.helpers.tiny_up3d import IMAGE_SIZE, NUM_SAMPLES, ellipsoid, planar_texcoords, write_sample
from utils import config
from utils.array_files.pickles import load_arrays
from utils.body_model import load_body_model, load_joint_regressors, pose_vertices
from utils.camera import fit_camera
from utils.files import write_npz
from utils.renderer import cast_mesh, shade

TRAIN = "up_3d_trainval"
BOX_TOLERANCE = 1.2 * 3  # px of the crop: outlines end up to a pixel inside, thin tips one more


@pytest.fixture(scope="module")
def prepared(prepared_up_3d):
    return prepared_up_3d


# ---- what is written ----


def test_npz_has_the_keys_and_shapes_of_the_format(prepared):
    table, count = load(prepared, TRAIN), NUM_SAMPLES - 1
    shapes = {"center": (2,), "scale": (), "part": (24, 3), "pose": (72,), "shape": (10,)}
    assert {key: table[key].shape for key in shapes} == {key: (count, *shape) for key, shape in shapes.items()}
    assert table["imgname"].tolist() == [f"{i:05d}_image.png" for i in range(count)]
    assert load(prepared, "up_3d_lsp_test")["imgname"].tolist() == [f"{count:05d}_image.png"]
    assert not table["part"][:, 14:].any()


def test_iuv_names_carry_the_rounded_centre_and_the_files_exist(prepared):
    table = load(prepared, TRAIN)
    for image, centre, name in zip(table["imgname"], table["center"], table["iuv_names"], strict=True):
        assert name == f"BF_IUV_gt/{image[:-4]}_{round(centre[0])}_{round(centre[1])}.png"
        iuv = cv2.imread(str(prepared / "up-3d" / name), cv2.IMREAD_UNCHANGED)
        assert iuv.shape == (*IMAGE_SIZE, 3)
        assert set(np.unique(iuv[..., 0])) == {0, 1}
        assert not iuv[iuv[..., 0] == 0].any()


def test_iuv_shows_the_texcoords_of_the_vertices_where_they_project(prepared):
    """Independent witness: project each vertex and read the image there, no ray involved."""
    table, body = load(prepared, TRAIN), load_body_model(prepared / config.SMPL_FILE.name)
    regressors = load_joint_regressors(prepared, body)
    texcoords = planar_texcoords(np.array(ellipsoid().vertices))
    errors = []
    for pose, betas, part, name in zip(*(table[k] for k in ("pose", "shape", "part", "iuv_names")), strict=True):
        vertices = pose_vertices(body, pose, betas)
        camera = fit_camera(regressors.joints(vertices)[:14], part[:14], *IMAGE_SIZE)
        pixels = np.rint(camera.project(vertices, *IMAGE_SIZE)).astype(int)
        iuv = cv2.imread(str(prepared / "up-3d" / name))
        near_side = vertices[:, 2] < np.median(vertices[:, 2]) - 0.05
        pixels, expected = pixels[near_side], texcoords[near_side]
        seen = iuv[pixels[:, 1], pixels[:, 0]]
        errors.append(np.abs(seen[:, 1:] / 255 - expected)[seen[:, 0] == 1])
    assert np.median(np.concatenate(errors)) < 0.006  # half a pixel of this small body


def test_the_box_is_the_silhouette_with_margin(prepared):
    table = load(prepared, TRAIN)
    for centre, scale, name in zip(table["center"], table["scale"], table["iuv_names"], strict=True):
        rows, columns = np.nonzero(cv2.imread(str(prepared / "up-3d" / name))[..., 0])
        low, high = np.array([columns.min(), rows.min()]), np.array([columns.max(), rows.max()])
        assert np.abs(centre - (low + high) / 2).max() <= 1
        assert scale * 200 == pytest.approx(1.2 * (high - low).max(), abs=BOX_TOLERANCE)


def test_a_rendered_mesh_gives_the_same_box_as_the_projected_one(own_copy):
    before = load(own_copy, TRAIN)
    body = load_body_model(own_copy / config.SMPL_FILE.name)
    vertices = pose_vertices(body, before["pose"][0], before["shape"][0])
    joints = load_joint_regressors(own_copy, body).joints(vertices)[:14]
    camera = fit_camera(joints, before["part"][0][:14], *IMAGE_SIZE)
    colour, coverage = shade(
        cast_mesh(vertices, body.faces, camera, *IMAGE_SIZE), vertices, body.faces, (0.9, 0.5, 0.5)
    )
    light = 255 * (colour * coverage[..., None] + 1 - coverage[..., None])
    cv2.imwrite(str(own_copy / "up-3d/00000_render_light.png"), light.astype(np.uint8))

    finished = preprocess(UP_3D, own_copy, "--train_files")
    assert "1 made, 4 kept" in finished.stdout
    after = load(own_copy, TRAIN)
    assert np.abs(after["center"][0] - before["center"][0]).max() <= 1
    assert after["scale"][0] == pytest.approx(before["scale"][0], abs=BOX_TOLERANCE / 200)
    assert not np.array_equal(after["center"][0], before["center"][0])  # it was taken from the picture


def test_two_workers_write_what_one_writes(prepared, tmp_path):
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*IUV_gt", "*NPZ*"))
    assert preprocess(UP_3D, tmp_path, *ALL_STEPS, workers=2).returncode == 0
    one, two = load(prepared, TRAIN), load(tmp_path, TRAIN)
    assert all(np.array_equal(one[key], two[key]) for key in one)
    for name in one["iuv_names"]:
        assert (prepared / "up-3d" / name).read_bytes() == (tmp_path / "up-3d" / name).read_bytes()


# ---- lists and files as they are on disk ----


def test_lists_may_have_crlf_blank_lines_and_no_slash(tmp_path):
    path = tmp_path / "list.txt"
    path.write_bytes(b"\xef\xbb\xbf/00000_image.png\r\n\r\n00002_image.png\r\n  /00001_image.png \r\n/00000_image.png")
    assert up_3d.read_list(path) == ["00000_image.png", "00002_image.png", "00001_image.png"]


def test_grey_and_rgba_images_are_taken(own_copy):
    for index, code in ((0, cv2.COLOR_BGR2GRAY), (1, cv2.COLOR_BGR2BGRA)):
        path = str(own_copy / f"up-3d/{index:05d}_image.png")
        cv2.imwrite(path, cv2.cvtColor(cv2.imread(path), code))
    finished = preprocess(UP_3D, own_copy, *ALL_STEPS)
    assert finished.returncode == 0, finished.stderr
    assert "2 made, 3 kept" in finished.stdout


def test_body_arrays_of_objects_and_float32_are_read(own_copy):
    path = own_copy / "up-3d/00000_body.pkl"
    body = pickle.loads(path.read_bytes())
    body["pose"] = body["pose"].astype(object).reshape(1, 72)
    body["betas"] = body["betas"].astype(np.float32)
    path.write_bytes(pickle.dumps(body, protocol=2))
    before = load(own_copy, TRAIN)
    assert preprocess(UP_3D, own_copy, "--train_files").returncode == 0
    assert np.array_equal(load(own_copy, TRAIN)["pose"], before["pose"])


def test_joints_outside_the_image_count_and_a_large_photograph_is_taken(own_copy):
    """The picture of a sample, cut below the hips, and the picture of another one amid 3000 x 4000 pixels."""
    folder = own_copy / "up-3d"
    before = load(own_copy, TRAIN)
    joints = np.load(folder / "00000_joints.npy")
    cut = int(np.sort(joints[1])[8])
    cv2.imwrite(str(folder / "00000_image.png"), cv2.imread(str(folder / "00000_image.png"))[:cut])
    large = np.zeros((3000, 4000, 3), np.uint8)
    large[700:900, 1500:1660] = cv2.imread(str(folder / "00001_image.png"))
    cv2.imwrite(str(folder / "00001_image.png"), large)
    np.save(folder / "00001_joints.npy", np.load(folder / "00001_joints.npy") + [[1500], [700], [0]])
    finished = preprocess(UP_3D, own_copy, *ALL_STEPS)
    assert finished.returncode == 0 and "2 made, 3 kept" in finished.stdout, finished.stderr

    after = load(own_copy, TRAIN)
    assert (after["part"][0, :14, 1] > cut).any() and np.array_equal(after["part"][0, :14].T, joints)
    iuv = cv2.imread(str(folder / after["iuv_names"][0]))
    assert iuv.shape == (cut, 160, 3) and iuv[-1, :, 0].any()
    # the camera's focal length is fixed in pixels, so perspective is weaker in the large picture
    np.testing.assert_allclose(after["center"][1], before["center"][1] + (1500, 700), atol=8)
    assert after["scale"][1] == pytest.approx(before["scale"][1], rel=0.1)
    assert cv2.imread(str(folder / after["iuv_names"][1])).shape == large.shape


def test_object_arrays_of_joints_are_read(own_copy):
    path = own_copy / "up-3d/00000_joints.npy"
    np.save(path, np.load(path).astype(object))
    before = load(own_copy, TRAIN)
    assert preprocess(UP_3D, own_copy, "--train_files").returncode == 0
    assert np.array_equal(load(own_copy, TRAIN)["part"], before["part"])


# ---- broken samples and wrong input ----


def break_samples(root: Path) -> None:
    image = root / "up-3d/00000_image.png"
    image.write_bytes(image.read_bytes()[:5000])
    (root / "up-3d/00001_body.pkl").write_bytes(b"not a pickle")
    np.save(root / "up-3d/00002_joints.npy", np.zeros((3, 19)))


def test_broken_samples_are_named_and_skipped_and_the_exit_code_says_so(own_copy):
    break_samples(own_copy)
    finished = preprocess(UP_3D, own_copy, "--train_files", "--gt_iuv")
    assert finished.returncode == 1
    for name, reason in (
        ("00000_image.png", "is truncated"),
        ("00001_image.png", "cannot be read as a pickle"),
        ("00002_image.png", "shape (3, 19), expected (3, 14)"),
    ):
        assert any(f"broken {name}" in line and reason in line for line in finished.stderr.splitlines()), name
    assert "3 broken samples: 00000_image.png, 00001_image.png, 00002_image.png" in finished.stdout
    assert load(own_copy, TRAIN)["imgname"].tolist() == ["00003_image.png", "00004_image.png"]
    assert preprocess(UP_3D, own_copy, "--train_files", "--skip_bad").returncode == 0


def test_a_sample_with_one_visible_joint_is_skipped_because_no_camera_fits(own_copy):
    write_sample(own_copy, 3, visible=(1,) + (0,) * 13)
    finished = preprocess(UP_3D, own_copy, "--train_files")
    assert finished.returncode == 0
    assert "skipped 00003_image.png: no camera can be fitted" in finished.stderr
    assert "1 skipped" in finished.stdout
    assert "00003_image.png" not in load(own_copy, TRAIN)["imgname"]


def remove_images(root: Path) -> None:
    shutil.rmtree(root / "up-3d")


def remove_list(root: Path) -> None:
    (root / "up-3d/trainval.txt").unlink()


def remove_body(root: Path) -> None:
    (root / config.SMPL_FILE.name).unlink()


def remove_npz(root: Path) -> None:
    shutil.rmtree(root / "DATASET_NPZ_PATH")


@pytest.mark.parametrize(
    ("damage", "option", "expected"),
    [
        (remove_images, "--train_files", "up-3d does not exist"),
        (remove_list, "--train_files", "trainval.txt does not exist"),
        (remove_body, "--train_files", "v1.0.0.pkl does not exist"),
        (remove_npz, "--gt_iuv", "Run with --train_files first"),
    ],
)
def test_missing_input_gives_one_line_and_exit_code_2(own_copy, damage, option, expected):
    damage(own_copy)
    finished = preprocess(UP_3D, own_copy, option)
    assert finished.returncode == 2
    assert expected in finished.stderr
    assert len(finished.stderr.strip().splitlines()) == 1


def test_iuv_images_are_of_the_body_model_that_the_gender_of_a_row_says(own_copy):
    """The woman is as wide again as the neutral body."""
    table = load(own_copy, "up_3d_trainval")
    wide = dict(load_arrays(config.SMPL_FILE))
    wide["v_template"] = np.asarray(wide["v_template"]) * (2, 1, 1)
    config.FEMALE_SMPL_FILE.write_bytes(pickle.dumps(wide, protocol=2))
    genders = np.where(np.arange(len(table["imgname"])) == 0, "f", "")
    before = [(own_copy / "up-3d" / name).read_bytes() for name in table["iuv_names"]]
    shutil.rmtree(own_copy / "up-3d/BF_IUV_gt")
    write_npz(own_copy / "DATASET_NPZ_PATH/up_3d_trainval.npz", **table, gender=genders)
    data_set = Up3D()
    data_set.make_iuv(own_copy / "DATASET_NPZ_PATH/up_3d_trainval.npz", "BF", 1)
    after = [(own_copy / "up-3d" / name).read_bytes() for name in table["iuv_names"]]
    assert [old == new for old, new in zip(before, after, strict=True)] == [False] + [True] * (len(before) - 1)
