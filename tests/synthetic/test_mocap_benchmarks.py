"""The synthetic Human3.6M, MPI-INF-3DHP and 3DPW: the files say what is filmed, and their rows are the true bodies.

Sequences are short and small here; the last test writes them as the command does.
"""

import pickletools
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import scipy.io
from scipy.spatial.transform import Rotation

from datasets.preprocess.command import PREPARATIONS
from datasets.preprocess.h36m import Human36MProtocol1
from datasets.preprocess.mpi_inf_3dhp import MpiInf3dhp
from datasets.preprocess.pw3d import PW3D
from datasets.registry import DATASETS
from synthetic import stages
from synthetic.benchmarks import clips, h36m, mpi_inf_3dhp, pw3d
from synthetic.photographs import videos
from synthetic.photographs.videos import Lens
from synthetic.photographs.view import Backdrop
from tests.conftest import run_script
from tests.helpers.prepared import load
from utils import config
from utils.array_files.pickles import load_pickle
from utils.body_model import load_joint_regressors, load_model_of_gender, pose_vertices
from utils.errors import UserError

FRAMES = 6
# rows of the protocols, from the page of the data sets
BENCHMARK_14, BENCHMARK_17 = [*range(12), 12, 18], [*range(12), 12, 18, 14, 16, 17]
NEUTRAL = -1


@pytest.fixture(scope="module")
def written(generated_root, tmp_path_factory) -> Path:
    """A data root with the generated body and a sequence of each kind, written in this process and prepared."""
    root = tmp_path_factory.mktemp("mocap")
    for path in generated_root.glob("*.*"):
        if path.is_file():
            (root / path.name).symlink_to(path)
    patch = pytest.MonkeyPatch()
    patch.setattr(config, "_root", root)
    for module, lens in ((h36m, h36m.LENS), (mpi_inf_3dhp, mpi_inf_3dhp.LENS), (pw3d, pw3d.LENS)):
        patch.setattr(module, "FRAMES", FRAMES)
        patch.setattr(module, "LENS", smaller(lens))
    patch.setattr(pw3d, "LOST", range(2, 3))
    patch.setattr(clips, "run_in_processes", lambda job, items, workers, one_thread: map(job, items))
    for module, folder, count in (
        (h36m, config.H36M_ROOT, 1), (mpi_inf_3dhp, config.MPI_INF_3DHP_ROOT, 1), (pw3d, config.PW3D_ROOT, 2),
    ):  # fmt: skip
        module.write(folder, count, stages.Collection(3), 1)
    for preparation in (Human36MProtocol1(), MpiInf3dhp(), PW3D()):
        for split in filter(preparation.has, ("train", "test")):
            summary = preparation.make_split(split, 1)
            assert not summary.broken and not summary.incomplete
    yield root
    patch.undo()


