#!/usr/bin/env bash
# Convert PyTorch weights to a MindSpore checkpoint.
#   bash scripts/convert_model.sh MODEL_NAME PTH_FILE MSP_FILE [OPTIONS]
# MODEL_NAME is resnet or vgg (torchvision's ResNet-50, VGG-16) or decomr (CNet and LNet of the PyTorch release).
set -euo pipefail
if [ $# -lt 3 ]; then
    echo "usage: bash convert_model.sh MODEL_NAME PTH_FILE MSP_FILE [OPTIONS]" >&2
    echo "e.g.   bash convert_model.sh resnet resnet50.pth data/ms_resnet50.ckpt" >&2
    exit 2
fi
. "$(dirname "${BASH_SOURCE[0]}")/launch.sh"
exec "$PYTHON" "$REPOSITORY/pretrained_model_convert/pth_to_msp.py" \
    --model "$1" --pth_file "$2" --msp_file "$3" "${@:4}"
