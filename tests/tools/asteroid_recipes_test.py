"""The recipes proposed for Asteroid use only Asteroid, and train like ours.

They import nothing of this package. Where the installed Asteroid lacks the models, importing
asteroid_xscheme puts ours in their place; where librosa is missing, which `asteroid.data` imports
for other data sets, an empty module stands for it. With the environment variable
ASTEROID_WITH_MODELS, the path of an Asteroid that has the models, the whole runs use that instead.
"""

import copy
import importlib
import importlib.util
import json
import os
import random
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import pytorch_lightning as pl
import soundfile
import torch
import yaml
from asteroid.models.publisher import make_license_notice
from torch.utils.data import DataLoader

from asteroid_xscheme.recipes.config import Config
from asteroid_xscheme.recipes.data import MusicDataModule, magnitude_statistics
from asteroid_xscheme.recipes.system import SeparationSystem
from asteroid_xscheme.recipes.training import build_loss
from asteroid_xscheme.dsp.stft import istft, stft
from asteroid_xscheme.dsp.wiener import wiener
from tests.conftest import RATE, write_track

RECIPES = Path(__file__).parents[2] / "tools/upstream/egs/musdb18"
MODULES = ("train", "eval", "local.dataloader")
VALID = "Actions - One Minute Smile"
SPECTROGRAM = {"window_length": 64, "in_chan": 64, "n_hop": 16}
SMALL = {
    "X-UMX": {"hidden_size": 8, "nb_layers": 1, **SPECTROGRAM},  # one layer has no dropout
    "X-D3Net": {"network": "small", **SPECTROGRAM},
    "X-ConvTasNet": {
        **{"n_filters": 8, "bn_chan": 4, "hid_chan": 8, "n_blocks": 2, "n_repeats": 2},
        **SPECTROGRAM,
    },
}
OPTIONS = {
    "training": {"batch_size": 2, "epochs": 1, "val_dur": 0.7},
    "optim": {},
    "loss": {},
    "data": {"sample_rate": RATE, "seq_dur": 0.25, "samples_per_track": 3, "num_workers": 0},
    "input": {},
    "evaluation": {"chunk_dur": 0.5},
}
QUIET = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
PARSE_OPTIONS = """# stands for Kaldi's: --name value sets a variable that there is
while [[ -n $1 ]]; do
  name=${1#--}
  if [[ -z ${!name+x} ]]; then echo "invalid option $1"; exit 1; fi
  declare "$name=$2"
  shift 2
done
"""


def lightning_is_quiet(test):
    """Filter Lightning's warnings about a training this small and a torch newer than itself."""
    for message in (
        "The number of training batches",
        ".*many workers",
        ".*LeafSpec",
        "Checkpoint dir",
    ):
        test = pytest.mark.filterwarnings(f"ignore:{message}")(test)
    return test


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory):
    """A folder for Python's path that provides our models and Asteroid's missing imports."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "sitecustomize.py").write_text("import asteroid_xscheme\n", encoding="utf-8")
    if importlib.util.find_spec("librosa") is None:
        (folder / "librosa.py").write_text("", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def recipe(stand_in):
    """The modules of a recipe."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "dont_write_bytecode", True)
        patch.syspath_prepend(RECIPES / "X-UMX")
        patch.syspath_prepend(stand_in)
        with warnings.catch_warnings():  # norbert uses a name that SciPy is about to remove
            warnings.simplefilter("ignore", DeprecationWarning)
            importlib.import_module("norbert")
        modules = {name.split(".")[-1]: importlib.import_module(name) for name in MODULES}
        yield SimpleNamespace(**modules)
        for name in (*MODULES, "local", *(path.stem for path in stand_in.glob("lib*.py"))):
            del sys.modules[name]


@pytest.fixture(scope="module")
def music(tmp_path_factory):
    """Two tracks to train on, one to validate with and one to test on."""
    root = tmp_path_factory.mktemp("musdb18")
    for seed, (name, seconds) in enumerate({"a": 1.0, "b": 1.1, VALID: 1.2}.items()):
        write_track(root / "train" / name, seconds, seed)
    write_track(root / "test" / "t", 1.5, 20)
    return root


