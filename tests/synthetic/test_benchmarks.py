"""The synthetic COCO, MPII and LSP sets: reproducible, resumable, and prepared to the rows of the people they show."""

import json
import shutil

import cv2
import h5py
import numpy as np
import pytest
import scipy.io

from datasets.preprocess.coco import Coco
from datasets.preprocess.lsp import LspExtended, LspOriginal, LspTest
from datasets.preprocess.mpii import Mpii
from synthetic import generate
from synthetic.benchmarks import people, writers
from synthetic.benchmarks.coco import annotations, is_whole
from synthetic.benchmarks.people import STREAMS, Album, Person, read_person, write_picture
from synthetic.photographs.photos import take_photo
from synthetic.stages import Collection, open_stage
from tests.helpers.jointed_doll import write_doll, write_empty_atlases
from utils import config
from utils.body_model import load_body_model, load_joint_regressors, pose_vertices
from utils.errors import UserError
from utils.files import read_npz
from utils.media.image_files import read_image

COUNTS = {"coco": 3, "mpii": 2, "lsp": 2, "lsp_orig": 2, "lspet": 2}
# option -> its preparation, split, SPIN's fits, index -> picture
SETS = {
    "coco": (Coco, "train", "coco", "coco/train2014/COCO_train2014_{:012d}.jpg", 1),
    "mpii": (Mpii, "train", "mpii", "mpii/images/{:09d}.jpg", 1),
    "lsp": (LspTest, "test", None, "lsp_dataset/images/im{:04d}.jpg", 1001),
    "lsp_orig": (LspOriginal, "train", "lsp", "lsp_dataset_original/images/im{:04d}.jpg", 1),
    "lspet": (LspExtended, "train", "lspet", "hr-lspet/im{:05d}.png", 1),
}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """The five sets with people of the doll, made by one process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(generate, "write_body", write_doll)
        patch.setattr(generate, "write_atlases", write_empty_atlases)
        patch.setattr(config, "_root", tmp_path_factory.mktemp("one") / "root")
        generate.generate(1, 1, seed=3, workers=1, benchmarks=COUNTS)
        yield config.data_root()


@pytest.fixture
def copied(root, tmp_path, monkeypatch):
    """A copy that a test may change, set as the data root."""
    shutil.copytree(root, tmp_path / "root")
    monkeypatch.setattr(config, "_root", tmp_path / "root")
    return tmp_path / "root"


def folder_of(name: str):
    return getattr(config, writers.WRITERS[name].root)


def true_people(name: str) -> list[Person]:
    return [read_person(folder_of(name) / "truth" / f"{index:05d}.npz") for index in range(COUNTS[name])]


def pictures(root) -> dict:
    return {name: [root / SETS[name][3].format(SETS[name][4] + n) for n in range(COUNTS[name])] for name in SETS}


def write(name: str, count: int, workers: int = 1) -> None:
    writers.WRITERS[name].write(folder_of(name), count, Collection(3), workers)


# ---- photographs ----


def test_every_set_has_its_pictures_and_no_two_show_the_same(root):
    up_3d = [config.UP_3D_ROOT / f"{index:05d}_image.png" for index in (0, generate.FIRST_TEST)]
    files = [path for paths in pictures(root).values() for path in paths] + up_3d
    assert all(path.is_file() for path in files)
    small = [cv2.resize(read_image(path, ""), (20, 20)).astype(float) for path in files]
    distances = [np.abs(one - other).mean() for index, one in enumerate(small) for other in small[:index]]
    assert min(distances) > 5
    ends = sorted(STREAMS.values())
    assert min(np.diff(ends)) >= people.MOST_PEOPLE and ends[0] > generate.FIRST_TEST_VIDEO + generate.FIRST_TEST


def test_the_number_of_workers_and_an_interruption_change_nothing(copied, root):
    """Two workers write two sets anew; of one, a picture and a truth were there already."""
    for name in ("coco", "lsp"):
        shutil.rmtree(folder_of(name))
    shutil.rmtree(config.UPI_S1H_ROOT)
    (copied / "coco/truth").mkdir(parents=True)
    for name in ("train2014/COCO_train2014_000000000002.jpg", "truth/00001.npz"):
        (copied / "coco" / name).parent.mkdir(exist_ok=True)
        shutil.copy(root / "coco" / name, copied / "coco" / name)
    for name in ("coco", "lsp"):
        write(name, COUNTS[name], workers=2)
    endings = (".jpg", ".png", ".json", ".txt")
    for place in ("coco", "lsp_dataset", "upi-s1h"):
        for path in (root / place).rglob("*"):
            found = copied / path.relative_to(root)
            if path.suffix in endings:
                assert found.read_bytes() == path.read_bytes(), path
            if path.suffix == ".npz":
                one, other = read_npz(path, ""), read_npz(found, "")
                assert all(np.array_equal(one[key], other[key]) for key in one)


def test_a_run_that_ended_before_its_first_photograph_was_complete_continues(copied, monkeypatch):
    shutil.rmtree(copied / "coco")
    (copied / "spin_fits/coco.npz").unlink()

    def interrupted(*arguments, **named):
        (copied / "coco/train2014").mkdir()
        (copied / "coco/train2014/COCO_train2014_000000000001.jpg").write_bytes(b"half of a photograph")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(people, "run_in_processes", interrupted)
        write("coco", 1)
    write("coco", 1)
    assert read_image(pictures(copied)["coco"][0], "").shape[2] == 3


def test_a_second_run_writes_nothing_and_more_people_keep_the_first(copied):
    before = {path: path.stat().st_mtime_ns for path in copied.rglob("*") if path.is_file()}
    for name, count in COUNTS.items():
        write(name, count)
    write("lspet", 1)  # photographs never become fewer
    assert {path: path.stat().st_mtime_ns for path in copied.rglob("*") if path.is_file()} == before
    write("lspet", 3)
    assert scipy.io.loadmat(copied / "hr-lspet/joints.mat")["joints"].shape == (14, 3, 3)
    assert len(read_npz(config.SPIN_FITS / "lspet.npz", "")["pose"]) == 3
    assert (copied / "hr-lspet/im00001.png").stat().st_mtime_ns == before[copied / "hr-lspet/im00001.png"]


def test_a_lost_picture_is_taken_again(copied):
    path = pictures(copied)["mpii"][1]
    content = path.read_bytes()
    path.unlink()
    write("mpii", 2)
    assert path.read_bytes() == content


@pytest.mark.parametrize("place", ["coco/annotations/x.json", "spin_fits/coco.npz", "upi-s1h/data/lsp/x.png"])
def test_files_of_another_origin_are_left_as_they_are(tmp_path, root, monkeypatch, place):
    shutil.copytree(root, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("coco*", "lsp*", "upi*"))
    monkeypatch.setattr(config, "_root", tmp_path)
    foreign = tmp_path / place
    foreign.parent.mkdir(parents=True, exist_ok=True)
    foreign.write_bytes(b"mine")
    with pytest.raises(UserError, match="was not made here and is left as it is"):
        write("lsp" if "upi" in place else "coco", 1)
    assert foreign.read_bytes() == b"mine"


@pytest.mark.parametrize(("name", "count"), [("coco", -1), ("coco", 50_001), ("lsp", 1001), ("lsp_orig", 1001)])
def test_too_many_people_are_refused(root, name, count):
    with pytest.raises(UserError, match=rf"--{name} is {count}, expected 0 to"):
        generate.generate(1, 1, seed=3, benchmarks={name: count})


def test_the_command_has_an_option_for_each_set():
    options = generate.parse_args(["--coco", "4", "--lsp_orig", "2"])
    assert {name: getattr(options, name) for name in writers.WRITERS} == dict.fromkeys(writers.WRITERS, 0) | {
        "coco": 4, "lsp_orig": 2,
    }  # fmt: skip


def test_without_h5py_mpii_says_so_at_once(copied, monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr("importlib.import_module", missing)
    with pytest.raises(UserError, match=r"MPII needs the package h5py: pip install -r requirements-benchmarks.txt"):
        write("mpii", 5)
    assert not (copied / "mpii/images/000000005.jpg").exists()


# ---- annotations ----


def projected(person: Person, points: np.ndarray, translation: np.ndarray) -> np.ndarray:
    """Pixels of points under the camera of the photographs: focal length 1000 px around the middle of the image."""
    moved = points + translation
    return 1000 * moved[:, :2] / moved[:, 2:] + (person.width / 2, person.height / 2)


@pytest.mark.parametrize("name", SETS)
def test_prepared_rows_are_the_projected_joints_of_the_people(root, name):
    """The photograph is taken again, for its camera; joints are projected here."""
    kind, split, fits, *_ = SETS[name]
    preparation = kind()
    summary = preparation.make_split(split, 1)
    assert summary.done + summary.kept and not summary.broken and not summary.incomplete
    table = read_npz(preparation.npz_file(split), "")
    regressor, rows = load_joint_regressors(root).joint_rows, iter(range(len(table["part"])))
    chosen = table["part"][0, :, 2] > 0
    fitted = []
    for index, person in enumerate(true_people(name)):
        photo = take_photo(open_stage(Collection()), 3, STREAMS[name] + index)
        body = load_body_model(config.SMPL_FILE)
        places = projected(person, regressor @ pose_vertices(body, person.pose, person.betas), photo.body["t"])
        inside = ((places > 0) & (places < (person.width - 1, person.height - 1))).all(axis=1)
        if name in ("coco", "mpii") and not inside[:14].all():
            continue
        row = next(rows)
        assert str(table["imgname"][row]) in str(pictures(root)[name][index])
        np.testing.assert_allclose(
            table["part"][row, chosen, :2], places[chosen], atol=0.51 if name == "coco" else 1e-3
        )
        fitted.append(person)
    assert next(rows, None) is None
    if fits:
        found = read_npz(config.SPIN_FITS / f"{fits}.npz", "")
        np.testing.assert_array_equal(found["pose"], [person.pose for person in fitted])
        np.testing.assert_array_equal(found["shape"], [person.betas for person in fitted])
        np.testing.assert_array_equal(found["fit_joint_error"], np.zeros(len(fitted)))


def test_the_box_holds_the_joints_and_touches_the_body(root):
    """COCO's box is the extent of the projected mesh, inside the image."""
    content = json.loads((root / "coco/annotations/person_keypoints_train2014.json").read_text())
    body = load_body_model(config.SMPL_FILE)
    for index, person in enumerate(true_people("coco")):
        photo = take_photo(open_stage(Collection()), 3, STREAMS["coco"] + index)
        places = projected(person, pose_vertices(body, person.pose, person.betas), photo.body["t"])
        low, high = (np.clip(end(places, axis=0), 0, (person.width - 1, person.height - 1)) for end in (np.min, np.max))
        np.testing.assert_allclose(content["annotations"][index]["bbox"], [*low, *(high - low)], atol=0.006)


