"""Training: the files of a run, how it resumes, and what it refuses."""

import csv
import json

import pytest
import torch
from pytorch_lightning import Callback

from asteroid_xscheme.weights import load_package
from asteroid_xscheme.recipes.config import ConfigError
from asteroid_xscheme.models import BridgedModel
from asteroid_xscheme.recipes.identity import weights_hash
from asteroid_xscheme.recipes.training import train

pytestmark = pytest.mark.filterwarnings(
    # advice for long runs that a run of seconds does not need:
    "ignore:The '.*_dataloader' does not have many workers",
)


def weights(path):
    return load_package(str(path))["state_dict"]


def assert_same_weights(one, other):
    one, other = weights(one), weights(other)
    assert one.keys() == other.keys()
    for name in one:
        torch.testing.assert_close(one[name], other[name], rtol=0, atol=0, msg=name)


@pytest.mark.parametrize("architecture", ["XUMX", "XD3Net", "XConvTasNet"])
def test_run_leaves_model_configuration_checkpoints_and_logs(
    architecture, make_config, tmp_path, capsys
):
    config = make_config(architecture, data={"sources": ["vocals", "other"]})
    best = train(config, tmp_path)

    model = BridgedModel.from_pretrained(str(best))
    assert type(model).__name__ == architecture and model.sources == ["vocals", "other"]
    assert (tmp_path / "conf.yml").read_text(encoding="utf-8") == config.to_yaml()
    assert (tmp_path / "checkpoints" / "last.ckpt").is_file()
    seconds = json.loads((tmp_path / "seconds.json").read_text())
    assert list(seconds) == ["0", "1"] and all(value > 0 for value in seconds.values())
    scores = json.loads((tmp_path / "best_k_models.json").read_text())
    assert len(scores) == 2
    finished = json.loads((tmp_path / "finished.json").read_text())
    assert finished["epochs"] == 2 and finished["hours"] == sum(seconds.values()) / 3600
    assert finished["weights"] == weights_hash(load_package(str(best)))
    assert list((tmp_path / "logs" / "tensorboard").glob("events*"))
    with open(tmp_path / "logs" / "metrics.csv") as file:
        columns = set(next(csv.reader(file)))
    assert {"loss_epoch", "val_loss", "lr", "examples_per_second"} <= columns
    assert {"train/time", "val/frequency", "val/frequency/vocals", "train/time/other"} <= columns
    report = capsys.readouterr().out
    assert "epoch 1/2" in report and "epoch 2/2" in report and "val_loss" in report


def test_package_names_data_and_licences(make_config, tmp_path):
    package = load_package(str(train(make_config(training={"epochs": 1}), tmp_path)))
    assert {"dataset", "task", "licenses"} <= set(package)


@pytest.mark.parametrize(
    "options",
    [
        {"optim": {"scheduler": "plateau", "lr_decay_patience": 0, "lr_decay_cooldown": 0}},
        {"optim": {"scheduler": "steps", "lr_decay_epochs": [1, 3]}},
        {"training": {"ema_decay": 0.9}},
        {"data": {"num_workers": 1}},
    ],
    ids=["plateau", "steps", "ema", "workers"],
)
def test_stopped_and_resumed_run_equals_uninterrupted_run(options, make_config, tmp_path):
    def config(epochs):
        training = {**options.get("training", {}), "epochs": epochs}
        return make_config(**{**options, "training": training})

    whole = train(config(4), tmp_path / "whole")
    train(config(2), tmp_path / "parts")
    parts = train(config(4), tmp_path / "parts")
    assert_same_weights(whole, parts)
    assert_same_last_state(tmp_path)


def assert_same_last_state(folder):
    one, other = (
        torch.load(folder / run / "checkpoints" / "last.ckpt", weights_only=True)
        for run in ("whole", "parts")
    )
    assert (
        one["optimizer_states"][0]["param_groups"] == other["optimizer_states"][0]["param_groups"]
    )
    assert one["schedule"] == other["schedule"]
    assert one["epoch"] == other["epoch"] and one["global_step"] == other["global_step"]