@pytest.fixture
def make_conf(music, tmp_path):
    """A function from a recipe's name and changed options to its small configuration."""

    def make(name="X-UMX", **options):
        conf = read_conf(name)
        conf["data"]["train_dir"] = str(music)
        conf["main_args"] = {"exp_dir": str(tmp_path / "exp")}
        for group in conf:
            conf[group].update({k: v for k, v in options.items() if k in conf[group]})
        return conf

    return make


def read_conf(name):
    """The configuration of a recipe, small enough for a test."""
    conf = yaml.safe_load((RECIPES / name / "local/conf.yml").read_text(encoding="utf-8"))
    conf["model"].update(SMALL[name])
    for group, options in OPTIONS.items():
        conf[group].update(options)
    if conf["input"]["bandwidth"] is not None:
        conf["input"]["bandwidth"] = 3000
    return conf


def our_config(conf):
    """The same configuration in this package's format."""
    data = dict(conf["data"], train_dir=[conf["data"]["train_dir"]], valid_tracks=[VALID])
    data["sources"] = data["sources"].split(",")
    switches = [name for name in ("channelswap", "polarity") if data.pop(name)]
    data["source_augmentations"] = ["gain", *switches]
    schedule = ("patience", "lr_decay_gamma", "lr_decay_epoch", "lr_decay_patience")
    optim = {**conf["optim"], **{name: conf["training"][name] for name in schedule}}
    steps, patience = optim.pop("lr_decay_epoch"), optim.pop("lr_decay_patience")
    if steps is not None:
        optim.update(scheduler="steps", lr_decay_epochs=[steps])
    elif patience is not None:
        optim.update(scheduler="plateau", lr_decay_patience=patience)
    else:
        optim.update(scheduler="constant")
    return Config.from_dict(
        {
            "model": {"architecture": conf["model"]["name"]},
            "data": {"dataset": "folder", **data},
            "optim": optim,
            "loss": conf["loss"],
        }
    )


def test_recipes_import_nothing_of_this_package():
    for path in RECIPES.rglob("*.*"):
        if path.suffix != ".pyc":
            assert "xscheme" not in path.read_text(encoding="utf-8")


def test_recipes_differ_only_in_their_configuration():
    def tree(name):
        files = (path for path in (RECIPES / name).rglob("*") if "__pycache__" not in path.parts)
        return {path.relative_to(RECIPES / name): path for path in files}

    ours = tree("X-UMX")
    for name in ("X-D3Net", "X-ConvTasNet"):
        assert tree(name).keys() == ours.keys()
        for file, path in tree(name).items():
            assert path.is_symlink() != (file.name in ("conf.yml", "README.md", "local"))
            assert not path.is_symlink() or path.resolve() == ours[file].resolve()


def test_every_option_of_run_sh_is_in_each_configuration(recipe):
    script = (RECIPES / "X-UMX/run.sh").read_text(encoding="utf-8").replace("\\\n", " ")
    train, evaluation = (
        set(script.split(f'{name}_options="')[1].split('"')[0].split())
        for name in ("train", "eval")
    )
    evaluation -= set(vars(recipe.eval.parser.parse_args(["--large"])))
    for name in SMALL:
        conf = read_conf(name)
        assert train <= {key for group in conf.values() for key in group}
        assert evaluation <= set(conf["evaluation"])


def test_ranks_share_the_examples_of_one_process_and_epochs_differ(recipe, make_conf):
    conf = make_conf(batch_size=1)

    def examples(rank, world_size, epoch=0):
        loader, _ = recipe.dataloader.make_loaders(conf, rank, world_size)
        loader.sampler.set_epoch(epoch)
        return {tuple(mixture[0, 0, :8].tolist()) for mixture, _ in loader}

    alone, next_epoch = examples(0, 1), examples(0, 1, epoch=1)
    assert len(alone) == 6 and not alone & next_epoch
    assert examples(0, 2) | examples(1, 2) == alone
    assert not examples(0, 2) & examples(1, 2)
    random.seed(1)  # whatever was drawn before
    assert examples(0, 1) == alone


