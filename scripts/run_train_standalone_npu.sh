#!/usr/bin/env bash
# Train both stages on one Ascend NPU. The output goes to the terminal and to train_standalone.log.
#   bash scripts/run_train_standalone_npu.sh DATASET DEVICE_ID EPOCHS_DP EPOCHS_END BATCH_SIZE CKPT_DIR [OPTIONS]
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/launch.sh"
train_standalone Ascend "$@"
