#!/usr/bin/env bash
# Train data-parallel on Ascend NPUs by msrun. Output also in train_distribute.log, that of each rank in msrun_log/.
#   bash run_train_distribute_npu.sh DATASET NUM_DEVICES EPOCHS_DP EPOCHS_END BATCH_SIZE CKPT_DIR [OPTIONS]
# NUM_DEVICES counts those of all machines. On several machines, on each of them: MASTER_ADDR (the address of the first
# one), NODE_RANK (0 on that one) and LOCAL_DEVICES (devices of this machine).
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/launch.sh"
train_distribute Ascend msrun "$@"
