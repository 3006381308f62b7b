"""Choosing and compiling the kernels of native/, and what happens where that is impossible."""

import functools
import os
import subprocess
import sys

import pytest

from tests.conftest import REPOSITORY
from utils import native_code
from utils.errors import UserError

USERS_ENVIRONMENT = dict(os.environ)  # with the cache in which the kernels are, so that nothing is compiled anew
NO_COMPILER = r"there is no C\+\+ compiler \(g\+\+\) here"


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setattr(native_code, "_library", None)
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
    monkeypatch.setattr(native_code, "SOURCES", sources)


def files(folder) -> list:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.usefixtures("few_sources")
def test_they_are_compiled_once(tmp_path, monkeypatch):
    assert native_code.choose("auto", "CPU", "O0") == "compiled kernels"
    assert native_code.in_use()
    assert files(tmp_path / "cache") == [native_code.library()]
    monkeypatch.setenv("PATH", os.devnull)  # no compiler is needed any more
    assert native_code.choose("compiled", "CPU", "O0") == "compiled kernels"


def test_the_code_compiles_without_warnings():
    for source in native_code.SOURCES.glob("*.cc"):
        command = [*native_code.COMMAND, "-Wall", "-Wextra", "-Werror", "-fsyntax-only", source]
        subprocess.run(command, check=True)


@pytest.mark.usefixtures("few_sources")
def test_other_code_is_another_library(tmp_path, monkeypatch):
    native_code.choose("auto", "CPU", "O0")
    before = native_code.library()
    (tmp_path / "convolution.cc").write_text("int other;\n")
    monkeypatch.setattr(native_code, "SOURCES", tmp_path)
    assert native_code.library() == before  # of what is in use; a process that starts now has the other
    assert native_code.library_path() != before


def test_code_for_another_processor_or_mindspore_is_not_taken(monkeypatch, tmp_path):
    found = {native_code.library_path(), native_code.library_path()}
    monkeypatch.setattr(native_code, "PROCESSOR", tmp_path / "cpuinfo")
    (tmp_path / "cpuinfo").write_text("model name : another\nflags : avx2\n")
    found.add(native_code.library_path())
    monkeypatch.setattr(native_code.ms, "__version__", "3")
    assert len({*found, native_code.library_path()}) == 3


@functools.cache
def instructions(limit: str | None, kernels: str) -> int:
    """What oneDNN may use, by its own number, in a new process that takes `kernels`."""
    words = (
        f"from utils import native_code as n; n.choose({kernels!r}, 'CPU', 'O0'); "
        "print(n.ctypes.CDLL(str(n.ONEDNN)).dnnl_get_effective_cpu_isa())"
    )
    environment = {name: value for name, value in USERS_ENVIRONMENT.items() if name != native_code.INSTRUCTIONS}
    environment |= {native_code.INSTRUCTIONS: limit} if limit else {}
    command = [sys.executable, "-c", words]
    return int(subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, check=True).stdout)


def test_the_limit_on_instructions_is_lifted_for_compiled_kernels_but_not_a_user_s_own():
    assert instructions(None, "compiled") == instructions("DEFAULT", "mindspore")
    assert instructions(None, "mindspore") == instructions("AVX2", "mindspore")
    assert instructions("SSE41", "compiled") == instructions("SSE41", "mindspore") < instructions("AVX2", "mindspore")


def test_mindspore_s_own_can_be_had():
    assert native_code.choose("mindspore", "CPU", "O0") == "MindSpore's kernels"
    assert not native_code.in_use()


@pytest.mark.parametrize("target, precision", [("GPU", "O0"), ("CPU", "O2")])
def test_elsewhere_they_are_mindspore_s(target, precision):
    native_code.choose("auto", target, precision)
    assert not native_code.in_use()
    with pytest.raises(UserError, match="^--kernels compiled: they are float32, for a CPU. Or use"):
        native_code.choose("compiled", target, precision)


@pytest.mark.usefixtures("no_compiler")
def test_without_a_compiler_they_are_mindspore_s(tmp_path):
    with pytest.raises(UserError, match=NO_COMPILER):
        native_code.choose("compiled", "CPU", "O0")
    said = native_code.choose("auto", "CPU", "O0")
    assert said == "MindSpore's kernels (there is no C++ compiler (g++) here)"
    assert not native_code.in_use()
    assert not files(tmp_path)


def test_a_user_without_a_home_folder_computes_with_mindspore_s(monkeypatch):
    """As in a container whose user has no entry in /etc/passwd and no HOME."""

    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(native_code.Path, "home", no_home)
    assert "no home folder to keep them in; XDG_CACHE_HOME" in native_code.choose("auto", "CPU", "O0")
    with pytest.raises(UserError, match="--kernels compiled: this user has no home folder"):
        native_code.choose("compiled", "CPU", "O0")


def test_what_the_compiler_complains_of_is_said_and_nothing_stays(tmp_path, monkeypatch):
    sources = tmp_path / "native"
    sources.mkdir()
    (sources / "convolution.cc").write_text("int main( {\n")
    monkeypatch.setattr(native_code, "SOURCES", sources)
    with pytest.raises(UserError, match=r"g\+\+ fails: .*convolution.cc:1:\d+: error:"):
        native_code.choose("compiled", "CPU", "O0")
    assert not files(tmp_path / "cache")


def test_a_library_that_cannot_be_loaded_is_not_used():
    target = native_code.library_path()
    target.parent.mkdir(parents=True)
    target.write_bytes(b"not a library")
    assert "the compiled code cannot be loaded" in native_code.choose("auto", "CPU", "O0")
    assert not native_code.in_use()
