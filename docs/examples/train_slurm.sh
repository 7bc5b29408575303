#!/usr/bin/env bash
# Train a recipe under SLURM, one task per GPU. Stage 0 must have been run on a shared disk.
# Usage: sbatch [--nodes N] train_slurm.sh RECIPE TAG [--option value ...]
#SBATCH --job-name=xscheme
#SBATCH --gpus-per-node=8
#SBATCH --ntasks-per-node=8
#SBATCH --cpus-per-task=6
#SBATCH --requeue
set -euo pipefail
cd "$1"
exp_dir=exp/train_$(basename "$PWD" | tr '[:upper:]-' '[:lower:]_')_$2
shift 2

mkdir -p exp
srun python train.py --conf local/conf.yml --exp_dir "$exp_dir" \
  --num_nodes "$SLURM_NNODES" --devices "$SLURM_NTASKS_PER_NODE" "$@"