def test_silhouette_and_parts_are_those_of_the_mesh_where_nothing_hides_it(root):
    """Independent witness: the mesh filled triangle by triangle; the head is above the legs, left is left."""
    body = load_body_model(config.SMPL_FILE)
    for index, person in enumerate(true_people("lsp")):
        photo = take_photo(open_stage(Collection()), 3, STREAMS["lsp"] + index)
        places = projected(person, pose_vertices(body, person.pose, person.betas), photo.body["t"])
        drawn = np.zeros((person.height, person.width), np.uint8)
        for triangle in np.rint(places).astype(np.int32)[body.faces]:
            cv2.fillConvexPoly(drawn, triangle, 1)
        mask, parts = (
            cv2.imread(str(config.UPI_S1H_ROOT / f"data/lsp/im{1001 + index}_{kind}.png"), cv2.IMREAD_UNCHANGED)
            for kind in ("segmentation", "part_segmentation")
        )
        assert mask.shape == parts.shape == drawn.shape and set(np.unique(mask)) == {0, 255}
        np.testing.assert_array_equal(mask > 0, parts > 0)
        assert set(np.unique(parts)) <= set(range(7))
        assert (mask[drawn == 0] > 0).mean() < 0.005  # nothing beside the mesh
        assert (mask[drawn > 0] > 0).mean() > 0.6  # a thing may hide a part of it
        # a visible joint inside a limb has the number of that limb
        numbers = {0: 6, 1: 6, 4: 5, 5: 5, 6: 4, 7: 4, 10: 3, 11: 3}  # ankle, knee; wrist, elbow
        visible = [joint for joint in numbers if person.keypoints[joint, 2]]
        columns, rows = np.rint(person.keypoints[visible, :2]).astype(int).T
        agreed = parts[rows, columns] == [numbers[joint] for joint in visible]
        assert agreed.mean() > 0.6 and len(visible) >= 4  # another limb may be in front of it


