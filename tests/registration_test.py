"""What `import asteroid_xscheme` changes in asteroid, and what it leaves alone."""

import configparser
import importlib
import json
import pickle
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import asteroid.losses
import asteroid.models
import asteroid.separate
import numpy as np
import pytest
import soundfile
import torch
from asteroid.dsp.overlap_add import LambdaOverlapAdd
from asteroid.models import BaseModel, ConvTasNet
from asteroid.scripts.asteroid_cli import infer

import asteroid_xscheme
from asteroid_xscheme import XUMX, XConvTasNet, XD3Net
from asteroid_xscheme.models import ARCHITECTURES
from asteroid_xscheme.registration import register, register_losses, register_models
from tests.rounding import NETWORK

MODELS = [XUMX, XD3Net, XConvTasNet]
SIZES = dict(window_length=64, in_chan=64, n_hop=16, hidden_size=8, nb_layers=1, max_bin=25)


@pytest.fixture
def model():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return XUMX(["bass", "drums"], sample_rate=8000, **SIZES)


@pytest.fixture
def song(tmp_path):
    """A stereo file at the model's rate, its path and its samples (C, T)."""
    samples = 0.1 * np.random.default_rng(0).standard_normal((9001, 2)).astype("float32")
    soundfile.write(tmp_path / "song.wav", samples, 8000, subtype="FLOAT")
    return tmp_path / "song.wav", torch.from_numpy(samples.T)


@pytest.mark.parametrize("model_class", MODELS)
def test_asteroid_finds_the_models_by_name(model_class):
    name = model_class.__name__
    assert asteroid.models.get(name) is model_class
    assert asteroid.models.get(name.lower()) is model_class
    assert getattr(importlib.import_module("asteroid.models"), name) is model_class


def test_entry_points_name_all_architectures():
    setup = configparser.ConfigParser()
    setup.read(Path(__file__).parents[1] / "setup.cfg")
    lines = setup["options.entry_points"]["asteroid.models"].split("\n")[1:]
    named = dict(line.split(" = asteroid_xscheme:") for line in lines)
    assert {k: getattr(asteroid_xscheme, v) for k, v in named.items()} == ARCHITECTURES


def test_asteroid_still_finds_its_own_models():
    assert asteroid.models.get("ConvTasNet") is ConvTasNet


@pytest.mark.parametrize(
    "name", ("MultiDomainLoss", "CombinationLoss", "combination_mse", "combination_wsdr")
)
def test_asteroid_finds_the_losses_by_name(name):
    assert asteroid.losses.get(name) is getattr(asteroid_xscheme, name)
    assert getattr(asteroid.losses, name) is getattr(asteroid_xscheme, name)


def test_asteroid_finds_its_own_losses_by_name():
    assert asteroid.losses.get("PITLossWrapper") is asteroid.losses.PITLossWrapper
    assert asteroid.losses.get(None) is None
    assert asteroid.losses.get(torch.nn.functional.l1_loss) is torch.nn.functional.l1_loss
    for wrong in ("none of them", "torch", 3):
        with pytest.raises(ValueError, match="Could not interpret loss"):
            asteroid.losses.get(wrong)


def test_registered_loss_is_found_and_cannot_be_registered_again():
    def my_loss_of_registration_test(estimates, targets):
        return (estimates - targets).abs().mean()

    asteroid.losses.register_loss(my_loss_of_registration_test)
    found = asteroid.losses.get("my_loss_of_registration_test")
    assert found is my_loss_of_registration_test
    for known in (my_loss_of_registration_test, asteroid.losses.PITLossWrapper):
        with pytest.raises(ValueError, match="already exists"):
            asteroid.losses.register_loss(known)


