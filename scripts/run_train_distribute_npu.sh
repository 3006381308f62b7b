#!/usr/bin/env bash
# Train data-parallel on Ascend NPUs, by msrun. The output goes to the terminal and to train_distribute.log, that of each
# rank also to msrun_log/.
#   bash scripts/run_train_distribute_npu.sh DATASET NUM_DEVICES EPOCHS_DP EPOCHS_END BATCH_SIZE CKPT_DIR [OPTIONS]
# NUM_DEVICES counts the devices of all machines. On several machines start it on each of them, with MASTER_ADDR (address of
# the first one), NODE_RANK (0 on the first one), LOCAL_DEVICES (devices of this machine) and, if need be, MASTER_PORT
# (8118).
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/launch.sh"
train_distribute Ascend msrun "$@"
