#!/usr/bin/env bash
# Create a virtual environment in which this package can run, train and be tested.
# Usage: tools/setup.sh PYTHON VENV
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=$1
venv=$2

say() { printf '%s\n' "$*" >&2; }
stop() { say "setup: $*"; exit 1; }

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
  stop "this needs Python 3.10 or later: make PYTHON=/path/to/python3.11 ..."

# museval, which scores the recipes, cannot be imported without ffmpeg and ffprobe.
if ! { command -v ffmpeg && command -v ffprobe; } >/dev/null; then
  if [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null; then
    say "setup: installing ffmpeg"
    { apt-get -qq update && apt-get -qq install -y --no-install-recommends ffmpeg; } >/dev/null
  else
    stop "install ffmpeg (with ffprobe) first, for example with: sudo apt-get install ffmpeg"
  fi
fi

say "setup: installing into $venv (about 3 minutes; versions are in constraints.txt)"
"$python" -m venv "$venv" || stop "cannot create $venv; on Debian, install python3-venv first"
pip() { "$venv/bin/python" -m pip --disable-pip-version-check install -q -c constraints.txt "$@"; }
pip "setuptools<82" wheel
pip torch
pip -e ".[recipes,formats,peers,dev]"
pip --no-deps asteroid openunmix  # openunmix's networks need no torchaudio
"$venv/bin/python" -c "import asteroid_xscheme"
say "setup: ready; python and xscheme are in $venv/bin"
