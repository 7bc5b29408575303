"""Why a private name of Lightning is replaced."""

from pytorch_lightning.utilities import CombinedLoader

from asteroid_xscheme.recipes.run.leaves import make_leaves_as_torch_does


def test_lightning_reads_batches_without_a_torch_warning():
    make_leaves_as_torch_does()
    CombinedLoader({"songs": [1, 2]})  # warnings are errors
