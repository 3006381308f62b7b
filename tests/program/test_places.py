"""Places where the program is installed: a wrong Python, missing packages, a broken environment, Linux on ARM64."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from packaging.requirements import Requirement

from atlas.unwrap import templates as unwrap
from tests.conftest import REPOSITORY
from utils import config, interpreter
from utils.objfile import ObjMesh, write_obj
from utils.ray_casting.numpy_caster import NumpyCaster

SCRIPTS = ("train.py", "eval.py", "demo.py", "export.py", "preprocess_datasets.py", "preprocess_surreal.py",
           "pretrained_model_convert/pth_to_msp.py")  # fmt: skip
MODULES = ("synthetic.generate", "synthetic.body.write_body", "atlas.unwrap.__main__")
COMMANDS = [(name,) for name in SCRIPTS] + [("-m", name.removesuffix(".__main__")) for name in MODULES]
SIX = ("up-3d", "1", "1", "1", "1", "c")  # words of a run script
FILES = [REPOSITORY / name for name in SCRIPTS] + [REPOSITORY / f"{name.replace('.', '/')}.py" for name in MODULES]


def requirements() -> list[Requirement]:
    lines = (line.split("#")[0].strip() for line in (REPOSITORY / "requirements.txt").read_text().splitlines())
    return [Requirement(line) for line in lines if line]


def run(*arguments, path="", python=(sys.executable, "-S")) -> subprocess.CompletedProcess:
    """A command of this repository; -S: by a Python that sees no installed package."""
    return subprocess.run(
        [*python, *map(str, arguments)], cwd=REPOSITORY, env=os.environ | {"PYTHONPATH": str(path)},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("version", [(3, 8, 20), (3, 10, 12), (3, 13, 0), (4, 0, 0)])
def test_a_wrong_python_is_told_its_version_the_right_ones_and_what_to_do(version):
    line = interpreter.wrong_version((*version, "final", 0))
    assert f"this is Python {'.'.join(map(str, version))} ({sys.executable}), and 3.11 or 3.12 is needed: " in line
    assert "scripts/quickstart.sh" in line or "start it with" in line


@pytest.mark.parametrize("version", [(3, 11, 0), (3, 12, 9)])
def test_a_right_python_passes(version):
    assert interpreter.wrong_version((*version, "final", 0)) == ""


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_python_that_is_too_old_can_read_what_runs_before_it_is_told(file):
    packages = [folder / "__init__.py" for folder in file.parents if REPOSITORY in folder.parents]
    for part in (file, REPOSITORY / "utils/__init__.py", REPOSITORY / "utils/interpreter.py", *packages):
        if part.exists():  # pretrained_model_convert's script is no module
            ast.parse(part.read_text(), feature_version=(3, 8))
    imported = [node for node in ast.parse(file.read_text()).body if isinstance(node, ast.Import | ast.ImportFrom)]
    names = [node.module if isinstance(node, ast.ImportFrom) else node.names[0].name for node in imported]
    before = names[: names.index("utils.interpreter")]
    assert set(before) <= {"argparse", "importlib.util", "sys", "pathlib"}


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[-1])
def test_a_python_without_the_packages_is_told_in_one_line(command):
    ended = run(*command)
    assert (ended.returncode, ended.stdout) == (2, "")
    name = command[-1].split(".")[-1] if len(command) > 1 else Path(command[-1]).stem
    package = "(mindspore|numpy|opencv-python-headless)"
    assert re.fullmatch(
        f"{name}(.py)?: error: {package} is not installed in {re.escape(sys.executable)}: .+\n", ended.stderr
    )


def test_every_package_that_is_required_everywhere_is_named_where_it_is_missing():
    assert set(interpreter.PACKAGES.values()) == {line.name for line in requirements() if not line.marker}


@pytest.mark.parametrize(
    "broken",
    ["raise ImportError('libstdc++.so.6: version GLIBCXX_3.4.32 not found')", "import te.platform", "import cv2.gapi"],
    ids=["a library of the system", "a package of others", "a part of a package"],
)
def test_an_import_error_of_another_kind_keeps_its_message(tmp_path, broken):
    for first_import in ("numpy", "cv2"):
        (tmp_path / f"{first_import}.py").write_text(broken)
    ended = run("preprocess_datasets.py", "--gt_iuv", path=tmp_path)
    assert ended.returncode == 1
    assert "Traceback" in ended.stderr
    assert "is not installed" not in ended.stderr


def test_a_script_of_the_shell_can_ask_for_packages_too():
    file = REPOSITORY / "utils/interpreter.py"
    ended = run(file, "run_eval.sh", "mindspore", "scipy")
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"run_eval.sh: error: mindspore and scipy are not installed in {sys.executable}: ")
    assert run(file, "run_eval.sh", "mindspore", "scipy", python=(sys.executable,)).returncode == 0


def make_python(path: Path, release: str, does: str = "exit 1") -> Path:
    """A stand-in for a Python of that release, which does nothing else."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/bin/sh\nif [ "$1" = -c ]; then echo {release}; exit 0; fi\n{does}\n')
    path.chmod(0o755)
    return path


