"""One small generated data root for all tests, made once and kept in .cache/ between runs."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import utils.device  # sets the environment that MindSpore starts in
from utils import config

utils.device.ms.set_device("CPU")  # before anything computes: MindSpore refuses a later choice
# PYNATIVE mode hands operators to threads that wait for each other busily; where two processes share two cores that
# takes three times as long as one operator after the other. Commands that tests start run as they do for users.
utils.device.ms.runtime.launch_blocking()

REPOSITORY = Path(__file__).resolve().parent.parent
CACHE = REPOSITORY / ".cache"
NUM_TRAIN, NUM_TEST = 12, 4
# what the generated files depend on
SOURCES = ("synthetic", "datasets/preprocess", "atlas", "utils")


def _fingerprint() -> str:
    """Changes with the code that makes the data, so that tests never run on stale files."""
    digest = hashlib.sha256()
    for folder in SOURCES:
        for path in sorted((REPOSITORY / folder).rglob("*.py")):
            digest.update(path.read_bytes())
    digest.update((REPOSITORY / "requirements-body.txt").read_bytes())
    return digest.hexdigest()[:12]


def run_script(*arguments, data_dir=None, check=True) -> subprocess.CompletedProcess:
    """Run a Python script or module of the repository as a user does."""
    environment = dict(os.environ, PYTHONPATH=str(REPOSITORY))
    if data_dir is not None:
        environment["DECOMR_DATA"] = str(data_dir)
    result = subprocess.run(
        [sys.executable, *map(str, arguments)], cwd=REPOSITORY, env=environment, capture_output=True, text=True
    )
    if check and result.returncode:
        raise AssertionError(f"{arguments} ended with {result.returncode}:\n{result.stdout}\n{result.stderr}")
    return result


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """With `-n`, give each process one run of neighbouring tests, so that what a file's tests share is made once."""
    if config.getvalue("dist") != "load":  # the default of -n
        return None
    from xdist.scheduler import WorkStealingScheduling

    return WorkStealingScheduling(config, log)


@pytest.fixture(scope="session")
def generated_root() -> Path:
    """A data root with the synthetic body, its atlases and a prepared synthetic UP-3D."""
    CACHE.mkdir(exist_ok=True)
    root = CACHE / f"data-{_fingerprint()}"
    with open(CACHE / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (root / "complete").is_file():
            run_script("-m", "synthetic.generate", "--data_dir", root, "--num_train", NUM_TRAIN,
                       "--num_test", NUM_TEST)  # fmt: skip
            run_script("preprocess_datasets.py", "--train_files", "--eval_files", "--gt_iuv", data_dir=root)
            (root / "complete").touch()
    return root


@pytest.fixture
def data_root(generated_root):
    """The generated data root, set as the data root of this process."""
    before = config.data_root()
    config.set_data_root(generated_root)
    yield generated_root
    config.set_data_root(before)


@pytest.fixture(scope="session")
def prepared_up_3d(tmp_path_factory) -> Path:
    """A data root with UP-3D of the tiny body after all steps of its preparation."""
    from tests.helpers import prepared

    return prepared.prepare_up_3d(tmp_path_factory.mktemp("up-3d"))


@pytest.fixture(scope="session")
def prepared_surreal(tmp_path_factory) -> Path:
    """A data root with SURREAL of the tiny body after all steps of its preparation."""
    from tests.helpers import prepared

    return prepared.prepare_surreal(tmp_path_factory.mktemp("surreal"))


@pytest.fixture
def in_prepared(prepared, monkeypatch) -> Path:
    """The data root that a test file calls `prepared`, set as the data root of this process."""
    monkeypatch.setattr(config, "_root", prepared)
    return prepared


@pytest.fixture
def own_copy(prepared, tmp_path, monkeypatch) -> Path:
    """A copy of it that a test may change, set as the data root of this process."""
    root = Path(shutil.copytree(prepared, tmp_path / "data", dirs_exist_ok=True))
    monkeypatch.setattr(config, "_root", root)
    return root


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """The data root of a tiny body, set as the data root of this process while a test file runs."""
    from tests.helpers import tiny_decomr

    with tiny_decomr.data_root(tmp_path_factory.mktemp("data")) as root:
        yield root


@pytest.fixture(scope="module")
def witness(root):
    """The PyTorch twin of what is fixed by the tiny body: skinning, joints, atlas, loss weights."""
    from tests.helpers import tiny_decomr

    return tiny_decomr.Witness(root)
