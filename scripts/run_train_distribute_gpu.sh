#!/usr/bin/env bash
# Train data-parallel. LAUNCHER is mpirun or msrun; without it, mpirun if that and an NVIDIA driver are found, else msrun.
# The output goes to the terminal and to train_distribute.log; msrun also writes that of each rank to msrun_log/.
#   bash scripts/run_train_distribute_gpu.sh DATASET NUM_DEVICES EPOCHS_DP EPOCHS_END BATCH_SIZE CKPT_DIR [OPTIONS]
# NUM_DEVICES counts the devices of all machines. On several machines:
#   mpirun: start it on one of them, with HOSTFILE=FILE (lines "host slots=8").
#   msrun:  start it on each of them, with MASTER_ADDR (address of the first one), NODE_RANK (0 on the first one),
#           LOCAL_DEVICES (devices of this machine) and, if need be, MASTER_PORT (8118).
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/launch.sh"
found="$(command -v mpirun >/dev/null && command -v nvidia-smi >/dev/null && echo mpirun || echo msrun)"
train_distribute auto "${LAUNCHER:-$found}" "$@"
