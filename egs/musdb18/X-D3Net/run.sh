#!/usr/bin/env bash
# Usage: ./run.sh [--OPTION VALUE ...]
#
# X-D3Net on MUSDB18 in four stages: 0 data, 1 train, 2 evaluate, 3 publish.
#   ./run.sh --dataset demo                 all stages with a small model and built-in songs
#   ./run.sh --tag mine                     all stages at full size; downloads MUSDB18
#   ./run.sh --stage 2                      evaluate the run that was trained last
#   ./run.sh --stage 2 --eval_model xumxl   evaluate published weights, without training
#
# Options, with their defaults in brackets (those of local/conf.yml follow the ones of run.sh):
# ---
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

stage=0          # first stage to run, 0 to 3
stop_stage=3     # last stage to run, 0 to 3
tag=             # name of the run in exp/train_x_d3net_TAG (empty: a new name, or the run trained last)
id=              # GPUs to use, such as 0,1 (empty: all)
dataset=musdb18  # data set: musdb18, musdb18hq, demo (built-in songs) or folder (your own songs)
conf=            # file of options (empty: local/conf.yml, or local/conf_demo.yml for demo)
python_path=${PYTHON:-python}  # Python to run (default: $PYTHON, or python)

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
