import pytest

from asteroid import losses


def OwnLoss(est_targets, targets):
    return (est_targets - targets).abs().mean()


@pytest.fixture
def clean_registry():
    yield
    vars(losses).pop("OwnLoss", None)


def test_get_finds_losses_by_name():
    assert losses.get("pairwise_mse") is losses.pairwise_mse
    assert losses.get("PITLossWrapper") is losses.PITLossWrapper


def test_get_returns_callables_and_none_as_they_are():
    assert losses.get(OwnLoss) is OwnLoss
    assert losses.get(None) is None


@pytest.mark.parametrize("wrong", ("no_such_loss", "sdr", 42, ["pairwise_mse"]))
def test_get_refuses_what_is_not_a_loss(wrong):
    with pytest.raises(ValueError, match="Could not interpret loss identifier"):
        losses.get(wrong)


def test_registered_losses_are_found(clean_registry):
    losses.register_loss(OwnLoss)
    assert losses.get("OwnLoss") is OwnLoss
    with pytest.raises(ValueError, match="already exists"):
        losses.register_loss(OwnLoss)


def test_names_of_losses_cannot_be_taken():
    with pytest.raises(ValueError, match="already exists"):
        losses.register_loss(losses.PITLossWrapper)
