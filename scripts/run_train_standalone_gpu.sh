#!/usr/bin/env bash
# Train on one device: both stages, output to the terminal and to train_standalone.log.
#   bash run_train_standalone_gpu.sh DATASET DEVICE_ID EPOCHS_DP EPOCHS_END BATCH_SIZE CKPT_DIR [OPTIONS]
set -euo pipefail
if [ $# -lt 6 ]; then
    echo "usage: bash run_train_standalone_gpu.sh DATASET DEVICE_ID EPOCHS_DP EPOCHS_END BATCH_SIZE CKPT_DIR [OPTIONS]" >&2
    echo "  e.g. bash run_train_standalone_gpu.sh up-3d 0 5 30 16 './ckpt'" >&2
    exit 2
fi
. "$(dirname "${BASH_SOURCE[0]}")/launch.sh"
require_number DEVICE_ID "$2" 0
require_number EPOCHS_DP "$3" 0
require_number EPOCHS_END "$4" 0
require_number BATCH_SIZE "$5" 1
run_logged train_standalone.log "$PYTHON" -u "$REPOSITORY/train.py" --dataset "$1" --device_id "$2" \
    --num_epochs_dp "$3" --num_epochs_end "$4" --batch_size "$5" --ckpt_dir "$6" "${@:7}"
