#!/usr/bin/env bash
# Evaluate the newest checkpoint: output to the terminal and to eval.log.
#   bash run_eval.sh DATASET BATCH_SIZE [OPTIONS]
set -euo pipefail
if [ $# -lt 2 ]; then
    echo "usage: bash run_eval.sh DATASET BATCH_SIZE [OPTIONS]    e.g. bash run_eval.sh up-3d 16" >&2
    exit 2
fi
. "$(dirname "${BASH_SOURCE[0]}")/launch.sh"
run_logged eval.log "$PYTHON" "$REPOSITORY/eval.py" --dataset="$1" --batch_size="$2" "${@:3}"