def test_registering_again_changes_nothing():
    names = [(asteroid.models, name.__name__) for name in MODELS]
    before = [getattr(module, name) for module, name in names]
    register()
    register()
    assert [getattr(module, name) for module, name in names] == before
    assert asteroid.separate.file_separate.__wrapped__.__module__ == "asteroid.separate"
    assert not hasattr(asteroid.separate.file_separate.__wrapped__, "__wrapped__")


def test_asteroid_that_has_bridged_models_keeps_them():
    class XUMX:
        def __init__(self, sources, bridge=True):
            """A model of a later asteroid."""

    class XD3Net:
        def __init__(self, sources):
            """Without bridges: not the model of the paper."""

    stand_in = ModuleType("models")
    stand_in.XUMX, stand_in.XD3Net = XUMX, XD3Net
    stand_in.register_model = lambda model: setattr(stand_in, model.__name__, model)
    register_models(stand_in)
    assert stand_in.XUMX is XUMX
    assert stand_in.XD3Net is asteroid_xscheme.XD3Net
    assert stand_in.XConvTasNet is asteroid_xscheme.XConvTasNet


def test_our_loader_builds_our_models_beside_those_of_asteroid(model, monkeypatch):
    monkeypatch.setattr(asteroid.models, "XUMX", type("XUMX", (BaseModel,), {}))
    assert type(asteroid_xscheme.BridgedModel.from_pretrained(model.serialize())) is XUMX


def test_asteroid_that_has_the_losses_keeps_them():
    def get(identifier):
        return identifier

    class MultiDomainLoss:
        pass

    stand_in = ModuleType("losses")
    stand_in.__all__ = []
    stand_in.get, stand_in.MultiDomainLoss = get, MultiDomainLoss
    register_losses(stand_in)
    assert stand_in.get is get and stand_in.MultiDomainLoss is MultiDomainLoss
    assert stand_in.CombinationLoss is asteroid_xscheme.CombinationLoss


def test_base_model_reads_our_files(model, tmp_path):
    torch.save(model.serialize(), tmp_path / "model.pth")
    for path in (tmp_path / "model.pth", str(tmp_path / "model.pth")):
        loaded = BaseModel.from_pretrained(path, bridge=False)
        assert type(loaded) is XUMX
        assert loaded.get_model_args()["bridge"] is False


def test_base_model_reads_our_files_that_torch_alone_refuses(model, tmp_path):
    package = model.serialize()
    package["infos"]["software_versions"]["torch_version"] = torch.__version__
    package["model_args"]["max_bin"] = np.int64(25)
    torch.save(package, tmp_path / "old.pth")
    loaded = BaseModel.from_pretrained(str(tmp_path / "old.pth"), sample_rate=16000)
    assert type(loaded) is XUMX and loaded.sample_rate == 16000


def test_base_model_runs_no_code_from_a_file(tmp_path):
    class Harmful:
        def __reduce__(self):
            return exec, ("raise SystemExit('ran code of a file')",)

    torch.save({"model_name": "XUMX", "model_args": {}, "state_dict": Harmful()}, tmp_path / "x")
    with pytest.raises(pickle.UnpicklingError, match="exec"):
        BaseModel.from_pretrained(str(tmp_path / "x"))


#: what an import may set in asteroid; the docstring of `registration` says why
CHANGED_NAMES = {
    "asteroid.losses.CombinationLoss",
    "asteroid.losses.MultiDomainLoss",
    "asteroid.losses.combination_mse",
    "asteroid.losses.combination_wsdr",
    "asteroid.losses.get",
    "asteroid.losses.register_loss",
    "asteroid.models.XConvTasNet",
    "asteroid.models.XD3Net",
    "asteroid.models.XScheme",
    "asteroid.models.XSchemeOfMagnitudes",
    "asteroid.models.XUMX",
    "asteroid.models.base_models.BaseModel.from_pretrained",
    "asteroid.separate.file_separate",
    "asteroid.separate.torch_separate",
}
NAMES_BEFORE_AND_AFTER = """
import json, sys
import asteroid.models
from asteroid.scripts import asteroid_cli  # the module behind asteroid-infer

def names():
    found = {}
    for module in [m for n, m in sys.modules.items() if n.partition(".")[0] == "asteroid"]:
        for name, value in vars(module).items():
            if name.startswith("_") or type(value).__name__ == "module":
                continue
            found[f"{module.__name__}.{name}"] = value
            if isinstance(value, type) and value.__module__ == module.__name__:
                for attribute, of_class in vars(value).items():
                    found[f"{module.__name__}.{name}.{attribute}"] = of_class
    return found

before, modules = names(), set(sys.modules)
import asteroid_xscheme
after = names()
changed = [n for n in {**before, **after} if before.get(n) is not after.get(n)]
print(json.dumps([changed, sorted(set(sys.modules) - modules)]))
"""


