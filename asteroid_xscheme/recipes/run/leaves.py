"""The only place that uses a private name of Lightning."""


def make_leaves_as_torch_does() -> None:
    """Let Lightning call the function that torch 2.13 has instead of the constructor it deprecates.

    Without it each run begins with a warning of torch's about a line of Lightning 2.6. Where either
    lacks the name, there is nothing to mend.
    """
    try:
        from pytorch_lightning.utilities import _pytree
        from torch.utils._pytree import treespec_leaf
    except ImportError:
        return
    setattr(_pytree, "LeafSpec", treespec_leaf)
