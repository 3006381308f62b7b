"""The peers of benchmarks.train_step: PyTorch in three forms, and runtimes of ONNX files, which infer only.

The PyTorch network is the twin of tests/reference. The ONNX file is the one that export.py writes.
"""

import importlib.util
from pathlib import Path

import numpy as np

from utils import config

PYTORCH = ("eager", "channels_last", "compile")  # compile: channels last too
RUNTIMES = ("onnxruntime", "openvino")
PEERS = (*PYTORCH, *RUNTIMES)
BEST = "best"  # all that are installed; the fastest counts
# files that train_step writes for all sides
BATCH, WEIGHTS, TORCH_WEIGHTS, ONNX_FILE = "batch.npz", "weights.npz", "weights.pth", "network.onnx"
LEARNING_RATE = 1e-6  # the weights hardly move, so that every repetition does the same work


def find_peers(wanted: list[str], work: str) -> list[str]:
    """The peers in `wanted` that can do the work; of `best`, those that are installed."""
    chosen = PEERS if BEST in wanted else [name for name in PEERS if name in wanted]
    able = [name for name in chosen if name in PYTORCH or work == "infer"]
    return [name for name in able if name in wanted or name in PYTORCH or importlib.util.find_spec(name)]


def make_torch_work(arguments, options):
    """Make a function that does one round of the work with the PyTorch twin, in the form `arguments.side`."""
    import torch  # before MindSpore's settings, which the next line makes

    from atlas.reference_map import load_or_build_reference_map
    from tests.helpers import tiny_decomr
    from tests.reference import losses, networks

    device = "cuda" if arguments.device == "GPU" else "cpu"
    layout = torch.contiguous_format if arguments.side == "eager" else torch.channels_last
    witness = tiny_decomr.Witness(config.data_root())
    with np.load(Path(arguments.folder) / BATCH) as file:
        batch = {name: torch.tensor(file[name], device=device) for name in file.files}
    batch["img"] = batch["img"].contiguous(memory_format=layout)
    reference = load_or_build_reference_map("BF", 64)
    lnet = networks.LNet(reference, width=arguments.lnet_width, cnet_width=arguments.cnet_width)
    dmr = networks.DMR(networks.CNet(width=arguments.cnet_width), lnet)
    dmr.load_state_dict(torch.load(Path(arguments.folder) / TORCH_WEIGHTS, weights_only=True))
    dmr.to(device, memory_format=layout)
    network = dmr.CNet if arguments.work == "dp" else dmr
    forward = torch.compile(network) if arguments.side == "compile" else network
    if arguments.work == "infer":
        dmr.eval()

        @torch.inference_mode()
        def infer():
            witness.sampler.resample(forward(batch["img"])[1]).cpu()

        return infer
    network.train()
    adam = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)

    def terms():
        if arguments.work == "dp":
            return losses.dp_losses(forward(batch["img"])[0], batch, options)
        fixed = (witness.body, witness.sampler, witness.uv_weight, options)
        return losses.end_losses(forward(batch["img"]), batch, *fixed)

    def step():
        adam.zero_grad()
        total = sum(terms().values())
        total.backward()
        adam.step()
        return total.item()

    return step


def make_runtime_work(arguments):
    """Make a function that runs the ONNX file once in the runtime `arguments.side`."""
    path = Path(arguments.folder) / ONNX_FILE
    with np.load(Path(arguments.folder) / BATCH) as file:
        image = file["img"]
    if arguments.side == "onnxruntime":
        import onnxruntime

        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        return lambda: session.run(["vertices"], {"image": image})[0]
    import openvino

    # float32, as all others; its own default on some processors is bfloat16
    compiled = openvino.Core().compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return lambda: compiled([image])["vertices"]
