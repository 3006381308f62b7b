# The other scripts source this file. It makes the virtual environment .venv and installs the packages that a
# requirements file and its lock pin. It does nothing if that is done already.
REPOSITORY="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
VENV="${DECOMR_VENV:-$REPOSITORY/.venv}"

# python_release PYTHON: print its release, such as 3.11; nothing if it does not run.
python_release() {
    "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || true
}

# is_supported RELEASE: whether the program runs on that release of Python.
is_supported() {
    case "$1" in
        3.11 | 3.12) return 0 ;;
    esac
    return 1
}

# choose_base: set $base to the Python with which a new environment is made. Returns 2, after a line, if there is none.
choose_base() {
    local candidate release wrong found=""
    if [ -n "${DECOMR_PYTHON:-}" ]; then
        base="$DECOMR_PYTHON" release="$(python_release "$DECOMR_PYTHON")"
        is_supported "$release" && return 0
        [ -n "$release" ] && wrong="Python $release, and 3.11 or 3.12 is needed" || wrong="which does not run"
        echo "DECOMR_PYTHON is '$base', $wrong." >&2
        return 2
    fi
    for candidate in python3.11 python3.12 python3; do
        base="$candidate" release="$(python_release "$candidate")"
        is_supported "$release" && return 0
        found="${release:+ ($candidate is Python $release)}"
    done
    echo "Python 3.11 or 3.12 is needed and was not found$found. Install it, or name it in DECOMR_PYTHON." >&2
    return 2
}

# check_environment: returns 2, after a line, if $VENV exists and cannot be used, or has another Python than
# DECOMR_PYTHON.
check_environment() {
    local python="$VENV/bin/python" release base wrong="" advice="name another folder in DECOMR_VENV"
    [ -e "$python" ] || [ -L "$python" ] || return 0
    release="$(python_release "$python")"
    if [ -z "$release" ]; then
        wrong="is broken, its Python does not run (was it removed?)"
    elif ! is_supported "$release"; then
        wrong="holds Python $release, and 3.11 or 3.12 is needed"
    elif [ ! -d "$VENV/lib/python$release" ]; then
        wrong="was made with another Python than $release, which it runs now"
    elif [ -n "${DECOMR_PYTHON:-}" ]; then
        choose_base || return 2
        [ "$(python_release "$base")" = "$release" ] || wrong="holds Python $release, and DECOMR_PYTHON is another"
    fi
    [ -n "$wrong" ] || return 0
    # advise to delete a folder only if venv made it
    [ ! -f "$VENV/pyvenv.cfg" ] || advice="delete that folder and run this again, or $advice"
    echo "$VENV $wrong: $advice." >&2
    return 2
}

# ensure_environment REQUIREMENTS_FILE: make the environment if need be, and set $PYTHON to its Python.
ensure_environment() {
    local requirements="$REPOSITORY/$1" stamp base
    local quiet=(--quiet --disable-pip-version-check --no-warn-conflicts)
    PYTHON="$VENV/bin/python"
    stamp="$VENV/installed-$(cat "$REPOSITORY"/requirements*.{txt,lock} | sha256sum | cut -c1-16)-$1"
    check_environment || return 2
    [ -f "$stamp" ] && return 0
    choose_base || return 2
    echo "== installing $1 into $VENV (about 3 GB, once)"
    [ -x "$PYTHON" ] || "$base" -m venv "$VENV" || return 2
    if ! "$PYTHON" -m pip --version >/dev/null 2>&1; then
        echo "$VENV has no pip: delete that folder, install pip and venv for $base, then run this again." >&2
        return 2
    fi
    # the locks are resolved for this platform; pip checks their hashes
    if [ "$(uname -sm)" = "Linux x86_64" ]; then
        "$PYTHON" -m pip install "${quiet[@]}" --require-hashes -r "${requirements%.txt}.lock" || return 2
    fi
    # packages that the lock leaves out (torch)
    "$PYTHON" -m pip install "${quiet[@]}" -r "$requirements" || return 2
    # the data files of the generated body, without what the code beside them would bring along
    "$PYTHON" -m pip install "${quiet[@]}" --no-deps --require-hashes -r "$REPOSITORY/requirements-body.lock" || return 2
    touch "$stamp"
}
