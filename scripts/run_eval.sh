#!/usr/bin/env bash
# Evaluate the newest checkpoint, or those of --checkpoint. The output goes to the terminal and to eval.log.
#   bash scripts/run_eval.sh DATASET BATCH_SIZE [OPTIONS]
set -euo pipefail
if [ $# -lt 2 ]; then
    echo "usage: bash run_eval.sh DATASET BATCH_SIZE [OPTIONS]    e.g. bash run_eval.sh up-3d 16" >&2
    exit 2
fi
. "$(dirname "${BASH_SOURCE[0]}")/launch.sh"
require_number BATCH_SIZE "$2" 1
run_logged eval.log "$PYTHON" -u "$REPOSITORY/eval.py" --dataset="$1" --batch_size="$2" "${@:3}"
