"""Exported files compute what the network does, and one that does not is never kept."""

import re

import numpy as np
import onnxruntime
import pytest
from mindspore import Tensor, nn

import utils.environment  # noqa: F401  before MindSpore
from exporting.agreement import TOLERANCE, compare, find_surface_cells
from exporting.formats import FORMATS
from exporting.onnx_graph import OnnxGraph
from exporting.onnx_network import write_sparse_map, write_warp
from exporting.onnx_operators import write_cell
from models.dense_cnn import warp_feature
from models.group_norm import GroupNorm
from models.layer import ConvBottleNeck, HourGlass, NearestBottleNeck
from models.resnet import Bottleneck
from models.upsample import BilinearUpsample2
from models.uv_generator import Index_UV_Generator
from tests.conftest import run_script
from tests.helpers.small_network import random_network
from utils.checkpoints import checkpoint
from utils.errors import UserError

BATCH = 2


def random_tensor(*shape, seed=0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def run_onnx(graph: OnnxGraph, inputs: dict, output: str, shape: tuple) -> np.ndarray:
    graph.name_output(output, "result")
    model = graph.make_model({name: value.shape for name, value in inputs.items()}, {"result": shape})
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(["result"], inputs)[0]


def randomise(cell: nn.Cell) -> nn.Cell:
    """Weights, shifts and statistics that all matter."""
    rng = np.random.default_rng(1)
    for name, parameter in cell.parameters_and_names():
        values = rng.normal(size=parameter.shape) * 0.3
        if name.endswith(("moving_variance", "gamma")):
            values = 1 + 0.5 * np.abs(values)
        parameter.set_data(Tensor(values.astype(np.float32)))
    return cell.set_train(False)


# ---- cell by cell ----

CELLS = {
    "convolution": (lambda: nn.Conv2d(8, 6, 3, 2, pad_mode="pad", padding=1, has_bias=True), (8, 9, 9)),
    "batch norm": (lambda: nn.BatchNorm2d(8), (8, 5, 5)),
    "group norm": (lambda: GroupNorm(2, 8), (8, 5, 6)),
    "pool with padding": (lambda: nn.MaxPool2d(3, 2, pad_mode="pad", padding=1), (4, 8, 8)),
    "pool": (lambda: nn.MaxPool2d(2, 2), (4, 8, 8)),
    "bilinear": (lambda: BilinearUpsample2(), (4, 5, 6)),
    "leaky": (lambda: nn.LeakyReLU(0.2), (4, 5)),
    "head": (lambda: nn.SequentialCell(nn.Dense(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dense(8, 3)), (6,)),
    "bottleneck": (lambda: ConvBottleNeck(16, 32), (16, 6, 6)),
    "nearest bottleneck": (lambda: NearestBottleNeck(32, 16), (32, 4, 4)),
    "nearest bottleneck, BN": (lambda: NearestBottleNeck(32, 16, "BN"), (32, 4, 4)),
    "hourglass": (lambda: HourGlass(16, 2), (16, 8, 8)),
    "residual": (lambda: Bottleneck(16, 8, 2), (16, 8, 8)),
}


@pytest.mark.parametrize("name", CELLS)
def test_every_known_cell_has_an_onnx_form_that_computes_the_same(name):
    make, shape = CELLS[name]
    cell, values = randomise(make()), random_tensor(BATCH, *shape)
    expected = cell(Tensor(values)).asnumpy()
    graph = OnnxGraph()
    output = write_cell(graph, cell, "x")
    np.testing.assert_allclose(run_onnx(graph, {"x": values}, output, expected.shape), expected, atol=2e-5, rtol=2e-5)


def test_an_unknown_cell_is_refused():
    with pytest.raises(TypeError, match="no ONNX form is known for Tanh"):
        write_cell(OnnxGraph(), nn.Tanh(), "x")


def test_the_warp_by_scatter_nd_adds_up_the_same_pixels():
    size, side, channels = 14, 16, 5
    rng = np.random.default_rng(0)
    iuv = rng.uniform(0, 1, (BATCH, 3, size, size)).astype(np.float32)
    iuv[:, 1:] = np.rint(iuv[:, 1:] * 4) / 4 * 0.9  # many pixels share a cell
    features = random_tensor(BATCH, channels, size, size)
    expected = warp_feature(Tensor(iuv), Tensor(features), side).asnumpy()
    graph = OnnxGraph()
    output = write_warp(graph, "iuv", "features", (BATCH, channels, size), side)
    found = run_onnx(graph, {"iuv": iuv, "features": features}, output, expected.shape)
    assert 10 < (expected[:, -1] > 0).sum() < 200
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_sampler_by_gathers_reads_the_same_map(data_root):
    sampler = Index_UV_Generator(64)
    values = random_tensor(BATCH, 64 * 64, 3)
    expected = sampler.to_vertices(Tensor(values)).asnumpy()
    graph = OnnxGraph()
    output = write_sparse_map(graph, sampler.to_vertices, "x", BATCH)
    np.testing.assert_allclose(run_onnx(graph, {"x": values}, output, expected.shape), expected, atol=1e-5)


# ---- what agreement means ----


def outputs(crops: np.ndarray) -> tuple:
    """A stand-in network: vertices, camera, iuv that depend on the crop."""
    iuv = 1 / (1 + np.exp(-crops))
    return crops.mean(axis=(2, 3))[:, None].repeat(4, 1), crops[:, :, 0, 0], iuv


def test_equal_programs_agree():
    agreement = compare(outputs, outputs, random_tensor(4, 3, 8, 8), 2, 64)
    assert agreement.differences == {"vertices": 0, "camera": 0, "iuv": 0}
    assert (agreement.crops, agreement.left_out) == (4, 0)


@pytest.mark.parametrize("output", range(3))
@pytest.mark.parametrize("size", [2 * TOLERANCE, np.nan])
def test_a_difference_in_any_output_is_refused(output, size):
    def wrong(crops):
        found = [array.copy() for array in outputs(crops)]
        found[output][-1, -1] += size
        return found

    with pytest.raises(UserError, match="disagrees, so it was not kept"):
        compare(outputs, wrong, random_tensor(4, 3, 8, 8), 2, 4)


def test_a_crop_with_a_pixel_on_the_edge_of_a_cell_counts_for_iuv_only():
    crops = random_tensor(4, 3, 8, 8)
    edge = np.log(0.5 / 0.5)  # sigmoid 0.5: the mask's threshold
    crops[1, 0, 3, 3] = edge - 1e-6

    def moved(crops):
        vertices, camera, iuv = (array.copy() for array in outputs(crops))
        on_edge = np.abs(iuv[:, 0, 3, 3] - 0.5) < 1e-5
        iuv[on_edge, 0, 3, 3] = 0.500001
        vertices[on_edge] += 0.01
        return vertices, camera, iuv

    agreement = compare(outputs, moved, crops, 2, 64)
    assert agreement.left_out == 1
    assert agreement.differences["vertices"] == 0
    with pytest.raises(UserError, match="nan"):  # nothing left to compare is no agreement
        compare(outputs, moved, crops[[1, 1]], 2, 64)


def test_surface_cells_are_those_of_the_warp():
    iuv = np.zeros((1, 3, 1, 3), np.float32)
    iuv[0, :, 0, 0] = 0.6, 1.0, 0.5
    iuv[0, :, 0, 1] = 0.5, 1.0, 0.5
    assert find_surface_cells(iuv, 64).ravel().tolist() == [32 * 64 + 63, -1, -1]


# ---- the whole network, as a command ----


@pytest.fixture(scope="module")
def trained(generated_root, tmp_path_factory):
    """A small network with random weights of every kind, and its config.json."""
    folder = tmp_path_factory.mktemp("export")
    options, dmr = random_network(generated_root, "--img_res", 64, "--lnet_width", 0.125)
    rng = np.random.default_rng(0)
    for name, parameter in dmr.parameters_and_names():
        # a random network must not amplify the rounding of its first layers from layer to layer
        if name.endswith(("bn3.gamma", "norm3.gamma")):
            parameter.set_data(parameter * 0.25)
        if name == "LNet.uv_end.1.weight":  # a body of human size, as differences are in metres
            parameter.set_data(parameter * 0.02)
        if name.endswith(("beta", "bias", "moving_mean")):
            parameter.set_data(Tensor(rng.normal(size=parameter.shape).astype(np.float32) * 0.05))
    checkpoint.save_weights(dmr, folder / "dmr_1.ckpt")
    checkpoint.save_config(options, folder)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("file_format", FORMATS)
def test_the_exported_file_agrees_with_the_network_on_real_crops(trained, generated_root, file_format):
    result = run_script(
        "export.py", "--checkpoint", trained / "dmr_1.ckpt", "--file_format", file_format, "--batch_size", 2,
        data_dir=generated_root,
    )  # fmt: skip
    found = dict(re.findall(r"(vertices|camera|iuv) (\d\.\de[-+]\d+)", result.stdout))
    assert found.keys() == {"vertices", "camera", "iuv"}
    assert all(float(value) <= TOLERANCE for value in found.values())
    assert (trained / f"dmr_1_b2{FORMATS[file_format][0]}").stat().st_size > 1e7
