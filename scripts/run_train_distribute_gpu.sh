#!/usr/bin/env bash
# Train data-parallel: mpirun on GPU, msrun where LAUNCHER=msrun or there is no mpirun. Output also in
# train_distribute.log; with msrun that of each rank in msrun_log/.
#   bash run_train_distribute_gpu.sh DATASET NUM_DEVICES EPOCHS_DP EPOCHS_END BATCH_SIZE CKPT_DIR [OPTIONS]
# NUM_DEVICES counts those of all machines. On several machines:
#   mpirun: HOSTFILE=FILE (lines "host slots=8"), on one of them.
#   msrun:  on each of them, with MASTER_ADDR (the address of the first one), NODE_RANK (0 on that one) and
#           LOCAL_DEVICES (devices of this machine).
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/launch.sh"
found="$(command -v mpirun >/dev/null && command -v nvidia-smi >/dev/null && echo mpirun || echo msrun)"
train_distribute auto "${LAUNCHER:-$found}" "$@"
