# Sourced by the run scripts: chooses the Python, checks arguments, and runs a command with its output in a log too.
REPOSITORY="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
PYTHON="${PYTHON:-$([ -x "$REPOSITORY/.venv/bin/python" ] && echo "$REPOSITORY/.venv/bin/python" || command -v python3)}"

# require_number NAME VALUE LEAST: ends with exit code 2 unless VALUE is a whole number of at least LEAST.
require_number() {
    if ! [[ "$2" =~ ^[0-9]+$ ]] || [ "$((10#$2))" -lt "$3" ]; then
        echo "$(basename "$0"): error: $1 is '$2', expected a whole number of at least $3." >&2
        exit 2
    fi
}

# run_logged LOG COMMAND...: in the foreground, or in the background with NOHUP=1; the command's exit code.
# SIGTERM and SIGINT go to the training processes alone, which save and end; launchers would kill them.
run_logged() {
    local log="$1" job code=0
    shift
    if [ "${NOHUP:-}" = 1 ]; then
        nohup "$@" >"$log" 2>&1 </dev/null &
        echo "started in the background, process $!, output in $log"
        return 0
    fi
    STOPPED_WITH=0
    # sessions of their own, which the terminal's Ctrl-C does not reach
    setsid "$@" > >(exec setsid tee "$log") 2>&1 &
    job=$!
    trap 'STOPPED_WITH=143; signal_ranks TERM "$job"' TERM
    trap 'STOPPED_WITH=130; signal_ranks INT "$job"' INT
    while kill -0 "$job" 2>/dev/null; do
        wait "$job" && code=0 || code=$?
    done
    trap - TERM INT
    sleep 0.2 # tee's last lines
    # a launcher has its own exit code for ranks that ended as asked
    [ "$STOPPED_WITH" = 0 ] || [ "$code" = 0 ] || code="$STOPPED_WITH"
    return "$code"
}

# signal_ranks SIGNAL PROCESS: to PROCESS itself, or where it is a launcher, to the ranks it started.
signal_ranks() {
    local child ranks=()
    for child in $(cat "/proc/$2/task/$2/children" 2>/dev/null); do
        if is_rank "$child"; then
            ranks+=("$child")
        fi
    done
    if is_rank "$2"; then
        ranks=("$2")
    fi
    kill -s "$1" "${ranks[@]:-$2}" 2>/dev/null || true
}

# is_rank PROCESS: a Python that runs one of the entry scripts, and not msrun's scheduler.
is_rank() {
    tr '\0' '\n' <"/proc/$1/cmdline" 2>/dev/null | sed -n 2,4p | grep -qE '^(.*/)?(train|eval)\.py$' &&
        ! tr '\0' '\n' <"/proc/$1/environ" 2>/dev/null | grep -qx MS_ROLE=MS_SCHED
}

. "$REPOSITORY/scripts/env_gpu.sh"
