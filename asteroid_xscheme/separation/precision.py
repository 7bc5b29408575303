"""The numeric precision of the networks: the choices, and how "auto" chooses between them."""

from typing import Any, Dict, NamedTuple

import torch

from ..models import Inference

#: by name, the type that networks compute in; None for that of their weights
PRECISIONS = {"float32": None, "bf16": torch.bfloat16, "fp16": torch.float16}
#: capabilities of processors, as torch names them, that multiply numbers in bfloat16
_NATIVE_ON_CPU = ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16")


class PrecisionChoice(NamedTuple):
    """The name of a precision, a key of `PRECISIONS`, and why it was chosen."""

    name: str
    reason: str


def choose_precision(inference: Inference, device: torch.device) -> PrecisionChoice:
    """Choose bfloat16 if the device computes it natively and the estimates hardly change.

    The choice depends on the kind of model and on the features of the device alone, so that it is
    the same for every song and on every machine of a kind.
    """
    effect = inference.bfloat16
    if effect is None:
        return PrecisionChoice(
            "float32", "how bfloat16 changes the estimates of this model is not known"
        )
    change = f"bfloat16 changes the estimates of such models by {effect.deviation_db:.0f} dB"
    if not effect.is_negligible:
        return PrecisionChoice("float32", change)
    if not computes_bfloat16(device):
        return PrecisionChoice(
            "float32", f"torch knows of no bfloat16 in hardware on device {device}"
        )
    return PrecisionChoice("bf16", f"{change}, and device {device} has it in hardware")


def computes_bfloat16(device: torch.device) -> bool:
    """Whether torch knows that a device multiplies numbers in bfloat16 in hardware."""
    if device.type == "cuda":
        with torch.cuda.device(device):
            return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type != "cpu" or not torch.backends.mkldnn.is_available():
        return False
    capabilities: Dict[str, Any] = getattr(
        torch.cpu, "get_capabilities", dict
    )()  # not in the oldest torch
    return any(capabilities.get(name) for name in _NATIVE_ON_CPU)
