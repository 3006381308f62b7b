#!/usr/bin/env bash
# Set up .venv and run the tests: style, types, known vulnerabilities, the unit suite, and one small run of the chain.
set -euo pipefail

usage() {
    cat <<'EOF'
bash scripts/run_tests.sh [--fast | --slow] [-- PYTEST_OPTIONS]

Without an option: style, types, the unit suite, and the quickstart on a few photographs.

  --fast       the same without the quickstart
  --slow       all other whole runs (half an hour)
  -- OPTIONS   for pytest, for example: -- -k atlas
EOF
}

fast=yes chain=yes slow=no
while [ $# -gt 0 ]; do
    case "$1" in
        --fast) chain=no; shift ;;
        --slow) fast=no chain=no slow=yes; shift ;;
        --help | -h) usage; exit 0 ;;
        --) shift; break ;;
        *) echo "run_tests.sh: unknown option $1 (see --help)" >&2; exit 2 ;;
    esac
done

. "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
ensure_environment requirements-dev.txt
cd "$REPOSITORY"
cores="$(nproc)" processes="$((cores < 2 ? cores : 2))" # a process takes up to 7 GB
unset PYTHONDONTWRITEBYTECODE # every process that a test starts would compile all sources
export OPENBLAS_NUM_THREADS=1 # with more threads the processes wait for each other's cores in numpy's small products
if [ "$fast" = yes ]; then
    "$PYTHON" -m ruff check .
    "$PYTHON" -m ruff format --check .
    "$PYTHON" -m mypy
    # vulnerabilities are listed and fail nothing: one that was published overnight is not the fault of a change
    PYTHON="$PYTHON" bash scripts/audit_dependencies.sh || true
    "$PYTHON" -m pytest -m "not slow" -n "$processes" --durations 8 "$@"
fi
if [ "$chain" = yes ] && [ $# -eq 0 ]; then # options choose among the unit tests
    "$PYTHON" -m pytest -m chain --durations 0 "$@"
fi
if [ "$slow" = yes ]; then
    # loadfile: the tests of a file share what they run
    "$PYTHON" -m pytest -m "slow and not chain" -n "$processes" --dist loadfile --durations 0 "$@"
fi
