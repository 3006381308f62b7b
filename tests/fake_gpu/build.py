"""Builds the libraries of the stand-in with gcc, once for each version of their sources and of MindSpore."""

import hashlib
import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
CACHE = HERE.parent.parent / ".cache"
PLUGIN = "libmindspore_gpu.so.11.6"
RECORDER = "libfake_gpu_recorder.so"
KERNELS = "libcuda_ops.so.11"
FLAGS = ("-fPIC", "-O1", "-Wall", "-fvisibility=hidden")
# what says which CUDA is there, and that there is a driver
PROGRAMS = {"nvcc": "Cuda compilation tools, release 11.6, V11.6.124", "nvidia-smi": "Fake GPU"}
# called so often, and saying so little, that they are not recorded; cudart.c and others leave out some more
SILENT = {
    "cudaEventQuery", "cudaEventRecord", "cudaGetLastError", "cudaSetDevice", "cudaStreamQuery", "cudaStreamWaitEvent",
    "ncclGroupEnd", "ncclGroupStart",
}  # fmt: skip
# which macro of kernels.h defines a kernel whose mangled name matches; others are STUB
_COMPARE = r"_Z29BinaryOpWithBroadcastCudaFuncIL12BinaryOpType"
KERNEL_MACROS = (
    (re.compile(_COMPARE + r"[0-5]E\w*bE9cudaErrorbRK\w+"), "COMPARISON"),
    (re.compile(_COMPARE + r"6EbbbE9cudaErrorbRK\w+"), "AND"),
    (re.compile(_COMPARE + r"7EbbbE9cudaErrorbRK\w+"), "OR"),
    (re.compile(_COMPARE + r"\d+EfffE9cudaErrorbRK\w+"), "ARITHMETIC"),
    (re.compile(r"_Z16UnaryOpsCudaFuncIL12ElwiseOpType23EbbE9cudaError\w+"), "NOT"),
    (re.compile(r"_Z11CalIsFiniteI\w+"), "FINITE"),
    (re.compile(r"_Z8CalIs(Nan|Inf)I\w+"), "NOT_A_NUMBER"),
    (re.compile(r"_Z11ArrayReduceIbE\w+"), "TRUTH_REDUCTION"),
)


class StandInUnavailable(Exception):
    """This machine cannot make the stand-in; the text says what is missing."""


@dataclass(frozen=True)
class Library:
    """A library to stand in for: its soname, how its functions begin, and the C files with those that do something."""

    soname: str
    prefixes: tuple[str, ...]
    sources: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Its name in the record: "cudart" for libcudart.so.11.0."""
        return self.soname.removeprefix("lib").split(".so")[0]


LIBRARIES = (
    Library("libcudart.so.11.0", ("cuda",), ("cudart.c",)),
    Library("libcublas.so.11", ("cublas",), ("cublas.c",)),
    Library("libcudnn.so.8", ("cudnn",), ("cudnn.c", "cudnn_convolution.c", "cudnn_descriptors.c")),
    Library("libcufft.so.10", ("cufft",)),
    Library("libcurand.so.10", ("curand",), ("mathlibs.c",)),
    Library("libcusolver.so.11", ("cusolver",), ("mathlibs.c",)),
    Library("libcusparse.so.11", ("cusparse",), ("mathlibs.c",)),
    Library("libnvrtc.so.11.2", ("nvrtc",), ("mathlibs.c",)),
    Library("libnccl.so.2", ("nccl",), ("nccl.c",)),
    Library("libcuda.so.1", ("cu",), ("driver.c",)),  # after those whose functions also begin with "cu"
    Library(KERNELS, (), ("kernels.c",)),
)


def mindspore_folder() -> Path:
    """Where MindSpore is installed. Does not import it."""
    spec = importlib.util.find_spec("mindspore")
    if spec is None or spec.origin is None:
        raise StandInUnavailable("MindSpore is not installed")
    folder = Path(spec.origin).parent
    if not (folder / "lib/plugin" / PLUGIN).is_file():
        raise StandInUnavailable(f"this MindSpore has no GPU part ({PLUGIN})")
    return folder


def built() -> Path:
    """The folder with the libraries, which are built first if needed."""
    folder = CACHE / f"fake_gpu-{_fingerprint()}"
    if folder.is_dir():
        return folder
    for tool in ("gcc", "nm"):
        if shutil.which(tool) is None:
            raise StandInUnavailable(f"there is no {tool} here")
    CACHE.mkdir(exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix="fake_gpu-unfinished-", dir=CACHE))
    try:
        _build(unfinished, mindspore_folder() / "lib/plugin")
        unfinished.chmod(0o755)
        try:
            unfinished.rename(folder)
        except OSError:
            if not folder.is_dir():  # otherwise another process has built it meanwhile
                raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return folder


def _fingerprint() -> str:
    """Changes with the sources, with MindSpore's version and with the size of its GPU part."""
    digest = hashlib.sha256(importlib.metadata.version("mindspore").encode())
    digest.update(str((mindspore_folder() / "lib/plugin" / PLUGIN).stat().st_size).encode())
    for path in sorted([*HERE.glob("*.[ch]"), HERE / "build.py"]):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _build(folder: Path, plugins: Path) -> None:
    """Make all libraries, and PROGRAMS, in `folder`."""
    recorder = folder / RECORDER
    _run("gcc", "-shared", *FLAGS, f"-Wl,-soname,{RECORDER}", "-o", recorder, HERE / "recorder.c", "-lpthread")
    for library, functions in _wanted(plugins).items():
        _build_library(folder, library, functions)
    programs = folder / "cuda_home/bin"
    programs.mkdir(parents=True)
    for name, says in PROGRAMS.items():
        (programs / name).write_text(f'#!/bin/sh\necho "{says}"\n')
        (programs / name).chmod(0o755)