def run_python(program, *arguments):
    """The JSON that a program prints in a fresh interpreter."""
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_import_changes_only_these_names_of_asteroid():
    changed, modules = run_python(NAMES_BEFORE_AND_AFTER)
    assert set(changed) == CHANGED_NAMES
    assert {"av", "matplotlib", "pandas", "pytorch_lightning"}.isdisjoint(modules)


CONV_TASNET = """
import json, os, sys
os.environ["ASTEROID_CACHE"] = sys.argv[1] + "/cache"
import soundfile, torch
from asteroid.models import BaseModel, ConvTasNet
from asteroid.utils import hub_utils

torch.manual_seed(0)
model = ConvTasNet(2, n_filters=8, kernel_size=4, stride=2, bn_chan=4, hid_chan=4, skip_chan=4,
                   n_blocks=1, n_repeats=1, sample_rate=8000).eval()
package = model.serialize()
package["infos"]["software_versions"]["torch_version"] = "2.6"  # loads
url = "https://models.invalid/m.pth"
cached = os.environ["ASTEROID_CACHE"] + "/" + hub_utils.url_to_filename(url)
os.makedirs(cached)
torch.save(package, cached + "/model.pth")
wav = torch.randn(1, 1, 400)

def look(folder):
    os.mkdir(folder)
    torch.save(package, folder + "/m.pth")
    soundfile.write(folder + "/song.wav", wav[0].T.numpy(), 8000, subtype="FLOAT")
    facts = []
    for source in (folder + "/m.pth", package, url):
        loaded = BaseModel.from_pretrained(source).eval()
        try:
            loaded.separate(folder + "/song.wav", force_overwrite=True)
            facts.append(float(soundfile.read(folder + "/song_est1.wav")[0].sum()))
        except ModuleNotFoundError as error:  # asteroid's julius, which is not ours to require
            facts.append(str(error))
        facts += [type(loaded).__name__, loaded.separate(wav).sum().item()]
        facts += [float(loaded.separate(wav.numpy()).sum())]
    torch.save({"no": "model"}, folder + "/no.pth")
    infos = package["infos"]["software_versions"]
    refused = {**infos, "torch_version": torch.__version__}  # torch refuses it
    torch.save({**package, "infos": {"software_versions": refused}}, folder + "/old.pth")
    for wrong in ("no.pth", "old.pth", "nothing.pth"):
        try:
            BaseModel.from_pretrained(folder + "/" + wrong)
        except Exception as error:
            facts.append([type(error).__name__, str(error).replace(folder, "")])
    return facts + [sorted(os.listdir(cached))]

without = look(sys.argv[1] + "/without")
import asteroid_xscheme
print(json.dumps([without, look(sys.argv[1] + "/with")]))
"""


def test_asteroids_models_behave_as_without_this_package(tmp_path):
    without, with_us = run_python(CONV_TASNET, str(tmp_path))
    assert with_us == without
    assert len(without) == 3 * 4 + 3 + 1


