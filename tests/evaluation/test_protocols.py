"""Every figure of every protocol, against an evaluation in numpy, and against displacements that are known."""

from pathlib import Path

import numpy as np
import pytest

from datasets.base_dataset import BaseDataset
from datasets.loader import rank_indices
from evaluation import measure, shards
from evaluation.contact_sheet import TITLES, draw_contact_sheet
from evaluation.errors import ErrorMeter
from evaluation.mean_mesh import mean_training_mesh
from evaluation.measure import Evaluation, evaluate
from evaluation.protocols import PROTOCOLS, find_protocol
from evaluation.report import write_report
from tests.helpers import tiny_benchmarks, tiny_decomr
from tests.helpers.tiny_benchmarks import COUNT, NO_TRUTH, Oracle, make_options
from tests.reference import evaluation as reference
from utils import config
from utils.body_model import JointRegressors
from utils.device import Device
from utils.errors import UserError
from utils.files import write_npz
from utils.joints import TRAINING_JOINTS
from utils.metrics import correct_joints

WITH_SPIN = ("h36m-p1", "h36m-p2", "3dpw", "mpi-inf-3dhp")
WITH_JOINTS = [("up-3d", "training"), *((name, joints) for name in WITH_SPIN for joints in ("training", "spin"))]
OF_JOINTS = [(name, joints) for name, joints in WITH_JOINTS if name not in ("up-3d", "3dpw")]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    with tiny_decomr.data_root(tmp_path_factory.mktemp("data")) as root:
        tiny_benchmarks.write_root(root)
        yield root


@pytest.fixture(scope="module")
def predicted(root) -> np.ndarray:
    """Meshes [N, V, 3] with errors of centimetres, which stand anywhere."""
    rng = np.random.default_rng(1)
    poses = {"pose": rng.normal(size=(COUNT, 72)) * 0.2, "shape": rng.normal(size=(COUNT, 10))}
    meshes = reference.true_meshes(root, poses) + rng.normal(size=(COUNT, 1, 3))
    return (meshes + 0.02 * rng.normal(size=meshes.shape)).astype(np.float32)


def run(dataset: str, predicted: np.ndarray, joints: str = "training", rank: int = 0, world_size: int = 1, **changes):
    """The evaluation of predicted meshes [N, V, 3], by the way that eval.py takes."""
    options = make_options(dataset, joints=joints, **changes)
    meter = ErrorMeter.of(find_protocol(dataset, joints))
    device = Device("CPU", "pynative", "a test", rank, world_size)
    return evaluate(options, device, BaseDataset(options, dataset, "test"), Oracle(predicted), meter, Path("a.ckpt"))


def table_of(root: Path, dataset: str) -> dict:
    return dict(np.load(root / "DATASET_NPZ_PATH" / f"{tiny_benchmarks.TABLES[dataset][0]}.npz"))


# ---- every figure ----


@pytest.mark.parametrize(("dataset", "joints"), WITH_JOINTS)
def test_an_evaluation_in_numpy_gives_the_same_figures(root, predicted, dataset, joints):
    found = run(dataset, predicted, joints)
    expected = reference.figures(root, dataset, table_of(root, dataset), predicted, joints)
    assert found.protocol.figures == tuple(sorted(expected, key=found.protocol.figures.index))
    for name, values in expected.items():
        assert found.results[name] == pytest.approx(values, rel=1e-4, nan_ok=True), name
        assert np.isnan(found.results[name]).tolist() == (np.arange(COUNT) == NO_TRUTH).tolist()
    assert found.without_truth == 1
    assert found.results["imgname"].tolist() == table_of(root, dataset)["imgname"].tolist()


def test_figures_that_no_truth_gives_are_left_out(root, predicted):
    assert "pve" not in run("h36m-p1", predicted).results
    columns = run("3dpw", predicted).results.keys()
    assert "pve" in columns and not {"shape_error", "pck", "mask_iou"} & columns
    assert run("h36m-p1", predicted).vertex_errors is None


def test_the_mean_error_of_a_vertex_is_over_the_images_with_a_mesh(root, predicted):
    table = table_of(root, "3dpw")
    true, _ = reference.meshes_and_joints(root, "3dpw", reference.true_meshes(root, table), "training")
    meshes, _ = reference.meshes_and_joints(root, "3dpw", predicted.astype(np.float64), "training")
    away = 1000 * np.linalg.norm(meshes - true, axis=2)[table["has_smpl"] > 0]
    assert run("3dpw", predicted).vertex_errors == pytest.approx(away.mean(0), rel=1e-4)


