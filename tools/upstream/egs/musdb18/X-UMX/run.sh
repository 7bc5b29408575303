#!/bin/bash

# Exit on error
set -e
set -o pipefail

# Main storage directory.
# If you start from downloading MUSDB18, you'll need disk space to dump the MUSDB18 and its wav.
musdb18_dir=data

# Path to the python you'll use for the experiment. Defaults to the current python
# You can run ./utils/prepare_python_env.sh to create a suitable python environment, paste the output here.
python_path=python

# Example usage
# ./run.sh --stage 1 --tag my_tag --mix_coef 10.0
# The same command resumes a training that was stopped.

# General
stage=0  # Controls from which stage to start
stop_stage=3  # Controls after which stage to stop
tag=  # Controls the directory name associated to the experiment
# You can ask for several GPUs using id (passed to CUDA_VISIBLE_DEVICES). By default all are used.
id=$CUDA_VISIBLE_DEVICES
uploader=  # Your name: the model is uploaded only if it is given

# Options of train.py and eval.py. Those that are not given have the values of local/conf.yml
train_options="sample_rate seed seq_dur samples_per_track channelswap polarity sources num_workers \
  batch_size epochs optimizer lr weight_decay patience lr_decay_patience lr_decay_epoch \
  lr_decay_gamma gradient_clipping loss_combine_sources loss_use_multidomain mix_coef val_dur \
  pretrained bridge"
eval_options="use_gpu chunk_dur overlap wiener niter softmask n_save_ex"
for name in $train_options $eval_options; do declare $name=; done

. utils/parse_options.sh

# The options with these names that were given
given() {
  for name in "$@"; do
    if [[ -n ${!name} ]]; then echo "--$name" "${!name}"; fi
  done
}

if [[ -n $id ]]; then export CUDA_VISIBLE_DEVICES=$id; fi
# Generate a random ID for the run if no tag is specified
tag=${tag:-$($python_path -c 'import uuid; print(str(uuid.uuid4())[:8])')}
recipe=$(basename "$PWD")
expdir=exp/train_$(echo $recipe | tr -d - | tr A-Z a-z)_${tag}  # Such as exp/train_xumx_TAG

if [[ $stage -le 0 && $stop_stage -ge 0 ]]; then
  echo "Stage 0: Downloading MUSDB18 into $musdb18_dir"
  $python_path -m pip install -r requirements.txt
  wget -c --tries=0 --read-timeout=20 https://zenodo.org/record/1117372/files/musdb18.zip -P $musdb18_dir
  unzip -qn $musdb18_dir/musdb18.zip -d $musdb18_dir
  musdbconvert $musdb18_dir $musdb18_dir
fi

if [[ $stage -le 1 && $stop_stage -ge 1 ]]; then
  echo "Stage 1: Training. Results will be stored in $expdir"
  mkdir -p $expdir/publish_dir
  echo "musdb18/$recipe" > $expdir/publish_dir/recipe_name.txt
  $python_path train.py --exp_dir $expdir --train_dir "$musdb18_dir" \
    $(given $train_options) | tee -a $expdir/train.log
fi

if [[ $stage -le 2 && $stop_stage -ge 2 ]]; then
  echo "Stage 2: Evaluation, and packing the model for publication"
  $python_path eval.py --exp_dir $expdir --root "$musdb18_dir" \
    $(given $eval_options) | tee $expdir/eval.log
fi

if [[ $stage -le 3 && $stop_stage -ge 3 && -n $uploader ]]; then
  echo "Stage 3: Uploading the model to Zenodo"
  asteroid-upload $expdir/publish_dir --uploader "$uploader"
fi
