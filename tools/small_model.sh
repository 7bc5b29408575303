#!/usr/bin/env bash
# Make the small model of the package from nothing: songs, training, scores, card.
# Usage: tools/small_model.sh PYTHON SONGS [LEFT_OUT]
#
# SONGS holds a folder per song with bass, drums, other and vocals in any audio format. The song
# LEFT_OUT (default: Potassium) is scored on and not trained on. Run it again to go on where it stopped.
set -euo pipefail
python=$1
songs=${2:?"tell where the songs are: make small-model SONGS=folder"}
left_out=${3:-Potassium}
songs=$(cd "$songs" && pwd)
tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$tools/../egs/musdb18/X-D3Net"
run=exp/small
conf=local/conf_small.yml

if [[ ! -d $songs/$left_out ]]; then
  echo "small_model: there is no song $left_out in $songs: choose the one to leave out with LEFT_OUT=" >&2
  exit 2
fi
originals=data/small_originals
rm -rf "$originals"
mkdir -p "$originals"/{train,test}
for song in "$songs"/*/; do
  name=$(basename "$song")
  subset=train
  if [[ $name == "$left_out" ]]; then subset=test; fi
  ln -s "$songs/$name" "$originals/$subset/$name"
done

echo "Songs"
"$python" -m asteroid_xscheme.recipes.stages prepare --conf "$conf"
"$python" -m xscheme data prepare --dataset folder --source_dir "$originals" --root data/small_songs

echo "Training $run"
"$python" train.py --conf "$conf" --exp_dir "$run"

echo "Scores on $left_out, then on what is rendered"
"$python" eval.py --conf "$run/conf.yml" --exp_dir "$run" --test_dir data/small_songs
"$python" eval.py --conf "$run/conf.yml" --exp_dir "$run/rendered" --test_dir data/small_rendered \
  --eval_model "$run/best_model.pth"

"$python" "$tools/small_model.py" "$run"
