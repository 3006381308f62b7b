#!/usr/bin/env bash
# Train data-parallel: mpirun on GPU, msrun where LAUNCHER=msrun or there is no mpirun. Output also in
# train_distribute.log; with msrun that of each rank in msrun_log/.
#   bash run_train_distribute_gpu.sh DATASET NUM_DEVICES EPOCHS_DP EPOCHS_END BATCH_SIZE CKPT_DIR [OPTIONS]
# NUM_DEVICES counts those of all machines. On several machines:
#   mpirun: HOSTFILE=FILE (lines "host slots=8"), on one of them.
#   msrun:  on each of them, with MASTER_ADDR (the address of the first one), NODE_RANK (0 on that one) and
#           LOCAL_DEVICES (devices of this machine).
set -euo pipefail
if [ $# -lt 6 ]; then
    echo "usage: bash run_train_distribute_gpu.sh DATASET NUM_DEVICES EPOCHS_DP EPOCHS_END BATCH_SIZE CKPT_DIR [OPTIONS]" >&2
    echo "  e.g. bash run_train_distribute_gpu.sh up-3d 8 5 30 16 './ckpt'" >&2
    exit 2
fi
. "$(dirname "${BASH_SOURCE[0]}")/launch.sh"
require_number NUM_DEVICES "$2" 1
require_number EPOCHS_DP "$3" 0
require_number EPOCHS_END "$4" 0
require_number BATCH_SIZE "$5" 1
train=("$REPOSITORY/train.py" --run_distribute True --ngpu "$2" --dataset "$1"
       --num_epochs_dp "$3" --num_epochs_end "$4" --batch_size "$5" --ckpt_dir "$6" "${@:7}")
# msrun starts the first `python` that it finds
export PATH="$(dirname "$PYTHON"):$PATH"
launcher="${LAUNCHER:-$(command -v mpirun >/dev/null && command -v nvidia-smi >/dev/null && echo mpirun || echo msrun)}"
case "$launcher" in
    mpirun)
        hosts=()
        if [ -n "${HOSTFILE:-}" ]; then
            [ -f "$HOSTFILE" ] || { echo "$(basename "$0"): error: HOSTFILE '$HOSTFILE' does not exist." >&2; exit 2; }
            # what the ranks on other machines must find as on this one
            hosts=(--hostfile "$HOSTFILE" -x PATH -x LD_LIBRARY_PATH)
            for name in CUDA_HOME DECOMR_DATA; do
                [ -z "${!name:-}" ] || hosts+=(-x "$name")
            done
        fi
        run_logged train_distribute.log mpirun --allow-run-as-root -n "$2" "${hosts[@]}" "$PYTHON" -u "${train[@]}" ;;
    msrun)
        require_number LOCAL_DEVICES "${LOCAL_DEVICES:-$2}" 1
        require_number NODE_RANK "${NODE_RANK:-0}" 0
        require_number MASTER_PORT "${MASTER_PORT:-8118}" 1
        run_logged train_distribute.log msrun --worker_num="$2" --local_worker_num="${LOCAL_DEVICES:-$2}" \
            --master_addr="${MASTER_ADDR:-127.0.0.1}" --master_port="${MASTER_PORT:-8118}" \
            --node_rank="${NODE_RANK:-0}" --log_dir=msrun_log --join=True "${train[@]}" ;;
    *) echo "$(basename "$0"): error: LAUNCHER is '$launcher', expected mpirun or msrun." >&2; exit 2 ;;
esac
