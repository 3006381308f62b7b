"""COCO: which people become rows, in which order, with which joints and boxes; damaged files; IUV images of fits."""

import os

import cv2
import numpy as np
import pytest

from datasets.preprocess import coco
from datasets.preprocess.coco import Coco
from tests.helpers import tiny_up3d, tiny_wild
from tests.helpers.prepared import load, preprocess
from utils import config
from utils.body_model import load_body_model, load_joint_regressors, pose_vertices
from utils.errors import UserError

NPZ = "coco_2014_train"
SPREAD = np.arange(48.0).reshape(24, 2) + 5  # places of joints that all differ
BODY_KEYPOINTS = range(5, 17)


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setattr(config, "_root", tmp_path)
    return tmp_path


def prepare(root, joints, content=None):
    """The summary and the table of a COCO."""
    tiny_wild.write_coco(root, joints, content)
    summary = Coco().make_split("train", 1)
    return summary, load(root, NPZ)


def test_every_keypoint_is_the_training_joint_of_its_number(root):
    part = prepare(root, tiny_wild.one_moved_at_a_time(SPREAD))[1]["part"]
    tiny_wild.assert_own_places(part, SPREAD, tiny_wild.COCO)


def test_the_columns_are_those_of_the_format(root):
    table = prepare(root, [SPREAD, SPREAD])[1]
    assert set(table) == {"id", "imgname", "center", "scale", "part"}
    assert table["id"].tolist() == [700, 701]
    assert table["imgname"].tolist() == [f"train2014/{tiny_wild.coco_name(index)}" for index in range(2)]
    # the middle of (10.5, 20.25) and (70.5, 120.25 or 121.25); 1.2 times the height
    np.testing.assert_allclose(table["center"], [[40.5, 70.25], [40.5, 70.75]])
    np.testing.assert_allclose(table["scale"], [120 / 200, 121.2 / 200])


@pytest.mark.parametrize("keypoint", range(17))
def test_a_person_counts_if_the_body_is_labelled_wholly_hidden_or_not(root, keypoint):
    content = tiny_wild.coco_content([SPREAD, SPREAD, SPREAD])
    for index, label in ((0, 0), (1, 1)):
        keypoints = content["annotations"][index]["keypoints"]
        keypoints[3 * keypoint + 2] = label
        if not label:
            keypoints[3 * keypoint : 3 * keypoint + 2] = [0, 0]
    table = prepare(root, [SPREAD] * 3, content)[1]
    assert table["id"].tolist() == ([701, 702] if keypoint in BODY_KEYPOINTS else [700, 701, 702])
    if keypoint not in BODY_KEYPOINTS:
        np.testing.assert_array_equal(table["part"][0, tiny_wild.COCO[keypoint]], 0)
    assert table["part"][-2, tiny_wild.COCO[keypoint], 2] == 1  # hidden, but labelled


def test_rows_follow_the_file_and_a_picture_may_show_several_people(root):
    content = tiny_wild.coco_content([SPREAD, SPREAD])
    first, second = content["annotations"]
    third = first | {"id": 3, "bbox": [1, 2, 8, 4]}
    crowd = first | {"id": 9, "iscrowd": 1, "keypoints": [0] * 51, "segmentation": {"counts": [4, 5], "size": [9, 9]}}
    dog = first | {"id": 10, "category_id": 18}
    content["annotations"] = [second, first, crowd, third, dog]
    content["categories"].append({"id": 18, "name": "dog"})
    table = prepare(root, [SPREAD, SPREAD], content)[1]
    assert table["id"].tolist() == [701, 700, 3]
    assert [name[-5] for name in table["imgname"]] == ["2", "1", "1"]