def ensure_environment(**variables) -> tuple[int, str]:
    """Exit code and output of the function that installs, in a shell that finds no other Python."""
    environment = {name: str(value) for name, value in variables.items()}
    ended = subprocess.run(
        ["bash", "-c", 'set -e; . "$0/scripts/environment.sh"; ensure_environment requirements.txt', REPOSITORY],
        env={"PATH": os.environ["PATH"]} | environment, capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip
    return ended.returncode, ended.stdout + ended.stderr


def test_a_named_python_that_cannot_be_used_is_refused_and_no_other_is_taken(tmp_path):
    old = make_python(tmp_path / "my pythons/python3.10", "3.10")
    for python, why in ((old, "Python 3.10, and 3.11 or 3.12 is needed"), (tmp_path / "nowhere", "which does not run")):
        code, said = ensure_environment(DECOMR_PYTHON=python, DECOMR_VENV=tmp_path / "venv")
        assert (code, said) == (2, f"DECOMR_PYTHON is '{python}', {why}.\n")
    assert not (tmp_path / "venv").exists()


def test_a_machine_without_a_right_python_is_told_which_one_it_has(tmp_path):
    for name, release in (("python3.11", "3.9"), ("python3.12", "3.9"), ("python3", "3.13")):
        make_python(tmp_path / name, release)
    code, said = ensure_environment(PATH=f"{tmp_path}:{os.environ['PATH']}", DECOMR_VENV=tmp_path / "venv")
    assert code == 2
    assert said == (
        "Python 3.11 or 3.12 is needed and was not found (python3 is Python 3.13). "
        "Install it, or name it in DECOMR_PYTHON.\n"
    )


@pytest.mark.parametrize("made_by_venv", [True, False])
@pytest.mark.parametrize(
    ("release", "library", "why"),
    [
        ("3.13", "python3.13", "holds Python 3.13, and 3.11 or 3.12 is needed"),
        ("3.12", "python3.11", "was made with another Python than 3.12, which it runs now"),
        ("", "python3.11", "is broken, its Python does not run (was it removed?)"),
        ("3.11", "python3.11", "holds Python 3.11, and DECOMR_PYTHON is another"),
    ],
)
def test_an_environment_that_cannot_be_used_is_named_with_what_to_do(tmp_path, release, library, why, made_by_venv):
    venv = tmp_path / "venv"
    (venv / "lib" / library).mkdir(parents=True)
    if made_by_venv:
        (venv / "pyvenv.cfg").touch()
    if release:
        make_python(venv / "bin/python", release)
    else:
        (venv / "bin").mkdir()
        (venv / "bin/python").symlink_to(tmp_path / "removed")
    base = make_python(tmp_path / "python3.12", "3.12")
    code, said = ensure_environment(DECOMR_VENV=venv, DECOMR_PYTHON=base)
    advice = "name another folder in DECOMR_VENV"  # that of others is not to be deleted
    if made_by_venv:
        advice = f"delete that folder and run this again, or {advice}"
    assert (code, said) == (2, f"{venv} {why}: {advice}.\n")


def test_an_environment_without_pip_is_named(tmp_path):
    """What Debian leaves behind where its package python3-venv is missing."""
    venv = tmp_path / "venv"
    (venv / "lib/python3.11").mkdir(parents=True)
    make_python(venv / "bin/python", "3.11")
    code, said = ensure_environment(DECOMR_VENV=venv, DECOMR_PYTHON=make_python(tmp_path / "python3.11", "3.11"))
    assert code == 2
    assert said.splitlines()[-1].startswith(f"{venv} has no pip: delete that folder, install pip and venv for ")


def test_a_run_script_refuses_a_python_that_is_none_or_a_wrong_one(tmp_path):
    old = make_python(tmp_path / "python", "3.10", 'echo "$2: error: this is Python 3.10" >&2; exit 2')
    for python, line in (
        (tmp_path / "no", f"PYTHON is '{tmp_path}/no', which is not a program."),
        (old, "this is Python 3.10"),
    ):
        for script in ("run_eval.sh", "run_train_standalone_npu.sh", "run_train_distribute_gpu.sh"):
            ended = subprocess.run(
                ["bash", REPOSITORY / "scripts" / script, *SIX], cwd=tmp_path,
                env=os.environ | {"PYTHON": str(python)}, capture_output=True, text=True, timeout=20, check=False,
            )  # fmt: skip
            assert (ended.returncode, ended.stdout, ended.stderr) == (2, "", f"{script}: error: {line}\n")


def test_what_has_no_wheel_for_linux_on_arm64_is_not_required_there():
    def required(machine: str) -> set[str]:
        place = {"platform_machine": machine, "sys_platform": "linux"}
        return {line.name for line in requirements() if line.marker is None or line.marker.evaluate(place)}

    assert required("x86_64") - required("aarch64") == {"embreex", "xatlas"}


@pytest.mark.parametrize(("does", "code", "last"), [("echo a==1; echo b==2", 0, "2 packages, all of them as wheels"),
                                                    ("echo no wheel of b; exit 1", 1, "no wheel of b")])  # fmt: skip
def test_the_check_of_platforms_asks_about_both_machines_and_pythons(tmp_path, does, code, last):
    python = make_python(tmp_path / "python", "3.11", f'echo "$*" >>"{tmp_path}/asked"; {does}')
    ended = subprocess.run(
        ["bash", REPOSITORY / "scripts/check_platforms.sh"], env=os.environ | {"PYTHON": str(python)},
        capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip
    assert ended.returncode == code
    places = [f"Linux {machine}, Python {release}" for machine in ("x86_64", "aarch64") for release in ("3.11", "3.12")]
    assert ended.stdout.splitlines() == [f"{place}: {last}" for place in places]
    assert "--python-version 3.12 --python-platform aarch64-manylinux" in (tmp_path / "asked").read_text()


@pytest.fixture
def as_on_arm64(tmp_path) -> str:
    """A PYTHONPATH by which processes find neither embreex nor xatlas."""
    folder = tmp_path / "as_on_arm64"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text("import sys\nsys.modules['embreex'] = sys.modules['xatlas'] = None\n")
    return str(folder)


def test_iuv_images_are_the_same_without_embree_and_it_is_said(own_copy, as_on_arm64):
    folder = own_copy / "up-3d/BF_IUV_gt"
    before = {path: cv2.imread(str(path)) for path in folder.rglob("*.png")}
    assert before
    for path in before:
        path.unlink()
    words = ("preprocess_datasets.py", "--gt_iuv", "--workers", 1, "--data_dir", own_copy)
    ended = run(*words, path=as_on_arm64, python=(sys.executable,))
    assert "Pictures are drawn by numpy, not by Intel Embree (" in ended.stdout
    for path, picture in before.items():
        again = cv2.imread(str(path))
        assert (again[..., 0] == picture[..., 0]).all()
        assert (np.abs(again.astype(int) - picture) <= 1).mean() > 0.999


@pytest.fixture
def prepared(prepared_up_3d):
    return prepared_up_3d


def test_renderers_take_numpy_where_there_is_no_embree(as_on_arm64):
    words = ("-c", "from utils import renderer; print(renderer.DEFAULT_CASTER.__name__)")
    assert run(*words, path=as_on_arm64, python=(sys.executable,)).stdout == f"{NumpyCaster.__name__}\n"


def test_without_xatlas_the_ordinary_atlas_is_left_out_and_named(tmp_path, monkeypatch, capsys):
    triangle = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]])
    mesh = ObjMesh(triangle, np.array([[0, 1, 2]]), triangle[:, :2], np.array([[0, 1, 2]]))
    write_obj(tmp_path / config.REFERENCE_MESH.name, mesh)
    monkeypatch.setitem(sys.modules, "xatlas", None)
    monkeypatch.setattr(unwrap, "unwrap", lambda _: mesh)
    unwrap.write_atlases(tmp_path)
    assert config.atlas_template("BF", tmp_path).is_file()
    assert not config.atlas_template("SMPL", tmp_path).exists()
    assert "the ordinary atlas, --uv_type SMPL, is left out" in capsys.readouterr().out