def test_mixture_is_the_sum_of_sources_in_the_order_of_the_configuration(recipe, make_conf, music):
    conf = make_conf(sources="vocals,bass", channelswap=False, gain_min=1.0, gain_max=1.0)
    loader, chunks = recipe.dataloader.make_loaders(conf)
    mixtures, sources = next(iter(loader))
    torch.testing.assert_close(mixtures, sources.sum(1))
    _, sources = next(iter(chunks))
    vocals = soundfile.read(music / "train" / VALID / "vocals.wav", dtype="float32")[0].T
    assert np.array_equal(sources[0, 0], vocals[:, : sources.shape[-1]])


@pytest.mark.parametrize("ranks", [1, 3])
def test_validation_uses_every_sample_once_on_any_number_of_ranks(recipe, make_conf, ranks):
    loaders = [recipe.dataloader.make_loaders(make_conf(), rank, ranks)[1] for rank in range(ranks)]
    assert len({len(loader) for loader in loaders}) == 1
    taken = sum(mixture.shape[-1] for loader in loaders for mixture, _ in loader)
    assert taken == int(1.2 * RATE)


def test_validation_loss_is_weighted_by_the_length_of_chunks(recipe):
    system = recipe.train.MusicSystem(torch.nn.Identity(), None, lambda x, y: x.mean(), None)
    logged = []
    system.log = lambda name, value, **how: logged.append((name, float(value), how))
    system.validation_step((torch.full((1, 2, 30), 3.0), None), 0)
    assert logged[0][:2] == ("val_loss", 3.0)
    assert logged[0][2]["batch_size"] == 30 and logged[0][2]["sync_dist"]


def test_statistics_equal_ours_and_ignore_augmentation(recipe, make_conf, music):
    conf = make_conf()
    data = MusicDataModule(our_config(conf).data, batch_size=1)
    expected = magnitude_statistics(data.train_tracks, n_fft=64, hop=16, progress=False)
    tracks = recipe.dataloader.make_loaders(conf)[0].dataset.tracks
    for own, ours in zip(recipe.train.get_statistics(conf, tracks), expected):
        np.testing.assert_allclose(own, ours, rtol=1e-5)


def test_optimizer_and_schedule_are_as_configured(recipe, make_conf):
    conf = make_conf(optimizer="sgd", lr_decay_epoch=3)
    system = recipe.train.make_system(conf, [], None)
    assert isinstance(system.optimizer, torch.optim.SGD)
    assert list(system.scheduler.milestones) == [3]
    conf = make_conf("X-ConvTasNet")
    assert recipe.train.make_system(conf, [], None).scheduler is None


def test_pretrained_weights_are_loaded_and_fit_only_the_same_sources(recipe, make_conf, tmp_path):
    trained = recipe.train.make_model(make_conf())
    torch.save(trained.serialize(), tmp_path / "model.pth")
    conf = make_conf(pretrained=str(tmp_path / "model.pth"))
    for own, expected in zip(recipe.train.make_model(conf).parameters(), trained.parameters()):
        assert torch.equal(own, expected)
    conf["data"]["sources"] = "drums,bass,vocals,other"
    with pytest.raises(ValueError, match="separates .*'bass', 'drums'.* not .*'drums', 'bass'"):
        recipe.train.make_model(conf)


def test_mono_model_learns_from_stereo_data(recipe, make_conf):
    conf = make_conf(nb_channels=1)
    loader, _ = recipe.dataloader.make_loaders(conf)
    system = recipe.train.make_system(conf, loader, None, loader.dataset.tracks)
    assert system.common_step(next(iter(loader)), 0).isfinite()


@pytest.mark.parametrize(
    "options, message",
    [
        ({"batch_size": 7}, "raise samples_per_track or lower batch_size"),
        ({"seq_dur": 1.15}, "no track of at least 1.15 s"),
    ],
)
def test_training_without_examples_is_refused(recipe, make_conf, options, message):
    with pytest.raises(RuntimeError, match=message):
        recipe.dataloader.make_loaders(make_conf(**options))