def test_two_ranks_measure_what_one_process_does(root, predicted, monkeypatch, tmp_path):
    whole = run("3dpw", predicted, batch_size=2)
    for rank in range(2):
        shard: dict = {}
        monkeypatch.setattr(measure, "gather", lambda results, *_, shard=shard: shard.update(results))
        assert run("3dpw", predicted, rank=rank, world_size=2, batch_size=2) is None
        expected = rank_indices(np.arange(COUNT), 2, rank, 2, drop_last=False)
        assert len(shard["imgname"]) == len(expected)
        write_npz(shards.shard_path(tmp_path, 7, rank), **shard)
    merged = shards.merge(tmp_path, 7, 2, COUNT, 2)
    total = merged.pop(measure.VERTICES)
    assert total / (COUNT - 1) == pytest.approx(whole.vertex_errors, rel=1e-12)
    assert merged.keys() == whole.results.keys()
    for name, column in whole.results.items():
        np.testing.assert_array_equal(merged[name], column, name)


# ---- known errors ----


@pytest.mark.parametrize(("dataset", "joints"), WITH_JOINTS)
def test_the_true_mesh_has_no_error(root, predicted, dataset, joints):
    if dataset in ("up-3d", "3dpw"):
        meshes = reference.true_meshes(root, table_of(root, dataset))
        found = run(dataset, meshes + (1.0, -2.0, 3.0), joints)
    else:
        true = annotate(root, dataset, joints, predicted)
        tiny_benchmarks.write_table(root, dataset, S=true)
        found = run(dataset, predicted, joints)
        tiny_benchmarks.write_table(root, dataset)
    known = np.arange(COUNT) != NO_TRUTH
    for name in found.protocol.figures:
        perfect = {"pck": 100, "auc": 100 * 30 / 31}.get(name, 0)
        assert found.results[name][known] == pytest.approx(perfect, abs=2e-3), name


def annotate(root: Path, dataset: str, joints: str, meshes: np.ndarray) -> np.ndarray:
    """`S` [N, 24, 4] that a protocol finds in meshes: their joints, and their root as the pelvis."""
    _, found = reference.meshes_and_joints(root, dataset, meshes.astype(np.float64), joints)
    true = np.zeros((len(meshes), 24, 4))
    true[:, 14, 3] = 1  # the pelvis is the root of SPIN's, at the origin
    numbers = reference.SEVENTEEN if dataset == "mpi-inf-3dhp" else reference.FOURTEEN
    true[:, numbers, :3], true[:, numbers, 3] = found, 1
    return true


def one_hot_meter(dataset: str, joints: str) -> ErrorMeter:
    """A meter for a body of 200 vertices, each of whose regressor rows is a vertex of its own."""
    rows = np.eye(200)
    return ErrorMeter(find_protocol(dataset, joints), JointRegressors(rows[:24], rows[24:48], rows[48:62]))


@pytest.fixture
def h36m_rows(tmp_path, monkeypatch):
    """J_regressor_h36m.npy of the body of one_hot_meter."""
    monkeypatch.setattr(config, "_root", tmp_path)
    np.save(tmp_path / "J_regressor_h36m.npy", np.eye(200)[100:117])


def vertex_of(joint: int, joints: str) -> int:
    """The vertex of that body that training joint `joint` is regressed from, by the numbers of the releases."""
    if joints == "spin":
        return 100 + reference.SPIN_SEVENTEEN[reference.SEVENTEEN.index(joint)]
    return 48 + reference.FOURTEEN.index(joint) if joint in reference.FOURTEEN else 24 + joint


@pytest.mark.parametrize(("dataset", "joints"), OF_JOINTS)
def test_one_joint_that_is_moved_is_the_one_that_errs(h36m_rows, dataset, joints):
    """Of the annotation and of the mesh alike, so that no two joints can be mixed up."""
    meter, rng = one_hot_meter(dataset, joints), np.random.default_rng(0)
    numbers = reference.SEVENTEEN if dataset == "mpi-inf-3dhp" else reference.FOURTEEN
    assert [TRAINING_JOINTS[number] for number in numbers] == list(meter.protocol.joints.names)
    meshes = rng.normal(size=(1, 200, 3))
    true = joints_of(meshes, joints)
    for place, number in enumerate(numbers):
        moved, elsewhere = true.copy(), meshes.copy()
        moved[0, number, :3] += (0.03, -0.04, 0.12)
        elsewhere[0, vertex_of(number, joints)] += (0.03, -0.04, 0.12)
        for found in (errors_of(meter, moved, meshes), errors_of(meter, true, elsewhere)):
            expected = np.zeros(len(numbers))
            expected[place] = 130
            if joints == "training" and number in (2, 3):  # a hip: the root moves by half
                expected[:] = 65
            if joints == "spin" and number == 14:  # the root: all others are off
                expected = 130 - expected
            assert found["joint_errors"][0] == pytest.approx(expected, abs=1e-6)
            assert found["mpjpe"] == pytest.approx([expected.mean()], abs=1e-6)


