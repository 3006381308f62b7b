#!/usr/bin/env bash
# List the vulnerabilities that OSV (https://osv.dev) knows of the packages that the scripts install.
#   bash scripts/audit_dependencies.sh
# The exit code is 1 if there are any, 0 if there are none. If OSV cannot be reached, a line says so, and it is 0.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
PYTHON="${PYTHON:-.venv/bin/python}"
folder="$(mktemp -d)"
trap 'rm -r "$folder"' EXIT

# torch is not in the lock; requirements-dev.txt has its version
sed -nE 's/^([A-Za-z0-9._-]+)(\[[^]]*\])?(==[^ ;]+).*/\1\3/p' requirements-{dev,body}.lock \
    <(grep '^torch==' requirements-dev.txt) >"$folder/packages.txt"
# pip-audit returns 1 for findings and for failures; it writes a file for findings alone
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
