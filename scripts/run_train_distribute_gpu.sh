#!/usr/bin/env bash
# Train on several devices of one machine: mpirun on GPU, msrun where LAUNCHER=msrun or there is no mpirun.
#   bash run_train_distribute_gpu.sh DATASET NUM_DEVICES EPOCHS_DP EPOCHS_END BATCH_SIZE CKPT_DIR [OPTIONS]
set -euo pipefail
if [ $# -lt 6 ]; then
    echo "usage: bash run_train_distribute_gpu.sh DATASET NUM_DEVICES EPOCHS_DP EPOCHS_END BATCH_SIZE CKPT_DIR [OPTIONS]" >&2
    echo "  e.g. bash run_train_distribute_gpu.sh up-3d 8 5 30 16 './ckpt'" >&2
    exit 2
fi
. "$(dirname "${BASH_SOURCE[0]}")/launch.sh"
train=("$REPOSITORY/train.py" --run_distribute True --ngpu "$2" --dataset "$1"
       --num_epochs_dp "$3" --num_epochs_end "$4" --batch_size "$5" --ckpt_dir "$6" "${@:7}")
# msrun starts the first `python` that it finds
export PATH="$(dirname "$PYTHON"):$PATH"
launcher="${LAUNCHER:-$(command -v mpirun >/dev/null && command -v nvidia-smi >/dev/null && echo mpirun || echo msrun)}"
case "$launcher" in
    mpirun) run_logged train_distribute.log mpirun --allow-run-as-root -n "$2" "$PYTHON" "${train[@]}" ;;
    msrun) run_logged train_distribute.log msrun --worker_num="$2" --local_worker_num="$2" \
        --master_port="${MASTER_PORT:-8118}" --log_dir=msrun_log --join=True "${train[@]}" ;;
    *) echo "LAUNCHER is $launcher, expected mpirun or msrun." >&2; exit 2 ;;
esac
