# The run scripts source this file. It chooses the Python, checks arguments, and runs a command with its output also in a
# log.
. "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

# choose_python: keep $PYTHON if it is set, or set it to the environment's Python, or to the machine's. Exits with 2 if
# that Python cannot run the program.
choose_python() {
    if [ -z "${PYTHON:-}" ]; then
        check_environment || exit 2
        PYTHON="$([ -x "$VENV/bin/python" ] && echo "$VENV/bin/python" || echo python3)"
    fi
    if ! command -v "$PYTHON" >/dev/null; then
        echo "$(basename "$0"): error: PYTHON is '$PYTHON', which is not a program." >&2
        exit 2
    fi
    PYTHON="$(command -v "$PYTHON")" # with its folder, in which msrun is too
    "$PYTHON" "$REPOSITORY/utils/interpreter.py" "$(basename "$0")" mindspore || exit 2
}

# require_number NAME VALUE LEAST: exit with 2 unless VALUE is a whole number of at least LEAST.
require_number() {
    if ! [[ "$2" =~ ^[0-9]+$ ]] || [ "$((10#$2))" -lt "$3" ]; then
        echo "$(basename "$0"): error: $1 is '$2', expected a whole number of at least $3." >&2
        exit 2
    fi
}

# run_logged LOG COMMAND...: run a command in the foreground, or with NOHUP=1 in the background, and return its exit code.
# SIGTERM and SIGINT are passed to the training processes alone, which save and end; a launcher would kill them.
run_logged() {
    local log="$1" job="" early="" code=0
    shift
    if [ "${NOHUP:-}" = 1 ]; then
        nohup "$@" >"$log" 2>&1 </dev/null &
        echo "started in the background, process $!, output in $log"
        return 0
    fi
    STOPPED_WITH=0
    # before the start: a signal that comes at once waits until there is a process to pass it to
    trap 'STOPPED_WITH=143; pass_on TERM' TERM
    trap 'STOPPED_WITH=130; pass_on INT' INT
    # each in a session of its own, so that the terminal's Ctrl-C does not reach it
    setsid "$@" > >(exec setsid tee "$log") 2>&1 &
    job=$!
    [ -z "$early" ] || signal_ranks "$early" "$job"
    # a trap ends `wait` early; the first `wait` also has the exit code of a program that has ended by now
    while :; do
        wait "$job" && code=0 || code=$?
        kill -0 "$job" 2>/dev/null || break
    done
    trap - TERM INT
    sleep 0.2 # for tee's last lines
    # if the ranks ended as asked, a launcher returns an exit code of its own
    [ "$STOPPED_WITH" = 0 ] || [ "$code" = 0 ] || code="$STOPPED_WITH"
    return "$code"
}

# pass_on SIGNAL: pass a signal on to the ranks of run_logged's job, or keep it in $early until there is one.
pass_on() {
    if [ -n "$job" ]; then
        signal_ranks "$1" "$job"
    else
        early="$1"
    fi
}

# signal_ranks SIGNAL PROCESS: send the signal to PROCESS, or if that is a launcher, to the ranks that it started.
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

# is_rank PROCESS: whether it is a Python that runs train.py or eval.py. msrun's scheduler is no rank.
is_rank() {
    # 2> comes first: the process may have ended, and then the shell complains of its missing file
    tr '\0' '\n' 2>/dev/null <"/proc/$1/cmdline" | sed -n 2,4p | grep -qE '^(.*/)?(train|eval)\.py$' &&
        ! tr '\0' '\n' 2>/dev/null <"/proc/$1/environ" | grep -qx MS_ROLE=MS_SCHED
}