def joints_of(meshes: np.ndarray, joints: str) -> np.ndarray:
    """`S` [1, 24, 4] of meshes [1, 200, 3]."""
    true = np.ones((1, 24, 4))
    for number in reference.SEVENTEEN:
        true[0, number, :3] = meshes[0, vertex_of(number, joints)]
    return true


def errors_of(meter: ErrorMeter, true: np.ndarray, meshes: np.ndarray) -> dict:
    batch = {"pose_3d": true, "has_pose_3d": np.ones(1), "keypoints": np.zeros((1, 24, 3))}
    return meter(batch, None, meshes, np.ones((1, 3)))


@pytest.mark.parametrize("joints", ["training", "spin"])
def test_the_joints_of_3dpw_are_regressed_from_both_meshes(h36m_rows, joints):
    meter, rng = one_hot_meter("3dpw", joints), np.random.default_rng(0)
    meshes = rng.normal(size=(1, 200, 3))
    batch = {"has_smpl": np.ones(1), "keypoints": np.zeros((1, 24, 3))}
    for place, number in enumerate(reference.FOURTEEN):
        true = meshes.copy()
        true[0, vertex_of(number, joints)] += (0, 0.05, 0)
        found = meter(batch, None, meshes, np.ones((1, 3)), true)
        expected = np.full(14, 25.0) if joints == "training" and number in (2, 3) else 50.0 * (np.arange(14) == place)
        assert found["joint_errors"][0] == pytest.approx(expected, abs=1e-6)
        others = 25.0 if joints == "training" and number in (2, 3) else 0.0
        moved = 25.0 if others else 50.0
        assert found["pve"] == pytest.approx([(199 * others + moved) / 200], abs=1e-6)


def test_pck_and_auc_of_distances_made_by_hand():
    errors = np.array([[0.0, 149.9, 150.0, 1000.0], [7.0] * 4, [5.0] * 4])
    found = correct_joints(errors)
    assert found["pck"] == pytest.approx([50, 100, 100])
    # below 0, 5, ..., 150: the 0 mm joint 30 times, the 149.9 mm one at 150 only; 7 mm from 10 on; 5 mm from 10 on
    assert found["auc"] == pytest.approx([100 * (30 + 1) / (4 * 31), 100 * 29 / 31, 100 * 29 / 31])


def test_pelvis_spine_and_jaw_do_not_count_for_pck(h36m_rows):
    meter = one_hot_meter("mpi-inf-3dhp", "training")
    meshes = np.random.default_rng(0).normal(size=(1, 200, 3))
    true = joints_of(meshes, "training")
    true[0, [14, 16, 17], :3] += 5.0
    found = errors_of(meter, true, meshes)
    assert found["pck"] == [100] and found["mpjpe"] == pytest.approx([1000 * 75**0.5 * 3 / 17])
    true[0, 18, :3] += 5.0
    assert errors_of(meter, true, meshes)["pck"] == pytest.approx([100 * 13 / 14])


def test_genders_that_are_mixed_up_give_the_difference_of_the_bodies(root):
    table = table_of(root, "3dpw")
    swapped = table | {"gender": np.array([{"m": "f", "f": "m"}[gender] for gender in table["gender"].tolist()])}
    meshes, others = reference.true_meshes(root, table), reference.true_meshes(root, swapped)
    right = run("3dpw", meshes).results["pve"]
    tiny_benchmarks.write_table(root, "3dpw", gender=swapped["gender"])
    wrong = run("3dpw", meshes).results["pve"]
    tiny_benchmarks.write_table(root, "3dpw")
    centred = [reference.meshes_and_joints(root, "3dpw", each, "training")[0] for each in (meshes, others)]
    expected = 1000 * np.linalg.norm(centred[0] - centred[1], axis=2).mean(1)
    known = np.arange(COUNT) != NO_TRUTH
    assert right[known] == pytest.approx(0, abs=2e-3)
    assert wrong[known] == pytest.approx(expected[known], rel=1e-4) and expected[known].min() > 10