@pytest.mark.parametrize("n_samples", [50, 400, 1001])
@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5])
def test_chunked_linear_map_equals_the_whole_within_the_chunk_length(recipe, n_samples, overlap):
    lengths = []

    def estimate(mixture):
        lengths.append(mixture.shape[-1])
        return torch.stack([0.25 * mixture, 0.75 * mixture])

    mixture = torch.randn(2, n_samples)
    estimates = recipe.eval.separate_in_chunks(estimate, mixture, 2, 100, overlap)
    torch.testing.assert_close(estimates, torch.stack([0.25 * mixture, 0.75 * mixture]))
    assert max(lengths) == min(lengths) == min(100, n_samples)


def test_chunked_filter_equals_the_whole_if_its_context_fits_the_overlap(recipe):
    def estimate(mixture):  # nine samples to either side, where the ends leave ten
        return torch.nn.functional.avg_pool1d(mixture[None], 19, 1, 9)

    mixture = torch.randn(2, 1001)
    estimates = recipe.eval.separate_in_chunks(estimate, mixture, 1, 100, 0.4)
    torch.testing.assert_close(estimates, estimate(mixture), rtol=0, atol=1e-5)


def test_filtered_estimates_equal_those_of_our_wiener_filter(recipe, make_conf):
    torch.manual_seed(0)
    model = recipe.train.make_model(make_conf()).eval()
    mixture = 0.1 * torch.randn(2, 2000)
    with torch.no_grad():
        magnitudes = model(mixture[None])[0][:, :, 0].permute(0, 2, 3, 1)
    window = torch.hann_window(64)
    filtered = wiener(magnitudes, stft(mixture, window, 64, 16), iterations=2)
    expected = istft(filtered.to(torch.complex64), window, 64, 16, length=2000)
    estimates = recipe.eval.separate(model, mixture, niter=2)
    torch.testing.assert_close(estimates, expected, rtol=1e-4, atol=1e-6)
    unfiltered = recipe.eval.separate(model, mixture, wiener=False)
    torch.testing.assert_close(unfiltered, model.forward_wav(mixture[None])[0].detach())


def test_evaluation_never_scores_another_model_than_the_runs(recipe, tmp_path):
    args = recipe.eval.parser.parse_args(["--exp_dir", str(tmp_path)])
    with pytest.raises(FileNotFoundError, match="best_model.pth: train the run first"):
        recipe.eval.main(args)


class Losses(pl.Callback):
    """The loss of each step, and that of the validation after it."""

    def __init__(self):
        self.values = []

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.values.append(outputs["loss"].item())

    def on_train_epoch_end(self, trainer, pl_module):
        self.values.append(trainer.callback_metrics["val_loss"].item())


def our_losses(conf, model, batches):
    """Losses of one epoch of this package's training on these batches."""
    config = our_config(conf)
    data = MusicDataModule(config.data, batch_size=1, val_dur=conf["training"]["val_dur"])
    system = SeparationSystem(model, build_loss(config, model), config.optim)
    losses, clipping = Losses(), conf["training"]["gradient_clipping"]
    trainer = pl.Trainer(
        max_epochs=1,
        accelerator="cpu",
        gradient_clip_val=clipping,
        callbacks=[losses],
        num_sanity_val_steps=0,
        **QUIET,
    )
    batches = DataLoader(list(batches), batch_size=None)
    trainer.fit(system, batches, data.val_dataloader())
    return losses.values


