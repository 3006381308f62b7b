# Sourced by the run scripts: chooses the Python, and runs a command with its output in a log too.
REPOSITORY="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
PYTHON="${PYTHON:-$([ -x "$REPOSITORY/.venv/bin/python" ] && echo "$REPOSITORY/.venv/bin/python" || command -v python3)}"

# run_logged LOG COMMAND...: in the foreground, or in the background with NOHUP=1; the command's exit code.
run_logged() {
    local log="$1"
    shift
    if [ "${NOHUP:-}" = 1 ]; then
        nohup "$@" >"$log" 2>&1 &
        echo "started in the background, process $!, output in $log"
        return 0
    fi
    "$@" 2>&1 | tee "$log"
    return "${PIPESTATUS[0]}"
}
