"""What the benchmarks count and add up, on cases small enough to do by hand."""

import os
import subprocess
import sys

import numpy as np
import pytest
from mindspore import Parameter, nn, ops

from benchmarks import layers, peers
from benchmarks.convergence import measure_hours
from benchmarks.memory import REPOSITORY, measure_command_peak
from benchmarks.multiply_adds import count_multiply_adds
from benchmarks.side_by_side import Side
from tests.helpers.small_network import random_network
from utils.environment import SETTINGS


def test_the_products_of_convolutions_are_counted():
    image, kernel = ops.zeros((2, 3, 8, 8)), ops.zeros((5, 3, 3, 3))
    assert count_multiply_adds(lambda: ops.conv2d(image, kernel, None, 1, "pad", 1)) == 2 * 8 * 8 * 5 * 3 * 9
    transposed = ops.Conv2DTranspose(5, 4, pad_mode="pad", pad=(1, 1, 1, 1), stride=2)
    assert (
        count_multiply_adds(lambda: transposed(image, ops.zeros((3, 5, 4, 4)), (2, 5, 16, 16)))
        == 2 * 8 * 8 * 3 * 5 * 16
    )
    assert count_multiply_adds(lambda: ops.MatMul(transpose_b=True)(ops.ones((6, 7)), ops.ones((5, 7)))) == 6 * 7 * 5
    assert count_multiply_adds(lambda: ops.BatchMatMul()(ops.ones((2, 6, 7)), ops.ones((2, 7, 5)))) == 2 * 6 * 7 * 5
    assert count_multiply_adds(lambda: image + 1) == 0


def test_pauses_between_records_are_no_training():
    records = [
        {"time": 10.0, "step": 20, "samples_per_s": 8.0},  # 20 steps of 4 in 10 s
        {"time": 5000.0, "step": 40, "samples_per_s": 4.0},
    ]
    assert measure_hours(records, batch=4) == pytest.approx(np.array([0, 10, 30]) / 3600)


def test_a_side_has_the_threads_that_it_would_have_alone():
    """MindSpore, imported here, has asked for one thread in the name of all children."""
    with Side("tests.helpers.threads_program") as side:
        assert side.run()["threads"] == os.environ.get("OMP_NUM_THREADS")


def test_pytorch_is_measured_without_the_settings_for_mindspore():
    assert os.environ["ONEDNN_MAX_CPU_ISA"] and os.environ["OMP_WAIT_POLICY"]
    found = Side("tests.helpers.threads_program", environment={"ONEDNN_MAX_CPU_ISA": "DEFAULT"}).environment
    assert {name: found.get(name) for name in SETTINGS} == dict.fromkeys(SETTINGS) | {"ONEDNN_MAX_CPU_ISA": "DEFAULT"}


def test_the_memory_of_a_command_is_its_own():
    large = np.ones(50 * 2**20)  # 400 MiB of this process
    assert measure_command_peak([sys.executable, "-c", "pass"]) < 100 < large.nbytes / 2**20
    assert measure_command_peak([sys.executable, "-c", "bytearray(300 * 2**20)"]) > 300


def test_a_process_reads_its_own_peak():
    large = np.ones(50 * 2**20)
    words = "from benchmarks.memory import read_own_peak as peak; print(peak())"
    told = subprocess.run([sys.executable, "-c", words], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=True)
    assert 1 < float(told.stdout) < 100 < large.nbytes / 2**20


@pytest.mark.parametrize(
    "wanted, work, found",
    [
        (["best"], "dp", list(peers.PYTORCH)),
        (["best"], "infer", [*peers.PYTORCH, "onnxruntime"]),  # the only runtime that is installed
        (["openvino", "eager"], "infer", ["eager", "openvino"]),  # missing, and named: importing it tells so
        (["onnxruntime"], "end", []),
    ],
)
def test_the_peers_that_can_do_a_work(wanted, work, found, monkeypatch):
    monkeypatch.setattr(peers.importlib.util, "find_spec", lambda name: name == "onnxruntime")
    assert peers.find_peers(wanted, work) == found


class Product(nn.Cell):
    """A product with a matrix of ones, which calls a layer that it holds."""

    def __init__(self, size: int, inner: nn.Cell | None = None):
        super().__init__()
        self.matrix = Parameter(np.ones((size, size), np.float32))
        self.product = ops.MatMul()
        self.inner = inner

    def construct(self, values):
        return self.product(self.inner(values) if self.inner else values, self.matrix)


def test_each_layer_has_its_own_products_and_the_rest_lies_between():
    network, values = Product(6, Product(6, Product(6))), ops.ones((2, 6))
    names = {id(network.inner): "inner"}
    counts = layers.count_by_layer(names, lambda: network(values))
    assert counts == {"inner": 2 * 2 * 36, layers.BETWEEN: 2 * 36}
    seconds = layers.time_by_layer(names, lambda: network(values))
    assert set(seconds) == {"inner", layers.BETWEEN}
    assert min(seconds.values()) > 0


def test_a_layer_of_the_table_is_a_stage_of_the_encoder_or_a_part_of_the_rest(data_root):
    _, dmr = random_network(data_root, "--cnet_width", 0.125, "--lnet_width", 0.125)
    names = set(layers.name_layers(dmr).values())
    assert {"CNet.resnet.layer1", "CNet.dp_layers.0", "CNet.dp_uv_end", "LNet.warp", "LNet.hg"} <= names
    assert not names & {"CNet", "CNet.resnet", "CNet.dp_layers", "CNet.resnet.layer1.0", "LNet.hg.inner"}
