"""Shows that the stand-in for GPUs is a witness: it reports what a GPU would not take, and counts rightly."""

import os
import subprocess
import sys

import pytest

from tests.conftest import REPOSITORY
from tests.fake_gpu import record, stand_in

# Eig and Lstsq have kernels for the CPU only
NO_GPU_KERNEL = """
import mindspore as ms
from mindspore import Tensor, ops

ms.set_device("GPU")
x = Tensor([[1.0, 0.0], [0.0, 1.0]])

@ms.jit
def eigenvalues(x):
    return ops.eig(x + x)[0]

print(eigenvalues(x).shape)
print(ops.lstsq(x, x))
"""

# one convolution of (2, 3, 8, 8) with 3 x 3 filters, and what becomes of it if one thing is wrong
CONVOLUTIONS = """
import ctypes, sys

cudnn = ctypes.CDLL(sys.argv[1])
cudnn.fake = lambda name: (pointer := ctypes.c_void_p(), getattr(cudnn, name)(ctypes.byref(pointer)))[0]

def forward(channels=3, type_of_filter=0, size=8):
    x, y = (cudnn.fake("cudnnCreateTensorDescriptor") for _ in range(2))
    w, c = cudnn.fake("cudnnCreateFilterDescriptor"), cudnn.fake("cudnnCreateConvolutionDescriptor")
    cudnn.cudnnSetTensor4dDescriptor(x, 0, 0, 2, 3, 8, 8)
    cudnn.cudnnSetFilter4dDescriptor(w, type_of_filter, 0, 5, channels, 3, 3)
    cudnn.cudnnSetConvolution2dDescriptor(c, 1, 1, 1, 1, 1, 1, 1, 0)
    cudnn.cudnnSetTensor4dDescriptor(y, 0, 0, 2, 5, size, size)
    return cudnn.cudnnConvolutionForward(*[None] * 2, x, None, w, None, c, 1, None, ctypes.c_size_t(0), None, y, None)

print(forward(), forward(channels=4), forward(type_of_filter=2), forward(size=7))
"""

# three steps of Adam for two parameters
STEPS = """
import mindspore as ms
from mindspore import Tensor, nn, ops
from tests.fake_gpu import stand_in

ms.set_device("GPU")
network = nn.Dense(3, 4)
optimiser = nn.Adam(network.trainable_params())

def loss(x):
    return ops.exp(network(x)).mean()

gradients = ops.value_and_grad(loss, None, optimiser.parameters)

@ms.jit
def step(x):
    value, of_weights = gradients(x)
    return ops.depend(value, optimiser(of_weights))

for i in range(3):
    stand_in.mark(f"step {i}")
    step(Tensor([[1.0, 2.0, 3.0]] * 5)).asnumpy()
"""


def _run(folder, program, *arguments, environment):
    """Run a program from a file in `folder`: MindSpore compiles graphs only from files."""
    file = folder / "program.py"
    file.write_text(program)
    return subprocess.run(
        [sys.executable, str(file), *map(str, arguments)], cwd=folder, capture_output=True, text=True, timeout=120,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)} | environment,
    )  # fmt: skip


pytestmark = pytest.mark.slow


def test_an_operator_without_a_gpu_kernel_is_reported(tmp_path):
    # by its INFO message inside a graph, by an error outside
    shown = _run(tmp_path, NO_GPU_KERNEL, environment=stand_in.environment() | stand_in.SHOW_BACKOFFS)
    assert stand_in.backoffs(shown.stderr) == ["Eig"]
    assert shown.stdout == "(2,)\n"
    assert shown.returncode != 0
    assert "Unsupported op [Lstsq] on GPU" in shown.stderr
    forbidden = _run(tmp_path, NO_GPU_KERNEL, environment=stand_in.environment() | stand_in.FORBID_BACKOFFS)
    assert "Unsupported op [Eig] on GPU" in forbidden.stderr


def test_cudnn_refuses_convolutions_that_do_not_fit_together(tmp_path):
    log = tmp_path / "log"
    environment = {"FAKE_GPU_LOG": str(log)}
    result = _run(tmp_path, CONVOLUTIONS, stand_in.library("libcudnn.so.8"), environment=environment)
    assert result.stdout == "0 3 3 3\n"
    why = ("input channels", "data types of input and filter", "output size")
    for line, refusal, words in zip(result.stderr.splitlines(), record.read(log)[0].refusals(), why, strict=True):
        assert line == f"FAKE CUDNN REFUSES: {refusal}"
        assert refusal.startswith(f"convolution: {words}; float32 (")


def test_the_record_counts_steps_kernels_and_copies(tmp_path):
    log = tmp_path / "log"
    result = _run(tmp_path, STEPS, environment=stand_in.environment(log=log))
    assert result.returncode == 0, result.stderr
    (process,) = record.read(log)
    steps = process.steps("ApplyAdam", gap=10)
    assert [step.kernels()["ApplyAdam"] for step in steps] == [2, 2, 2]
    marked = process.after("step 2")
    assert marked.kernels(types=True)["ApplyAdam<float>"] == 2
    # the input goes to the device and the loss comes back
    assert [copy.bytes for copy in marked.copies("host_to_device")] == [5 * 3 * 4]
    assert [copy.bytes for copy in marked.copies("device_to_host")] == [4]
    # the layer and the gradient of its weight
    assert [precision.function for precision in marked.precisions()] == ["cublasGemmEx"] * 2
    assert {precision.types["compute"] for precision in marked.precisions()} == {"float32"}
    assert process.refusals() == [] and process.collectives() == []
