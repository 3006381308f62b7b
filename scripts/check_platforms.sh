#!/usr/bin/env bash
# Ask PyPI whether all of requirements.txt has wheels for every supported machine and Python.
#   bash scripts/check_platforms.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
PYTHON="${PYTHON:-.venv/bin/python}"

failed=no
for machine in x86_64 aarch64; do
    for version in 3.11 3.12; do
        # uv evaluates markers for that machine; `pip download --platform` evaluates them for this one. The settings of
        # this machine are left out, so that PyPI alone is asked. MindSpore's wheel needs glibc 2.28.
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
