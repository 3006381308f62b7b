#!/usr/bin/env bash
# Resolve the dependencies anew and write docs/licences.md, and the locks of requirements*.txt.
#   bash scripts/upgrade_dependencies.sh [--keep]
# The versions in requirements*.txt are chosen by hand and stay. The packages that they bring along become the newest that
# fit; with --keep these stay too, unless the files ask for others. At the end it lists newer releases of the chosen ones.
set -euo pipefail
upgrade=(--upgrade)
case "${1:-}" in
    "") ;;
    --keep) upgrade=() ;;
    *) echo "upgrade_dependencies.sh: unknown option $1, expected --keep or nothing" >&2; exit 2 ;;
esac

. "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
ensure_environment requirements-dev.txt
cd "$REPOSITORY"

# Resolve for the oldest supported Python: what runs there also runs on the newer one. The settings of this machine are
# left out, so that PyPI alone is asked, and neither another index nor a path gets into the files.
resolve() {
    env -u UV_DEFAULT_INDEX -u UV_INDEX -u UV_INDEX_URL -u UV_EXTRA_INDEX_URL -u UV_FIND_LINKS \
        "$PYTHON" -m uv pip compile --no-config --quiet --no-emit-index-url --no-emit-find-links \
        --python-version 3.11 --python-platform x86_64-manylinux_2_28 "$@"
}

# write_lock REQUIREMENTS [OPTIONS]
# Extras stay in the names: pip before 23.3 takes the newest release for name[extra] where the lock has only the name.
write_lock() {
    resolve "$1" "${upgrade[@]}" --generate-hashes --no-strip-extras --output-file "${1%.txt}.lock" \
        --custom-compile-command "bash scripts/upgrade_dependencies.sh" "${@:2}"
}

# The lock leaves out torch: on PyPI it is the CUDA build with gigabytes of libraries, and other builds of the version,
# which serve as well, have other hashes. It also leaves out pip, which pip-audit requires: the environment has its own.
left_out=(--no-emit-package pip)
for name in $(resolve requirements-dev.txt --no-annotate --no-header | grep -oE '^(torch|triton|nvidia-[^=]*|cuda-[^=]*)='); do
    left_out+=(--no-emit-package "${name%=}")
done
write_lock requirements.txt
write_lock requirements-dev.txt "${left_out[@]}"
write_lock requirements-body.txt --no-deps

ensure_environment requirements-dev.txt # from the new locks
"$PYTHON" scripts/list_licences.py
git --no-pager diff --stat -- '*.lock' docs/licences.md

echo "== newer releases of the packages in requirements*.txt (try them one by one, with the tests):"
chosen() { sed -nE 's/^([A-Za-z0-9._-]+)==([^ ;]+).*/\1==\2/p' requirements{,-dev,-body}.txt | sort -f; }
chosen | sed 's/==.*//' | sort -f | resolve - --constraint <(echo 'numpy<2') --no-annotate --no-header |
    grep -iE "^($(chosen | sed 's/==.*//' | paste -sd'|'))==" | grep -vixFf <(chosen) || echo "none"
