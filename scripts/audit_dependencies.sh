#!/usr/bin/env bash
# List known vulnerabilities of everything that the scripts install, as OSV (https://osv.dev) knows them.
# Exit code 1 where there are some; 0 where there are none, and where OSV cannot be asked, which it says.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
PYTHON="${PYTHON:-.venv/bin/python}"
folder="$(mktemp -d)"
trap 'rm -r "$folder"' EXIT

# torch is not in the lock
sed -nE 's/^([A-Za-z0-9._-]+)(\[[^]]*\])?(==[^ ;]+).*/\1\3/p' requirements-dev.lock <(grep '^torch==' requirements-dev.txt) \
    >"$folder/packages.txt"
# pip-audit ends with 1 for findings and for failures alike; only findings are written
if timeout 120 "$PYTHON" -m pip_audit --vulnerability-service osv --requirement "$folder/packages.txt" --no-deps \
    --disable-pip --progress-spinner off --output "$folder/findings.txt" 2>"$folder/messages.txt"; then
    echo "audit: no known vulnerability in $(wc -l <"$folder/packages.txt") packages"
elif [ -s "$folder/findings.txt" ]; then
    echo "audit: known vulnerabilities; raise the version in requirements*.txt, or run scripts/upgrade_dependencies.sh:"
    cat "$folder/findings.txt"
    exit 1
else
    echo "audit: skipped, OSV could not be asked: $(tail -n 1 "$folder/messages.txt" | cut -c -200)"
fi
