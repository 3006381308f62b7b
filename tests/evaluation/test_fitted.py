"""The body that is fitted to each mesh: its errors in results, table, contact sheet and report page."""

from pathlib import Path

import numpy as np
import pytest

from datasets.base_dataset import BaseDataset
from evaluation.contact_sheet import TITLES, draw_contact_sheet
from evaluation.errors import ErrorMeter, fitted_vertices
from evaluation.measure import evaluate
from evaluation.protocols import find_protocol
from evaluation.report import write_report
from evaluation.table import make_table
from fitting.body_fit import BodyFitter
from tests.evaluation.test_protocols import table_of
from tests.helpers import tiny_benchmarks, tiny_decomr
from tests.helpers.soft_body import soft_body
from tests.helpers.tiny_benchmarks import COUNT, NO_TRUTH, Oracle, make_options
from tests.reference import evaluation as reference
from utils.device import Device


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    with tiny_decomr.data_root(tmp_path_factory.mktemp("data")) as root:
        tiny_benchmarks.write_root(root)
        yield root


class Nearer:
    """In place of the fit: bodies halfway between the meshes and the truth."""

    def __init__(self, true: np.ndarray):
        self.true = true

    def each(self, meshes: np.ndarray) -> tuple[np.ndarray, dict]:
        return np.asarray(meshes, np.float64), {}

    def vertices(self, meshes: np.ndarray) -> np.ndarray:
        chosen = [np.abs(self.true - mesh).mean((1, 2)).argmin() for mesh in meshes]
        return (meshes + self.true[chosen]) / 2


def test_errors_of_the_fitted_body_stand_beside_those_of_the_mesh(root, tmp_path):
    """Every predicted mesh is moved, so that half of the way back halves the errors."""
    true = reference.true_meshes(root, table_of(root, "3dpw"))
    centred = true - true.mean(1, keepdims=True)
    shear = np.eye(3) + 0.1 * np.eye(3, k=1)
    predicted = (centred @ shear).astype(np.float32)
    options = make_options("3dpw")
    fitter = Nearer(centred)
    meter = ErrorMeter.of(find_protocol("3dpw", "training"), fitter=fitter)
    device = Device("CPU", "pynative", "a test", 0, 1)
    dataset = BaseDataset(options, "3dpw", "test")
    evaluation = evaluate(options, device, dataset, Oracle(predicted), meter, Path("a.ckpt"))
    results = evaluation.results
    known = np.arange(COUNT) != NO_TRUTH
    for name in ("mpjpe", "pve"):
        assert results[f"fitted_{name}"][known] == pytest.approx(results[name][known] / 2, rel=1e-3)
        assert np.isnan(results[f"fitted_{name}"][NO_TRUTH])
    made = make_table([evaluation])
    assert list(made.rows)[:2] == ["a.ckpt", "a.ckpt, fitted body"]
    assert made.rows["a.ckpt, fitted body"][0] == pytest.approx(made.rows["a.ckpt"][0] / 2, rel=1e-3)
    sheet = draw_contact_sheet(options, Oracle(predicted), np.array([0]), fitter)
    assert sheet.shape[1] == 6 + len(TITLES) * (224 + 6)
    write_report(tmp_path / "page.html", evaluation, options, Oracle(predicted), fitter)
    page = (tmp_path / "page.html").read_text()
    assert "<th>fitted body</th>" in page and page.count('"fitted body": [') == COUNT - 1


def test_a_mesh_that_cannot_be_fitted_costs_its_own_error_only(capsys):
    body = soft_body()
    true = np.stack([body.v_template] * 3)
    meshes = true.copy()
    meshes[1] = np.nan
    found = fitted_vertices(BodyFitter(body), meshes)
    assert np.isnan(found[1]).all() and np.abs(found[[0, 2]] - true[[0, 2]]).max() < 1e-3
    assert "it has vertices that are not finite" in capsys.readouterr().err