def person_at(places) -> Person:
    keypoints = np.concatenate([places, np.ones((24, 1))], axis=1)
    return Person(np.zeros(72), np.zeros(10), keypoints, np.array([[1, 2], [30, 40]]), 100, 80)


def test_joints_outside_of_the_image_are_not_annotated(tmp_path, monkeypatch):
    """A wrist beside the image, and a hidden knee."""
    places = np.arange(48.0).reshape(24, 2) + 5
    whole, cut = person_at(places), person_at(places)
    whole.keypoints[1, 2] = 0
    cut.keypoints[6, :2] = (80.2, 50)
    keypoints = [
        entry["keypoints"] for entry in annotations(Album("coco", tmp_path, "{}.jpg"), [whole, cut])["annotations"]
    ]
    assert np.reshape(keypoints[0], (17, 3))[[14, 13]].tolist() == [[7, 8, 1], [13, 14, 2]]  # right knee, left knee
    assert np.reshape(keypoints[1], (17, 3))[10].tolist() == [0, 0, 0]  # right wrist
    assert [is_whole(person) for person in (whole, cut)] == [True, False]
    monkeypatch.setattr(config, "_root", tmp_path)
    monkeypatch.setattr(people, "run_in_processes", lambda *args, **kwargs: ())
    monkeypatch.setattr(people, "read_person", lambda path: [whole, cut][int(path.stem)])
    for name in ("coco", "mpii"):
        write(name, 2)
        assert len(read_npz(config.SPIN_FITS / f"{name}.npz", "")["pose"]) == 1
    with h5py.File(config.MPII_ROOT / "annot/train.h5") as file:
        assert file["part"][1, 10].tolist() == [-1, -1] and (file["part"][0] > 0).all()
        assert file["imgname"][1] == b"000000002.jpg"


def test_pictures_are_written_in_the_format_of_their_ending(tmp_path):
    image = np.random.default_rng(0).integers(0, 255, (40, 60, 3)).astype(np.uint8)
    image = cv2.GaussianBlur(image, (0, 0), 3)
    write_picture(tmp_path / "a.png", image)
    write_picture(tmp_path / "a.jpg", image)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png", ""), image)
    assert (tmp_path / "a.jpg").read_bytes()[:2] == b"\xff\xd8"
    assert np.abs(read_image(tmp_path / "a.jpg", "").astype(int) - image).mean() < 3
