#!/usr/bin/env bash
# Train a recipe with torchrun: run this on every machine. Stage 0 must have been run.
# Usage: [MASTER=HOST] [NODES=N] [GPUS=N] train_torchrun.sh RECIPE TAG [--option value ...]
set -euo pipefail
nodes=${NODES:-1}
gpus=${GPUS:-8}
cd "$1"
exp_dir=exp/train_$(basename "$PWD" | tr '[:upper:]-' '[:lower:]_')_$2
shift 2
conf=local/conf.yml
if [[ " $* " == *" --dataset demo "* ]]; then conf=local/conf_demo.yml; fi

mkdir -p exp
torchrun --nnodes "$nodes" --nproc_per_node "$gpus" \
  --rdzv_backend c10d --rdzv_endpoint "${MASTER:-localhost}:29500" \
  train.py --conf "$conf" --exp_dir "$exp_dir" --num_nodes "$nodes" --devices "$gpus" "$@"