@pytest.mark.parametrize(
    "name", ["X-UMX", "X-ConvTasNet", pytest.param("X-D3Net", marks=pytest.mark.slow)]
)
@lightning_is_quiet
def test_epoch_has_the_same_losses_as_our_recipe(recipe, make_conf, name):
    """The recipe draws the batches, as each orders the examples in its own way.

    Validation data are read by each of them. There is no dropout, of which each seeds its own.
    """
    conf = make_conf(name, lr=0.01)
    trainer, loaders = recipe.train.make_trainer(conf), recipe.dataloader.make_loaders(conf)
    trainer.callbacks.append(Losses())
    torch.manual_seed(0)
    system = recipe.train.make_system(conf, *loaders, loaders[0].dataset.tracks)
    expected = our_losses(conf, copy.deepcopy(system.model), loaders[0])
    trainer.fit(system)
    assert len(expected) == 4 and len(set(expected)) == 4
    assert trainer.callbacks[-1].values == pytest.approx(expected, rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("schedule", [{"lr_decay_epoch": 1}, {"lr_decay_patience": 0}])
@lightning_is_quiet
def test_resumed_run_equals_uninterrupted_run(recipe, make_conf, tmp_path, schedule):
    conf = make_conf(lr=1.0, epochs=4, **schedule)  # so high that the loss rises
    conf["model"]["nb_layers"] = 2  # with dropout
    ends = []
    for name, stops in (("whole", [4]), ("resumed", [1, 2, 4])):
        conf["main_args"]["exp_dir"] = str(tmp_path / name)
        for epochs in stops:
            conf["training"]["epochs"] = epochs
            recipe.train.main(conf)
        checkpoint = torch.load(tmp_path / name / "checkpoints/last.ckpt", weights_only=True)
        assert checkpoint["optimizer_states"][0]["param_groups"][0]["lr"] < 1
        ends.append(checkpoint["state_dict"].values())
    for whole, resumed in zip(*ends):
        torch.testing.assert_close(resumed, whole, rtol=0, atol=0)
    conf["optim"]["lr"] = 0.1
    with pytest.raises(ValueError, match="resumed holds a run with other values of lr"):
        recipe.train.main(conf)


@pytest.fixture(scope="module")
def checkout(stand_in, tmp_path_factory):
    """The files that the recipes find in Asteroid's repository, and how to run them there."""
    root = tmp_path_factory.mktemp("asteroid")
    shutil.copytree(RECIPES, root / "egs/musdb18", symlinks=True)
    utils = root / "egs/wham/ConvTasNet/utils"
    utils.mkdir(parents=True)
    (utils / "parse_options.sh").write_text(PARSE_OPTIONS, encoding="utf-8")
    upload = root / "bin/asteroid-upload"
    upload.parent.mkdir()
    upload.write_text('#!/bin/sh\necho "$@" > uploaded\n', encoding="utf-8")
    upload.chmod(0o755)
    paths = [stand_in, Path(__file__).parents[2]]
    if "ASTEROID_WITH_MODELS" in os.environ:
        paths = [os.environ["ASTEROID_WITH_MODELS"]]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        "PATH": os.pathsep.join([str(upload.parent), os.environ["PATH"]]),
    }
    return root / "egs/musdb18", environment


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_recipe_trains_scores_packs_and_uploads(checkout, music, name):
    recipes, environment = checkout
    conf = recipes / name / "local/conf.yml"
    conf.write_text(yaml.safe_dump(read_conf(name)), encoding="utf-8")
    command = ["./run.sh", "--stage", "1", "--tag", "test", "--musdb18_dir", music]
    command += ["--python_path", sys.executable, "--epochs", "2", "--n_save_ex", "1"]
    command += ["--sources", "drums,bass"]  # of all four, museval takes half a minute
    command += ["--uploader", "A Tester"]
    subprocess.run(command, cwd=recipes / name, env=environment, check=True)
    run = recipes / name / f"exp/train_{name.replace('-', '').lower()}_test"
    uploaded = (recipes / name / "uploaded").read_text(encoding="utf-8")
    assert uploaded == f"exp/{run.name}/publish_dir --uploader A Tester\n"
    assert len(json.loads((run / "best_k_models.json").read_text(encoding="utf-8"))) == 2
    frames = pd.read_csv(run / "all_metrics.csv")
    scores = frames.groupby(["target", "metric"])["score"].median()
    figures = json.loads((run / "final_metrics.json").read_text(encoding="utf-8"))
    assert figures["SIR_bass"] == scores["bass", "SIR"]
    assert figures["SDR"] == (scores["bass", "SDR"] + scores["drums", "SDR"]) / 2
    assert soundfile.info(run / "estimates/t/bass.wav").frames == int(1.5 * RATE)
    package = torch.load(run / "publish_dir/model.pth")
    assert package["infos"]["recipe_name"].strip() == f"musdb18/{name}"
    assert package["infos"]["final_metrics"] == figures
    if "ASTEROID_WITH_MODELS" in os.environ:  # earlier ones know no licence of MUSDB18
        assert make_license_notice("model", package["licenses"], uploader="A Tester")