def test_asteroids_separate_keeps_level_and_channels(model):
    wav = torch.randn(2, 500)
    expected = model.eval().forward_wav(wav[None])[0]
    torch.testing.assert_close(asteroid.separate.separate(model, wav), expected, **NETWORK)
    estimates = asteroid.separate.separate(model, wav.numpy())
    np.testing.assert_allclose(estimates, expected.detach(), **NETWORK)


def test_asteroids_separate_is_unchanged_for_its_own_models():
    class Copies(BaseModel):
        def __init__(self):
            super().__init__(8000)
            self.gain = torch.nn.Parameter(torch.ones(1))

        def forward(self, wav):
            return self.gain * torch.cat([wav, wav], 1)

    wav = torch.randn(1, 1, 50)
    estimates = asteroid.separate.separate(Copies(), wav)
    torch.testing.assert_close(estimates, torch.cat([wav, wav], 1) / 2)


def read_stems(folder):
    names = ("song_bass.wav", "song_drums.wav")
    return [torch.from_numpy(soundfile.read(folder / name, dtype="float32")[0].T) for name in names]


def test_file_is_separated_into_named_stereo_stems_at_the_right_level(model, song):
    path, samples = song
    model.separate(str(path))
    stems = read_stems(path.parent)
    assert [tuple(stem.shape) for stem in stems] == [(2, 9001)] * 2
    torch.testing.assert_close(sum(stems), samples, atol=1e-4, rtol=0)


def test_asteroid_infer_separates_a_file(model, song, tmp_path):
    torch.save(model.serialize(), tmp_path / "model.pth")
    path, samples = song
    folder = tmp_path / "stems"
    infer([str(tmp_path / "model.pth"), "--files", str(path), "-o", str(folder), "-d", "cpu"])
    torch.testing.assert_close(sum(read_stems(folder)), samples, atol=1e-4, rtol=0)


def test_asteroid_infer_with_overlap_add_suggests_our_command(model, song):
    chunked = LambdaOverlapAdd(model, None, 400, window="hann")
    with pytest.raises(RuntimeError, match="XUMX separates files of any length.*--ola-window"):
        asteroid.separate.separate(chunked, str(song[0]))


def test_file_with_another_rate_is_resampled_on_request(model, song):
    path, samples = song
    soundfile.write(path, samples.T.numpy(), 11025, subtype="FLOAT")
    with pytest.raises(RuntimeError, match="11025Hz.*resample=True"):
        model.separate(path)
    model.separate(path, resample=True)
    assert [tuple(stem.shape) for stem in read_stems(path.parent)] == [(2, 9001)] * 2
    assert soundfile.info(path.parent / "song_bass.wav").samplerate == 11025


def test_existing_stems_are_replaced_only_on_request(model, song):
    path, _ = song
    taken = path.parent / "song_drums.wav"
    taken.write_bytes(b"mine")
    with pytest.warns(UserWarning, match="song_drums.wav already exists.*force_overwrite"):
        model.separate(path)
    assert taken.read_bytes() == b"mine"
    model.separate(path, force_overwrite=True)
    assert len(read_stems(path.parent)) == 2


FRESH = """
import sys, torch
import asteroid_xscheme
from asteroid.models import BaseModel, XUMX
torch.manual_seed(0)
wav = torch.randn(1, 2, 200)
model = BaseModel.from_pretrained(sys.argv[1]).eval()
assert isinstance(model, XUMX)
torch.save(model.forward_wav(wav), sys.argv[2])
"""


def test_fresh_interpreter_rebuilds_a_saved_model(model, tmp_path):
    torch.save(model.serialize(), tmp_path / "model.pth")
    paths = [str(tmp_path / "model.pth"), str(tmp_path / "out.pt")]
    subprocess.run([sys.executable, "-c", FRESH, *paths], check=True)
    generator = torch.random.manual_seed(0)
    expected = model.eval().forward_wav(torch.randn(1, 2, 200, generator=generator))
    torch.testing.assert_close(torch.load(tmp_path / "out.pt"), expected)
