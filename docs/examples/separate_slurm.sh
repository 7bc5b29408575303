#!/usr/bin/env bash
# Separate a folder of songs as an array of SLURM jobs, each with its share of the songs.
# Usage: sbatch --array=1-N separate_slurm.sh SONGS STEMS [xscheme separate's options]
#SBATCH --job-name=separate
#SBATCH --gpus=1
#SBATCH --cpus-per-task=4
#SBATCH --requeue
set -euo pipefail
songs=$1
stems=$2
shift 2
mkdir -p "$stems"
xscheme separate "$songs" -o "$stems" --shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT" \
  --skip-existing --offline --json "$stems/summary_$SLURM_ARRAY_TASK_ID.json" "$@"
