"""Several data sets and checkpoints in one call give one table in four formats, with the paper's figures beside."""

import csv
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

import eval as evaluation_command
from evaluation import quoted, table
from evaluation.measure import Evaluation
from evaluation.protocols import PROTOCOLS, find_protocol
from tests.helpers import tiny_benchmarks, tiny_decomr
from tests.helpers.tiny_benchmarks import COUNT, TABLES, Oracle
from tests.reference import evaluation as reference
from utils.errors import UserError
from utils.train_options import TrainOptions


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    with tiny_decomr.data_root(tmp_path_factory.mktemp("data")) as root:
        tiny_benchmarks.write_root(root)
        yield root


@pytest.fixture
def predicted() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(COUNT, 642, 3)).astype(np.float32) * 0.3


@pytest.fixture
def command(root, predicted, tmp_path, monkeypatch):
    """Call eval.py with words; every checkpoint has a network that answers `predicted`, plus its number in cm."""
    for number in range(2):
        (tmp_path / f"dmr_{number}.ckpt").touch()

    def load(options, path: Path) -> Oracle:
        return Oracle(predicted * (1 + 0.01 * int(path.stem[-1])))

    class Kernels:
        choose = staticmethod(lambda kernels: "none")
        accelerate = staticmethod(lambda predictor, kernels: None)

    monkeypatch.setattr(evaluation_command, "load_predictor", load)
    monkeypatch.setattr(evaluation_command, "find_kernels", Kernels)
    monkeypatch.setattr(evaluation_command.checkpoint, "adopt_architecture", lambda *_: None)

    def call(*words) -> Path:
        words = [*words, "--save_root", tmp_path / "results", "--batch_size", 4, "--num_workers", 1]
        words += ["--device_target", "CPU", "--mode", "pynative", "--img_res", 32]
        monkeypatch.setattr(sys, "argv", ["eval.py", *map(str, words)])
        evaluation_command.main()
        return tmp_path / "results"

    return call


def test_several_data_sets_give_one_table(command, root, predicted, tmp_path, capsys):
    datasets = ["h36m-p2", "3dpw", "up-3d", "mpi-inf-3dhp", "lsp"]
    checkpoints = [tmp_path / f"dmr_{number}.ckpt" for number in (1, 0)]
    folder = command("--dataset", *datasets, "--checkpoint", *checkpoints)
    content = json.loads((folder / "table.json").read_text())
    columns = [(column["dataset"], column["figure"]) for column in content["columns"]]
    assert columns == [(dataset, figure) for dataset in datasets for figure in PROTOCOLS[dataset].figures]
    assert [row["name"] for row in content["rows"]] == [*map(str, checkpoints), "DecoMR (paper, quoted)"]
    assert [row["quoted"] for row in content["rows"]] == [False, False, True]
    for number, row in zip((1, 0), content["rows"], strict=False):
        for (dataset, figure), value in zip(columns, row["values"], strict=True):
            if dataset == "lsp":
                assert value is None
                continue
            meshes = (predicted * np.float32(1 + 0.01 * number)).astype(np.float32)
            expected = reference.figures(root, dataset, load_table(root, dataset), meshes).get(figure)
            assert value == pytest.approx(np.nanmean(expected), rel=1e-4), (dataset, figure)
    assert all(column["protocol"] == PROTOCOLS[column["dataset"]].name for column in content["columns"])
    rows = list(csv.reader((folder / "table.csv").open()))
    assert rows[0][:3] == ["checkpoint", "h36m-p2 MPJPE (mm)", "h36m-p2 PA-MPJPE (mm)"] and len(rows) == 4
    assert [float(cell) if cell else None for cell in rows[1][1:]] == content["rows"][0]["values"]
    assert {path.name for path in folder.glob("*.json")} == {"table.json"} | {
        f"{dataset}_{number}_{path.stem}.json"
        for dataset in datasets
        for number, path in enumerate(checkpoints, start=1)
    }
    printed = capsys.readouterr().out
    assert "None of them is chosen" in printed and f"3dpw: {PROTOCOLS['3dpw'].name}." in printed


def load_table(root: Path, dataset: str) -> dict:
    return dict(np.load(root / "DATASET_NPZ_PATH" / f"{TABLES[dataset][0]}.npz"))