def test_finished_run_is_not_trained_again(make_config, tmp_path, capsys):
    first = train(make_config(), tmp_path)
    before = weights(first)
    capsys.readouterr()
    again = train(make_config(), tmp_path)
    assert "epoch" not in capsys.readouterr().out
    assert all(torch.equal(before[name], value) for name, value in weights(again).items())


def test_averaged_weights_are_saved(make_config, tmp_path):
    best = train(make_config(training={"epochs": 1, "ema_decay": 0.5}), tmp_path)
    last = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
    name = "layer_enc.vocals.enc.0.weight"
    saved = weights(best)[name]
    torch.testing.assert_close(saved, last["state_dict"][f"model.{name}"])
    assert not torch.equal(saved, last["current_model_state"][f"model.{name}"])


def test_run_with_other_options_is_not_resumed(make_config, tmp_path):
    train(make_config(training={"epochs": 1}), tmp_path)
    with pytest.raises(ConfigError, match="lr was 0.001, is now 0.1.*choose another --tag"):
        train(make_config(optim={"lr": 0.1}), tmp_path)


def test_new_run_does_not_overwrite_an_old_one(make_config, tmp_path):
    train(make_config(training={"epochs": 1}), tmp_path)
    with pytest.raises(ConfigError, match="already holds a run"):
        train(make_config(training={"resume": "none"}), tmp_path)


def test_missing_checkpoint_to_resume_is_named(make_config, tmp_path):
    with pytest.raises(ConfigError, match="no checkpoint nowhere.ckpt"):
        train(make_config(training={"resume": "nowhere.ckpt"}), tmp_path)


def test_fine_tuning_starts_from_the_pretrained_weights(make_config, tmp_path):
    first = train(make_config(training={"epochs": 1}), tmp_path / "first")
    options = {"epochs": 1, "pretrained": str(first)}
    tuned = train(make_config(training=options, optim={"lr": 1e-12}), tmp_path / "tuned")
    before, after = weights(first), weights(tuned)
    assert all(
        torch.allclose(before[name], after[name], atol=1e-6)
        for name in before
        if "running" not in name and "num_batches" not in name
    )


def test_d3net_separates_songs_in_patches_as_long_as_its_training_segments(make_config, tmp_path):
    """Also a fine-tuned model, whose pretraining may have used other segments."""
    pretrained = None
    for n_frames in (20, 12):
        data = {"seq_dur": 16 * (n_frames - 1) / 8000}
        training = {"epochs": 1, "pretrained": pretrained}
        config = make_config("XD3Net", data=data, training=training)
        pretrained = str(train(config, tmp_path / str(n_frames)))
        groups = BridgedModel.from_pretrained(pretrained).patch_groups
        assert [group.frames for group in groups] == [n_frames]


@pytest.mark.parametrize("val_dur, longest", [(None, 0.25), (0.5, 0.5)])
def test_validation_chunks_have_the_requested_length_or_that_of_segments(
    val_dur, longest, make_config, tmp_path
):
    class Lengths(Callback):
        seen = set()

        def on_validation_batch_start(self, trainer, module, batch, *_):
            self.seen.add(batch[0].shape[-1])

    config = make_config(training={"epochs": 1, "val_dur": val_dur})
    train(config, tmp_path, [Lengths()])
    assert 0.8 * longest < max(Lengths.seen) / config.data.sample_rate <= longest


def test_waveform_loss_trains_without_spectrograms(make_config, tmp_path):
    config = make_config("XConvTasNet", loss={"loss": "WaveformL1Loss"}, training={"epochs": 1})
    assert train(config, tmp_path).is_file()


def test_spectrogram_loss_trains_without_waveforms(make_config, tmp_path):
    config = make_config(loss={"loss_use_multidomain": False}, training={"epochs": 1})
    assert train(config, tmp_path).is_file()


def test_gradients_are_accumulated_and_clipped_as_configured(make_config, tmp_path):
    options = {"epochs": 1, "accumulate_grad_batches": 3, "gradient_clipping": 1.0}
    train(make_config(training=options), tmp_path)
    last = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
    assert last["global_step"] == 1  # 6 tracks x 2 segments / 4 = 3 batches
