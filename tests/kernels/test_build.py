"""Choosing and compiling the kernels of native/, and what happens where that is impossible."""

import os
import subprocess
import sys

import pytest

from kernels import build, choose
from tests.conftest import REPOSITORY
from utils.errors import UserError

USERS_ENVIRONMENT = dict(os.environ)  # with the cache in which the kernels are, so that nothing is compiled anew
NO_COMPILER = r"there is no C\+\+ compiler \(g\+\+\) here"


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setattr(build, "_loaded", None)
    monkeypatch.setattr(build, "lift_limit", lambda: None)  # other tests in this process compute without
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def no_compiler(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.fixture
def few_sources(monkeypatch, tmp_path):
    """Code that compiles in no time in place of native/, whose own code all tests of kernels run."""
    sources = tmp_path / "native"
    sources.mkdir()
    (sources / "some.cc").write_text('extern "C" int some() { return 1; }\n')
    monkeypatch.setattr(build, "SOURCES", sources)


def files(folder) -> list:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.usefixtures("few_sources")
def test_they_are_compiled_once(tmp_path, monkeypatch):
    assert choose("auto") == "compiled kernels"
    assert files(tmp_path / "cache") == [build.load()]
    monkeypatch.setenv("PATH", os.devnull)  # no compiler is needed any more
    assert choose("compiled") == "compiled kernels"


def test_the_code_compiles_without_warnings():
    for source in build.SOURCES.glob("*.cc"):
        command = [*build.COMMAND, "-Wall", "-Wextra", "-Werror", "-fsyntax-only", source]
        subprocess.run(command, check=True)


@pytest.mark.usefixtures("few_sources")
def test_other_code_is_another_library(tmp_path, monkeypatch):
    choose("auto")
    before = build.load()
    (tmp_path / "convolution.cc").write_text("int other;\n")
    monkeypatch.setattr(build, "SOURCES", tmp_path)
    assert build.load() == before  # of what is in use; a process that starts now has the other
    assert build.find_library_path() != before


def test_code_for_another_processor_or_mindspore_is_not_taken(monkeypatch, tmp_path):
    found = {build.find_library_path(), build.find_library_path()}
    monkeypatch.setattr(build, "PROCESSOR", tmp_path / "cpuinfo")
    (tmp_path / "cpuinfo").write_text("model name : another\nflags : avx2\n")
    found.add(build.find_library_path())
    monkeypatch.setattr(build.ms, "__version__", "3")
    assert len({*found, build.find_library_path()}) == 3


def instructions(limit: str | None, kernels: str | None) -> int:
    """What oneDNN may use, by its own number, in a new process that takes `kernels`; None: of oneDNN alone."""
    choose_them = f"import utils.environment, kernels; kernels.choose({kernels!r}); " if kernels else ""
    words = f"{choose_them}import ctypes; print(ctypes.CDLL({str(build.ONEDNN)!r}).dnnl_get_effective_cpu_isa())"
    environment = {name: value for name, value in USERS_ENVIRONMENT.items() if name != build.INSTRUCTIONS}
    environment |= {build.INSTRUCTIONS: limit} if limit else {}
    command = [sys.executable, "-c", words]
    return int(subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, check=True).stdout)


@pytest.mark.slow
def test_the_limit_on_instructions_is_lifted_for_compiled_kernels_but_not_a_user_s_own():
    everything, avx2, sse41 = (instructions(limit, None) for limit in ("DEFAULT", "AVX2", "SSE41"))
    assert sse41 < avx2
    assert instructions(None, "compiled") == everything
    assert instructions(None, "mindspore") == avx2
    assert instructions("SSE41", "compiled") == sse41


def test_mindspore_s_own_can_be_had():
    assert choose("mindspore") == "MindSpore's kernels"


@pytest.mark.parametrize("target", ["GPU", "Ascend"])
def test_elsewhere_they_are_mindspore_s(target, monkeypatch):
    monkeypatch.setattr("kernels.ms.get_context", lambda name: {"device_target": target}[name])
    assert choose("auto") == "MindSpore's kernels"
    with pytest.raises(UserError, match="^--kernels compiled: they are for a CPU. Or use"):
        choose("compiled")


def test_another_onednn_is_not_used_and_said(monkeypatch):
    monkeypatch.setattr(build, "ONEDNN_VERSION", (3, 11))
    found = "{}.{}".format(*build.read_onednn_version())
    assert choose("auto") == f"MindSpore's kernels (they are written for oneDNN 3.11, this MindSpore has {found})"
    with pytest.raises(UserError, match="written for oneDNN 3.11"):
        choose("compiled")


@pytest.mark.usefixtures("no_compiler")
def test_without_a_compiler_they_are_mindspore_s(tmp_path):
    with pytest.raises(UserError, match=NO_COMPILER):
        choose("compiled")
    said = choose("auto")
    assert said == "MindSpore's kernels (there is no C++ compiler (g++) here)"
    assert not files(tmp_path)


def test_a_user_without_a_home_folder_computes_with_mindspore_s(monkeypatch):
    """As in a container whose user has no entry in /etc/passwd and no HOME."""

    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(build.Path, "home", no_home)
    assert "no home folder to keep them in; XDG_CACHE_HOME" in choose("auto")
    with pytest.raises(UserError, match="--kernels compiled: this user has no home folder"):
        choose("compiled")


def test_what_the_compiler_complains_of_is_said_and_nothing_stays(tmp_path, monkeypatch):
    sources = tmp_path / "native"
    sources.mkdir()
    (sources / "convolution.cc").write_text("int main( {\n")
    monkeypatch.setattr(build, "SOURCES", sources)
    with pytest.raises(UserError, match=r"g\+\+ fails: .*convolution.cc:1:\d+: error:"):
        choose("compiled")
    assert not files(tmp_path / "cache")


def test_a_library_that_cannot_be_loaded_is_not_used():
    target = build.find_library_path()
    target.parent.mkdir(parents=True)
    target.write_bytes(b"not a library")
    assert "the compiled code cannot be loaded" in choose("auto")
