#!/usr/bin/env bash
# Resolve the dependencies anew and write requirements.lock, requirements-dev.lock and docs/licences.md.
#   bash upgrade_dependencies.sh [--keep]
# The versions in requirements*.txt stay: they are chosen by hand. What they bring along becomes the newest that fits;
# with --keep it stays too, and only what the files demand changes. Then lists which of the chosen have newer releases.
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

# the oldest Python that is supported: what runs there also runs on the newer one. PyPI alone, whatever this machine
# is set to, so that neither another index nor a path gets into the files.
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

# torch on PyPI is the CUDA build with gigabytes of libraries; other builds of the version serve as well and have other
# hashes. pip, which pip-audit asks for, is the environment's own.
left_out=(--no-emit-package pip)
for name in $(resolve requirements-dev.txt --no-annotate --no-header | grep -oE '^(torch|triton|nvidia-[^=]*|cuda-[^=]*)='); do
    left_out+=(--no-emit-package "${name%=}")
done
write_lock requirements.txt
write_lock requirements-dev.txt "${left_out[@]}"

ensure_environment requirements-dev.txt # by the new locks
"$PYTHON" scripts/list_licences.py
git --no-pager diff --stat -- '*.lock' docs/licences.md

echo "== newer releases of what requirements*.txt choose (try them one by one, with the tests):"
chosen() { sed -nE 's/^([A-Za-z0-9._-]+)==([^ ;]+).*/\1==\2/p' requirements.txt requirements-dev.txt | sort -f; }
chosen | sed 's/==.*//' | sort -f | resolve - --constraint <(echo 'numpy<2') --no-annotate --no-header |
    grep -iE "^($(chosen | sed 's/==.*//' | paste -sd'|'))==" | grep -vixFf <(chosen) || echo "none"
