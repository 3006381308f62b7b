# The run scripts source this file; in your own shell: `. scripts/env_gpu.sh`. It lets MindSpore find the CUDA 11
# libraries that `pip install -r requirements-gpu.txt` puts beside it. It does nothing if they are not installed.

# cuda_release HOME: print the release of the CUDA toolkit in HOME, such as 11.8; nothing if there is no toolkit.
cuda_release() {
    [ -x "$1/bin/nvcc" ] || return 0
    "$1/bin/nvcc" --version 2>/dev/null | sed -n 's/.*release \([0-9]*\.[0-9]*\).*/\1/p'
}

# use_cuda_wheels SITE_PACKAGES: put the CUDA libraries of that folder on the path, and set CUDA_HOME.
use_cuda_wheels() {
    local libraries stand_in release
    [ -d "$1/nvidia/cuda_runtime/lib" ] || return 0
    stand_in="$1/nvidia/nvcc_stand_in"
    libraries="$(printf '%s:' "$1"/nvidia/*/lib)$stand_in/lib"
    libraries+=":$1/mindspore/lib:$1/mindspore/lib/plugin/gpu:$1/mindspore/lib/plugin/gpu11.6"
    case ":${LD_LIBRARY_PATH:-}:" in
        *":$libraries:"*) ;;
        *) export LD_LIBRARY_PATH="$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" ;;
    esac
    # MindSpore looks for a GPU only if CUDA_HOME is set. It asks CUDA_HOME/bin/nvcc for the CUDA version, which decides
    # between its plugins for 11.1 and 11.6. It compiles nothing with nvcc, and the wheels have no nvcc.
    release="$(cuda_release "${CUDA_HOME:-}")"
    case "$release" in
        11.6 | 11.7 | 11.8) return 0 ;;
    esac
    if [ ! -x "$stand_in/bin/nvcc" ]; then
        mkdir -p "$stand_in/bin" "$stand_in/lib" || return 0
        # cuDNN opens the library by this name; without the link it may find that of another CUDA on the machine
        ln -sf "$1/nvidia/cuda_nvrtc/lib/libnvrtc.so.11.2" "$stand_in/lib/libnvrtc.so"
        printf '#!/bin/sh\necho "Cuda compilation tools, release 11.6, V11.6.124"\n' >"$stand_in/bin/nvcc"
        chmod 755 "$stand_in/bin/nvcc"
    fi
    if [ -n "${CUDA_HOME:-}" ] && [ "$CUDA_HOME" != "$stand_in" ]; then
        echo "env_gpu.sh: CUDA_HOME=$CUDA_HOME is ${release:+CUDA $release, }not CUDA 11.6 to 11.8, which MindSpore's" \
            "GPU part needs: taking the libraries of requirements-gpu.txt, CUDA_HOME=$stand_in." >&2
    fi
    export CUDA_HOME="$stand_in"
}

use_cuda_wheels "${CUDA_WHEELS:-$("${PYTHON:-python3}" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')}"
