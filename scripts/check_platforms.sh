#!/usr/bin/env bash
# Check that requirements.txt can be installed from wheels on every machine and Python that is supported. Needs PyPI.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
PYTHON="${PYTHON:-.venv/bin/python}"

failed=no
for machine in x86_64 aarch64; do
    for version in 3.11 3.12; do
        # uv decides markers for the machine that is asked about; `pip download --platform` does so for this one.
        # PyPI alone, whatever this machine is set to. glibc 2.28 is what MindSpore's wheel asks for.
        if packages="$(env -u UV_DEFAULT_INDEX -u UV_INDEX -u UV_INDEX_URL -u UV_EXTRA_INDEX_URL -u UV_FIND_LINKS \
            "$PYTHON" -m uv pip compile --no-config --quiet --no-annotate --no-header --only-binary :all: \
            --python-version "$version" --python-platform "$machine-manylinux_2_28" requirements.txt 2>&1)"; then
            echo "Linux $machine, Python $version: $(wc -l <<<"$packages") packages, all of them as wheels"
        else
            echo "Linux $machine, Python $version: $packages"
            failed=yes
        fi
    done
done
[ "$failed" = no ]
