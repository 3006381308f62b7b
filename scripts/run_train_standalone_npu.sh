#!/usr/bin/env bash
# Train on one Ascend NPU: both stages, output to the terminal and to train_standalone.log.
#   bash run_train_standalone_npu.sh DATASET DEVICE_ID EPOCHS_DP EPOCHS_END BATCH_SIZE CKPT_DIR [OPTIONS]
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/launch.sh"
train_standalone Ascend "$@"