def test_a_row_without_one_of_the_joints_is_left_out_and_counted(root, predicted):
    joints = table_of(root, "h36m-p1")["S"]
    joints[4, 7, 3] = 0
    joints[5, 19, 3] = 0  # the nose is none of them
    tiny_benchmarks.write_table(root, "h36m-p1", S=joints)
    found = run("h36m-p1", predicted)
    tiny_benchmarks.write_table(root, "h36m-p1")
    assert np.flatnonzero(np.isnan(found.results["mpjpe"])).tolist() == [NO_TRUTH, 4]
    assert found.without_truth == 2


# ---- what is said ----


def test_names_tell_the_protocols_apart():
    named = [find_protocol(*case).name for case in WITH_JOINTS] + [PROTOCOLS[name].name for name in ("surreal", "lsp")]
    assert len(set(named)) == len(named)
    spin = find_protocol("h36m-p2", "spin").name
    assert (
        spin == "Human3.6M protocol 2 as SPIN; annotated joints; 14 joints of J_regressor_h36m.npy, root: hips centre"
    )


def test_spin_has_no_protocol_for_some_sets_and_that_is_said(capsys, monkeypatch):
    monkeypatch.setattr("utils.errors._warned", set())
    for dataset in ("up-3d", "surreal", "lsp"):
        assert find_protocol(dataset, "spin") == PROTOCOLS[dataset]
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(" for ")[1].split(";")[0] for line in lines] == ["up-3d", "surreal", "lsp"]


def test_a_missing_regressor_is_one_line(root):
    path = root / "J_regressor_h36m.npy"
    path.rename(path.with_suffix(".away"))
    with pytest.raises(UserError, match=r"J_regressor_h36m\.npy does not exist") as raised:
        ErrorMeter.of(find_protocol("h36m-p1", "spin"))
    path.with_suffix(".away").rename(path)
    assert len(str(raised.value).splitlines()) == 1
    ErrorMeter.of(find_protocol("h36m-p1"))  # which needs none


def test_a_data_set_without_protocol_is_named():
    with pytest.raises(UserError, match="no protocol for dataset coco. Those that are evaluated: up-3d, surreal, h36m"):
        find_protocol("coco")


@pytest.mark.parametrize(
    ("dataset", "reason"),
    [
        ("h36m-p1", "h36m-p1 has no training split"),
        ("3dpw", "3dpw has no training split"),
        ("mpi-inf-3dhp", "mpi_inf_3dhp_train.npz does not exist"),
        ("up-3d", "up_3d_trainval.npz does not exist"),
    ],
)
def test_there_is_no_baseline_without_training_meshes(root, capsys, monkeypatch, dataset, reason):
    monkeypatch.setattr("utils.errors._warned", set())
    assert mean_training_mesh(make_options(dataset), np.zeros((1, 642))) is None
    (line,) = capsys.readouterr().err.splitlines()
    assert "no mean training mesh as a baseline" in line and line.endswith(f"{reason}.")


# ---- pictures ----


@pytest.mark.parametrize("dataset", ["h36m-p1", "3dpw", "mpi-inf-3dhp"])
def test_the_report_and_the_contact_sheet_show_what_there_is(root, predicted, dataset, tmp_path):
    options, oracle = make_options(dataset, img_res=64), Oracle(predicted)
    evaluation: Evaluation = run(dataset, predicted)
    sheet = draw_contact_sheet(options, oracle, np.array([0, NO_TRUTH]))
    has_truth = dataset == "3dpw"
    pictures = len(TITLES) - 1 - (not has_truth)  # without the fitted body
    assert sheet.shape[1] == 6 + pictures * (224 + 6)
    write_report(tmp_path / "page.html", evaluation, options, oracle)
    page = (tmp_path / "page.html").read_text()
    order = np.argsort(evaluation.results["mpjpe"])[: COUNT - 1]
    shown = [page.index(f"images/{index}.png:") for index in (order[0], order[-1])]
    assert shown == sorted(shown) and f"images/{NO_TRUTH}.png" not in page
    assert page.count("<img ") == pictures * (COUNT - 1)
    assert "Images by MPJPE, mm" in page and "{{" not in page and "mean training mesh" not in page
    assert ("body parts, mm" in page) == has_truth == ('class="ramp"' in page)
