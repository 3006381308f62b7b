"""Compiles the stand-in's library and lays out a folder like that of CANN around it."""

import hashlib
import importlib.metadata
import importlib.util
import os
import platform
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
CORE = "libfake_npu.so"
CANN = "cann"  # MindSpore looks for this word in the path of CANN's libraries
CANN_VERSION = "9.1.0"

# Libraries of CANN that MindSpore is linked with or opens by name. All are links to the one library of the stand-in.
NAMES = (
    "libacl_op_compiler.so", "libacl_tdt_channel.so", "libacl_tdt_queue.so", "libascend_hal.so", "libascendalog.so",
    "libascendcl.so", "libc_sec.so", "libge_runner.so", "libgraph.so", "libhccl.so", "libmmpa.so", "libmsprofiler.so",
    "libnnopbase.so", "libopapi.so", "libparser_common.so", "libplatform.so", "libprofapi.so", "libregister.so",
    "libruntime.so",
)  # fmt: skip

# MindSpore's libraries that need functions of CANN, and what the names of such functions begin with
NEEDERS = (
    "libmindspore_ascend.so.2", "libmindspore_ops_ascend.so", "ascend/libd_collective.so", "ascend/libhccl_plugin.so",
    "ascend/libmindspore_ascend_res_manager.so", "ascend/libmindspore_graph_ir.so",
    "ascend/ms_kernels_symmetric_memory/shmem/shmem/lib/libshmem.so",
)  # fmt: skip
PREFIXES = ("acl", "rt", "Hccl", "Hcom", "hal", "_ZN2ge", "_ZNK2ge", "Msprof", "msprof", "prof")
OTHER_EXPORTS = ("dlsym", "fake_npu_mark", "_ZNSt6thread20hardware_concurrencyEv")

# GE's classes, and so MindSpore's Ascend part, have the old strings of the C++ library.
COMPILER = ("g++", "-std=c++17", "-O2", "-fPIC", "-Wall", "-fvisibility=hidden", "-D_GLIBCXX_USE_CXX11_ABI=0")


class StandInUnavailable(RuntimeError):
    """The stand-in cannot be built or used on this machine; the message says why."""


def plugins() -> Path:
    """The folder of MindSpore's parts for devices."""
    found = importlib.util.find_spec("mindspore")
    if found is None or not found.submodule_search_locations:
        raise StandInUnavailable("MindSpore is not installed")
    folder = Path(found.submodule_search_locations[0]) / "lib/plugin"
    if not (folder / NEEDERS[0]).is_file():
        raise StandInUnavailable(f"this MindSpore has no Ascend part: {folder / NEEDERS[0]} is missing")
    return folder


def _fingerprint(plugin_folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted([*HERE.glob("*.cc"), *HERE.glob("*.h"), HERE / "build.py"]):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    size = (plugin_folder / NEEDERS[0]).stat().st_size
    digest.update(f"{importlib.metadata.version('mindspore')} {size}".encode())
    return digest.hexdigest()[:12]


def _run(*command) -> str:
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if result.returncode:
        raise StandInUnavailable(f"{command[0]} ended with {result.returncode}:\n{result.stderr}")
    return result.stdout


def _symbols(files, which: str) -> set[str]:
    """Names in the files' tables of symbols, without versions. Which: --undefined-only or --defined-only."""
    dynamic = [] if all(Path(file).suffix == ".o" for file in files) else ["-D"]
    listing = _run("nm", *dynamic, "--extern-only", which, "-P", *files)
    lines = [line.split() for line in listing.splitlines() if " " in line]
    return {words[0].split("@")[0] for words in lines}


def _compile(folder: Path) -> list[Path]:
    sources = sorted(HERE.glob("*.cc"))
    objects = [folder / f"{source.stem}.o" for source in sources]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda pair: _run(*COMPILER, "-c", "-o", pair[1], pair[0]), zip(sources, objects, strict=True)))
    return objects


def _write_zeros(path: Path, names: set[str]) -> None:
    """Write assembly in which every name is a function that returns 0."""
    lines = [".text"]
    lines += [f'.globl "{name}"\n.type "{name}", @function\n"{name}":' for name in sorted(names)]
    lines += ["xorl %eax, %eax", "ret", '.section .note.GNU-stack,"",@progbits', ""]
    path.write_text("\n".join(lines))


def _write_exports(path: Path) -> None:
    """Write the linker's list of what is visible: other programs must not get the C++ library's templates from here."""
    names = [*OTHER_EXPORTS, *(f"{prefix}*" for prefix in PREFIXES)]
    path.write_text("{ global: " + "; ".join(names) + "; local: *; };\n")


def _build(home: Path, plugin_folder: Path) -> None:
    """Make the folder like that of CANN."""
    libraries = home / "lib64"
    libraries.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        objects = _compile(work)
        needed = _symbols([plugin_folder / name for name in NEEDERS], "--undefined-only")
        missing = {name for name in needed if name.startswith(PREFIXES)} - _symbols(objects, "--defined-only")
        _write_zeros(work / "zeros.s", missing)
        _write_exports(work / "exports.map")
        _run(
            *COMPILER, "-shared", f"-Wl,-soname,{CORE}", f"-Wl,--version-script={work / 'exports.map'}",
            "-o", libraries / CORE, *objects, work / "zeros.s", "-ldl", "-lpthread", "-lrt",
        )  # fmt: skip
    for name in NAMES:
        (libraries / name).symlink_to(CORE)
    # CANN's Python packages: MindSpore reads the version here. It complains that the package "te" is missing; with an
    # empty one it would not load its own operators.
    hccl = home / "opp/built-in/op_impl/ai_core/tbe/hccl"
    hccl.mkdir(parents=True)
    (hccl / "__init__.py").write_text("")
    (hccl / "sys_version.py").write_text(f'__sys_version__ = "{CANN_VERSION}"\n')
    (home / "compiler").mkdir()
    (home / "compiler/version.info").write_text(f"Version={CANN_VERSION}\n")


def built(cache: Path | None = None) -> Path:
    """The folder like that of CANN, made first where it is not there yet. It lies in `cache` (<repository>/.cache)."""
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        machine = f"{platform.system()} on {platform.machine()}"
        raise StandInUnavailable(f"the stand-in is for Linux on x86_64, not {machine}")
    plugin_folder = plugins()
    parent = (cache or REPOSITORY / ".cache").resolve()
    folder = parent / f"fake_npu-{_fingerprint(plugin_folder)}"
    if " " in str(folder) or ":" in str(folder):
        raise StandInUnavailable(f"LD_PRELOAD takes no path with a blank or a colon: {folder}")
    if not folder.is_dir():
        _build_at_once(folder, plugin_folder)
    return folder / CANN


def _build_at_once(folder: Path, plugin_folder: Path) -> None:
    """Build beside the folder's place and rename, so that no process ever sees an unfinished one."""
    for tool in ("g++", "nm"):
        if shutil.which(tool) is None:
            raise StandInUnavailable(f"{tool} is not installed")
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
    try:
        _build(unfinished / CANN, plugin_folder)
        unfinished.chmod(0o755)
        unfinished.rename(folder)
    except OSError:
        if not folder.is_dir():  # another process may have been faster
            raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