def smaller(lens: Lens) -> Lens:
    return Lens(lens.focal / 4, (lens.centre[0] / 4, lens.centre[1] / 4), lens.height // 4, lens.width // 4)


def errors(joints: np.ndarray, vertices: np.ndarray, rows: list[int]) -> np.ndarray:
    """Distances in mm between joints [24, 4] and those of the training regressor, both from the middle of the hips."""
    regressors = load_joint_regressors(model=load_model_of_gender(NEUTRAL))
    assert (joints[rows, 3] == 1).all()
    of_mesh = regressors.joints(vertices)
    of_mesh[[*range(13), 18]] = regressors.lsp(vertices)
    found = joints[:, :3] - joints[[2, 3], :3].mean(axis=0)
    expected = of_mesh - of_mesh[[2, 3]].mean(axis=0)
    return 1000 * np.linalg.norm(found[rows] - expected[rows], axis=1)


def truth(root: Path, name: str) -> dict:
    with np.load(root / name) as archive:
        return dict(archive)


def test_the_true_mesh_has_no_error_on_human36m(written):
    table, known = load(written, "h36m_valid_protocol1"), truth(written, "h36m/truth/S9_Directions 1.npz")
    assert len(table["scale"]) == 4 * 2
    body = load_model_of_gender(NEUTRAL)
    for row, (sequence, name) in enumerate(zip(table["sequence"], table["imgname"], strict=True)):
        camera, frame = known["camera"].tolist().index(sequence.rpartition(".")[2]), int(name[-10:-4]) - 1
        vertices = pose_vertices(body, known["pose"][camera, frame], known["betas"])
        assert errors(table["S"][row], vertices, BENCHMARK_14).max() < 1e-2
        other = pose_vertices(body, known["pose"][camera - 1, frame], known["betas"])
        assert errors(table["S"][row], other, BENCHMARK_14).max() > 50  # cameras stand elsewhere


def test_the_true_mesh_and_spins_fits_have_no_error_on_mpi_inf_3dhp(written):
    body = load_model_of_gender(NEUTRAL)
    train, fits = load(written, "mpi_inf_3dhp_train"), truth(written, "spin_fits/mpi_inf_3dhp.npz")
    assert len(train["scale"]) == len(fits["pose"]) == len(range(0, 8 * FRAMES, 10))
    for joints, pose, betas in zip(train["S"], fits["pose"], fits["shape"], strict=True):
        assert errors(joints, pose_vertices(body, pose, betas), BENCHMARK_17).max() < 1e-2
    test, known = (
        load(written, "mpi_inf_3dhp_valid"),
        truth(written, "mpi_inf_3dhp/truth/mpi_inf_3dhp_test_set_TS1.npz"),
    )
    for joints, name in zip(test["S"], test["imgname"], strict=True):
        vertices = pose_vertices(body, known["pose"][int(name[-10:-4]) - 1], known["betas"])
        assert errors(joints, vertices, BENCHMARK_17).max() < 1e-2


def test_the_rows_of_3dpw_are_the_true_bodies_of_both_genders(written):
    table = load(written, "3dpw_test")
    known = [truth(written, f"3dpw/truth/generated_0{number}.npz") for number in range(2)]
    seen = [frame for frame in range(FRAMES) if frame != 2]
    people = [(number, person) for number in range(2) for person in range(len(known[number]["gender"]))]
    poses = np.concatenate([known[number]["pose"][person][seen] for number, person in people])
    genders = [gender for number, person in people for gender in ["fm"[known[number]["gender"][person]]] * len(seen)]
    np.testing.assert_allclose(table["pose"], poses, atol=1e-5)
    assert table["gender"].tolist() == genders and set(genders) == {"f", "m"}
    assert [len(known[number]["gender"]) for number in range(2)] == [2, 1]


def test_world_poses_and_places_of_3dpw_put_the_mesh_before_its_camera(written):
    """Against linear algebra: R v + t of the world's vertices is where the truth has them."""
    content = load_pickle(written / "3dpw/sequenceFiles/test/generated_00.pkl")
    known = truth(written, "3dpw/truth/generated_00.npz")
    for person, gender in enumerate(known["gender"]):
        body = load_model_of_gender({0: 1, 1: 0}[int(gender)])
        for frame in (0, 5):
            world = pose_vertices(body, content["poses"][person][frame], content["betas"][person])
            world = world + content["trans"][person][frame]
            camera = content["cam_poses"][frame]
            expected = pose_vertices(body, known["pose"][person, frame], known["betas"][person])
            expected = expected + known["place"][person, frame]
            np.testing.assert_allclose(world @ camera[:3, :3].T + camera[:3, 3], expected, atol=1e-9)
            x, y, z = content["cam_intrinsics"] @ expected.T
            low, high = (x / z).min(), (x / z).max()
            keypoints = content["poses2d"][person][frame]
            inside = keypoints[0, keypoints[2] > 0]
            assert (inside >= low - 1).all() and (inside <= high + 1).all() and len(inside) > 9


def test_python_2_can_read_the_pickles(written):
    """Protocol 2, and nothing but numpy's old names."""
    content = (written / "3dpw/sequenceFiles/test/generated_00.pkl").read_bytes()
    names = {argument for code, argument, _ in pickletools.genops(content) if code.name == "GLOBAL"}
    assert max(code.proto for code, _, _ in pickletools.genops(content)) == 2
    assert names <= {"numpy.core.multiarray _reconstruct", "numpy ndarray", "numpy dtype", "_codecs encode"}


def test_the_calibration_projects_annot3_to_annot2(written):
    folder = written / "mpi_inf_3dhp/S1/Seq1"
    text = (folder / "camera.calibration").read_text()
    matrices = [np.array(line.split(), float).reshape(4, 4) for line in re.findall(r"intrinsic(.*)", text)]
    sizes = [tuple(map(int, line.split())) for line in re.findall(r"size(.*)", text)]
    content = scipy.io.loadmat(folder / "annot.mat")
    assert len(matrices) == len(sizes) == content["annot2"].shape[0] == 14
    for camera, matrix in enumerate(matrices):
        points = content["annot3"][camera, 0].reshape(-1, 28, 3)
        projected = points @ matrix[:3, :3].T
        projected = projected[..., :2] / projected[..., 2:]
        np.testing.assert_allclose(projected.reshape(FRAMES, 56), content["annot2"][camera, 0], atol=1e-6)
    picture = cv2.imread(str(next(folder.glob("imageFrames/*/*.jpg"))))
    assert picture.shape[1::-1] == sizes[0]


def test_boxes_and_joints_lie_on_the_filmed_person(generated_root, monkeypatch):
    """The person is painted white in a black world: the boxes of Human3.6M are the extent of the bright pixels."""
    monkeypatch.setattr(config, "_root", generated_root)
    stage = stages.open_stage(stages.Collection())
    lens = smaller(h36m.LENS)
    take = videos.stage_take(stage.model, 5, 4, 2, lens, leaves=False)
    white = videos.light_foreground

    def painted(*args):
        coverage = white(*args)[1]
        return np.repeat(coverage, 3, 2), coverage

    def black(rng, view, seated):
        size = (view.height, view.width)
        return Backdrop(np.zeros((*size, 3)), np.full(size, np.inf), np.zeros((*size, 3)), 3.0, True)

    monkeypatch.setattr(videos, "make_backdrop", black)
    monkeypatch.setattr(videos, "light_foreground", painted)
    for degrees in (0.0, 90.0):
        seen = clips.seen_from(take, degrees)
        for frame, picture in enumerate(videos.film_people([(stage, seen)], 5, 4)):
            bright = picture.max(axis=2) > 100
            low, high = clips.body_box(stage, seen, frame)
            rows, columns = np.flatnonzero(bright.any(axis=1)), np.flatnonzero(bright.any(axis=0))
            np.testing.assert_allclose([columns[0], rows[0], columns[-1], rows[-1]], [*low, *high], atol=2)
            joints = clips.project(seen, clips.skeleton(stage, seen, frame, ("left_elbow", "spine", "right_knee")))
            assert all(bright[round(y), round(x)] for x, y in joints.tolist())


def test_another_camera_turns_the_body_about_the_upright_axis(data_root):
    stage = stages.open_stage(stages.Collection())
    take = videos.stage_take(stage.model, 1, 2, 3, h36m.LENS, leaves=False)
    turned = clips.seen_from(take, 90.0)
    for frame in range(3):
        before, after = (pose_vertices(stage.model, one.pose[frame], one.betas) for one in (take, turned))
        moved = Rotation.from_euler("y", -90, degrees=True).apply(before)  # y of the camera points down
        np.testing.assert_allclose(after - after[0], moved - moved[0], atol=1e-9)


def test_finished_files_are_kept_and_foreign_ones_left_alone(written, tmp_path):
    before = {path: path.stat().st_mtime_ns for path in written.rglob("h36m/**/*") if path.is_file()}
    h36m.write(config.H36M_ROOT, 1, stages.Collection(3), 1)
    assert {path: path.stat().st_mtime_ns for path in written.rglob("h36m/**/*") if path.is_file()} == before
    foreign = ((h36m, "S9", "h36m"), (mpi_inf_3dhp, "S8", "mpi_inf_3dhp"), (pw3d, "imageFiles", "pw3d"))
    for module, part, option in foreign:
        (tmp_path / option / part).mkdir(parents=True)
        with pytest.raises(UserError, match=f"{part} was not made here and is left as it is.*leave out --{option}"):
            module.write(tmp_path / option, 1, stages.Collection(3), 1)


def test_human36m_s_training_photographs_may_lie_in_its_folder(written, tmp_path):
    (tmp_path / "h36m/train/truth").mkdir(parents=True)
    h36m.write(tmp_path / "h36m", 1, stages.Collection(3), 1)
    assert (tmp_path / "h36m/S9/Videos/Directions 1.60457274.mp4").is_file()


@pytest.mark.slow
def test_the_command_writes_the_same_with_one_worker_and_with_two(generated_root, tmp_path):
    roots = [tmp_path / "one", tmp_path / "two"]
    for number, root in enumerate(roots, start=1):
        root.mkdir()
        for path in generated_root.iterdir():
            if path.name not in ("DATASET_NPZ_PATH", "complete"):
                (root / path.name).symlink_to(path)
        counts = ("--pw3d", 2)
        run_script(
            "-m", "synthetic.generate", "--data_dir", root, "--num_train", 12, "--num_test", 4, *counts,
            "--workers", number,
        )  # fmt: skip
        names = ("3dpw",)
        run_script("preprocess_datasets.py", "--data_dir", root, "--dataset", *names, "--eval_files")
    for preparation in map(PREPARATIONS.get, names):
        for split in filter(preparation().has, ("train", "test")):
            one, two = (load(root, DATASETS[preparation.name].npz[split][0]) for root in roots)
            assert all(np.array_equal(one[key], two[key]) for key in one)
            folder = getattr(config, DATASETS[preparation.name].root).name
            for image in one["imgname"]:
                assert (roots[0] / folder / image).read_bytes() == (roots[1] / folder / image).read_bytes()