# require_training_words EXAMPLE PLACE WORDS...: exit with 2 unless WORDS are right for a training script. PLACE is the
# name of its second word.
require_training_words() {
    local name example="$1" place="$2"
    name="$(basename "$0")"
    shift 2
    if [ $# -lt 6 ]; then
        echo "usage: bash $name DATASET $place EPOCHS_DP EPOCHS_END BATCH_SIZE CKPT_DIR [OPTIONS]" >&2
        echo "  e.g. bash $name $example" >&2
        exit 2
    fi
    require_number EPOCHS_DP "$3" 0
    require_number EPOCHS_END "$4" 0
    require_number BATCH_SIZE "$5" 1
}

# train_standalone TARGET WORDS...: train on one device, with the output also in train_standalone.log. TARGET is auto, GPU
# or Ascend.
train_standalone() {
    local target="$1"
    shift
    require_training_words "up-3d 0 5 30 16 './ckpt'" DEVICE_ID "$@"
    require_number DEVICE_ID "$2" 0
    run_logged train_standalone.log "$PYTHON" -u "$REPOSITORY/train.py" --device_target "$target" --dataset "$1" \
        --device_id "$2" --num_epochs_dp "$3" --num_epochs_end "$4" --batch_size "$5" --ckpt_dir "$6" "${@:7}"
}

# train_distribute TARGET LAUNCHER WORDS...: train data-parallel, with the output also in train_distribute.log.
train_distribute() {
    local target="$1" launcher="$2" name hosts=() train code=0 started
    started="$(date +%s)"
    shift 2
    require_training_words "up-3d 8 5 30 16 './ckpt'" NUM_DEVICES "$@"
    require_number NUM_DEVICES "$2" 1
    train=("$REPOSITORY/train.py" --device_target "$target" --run_distribute True --ngpu "$2" --dataset "$1"
           --num_epochs_dp "$3" --num_epochs_end "$4" --batch_size "$5" --ckpt_dir "$6" "${@:7}")
    # msrun starts the first `python` on the path
    export PATH="$(dirname "$PYTHON"):$PATH"
    case "$launcher" in
        mpirun)
            if [ -n "${HOSTFILE:-}" ]; then
                [ -f "$HOSTFILE" ] || { echo "$(basename "$0"): error: HOSTFILE '$HOSTFILE' does not exist." >&2; exit 2; }
                # the ranks on other machines need these variables too
                hosts=(--hostfile "$HOSTFILE" -x PATH -x LD_LIBRARY_PATH)
                for name in CUDA_HOME DECOMR_DATA; do
                    [ -z "${!name:-}" ] || hosts+=(-x "$name")
                done
            fi
            # without --bind-to none Open MPI gives one core to each rank with all workers of its loader
            run_logged train_distribute.log mpirun --allow-run-as-root --bind-to none -n "$2" "${hosts[@]}" \
                "$PYTHON" -u "${train[@]}" || code=$? ;;
        msrun)
            require_number LOCAL_DEVICES "${LOCAL_DEVICES:-$2}" 1
            require_number NODE_RANK "${NODE_RANK:-0}" 0
            require_number MASTER_PORT "${MASTER_PORT:-8118}" 1
            run_logged train_distribute.log msrun --worker_num="$2" --local_worker_num="${LOCAL_DEVICES:-$2}" \
                --master_addr="${MASTER_ADDR:-127.0.0.1}" --master_port="${MASTER_PORT:-8118}" \
                --node_rank="${NODE_RANK:-0}" --log_dir=msrun_log --join=True "${train[@]}" || code=$? ;;
        *) echo "$(basename "$0"): error: LAUNCHER is '$launcher', expected mpirun or msrun." >&2; exit 2 ;;
    esac
    if [ "$code" != 0 ] && [ "$STOPPED_WITH" = 0 ]; then
        name_lost_ranks "$started" | tee -a train_distribute.log >&2
    fi
    return "$code"
}

# name_lost_ranks STARTED: say what the many lines of a launcher hide: errors that msrun kept to logs which are younger than
# STARTED (seconds since 1970), and that a rank was killed.
name_lost_ranks() {
    local killed
    find msrun_log -name 'worker_*.log' -newermt "@$1" -exec grep -h 'train.py: error: ' {} + 2>/dev/null | sort -u |
        grep -vxFf train_distribute.log || true
    # msrun's words, and mpirun's
    killed="$(grep -oE 'Error code: -[0-9]+|exited on signal [0-9]+' train_distribute.log | grep -oE -m1 '[0-9]+')" || true
    if [ -n "$killed" ]; then
        echo "$(basename "$0"): error: a rank was killed by signal $killed, and the launcher ended the others. Nothing is lost" \
            "but the steps since the last saved state: give the same command with --resume."
    fi
}

choose_python
. "$REPOSITORY/scripts/env_gpu.sh"