def test_a_second_run_keeps_the_rows_and_a_changed_picture_makes_its_own_anew(root):
    prepare(root, [SPREAD] * 4)
    kept = Coco().make_split("train", 1)
    assert (kept.kept, kept.done) == (4, 0)
    later = Coco().npz_file("train").stat().st_mtime + 5
    os.utime(root / "coco/train2014" / tiny_wild.coco_name(2), (later, later))
    again = Coco().make_split("train", 1)
    assert (again.kept, again.done) == (3, 1)
    os.utime(root / "coco/annotations/person_keypoints_train2014.json", (later, later))
    assert Coco().make_split("train", 1).done == 4


def test_pictures_that_cannot_be_used_are_named(root):
    tiny_wild.write_coco(root, [SPREAD] * 4)
    folder = root / "coco/train2014"
    (folder / tiny_wild.coco_name(0)).unlink()
    (folder / tiny_wild.coco_name(1)).write_bytes(b"no picture")
    tiny_wild.write_picture(folder / tiny_wild.coco_name(2), 60, 90)
    finished = preprocess("preprocess_datasets.py", root, "--dataset", "coco", "--train_files")
    assert finished.returncode == 1
    lines = [line for line in finished.stderr.splitlines() if line.startswith("broken")]
    assert [line.split(":")[0] for line in lines] == ["broken 700", "broken 701", "broken 702"]
    for line, index, reason in zip(
        lines, range(3), ("does not exist", "cannot be decoded", "has 90 x 60 px, but"), strict=True
    ):
        assert tiny_wild.coco_name(index) in line and reason in line
    assert load(root, NPZ)["id"].tolist() == [703]


def test_a_box_without_size_and_numbers_that_are_not_finite_break_their_row_only(root):
    content = tiny_wild.coco_content([SPREAD] * 4)
    content["annotations"][0]["bbox"] = [10, 10, 0, 0]
    content["annotations"][1]["bbox"][2] = float("nan")
    content["annotations"][2]["keypoints"][0] = float("inf")
    summary, table = prepare(root, [SPREAD] * 4, content)
    assert set(summary.broken) == {"700", "701", "702"} and table["id"].tolist() == [703]


def without(key, place=None, index=0):
    """Damage that takes `key` out of the file, or of an entry of the list `place`."""

    def damage(content):
        del (content if place is None else content[place][index])[key]

    return damage


def put(key, value, place="annotations"):
    def damage(content):
        content[place][0][key] = value

    return damage


