#!/usr/bin/env bash
# Usage: ./run.sh [--OPTION VALUE ...]
#
# X-Conv-TasNet on MUSDB18, in four stages: 0 data, 1 train, 2 evaluate, 3 publish.
#   ./run.sh --dataset demo                 all stages, small, on built-in songs
#   ./run.sh --tag mine                     all stages, full size: downloads MUSDB18, trains, ...
#   ./run.sh --stage 2                      evaluates the run trained last
#   ./run.sh --stage 2 --eval_model xumxl   evaluates published weights; needs no training
#
# Besides the options below, you can give any option of local/conf.yml:
#   --source_dir --train_dir --sample_rate --seed --seq_dur --samples_per_track --sources
#   --batch_size --num_workers --optimizer --lr --weight_decay --patience --lr_decay_patience
#   --lr_decay_gamma --epochs --mix_coef --val_dur
#   --n_filters --kernel_size --bn_chan --hid_chan --n_blocks --n_repeats --bridge --joint ...
# ---
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

stage=0          # first stage to run
stop_stage=3     # last stage to run
tag=             # name of the run, exp/train_x_convtasnet_TAG; empty: a new name, or the run trained last
id=              # GPUs to use, such as 0,1; empty: all
dataset=musdb18  # musdb18, musdb18hq, demo (built-in songs) or folder (your own)
conf=            # configuration file; empty: local/conf.yml, or local/conf_demo.yml for demo
python_path=${PYTHON:-python}

before=
for word; do if [[ $before == --python[-_]path ]]; then python_path=$word; fi; before=$word; done
find_package='import importlib.util as u; print(*u.find_spec("asteroid_xscheme").submodule_search_locations)'
. "$("$python_path" -c "$find_package")/recipes/run_options.sh"

if [[ $stage -le 0 && $stop_stage -ge 0 ]]; then
  echo "Stage 0: preparing $dataset"
  "$python_path" -m asteroid_xscheme.recipes.stages prepare --conf "$conf" "${options[@]}"
fi

if [[ $stage -le 1 && $stop_stage -ge 1 ]]; then
  echo "Stage 1: training $expdir"
  echo "$tag" > exp/last_tag
  "$python_path" train.py --conf "$conf" --exp_dir "$expdir" "${options[@]}"
fi

if [[ $stage -le 2 && $stop_stage -ge 2 ]]; then
  echo "Stage 2: evaluating $expdir"
  "$python_path" eval.py --conf "$run_conf" --exp_dir "$expdir" "${options[@]}"
fi

if [[ $stage -le 3 && $stop_stage -ge 3 ]]; then
  echo "Stage 3: packaging $expdir/publish_dir"
  "$python_path" -m asteroid_xscheme.recipes.stages publish --conf "$expdir/conf.yml" --exp_dir "$expdir" "${options[@]}"
fi
