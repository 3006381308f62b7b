# Sourced by the other scripts: makes the virtual environment .venv and installs what a file of
# requirements and its lock pin. Does nothing when that is done already.
REPOSITORY="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
VENV="${DECOMR_VENV:-$REPOSITORY/.venv}"

# ensure_environment REQUIREMENTS_FILE: afterwards $PYTHON is the environment's Python.
ensure_environment() {
    local requirements="$REPOSITORY/$1" stamp
    PYTHON="$VENV/bin/python"
    stamp="$VENV/installed-$(cat "$REPOSITORY"/requirements*.{txt,lock} | sha256sum | cut -c1-16)-$1"
    [ -f "$stamp" ] && return 0
    local base="${DECOMR_PYTHON:-}" candidate
    for candidate in $base python3.11 python3.12 python3; do
        base=""
        if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null; then
            base="$candidate"
            break
        fi
    done
    if [ -z "$base" ]; then
        echo "Python 3.11 or 3.12 is needed and was not found. Install it, or name it in DECOMR_PYTHON." >&2
        return 2
    fi
    echo "== installing $1 into $VENV (about 3 GB, once)"
    [ -x "$PYTHON" ] || "$base" -m venv "$VENV" || return 2
    # the locks are resolved for this platform; their hashes are checked
    if [ "$(uname -sm)" = "Linux x86_64" ]; then
        "$PYTHON" -m pip install --quiet --disable-pip-version-check --require-hashes -r "${requirements%.txt}.lock" ||
            return 2
    fi
    # what a lock leaves out (torch)
    "$PYTHON" -m pip install --quiet --disable-pip-version-check -r "$requirements" || return 2
    touch "$stamp"
}
