# Read the command line of a recipe. run.sh sources this file after setting its options to defaults.
#
# `--name value` sets the variable `name` if that is an option of run.sh. All other arguments are
# options of local/conf.yml: they are collected unchanged in the array `options`, and the Python
# programs check them. At the end, `expdir` is the folder of the run.

options=()
eval_model=
while [[ $# -gt 0 ]]; do
  name=${1#--}
  name=${name//-/_}
  case $1 in
    --help | -h)
      sed -n '/^# Usage/,/^# ---/p' "$0" | sed 's/^# \{0,1\}//;$d'
      sed -nE 's/^([a-z_]+)=([^ ]*) +# (.*)$/\1 \3 [\2]/p' "$0" | sed -E 's/ \[(\$.*)?\]$//' |
        while read -r name words; do printf '  --%-12s %s\n' "$name" "$words"; done
      echo
      "$python_path" train.py --help | sed -n '/^model/,$p'
      exit 0
      ;;
    --stage | --stop[-_]stage | --tag | --id | --python[-_]path | --dataset | --conf | --eval_model)
      if [[ $# -lt 2 || $2 == --* ]]; then
        echo "run.sh: $1 needs a value" >&2
        exit 2
      fi
      printf -v "$name" '%s' "$2"
      if [[ $1 == --eval_model ]]; then options+=("$1" "$2"); fi
      shift 2
      ;;
    *)
      options+=("$1")
      shift
      ;;
  esac
done

for name in stage stop_stage; do
  if [[ ! ${!name} =~ ^[0-3]$ ]]; then
    echo "run.sh: --$name must be 0 (data), 1 (train), 2 (evaluate) or 3 (publish), not '${!name}'" >&2
    exit 2
  fi
done

conf=${conf:-local/conf.yml}
if [[ $dataset == demo && $conf == local/conf.yml ]]; then
  conf=local/conf_demo.yml
fi
options+=(--dataset "$dataset")
if [[ -n $id ]]; then
  export CUDA_VISIBLE_DEVICES=$id
fi

# Do not let idle threads spin, and keep freed memory for the next step: training on a CPU takes a
# third less time (docs/choices.md).
export GOMP_SPINCOUNT=${GOMP_SPINCOUNT:-2000}
export MALLOC_MMAP_THRESHOLD_=${MALLOC_MMAP_THRESHOLD_:-1073741824}
export MALLOC_TRIM_THRESHOLD_=${MALLOC_TRIM_THRESHOLD_:-4294967296}

# Without --tag, a training gets a new name, and the other stages use the run that was trained last.
# With --eval_model and without --tag, stage 2 needs no run: it gets its own folder, and stage 3 is
# skipped.
mkdir -p exp
if [[ -n $eval_model && -z $tag && $stage -eq 2 ]]; then
  name=${eval_model%%\?*}
  name=$(basename "$name")
  for suffix in pth pt h5 zip safetensors; do name=${name%."$suffix"}; done
  expdir=exp/eval_$name
  run_conf=$conf
  stop_stage=2
  return
fi
if [[ -z $tag && $stage -le 1 && $stop_stage -ge 1 ]]; then
  tag=$("$python_path" -c 'import uuid; print(str(uuid.uuid4())[:8])')
elif [[ -z $tag && $stop_stage -ge 2 ]]; then
  if [[ ! -f exp/last_tag ]]; then
    echo "run.sh: no run has been trained here yet; start with --stage 1, or name a run with --tag" >&2
    exit 2
  fi
  tag=$(<exp/last_tag)
fi
expdir=exp/train_$(basename "$PWD" | tr '[:upper:]-' '[:lower:]_')_$tag
run_conf=$expdir/conf.yml
