"""`precision="auto"`: bfloat16 only where the device has it and the estimates hardly change."""

import dataclasses

import pytest
import torch

from asteroid_xscheme.models import RoundingEffect
from asteroid_xscheme.separation import Separator
from asteroid_xscheme.separation.precision import choose_precision, computes_bfloat16

CPU = torch.device("cpu")
SMALL = RoundingEffect(deviation_db=-60.0, sdr_db=0.01)


def processor_with(monkeypatch, **capabilities):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)


def inference_of(model, effect):
    return dataclasses.replace(model.inference, bfloat16=effect)


@pytest.mark.parametrize("name", ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16"))
def test_a_processor_with_bfloat16_uses_it(xumx, monkeypatch, name):
    processor_with(monkeypatch, **{name: True})
    choice = choose_precision(inference_of(xumx, SMALL), CPU)
    assert choice.name == "bf16"
    assert "by -60 dB, and device cpu has it" in choice.reason


@pytest.mark.parametrize("capabilities", ({}, {"avx512_bf16": False, "avx512_f": True}))
def test_a_processor_without_it_uses_float32(xumx, monkeypatch, capabilities):
    processor_with(monkeypatch, **capabilities)
    choice = choose_precision(inference_of(xumx, SMALL), CPU)
    assert choice == ("float32", "torch knows of no bfloat16 in hardware on device cpu")


def test_a_torch_that_cannot_tell_uses_float32(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert not computes_bfloat16(CPU)
    assert not computes_bfloat16(torch.device("mps"))


@pytest.mark.parametrize(
    "effect, reason",
    (
        (None, "is not known"),
        (RoundingEffect(-50.0, 0.01), "by -50 dB"),
        (RoundingEffect(-60.0, 0.02), "by -60 dB"),
        (RoundingEffect(-60.0), "by -60 dB"),
    ),
)
def test_a_model_that_changes_or_was_not_measured_uses_float32(xumx, monkeypatch, effect, reason):
    processor_with(monkeypatch, avx512_bf16=True)
    choice = choose_precision(inference_of(xumx, effect), CPU)
    assert choice.name == "float32"
    assert reason in choice.reason


def test_auto_separates_as_the_precision_that_it_chooses(xumx, music, monkeypatch):
    processor_with(monkeypatch, avx512_bf16=True)
    inference = inference_of(xumx, SMALL)
    monkeypatch.setattr(type(xumx), "inference", inference)
    automatic, explicit = (Separator(xumx, "cpu", precision=p) for p in ("auto", "bf16"))
    assert automatic.precision.name == explicit.precision.name == "bf16"
    found, expected = (x.separate(music[:, :9000]) for x in (automatic, explicit))
    assert all(torch.equal(found[source], expected[source]) for source in expected)


def test_decoders_of_x_umx_keep_float32_in_bfloat16(xumx, monkeypatch):
    decoded = []
    decode = type(xumx)._decode

    def keep(model, features, magnitudes):
        decoded.append((features[0].dtype, decode(model, features, magnitudes)))
        return decoded[-1][1]

    monkeypatch.setattr(type(xumx), "_decode", keep)
    Separator(xumx, "cpu", precision="bf16").separate(torch.randn(2, 8000), 8000)
    assert {(features, masks.dtype) for features, masks in decoded} == {(torch.float32,) * 2}
