#!/usr/bin/env bash
# Run the whole chain from nothing: install, generate data, train both stages, evaluate, draw pictures.
set -euo pipefail

usage() {
    cat <<'EOF'
bash scripts/quickstart.sh [--out DIR] [--num_train N] [--num_test N] [--fresh] [-- TRAIN_OPTIONS]

Installs into .venv, generates an open body model and photographs, prepares them as UP-3D is prepared,
trains the CNet, then the LNet, evaluates, and draws test images. It needs Python 3.11 or 3.12 and a
network to PyPI; no GPU, no root, no registration. Run it again to continue where it stopped.

  --out DIR       folder for everything that it makes (default: quickstart/)
  --num_train N   training photographs (default 2400)
  --num_test N    test photographs (default 40)
  --fresh         train anew: generated data stays, earlier weights and logs move to DIR/before_DATE
  -- OPTIONS      options of train.py that win over configs/quickstart_*.json, for example: -- --num_epochs_end 20
EOF
}

out="" num_train=2400 num_test=40 fresh=no
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
ensure_environment requirements.txt
out="${out:-$REPOSITORY/quickstart}"
mkdir -p "$out"
out="$(cd "$out" && pwd)"
cd "$REPOSITORY"
export DECOMR_DATA="$out/data"
export OPENBLAS_NUM_THREADS=1 # with more, numpy's products wait for each other's cores on a busy machine
SECONDS=0
workers="$(nproc)"

say() { printf '\n== %s (%d s)\n' "$*" "$SECONDS"; }

say "1/4 generate a body model, its atlas and photographs"
"$PYTHON" -m synthetic.generate --num_train "$num_train" --num_test "$num_test" --workers "$workers" \
    --clothing suit --img_res 128

say "2/4 prepare them: npz files and IUV images"
"$PYTHON" preprocess_datasets.py --train_files --eval_files --gt_iuv --workers "$workers"

if [ "$fresh" = yes ]; then
    aside="$out/before_$(date +%Y%m%d_%H%M%S)"
    for folder in ckpt_dp ckpt logs; do
        if [ -d "$out/$folder" ]; then
            mkdir -p "$aside"
            mv "$out/$folder" "$aside/"
        fi
    done
fi

# train STAGE CKPT_DIR OPTIONS...: train a stage with the settings of its file in configs/. If CKPT_DIR holds a saved state,
# training continues there.
train() {
    local resume=()
    if compgen -G "$2/rank0/state_*.ckpt" >/dev/null; then
        resume=(--resume)
    fi
    "$PYTHON" train.py --from_json "configs/quickstart_$1.json" --stage "$1" --name "quickstart_$1" --ckpt_dir "$2" \
        --log_dir "$out/logs" "${@:3}" "${resume[@]}"
}

say "3/4 train: CNet, then LNet"
train dp "$out/ckpt_dp" "$@"
cnet="$(ls -v "$out"/ckpt_dp/rank0/CNet_*.ckpt | tail -n 1)"
train end "$out/ckpt" --pretrained_checkpoint "$cnet" "$@"

say "4/4 evaluate"
"$PYTHON" eval.py --dataset up-3d --batch_size 8 --num_workers 1 --eval_dir "$out/ckpt/rank0" \
    --save_root "$out/results" --num_vis 6 --fit

say "done"
echo "results:  $out/results/up-3d.json"
echo "pictures: $out/results/up-3d_contact_sheet.png"
echo "weights:  $out/ckpt/rank0"
