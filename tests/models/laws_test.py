"""What every bridged model promises, whatever its architecture (see conftest.py for the models)."""

import copy

import numpy as np
import pytest
import torch

from asteroid_xscheme.models import BridgedModel, SpectrogramModel
from tests.rounding import NETWORK, NETWORK_IN_BFLOAT

N_SAMPLES = 203  # a multiple of no hop


def noise(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("nb_channels", (1, 2, 3))
@pytest.mark.parametrize("sources", (["vocals"], ["a", "b"], ["a", "b", "c", "d", "e"]))
def test_model_estimates_every_source_in_every_channel(build, sources, nb_channels):
    model = build(sources=sources, nb_channels=nb_channels).eval()
    estimates = model.forward_wav(noise(2, nb_channels, N_SAMPLES))
    assert estimates.shape == (2, len(sources), nb_channels, N_SAMPLES)
    assert model.in_channels == nb_channels


@pytest.mark.parametrize("n_samples", (1, 2, 15, 33, 63, 64, 65, 200))
def test_estimates_are_finite_and_as_long_as_the_input_for_any_length(build, n_samples):
    model = build().eval()
    estimates = model.forward_wav(noise(1, 2, n_samples))
    assert estimates.shape == (1, 3, 2, n_samples)
    assert estimates.isfinite().all()


@pytest.mark.parametrize("shape, n_batch", (((200,), 1), ((4, 200), 4), ((4, 1, 200), 4)))
@pytest.mark.parametrize("nb_channels", (1, 2))
def test_waveform_without_a_channel_axis_feeds_all_channels(build, shape, n_batch, nb_channels):
    model = build(nb_channels=nb_channels).eval()
    wav = noise(*shape)
    same = wav.reshape(n_batch, 1, 200).repeat(1, nb_channels, 1)
    assert torch.equal(model.forward_wav(wav), model.forward_wav(same))


def test_wrong_number_of_channels_is_an_error_that_names_both(build):
    with pytest.raises(ValueError, match=r"2 channel\(s\) or with one, got \(1, 3, 200\)"):
        build().forward_wav(noise(1, 3, 200))
    with pytest.raises(ValueError, match=r"got \(1, 1, 2, 200\)"):
        build().forward_wav(noise(1, 1, 2, 200))


def test_mono_model_accepts_any_number_of_channels(build):
    assert build(nb_channels=1).eval().forward_wav(noise(2, 3, 200)).shape == (2, 3, 1, 200)


def test_forward_returns_spectrograms_and_signals_in_the_order_of_asteroid(build):
    model = build().eval()
    model.return_time_signals = True
    spectrograms, signals = model(noise(2, 2, N_SAMPLES))
    n_sources, n_frames, n_batch, n_channels, n_bins = spectrograms.shape
    assert (n_sources, n_batch, n_channels) == (3, 2, 2)
    assert n_frames > 1 and n_bins > 1
    assert signals.shape[:3] == (3, 2, 2)
    assert 0 <= N_SAMPLES - signals.shape[-1] < 64


def test_only_spectrograms_are_returned_if_signals_are_not_wanted(build):
    model = build().eval()
    model.return_time_signals = False
    spectrograms, signals = model(noise(1, 2, N_SAMPLES))
    assert spectrograms.shape[0] == 3
    assert signals is None


def test_input_is_not_changed(build):
    model, wav = build(), 4 * noise(2, 2, N_SAMPLES)
    before = wav.clone()
    model(wav)
    model.forward_wav(wav)
    model.separate(wav)
    assert torch.equal(wav, before)


def test_items_of_a_batch_are_separated_independently(build):
    model, wav = build().eval(), noise(3, 2, N_SAMPLES)
    one_by_one = torch.cat([model.forward_wav(item[None]) for item in wav])
    torch.testing.assert_close(model.forward_wav(wav), one_by_one, **NETWORK)


def used_parameters(model, source):
    """Names of the parameters on which the estimate of one source depends."""
    model.zero_grad()
    estimate = model.eval().forward_wav(noise(1, 2, N_SAMPLES))[:, source]
    estimate.square().sum().backward()
    return {
        name
        for name, parameter in model.named_parameters()
        if parameter.grad is not None and parameter.grad.any()
    }


def test_without_bridges_every_source_depends_only_on_its_own_network(build):
    model = build(bridge=False)
    used = [used_parameters(model, source) for source in range(3)]
    assert all(used)
    assert not used[0] & used[1] and not used[0] & used[2] and not used[1] & used[2]


def test_with_bridges_every_source_depends_on_all_networks(build):
    alone, bridged = build(bridge=False), build()
    networks = [used_parameters(alone, source) for source in range(3)]
    for source in range(3):
        used = used_parameters(bridged, source)
        assert all(used & network for network in networks)
        assert used > networks[source]


def test_bridges_add_no_parameter(build):
    alone, bridged = build(bridge=False).state_dict(), build(bridge=True).state_dict()
    assert list(alone) == list(bridged)
    assert [value.shape for value in alone.values()] == [value.shape for value in bridged.values()]


def test_one_source_needs_no_bridge(build):
    wav = noise(1, 2, N_SAMPLES)
    alone, bridged = (build(sources=["vocals"], bridge=choice).eval() for choice in (False, True))
    torch.testing.assert_close(alone.forward_wav(wav), bridged.forward_wav(wav))


def test_default_bridges_equal_the_default_points_by_name(build):
    wav, points = noise(1, 2, N_SAMPLES), list(build().default_bridge_points)
    by_name = build(bridge=points)
    assert torch.equal(by_name.eval().forward_wav(wav), build().eval().forward_wav(wav))
    assert by_name.get_model_args() == build().get_model_args()


def test_every_bridging_point_changes_the_estimates(build):
    wav = noise(1, 2, N_SAMPLES)
    alone = build(bridge=False).eval().forward_wav(wav)
    for point in build().bridge_points:
        assert not torch.allclose(build(bridge=[point]).eval().forward_wav(wav), alone, atol=1e-6)


def test_unknown_bridging_point_is_an_error_that_lists_known_points(build):
    known = build().bridge_points
    with pytest.raises(ValueError, match="Unknown.*'middle'.*" + ".*".join(known)):
        build(bridge=["middle"])


@pytest.mark.parametrize("bridge", (True, False, "first point"))
def test_package_rebuilds_the_model(build, bridge):
    bridge = [build().bridge_points[0]] if bridge == "first point" else bridge
    model = build(bridge=bridge).eval()
    package = model.serialize()
    before = copy.deepcopy(package["model_args"])
    rebuilt = type(model).from_pretrained(package).eval()
    assert package["model_args"] == before
    assert ("bridge" in before) == (bridge is not True)
    assert rebuilt.get_model_args() == model.get_model_args()
    wav = noise(1, 2, N_SAMPLES)
    assert torch.equal(rebuilt.forward_wav(wav), model.forward_wav(wav))


def test_arguments_replace_those_of_the_package(build):
    package = build().serialize()
    model = type(build()).from_pretrained(package, bridge=False, sample_rate=16000)
    assert model.get_model_args()["bridge"] is False
    assert model.sample_rate == 16000
    assert "bridge" not in package["model_args"]
    assert package["model_args"]["sample_rate"] == 8000


@pytest.mark.parametrize("names", (["keys", "a.b", "50%"], ["Lead Vocals", "ü", "type"]))
def test_any_string_may_name_a_source(build, names):
    model = build(sources=names).eval()
    rebuilt = type(model).from_pretrained(model.serialize()).eval()
    assert rebuilt.sources == names
    wav = noise(1, 2, N_SAMPLES)
    estimates = model.forward_wav(wav)
    assert torch.equal(rebuilt.forward_wav(wav), estimates)
    torch.testing.assert_close(estimates, build().eval().forward_wav(wav))


@pytest.mark.parametrize("sources", ([], ["a", "a"], ["a", ""], ["a", 1]))
def test_unusable_source_names_are_an_error(build, sources):
    with pytest.raises(ValueError, match="Expected (the names|sources with different names)"):
        build(sources=sources)


def test_subclass_rebuilds_itself_from_a_package_of_its_parent(build):
    class Mine(type(build())):
        pass

    assert type(Mine.from_pretrained(build().serialize())) is Mine
    assert type(BridgedModel.from_pretrained(build().serialize())) is type(build())


def test_package_has_plain_types_that_safe_loading_accepts(build, tmp_path):
    model = build()
    torch.save(model.serialize(), tmp_path / "model.pth")
    package = torch.load(tmp_path / "model.pth", weights_only=True)
    assert package["model_name"] == type(model).__name__
    assert package["model_args"] == model.get_model_args()
    rebuilt = type(model).from_pretrained(str(tmp_path / "model.pth"))
    assert list(rebuilt.state_dict()) == list(model.state_dict())


@pytest.mark.parametrize("leading", ((), (2,), (2, 3)))
def test_separate_keeps_the_level_of_the_estimates(build, leading):
    model, wav = build(), noise(*leading, 2, N_SAMPLES)
    estimates = model.separate(wav)
    expected = (
        model.eval().forward_wav(wav.reshape(-1, 2, N_SAMPLES)).reshape(*leading, 3, 2, N_SAMPLES)
    )
    torch.testing.assert_close(estimates, expected, **NETWORK)
    np.testing.assert_allclose(model.separate(wav.numpy()), estimates.numpy(), atol=1e-6)


def test_separate_keeps_the_mode_of_the_model(build):
    model = build().train()
    model.separate(noise(2, N_SAMPLES))
    assert all(module.training for module in model.modules())


def test_silence_is_separated_into_finite_numbers(build):
    assert build().separate(torch.zeros(2, N_SAMPLES)).isfinite().all()


def test_separate_refuses_another_number_of_channels(build):
    with pytest.raises(RuntimeError, match=r"shape \(batch, 2, time\)"):
        build().separate(noise(1, 3, N_SAMPLES))


@pytest.mark.parametrize("nb_channels", (1, 2))
@pytest.mark.parametrize("bridge", (True, False))
def test_folded_model_gives_equal_estimates(build, trained, bridge, nb_channels):
    model = trained(build(bridge=bridge, nb_channels=nb_channels))
    folded, wav = model.fold(), noise(2, nb_channels, N_SAMPLES)
    expected = model.eval().forward_wav(wav)
    error = (folded.forward_wav(wav) - expected).abs().max() / expected.abs().max()
    assert error < 1e-5
    assert not any(module.training for module in folded.modules())
    assert torch.equal(folded.fold().forward_wav(wav), folded.forward_wav(wav))


def test_folding_does_not_change_the_model(build, trained):
    model = trained(build()).train()
    before = copy.deepcopy(model.state_dict())
    model.fold()
    assert all(module.training for module in model.modules())
    assert list(before) == list(model.state_dict())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_loss_of_both_domains_trains_every_parameter(build):
    model = build().train()
    model.return_time_signals = True
    spectrograms, signals = model(noise(2, 2, 400))
    (spectrograms.square().mean() + signals.square().mean()).backward()
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None and parameter.grad.isfinite().all(), name


def test_training_under_bfloat16_autocast_is_close_to_float32(build):
    model, wav = build().eval(), noise(2, 2, 400)
    expected = model.forward_wav(wav)
    with torch.autocast("cpu", torch.bfloat16):
        estimates = model.forward_wav(wav)
    estimates.float().square().mean().backward()
    assert (estimates - expected).norm() < NETWORK_IN_BFLOAT * expected.norm()


def test_core_of_a_spectrogram_model_equals_forward(build):
    model, wav = build().eval(), noise(2, 2, N_SAMPLES)
    if not isinstance(model, SpectrogramModel):
        pytest.skip("This model works on waveforms.")
    _, magnitudes = model.analyze(wav)
    estimates = model.estimate_magnitudes(magnitudes)
    assert estimates.shape == (3, *magnitudes.shape)
    assert torch.equal(estimates, model(wav)[0])


def test_estimates_on_demand_equal_frames_and_items_of_all(build):
    model, wav = build().eval().fold(), noise(3, 2, N_SAMPLES)
    if not isinstance(model, SpectrogramModel):
        pytest.skip("This model works on waveforms.")
    _, magnitudes = model.analyze(wav)
    expected = model.estimate_magnitudes(magnitudes)[:, 2:7, 1:3]
    found = model.estimate_by_frames(magnitudes)(slice(2, 7), slice(1, 3))
    torch.testing.assert_close(found, expected, **NETWORK)


def test_weights_by_source_contain_the_state_dict_once(build):
    model = build()
    whole = [t for name, t in model.state_dict().items() if "window" not in name]
    of_sources = model.weights_by_source()
    parts = [tensor for own in of_sources.values() for tensor in own.values()]
    assert list(of_sources) == model.sources
    assert len({frozenset(own) for own in of_sources.values()}) == 1
    assert sorted(t.data_ptr() for t in parts) == sorted(t.data_ptr() for t in whole)