def _wanted(plugins: Path) -> dict[Library, dict[str, str]]:
    """For each library {function: version of the symbol, or ""} that MindSpore's GPU part and its NCCL part need."""
    found: dict[Library, dict[str, str]] = {library: {} for library in LIBRARIES}
    kernels = set(_symbols(plugins / "gpu" / KERNELS, "--defined-only"))
    for needer in (plugins / PLUGIN, plugins / "gpu11.6/libnvidia_collective.so"):
        for name, version in _symbols(needer, "--undefined-only").items():
            library = LIBRARIES[-1] if name in kernels else _owner(name)
            if library:
                found[library][name] = version
    return found


def _owner(function: str) -> Library | None:
    return next((library for library in LIBRARIES if function.startswith(library.prefixes)), None)


def _symbols(file: Path, which: str) -> dict[str, str]:
    """{name: version, or ""} of a library's dynamic symbols."""
    names = (line.split()[-1] for line in _run("nm", "-D", which, file).splitlines())
    return {name.partition("@")[0]: name.partition("@")[2].lstrip("@") for name in names}


def _build_library(folder: Path, library: Library, functions: dict[str, str]) -> None:
    """Compile what is written, add a generated function for every other one that is wanted, and link."""
    work = folder / f"{library.name}.objects"
    work.mkdir()
    flags = [*FLAGS, f"-I{HERE}", f'-DLIBRARY="{library.name}"', f"-DFAKE_{library.name}"]
    objects = []
    for source in library.sources:
        objects.append(work / f"{source}.o")
        _run("gcc", "-c", *flags, "-o", objects[-1], HERE / source)
    lines = (_run("nm", "--defined-only", file) for file in objects)
    written = {line.split()[-1] for listing in lines for line in listing.splitlines()}
    generated = work / "generated.c"
    stubs = (f"{_macro(library, name)}({name})\n" for name in sorted(functions) if name not in written)
    generated.write_text('#include "kernels.h"\n' + "".join(stubs))
    linking = ["-Wl,-rpath,$ORIGIN", f"-Wl,-soname,{library.soname}"]
    version = next(filter(None, functions.values()), "")
    if version:
        script = work / "versions"
        script.write_text(f"{version} {{ global: *; }};\n")
        linking.append(f"-Wl,--version-script={script}")
    _run("gcc", "-shared", *flags, *linking, "-o", folder / library.soname, generated, *objects, folder / RECORDER)
    shutil.rmtree(work)


def _macro(library: Library, function: str) -> str:
    """The macro of common.h or kernels.h that defines a function of which nothing is written."""
    if library.soname == KERNELS:
        return next((macro for pattern, macro in KERNEL_MACROS if pattern.fullmatch(function)), "STUB")
    return "SILENT_STUB" if function in SILENT else "STUB"


def _run(*command: str | Path) -> str:
    """The output of a command; its messages are part of the error if it fails."""
    result = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, env={**os.environ, "LD_PRELOAD": "", "LC_ALL": "C"}
    )
    if result.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))} failed:\n{result.stderr}")
    return result.stdout
