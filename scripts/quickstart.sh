#!/usr/bin/env bash
# The main job from nothing: install, make data, train both stages, evaluate, draw pictures.
set -euo pipefail

usage() {
    cat <<'EOF'
bash scripts/quickstart.sh [--out DIR] [--num_train N] [--num_test N] [-- TRAIN_OPTIONS]

Installs into .venv, generates an open body model and photographs, prepares them as UP-3D, trains
CNet, then CNet and LNet, evaluates, and draws test images. Needs Python 3.11 or 3.12 and a network
to PyPI; no GPU, no root, no registration. Run it again to continue where it stopped.

  --out DIR       where everything goes (default: quickstart/)
  --num_train N   training photographs (default 240)
  --num_test N    test photographs (default 40)
  --fresh         train anew; generated data is kept
  -- OPTIONS      further options for train.py, for example: -- --num_epochs_end 20
EOF
}

out="" num_train=240 num_test=40 fresh=no
while [ $# -gt 0 ]; do
    case "$1" in
        --out) out="${2:?--out needs a folder}"; shift 2 ;;
        --num_train) num_train="${2:?--num_train needs a number}"; shift 2 ;;
        --num_test) num_test="${2:?--num_test needs a number}"; shift 2 ;;
        --fresh) fresh=yes; shift ;;
        --help | -h) usage; exit 0 ;;
        --) shift; break ;;
        *) echo "quickstart.sh: unknown option $1 (see --help)" >&2; exit 2 ;;
    esac
done

. "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
out="${out:-$REPOSITORY/quickstart}"
mkdir -p "$out"
out="$(cd "$out" && pwd)"
ensure_environment requirements.txt
cd "$REPOSITORY"
export DECOMR_DATA="$out/data"
SECONDS=0
workers="$(nproc)"

say() { printf '\n== %s (%d s)\n' "$*" "$SECONDS"; }

say "1/4 generate a body model, its atlas and photographs"
"$PYTHON" -m datasets.synthetic.generate --num_train "$num_train" --num_test "$num_test" --workers "$workers"

say "2/4 prepare them: npz files and IUV images"
"$PYTHON" preprocess_datasets.py --train_files --eval_files --gt_iuv --workers "$workers"

# Smaller than the paper's settings, so that two CPU cores finish in minutes: crops of 96 instead
# of 224 pixels, an LNet of 1/8 of the channels, small batches, larger steps, plain
# crops, and a loss on the mesh itself.
settings=(--img_res 96 --lnet_width 0.125 --batch_size 4 --num_workers 1 --num_epochs_dp 1 --num_epochs_end 6
          --lr 1e-3 --lam_mesh 5 --no_augmentation --gtkey3d_from_mesh --summary_steps 1000)
if [ "$fresh" = yes ]; then
    rm -rf "$out/ckpt" "$out/logs"
fi
resume=()
if [ -f "$out/ckpt/rank0/state.ckpt" ]; then
    resume=(--resume)
fi
say "3/4 train"
"$PYTHON" train.py --name quickstart --ckpt_dir "$out/ckpt" --log_dir "$out/logs" --log_freq 5 \
    "${settings[@]}" "${resume[@]}" "$@"

say "4/4 evaluate"
"$PYTHON" eval.py --dataset up-3d --batch_size 8 --num_workers 1 --eval_dir "$out/ckpt/rank0" \
    --save_root "$out/results" --num_vis 6

say "done"
echo "results:  $out/results/up-3d.json"
echo "pictures: $out/results/up-3d_contact_sheet.png"
echo "weights:  $out/ckpt/rank0"
