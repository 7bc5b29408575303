"""The private function of torch that shared_memory.py uses still exists and works."""

from types import SimpleNamespace

import pytest
import torch

from asteroid_xscheme.recipes.data import shared_memory
from asteroid_xscheme.recipes.data.shared_memory import shared_empty


def test_torch_still_allocates_shared_memory():
    tensor = shared_empty(2, 3, 4)
    assert tensor.shape == (2, 3, 4) and tensor.dtype == torch.float32
    assert tensor.is_shared() and tensor.is_contiguous()


def test_torch_without_shared_memory_is_reported(monkeypatch):
    other = SimpleNamespace(__version__="9.0", UntypedStorage=object)
    monkeypatch.setattr(shared_memory, "torch", other)
    with pytest.raises(RuntimeError, match="has no UntypedStorage._new_shared.*--num_workers 0"):
        shared_empty(1)
