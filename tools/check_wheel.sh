#!/usr/bin/env bash
# Build the wheel, install it without extras into an empty environment, and separate noise with it.
# Usage: tools/check_wheel.sh PYTHON
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

"$1" -m build --wheel --outdir "$scratch/dist" . >"$scratch/build.log" 2>&1 ||
  { cat "$scratch/build.log" >&2; exit 1; }
"$1" -m venv "$scratch/venv"
pip() { "$scratch/venv/bin/python" -m pip --disable-pip-version-check install -q -c constraints.txt "$@"; }
pip torch
pip "$scratch"/dist/*.whl
pip --no-deps asteroid
cd "$scratch"
venv/bin/python -c "
import asteroid, asteroid_xscheme, pathlib
assert (pathlib.Path(asteroid_xscheme.__file__).parent / 'py.typed').is_file()
model = asteroid.models.get('XUMX')(['vocals', 'other'], window_length=64, in_chan=64, n_hop=16)
assert type(model).__module__.startswith('asteroid_xscheme'), type(model)
"
venv/bin/xscheme --help >/dev/null
venv/bin/python -c "
import torch
from asteroid_xscheme import XD3Net, Separator
stems = Separator(XD3Net.from_pretrained('small'), 'cpu').separate(torch.rand(2, 44100) - 0.5, 44100)
assert sorted(stems) == ['bass', 'drums', 'other', 'vocals'], stems.keys()
"
echo "wheel: installs, imports and runs in an empty environment"