def test_one_data_set_and_one_checkpoint_are_written_as_before(command, tmp_path):
    folder = command("--dataset=h36m-p2", "--checkpoint", tmp_path / "dmr_0.ckpt", "--joints", "spin")
    assert sorted(path.name for path in folder.iterdir()) == ["h36m-p2.csv", "h36m-p2.json"]
    content = json.loads((folder / "h36m-p2.json").read_text())
    assert content["protocol"] == find_protocol("h36m-p2", "spin").name
    assert content["lsp"] == {} and content["parts"] == {} and list(content["joints"])[-1] == "head"


def test_a_report_is_about_one_data_set(command, tmp_path):
    with pytest.raises(UserError, match="--report shows one data set, but 2 are given"):
        command("--dataset", "lsp", "3dpw", "--checkpoint", tmp_path / "dmr_0.ckpt", "--report", tmp_path / "a.html")


def test_training_still_takes_one_data_set(tmp_path):
    assert TrainOptions().parse_args([]).dataset == "up-3d"
    with pytest.raises(UserError, match="unrecognized arguments: 3dpw"):
        TrainOptions().parse_args(["--dataset", "up-3d", "3dpw"])
    options = evaluation_command.make_options()
    assert options.parse_args([]).dataset == ["up-3d"] and options.given(["--dataset", "a", "b"]) == {"dataset"}
    (tmp_path / "run.json").write_text('{"dataset": "surreal"}')
    words = ["--from_json", str(tmp_path / "run.json")]
    assert options.parse_args(words).dataset == ["surreal"]
    assert options.parse_args([*words, "--dataset", "lsp", "3dpw"]).dataset == ["lsp", "3dpw"]


# ---- the formats ----


def small_table() -> table.Table:
    evaluations = [
        Evaluation(Path("a_1%.ckpt"), dataset, find_protocol(dataset, joints), {
            "imgname": np.array(["x"]), "mpjpe": np.array([50.0]), "pa_mpjpe": np.array([np.nan]),
            "pve": np.array([70.125]),
        })
        for dataset, joints in (("h36m-p2", "training"), ("3dpw", "spin"))
    ]  # fmt: skip
    return table.make_table(evaluations)


def test_quoted_figures_are_marked_and_have_their_source():
    values = small_table().rows[quoted.ROW]
    assert values == [60.6, 39.3, None, None, None]
    assert any("Virtual Markers" in note and "h36m-p2" in note for note in small_table().notes)
    assert quoted.FIGURES.keys() == quoted.SOURCES.keys() <= PROTOCOLS.keys()
    for dataset, figures in quoted.FIGURES.items():
        assert figures.keys() <= set(PROTOCOLS[dataset].figures)


def test_quoted_figures_do_not_stand_beside_those_of_another_protocol():
    assert quoted.quoted_figure(find_protocol("h36m-p2"), "h36m-p2", "mpjpe") == 60.6
    assert quoted.quoted_figure(find_protocol("h36m-p2", "spin"), "h36m-p2", "mpjpe") is None


def test_markdown_has_a_row_for_each_and_dashes_for_the_unknown():
    head, rule, own, paper, *_ = table.as_markdown(small_table()).splitlines()
    assert head.count("|") == rule.count("|") == own.count("|") == paper.count("|") == 7
    assert own == "| a_1%.ckpt | 50.00 | - | 50.00 | - | 70.12 |"
    assert paper == "| DecoMR (paper, quoted) | 60.60 | 39.30 | - | - | - |"


def test_latex_has_as_many_cells_as_columns_and_no_bare_special_characters():
    lines = table.as_latex(small_table()).splitlines()
    body = [line for line in lines if not line.startswith("%")]
    assert body[0] == r"\begin{tabular}{lrrrrr}" and body[-1] == r"\end{tabular}"
    rows = [line for line in body if line.endswith(r" \\")]
    assert [line.count("&") for line in rows] == [5, 5, 5]
    assert rows[1].startswith(r"a\_1\%.ckpt & 50.00 & - &") and rows[2].startswith("DecoMR (paper, quoted) & 60.60")
    assert not re.search(r"(?<!\\)[%_#$]", "".join(rows))
    assert sum(line.startswith("% ") for line in lines) == 3