DAMAGES = {
    "no keypoints, as in instances_train2014.json": (
        without("keypoints", "annotations"),
        "entry 0: it has no 'keypoint",
    ),
    "no images": (without("images"), "has no list of images"),
    "no categories, as in a results file": (without("categories"), "has no list of categories"),
    "no name of a picture": (without("file_name", "images"), "it has no 'file_name'"),
    "no size of a picture": (without("width", "images"), "it has no 'width'"),
    "another set of keypoints": (put("keypoints", [1] * 399), "cannot reshape array of size 399"),
    "keypoints of words": (put("keypoints", ["a"] * 51), "could not convert string"),
    "a box of three numbers": (put("bbox", [1, 2, 3]), "cannot reshape"),
    "a picture that is not listed": (put("image_id", 5), "image 5 is not in the list"),
    "a huge id": (put("id", 10**40), "too large"),
    "two people with one id": (put("id", 701), "several annotations with the id 701"),
    "a picture elsewhere": (put("file_name", "../../secret.jpg", "images"), "expected the name of a file below"),
    "entries that are no tables": (lambda content: content.update(annotations=[[1, 2]]), "annotations, entry 0"),
    "nobody": (lambda content: content.update(annotations=[]), "has no person whose 12 keypoints"),
    "other categories": (put("name", "dog", "categories"), "has no person whose 12 keypoints"),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_annotation_file_gives_one_line(root, kind):
    damage, expected = DAMAGES[kind]
    content = tiny_wild.coco_content([SPREAD, SPREAD])
    damage(content)
    path = tiny_wild.write_coco(root, [SPREAD, SPREAD], content)
    with pytest.raises(UserError) as error:
        Coco().make_split("train", 1)
    assert str(path) in str(error.value) and expected in str(error.value) and "\n" not in str(error.value)
    assert not Coco().npz_file("train").exists()


@pytest.mark.parametrize(
    ("content", "expected"),
    [(b"{", "is no JSON"), (b"", "is no JSON"), (b"[1, 2]", "has no list"), (b"\xff\xfe\x00", "is no JSON"),
     (b"[" * 100_000, "is no JSON"), (None, "does not exist")],
)  # fmt: skip
def test_a_file_that_is_not_coco_s_ends_the_command_with_exit_code_2(root, content, expected):
    path = tiny_wild.write_coco(root, [SPREAD])
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(UserError, match=expected):
        coco.read_annotations(path)
    if content == b"{":
        finished = preprocess("preprocess_datasets.py", root, "--dataset", "coco", "--train_files")
        assert finished.returncode == 2 and len(finished.stderr.strip().splitlines()) == 1


def test_a_byte_order_mark_is_read(root):
    path = tiny_wild.write_coco(root, [SPREAD])
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert Coco().make_split("train", 1).done == 1


# ---- IUV images of SPIN's fits ----


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """A prepared COCO of the tiny body with fits, and its IUV images."""
    root = tmp_path_factory.mktemp("coco")
    tiny_up3d.write_body(root)
    people = tiny_wild.people(root)
    tiny_wild.write_coco(root, [person.joints for person in people])
    tiny_wild.write_fits(root, "coco", people)
    finished = preprocess("preprocess_datasets.py", root, "--dataset", "coco", "--train_files", "--gt_iuv")
    assert finished.returncode == 0, finished.stderr
    return root, people


def test_iuv_images_show_the_fits_where_the_keypoints_are(fitted):
    """Independent witness: the weak-perspective silhouette of the mesh, filled triangle by triangle."""
    root, people = fitted
    table, body = load(root, NPZ), load_body_model(root / config.SMPL_FILE.name)
    for person, name in zip(people, table["iuv_names"], strict=True):
        vertices = pose_vertices(body, person.pose, person.betas)
        joints = load_joint_regressors(root, body).joint_rows @ vertices
        scale = (person.joints - person.joints.mean(axis=0)).std() / (joints - joints.mean(axis=0))[:, :2].std()
        pixels = (vertices - joints.mean(axis=0))[:, :2] * scale + person.joints.mean(axis=0)
        drawn = np.zeros(tiny_up3d.IMAGE_SIZE, np.uint8)
        for triangle in np.rint(pixels).astype(np.int32)[body.faces]:
            cv2.fillConvexPoly(drawn, triangle, 1)
        iuv = cv2.imread(str(root / "coco" / name))
        assert iuv.shape == (*tiny_up3d.IMAGE_SIZE, 3)
        seen = iuv[..., 0] > 0
        assert (seen & (drawn > 0)).sum() > 0.93 * (seen | (drawn > 0)).sum()  # the pictures' camera has perspective


def test_without_fits_one_line_says_where_they_belong(fitted, root):
    tiny_up3d.write_body(root)
    tiny_wild.write_coco(root, [SPREAD, SPREAD])
    finished = preprocess("preprocess_datasets.py", root, "--dataset", "coco", "--train_files", "--gt_iuv")
    assert finished.returncode == 2
    errors = [line for line in finished.stderr.splitlines() if "error" in line]
    assert len(errors) == 1 and f"SPIN's fits, {root}/spin_fits/coco.npz, do not exist" in errors[0]


def test_fits_of_another_number_of_people_are_refused(fitted, root):
    tiny_up3d.write_body(root)
    tiny_wild.write_coco(root, [SPREAD, SPREAD])
    tiny_wild.write_fits(root, "coco", fitted[1])
    Coco().make_split("train", 1)
    with pytest.raises(UserError, match="3 rows, but .*coco_2014_train.npz has 2"):
        Coco().make_iuv(Coco().npz_file("train"), "BF", 1)
