import pytest

from asteroid_xscheme import losses


@pytest.fixture
def own_loss(monkeypatch):
    def OwnLoss(estimates, references):
        return (estimates - references).abs().mean()

    monkeypatch.setattr(losses, "_LOSSES", dict(losses._LOSSES))
    return OwnLoss


def test_get_finds_losses_by_name_and_passes_callables_and_none_through():
    assert losses.get("MultiDomainLoss") is losses.MultiDomainLoss
    assert losses.get("combination_mse") is losses.combination_mse
    assert losses.get(losses.weighted_sdr) is losses.weighted_sdr
    assert losses.get(None) is None


@pytest.mark.parametrize("identifier", ["NoSuchLoss", 42, ["MultiDomainLoss"]])
def test_get_refuses_what_is_not_a_loss(identifier):
    with pytest.raises(ValueError, match="Could not interpret loss identifier"):
        losses.get(identifier)


def test_registered_loss_is_found(own_loss):
    losses.register_loss(own_loss)
    assert losses.get("OwnLoss") is own_loss


@pytest.mark.parametrize("name", ["OwnLoss", "ownloss", "MultiDomainLoss", "multidomainloss"])
def test_existing_name_cannot_be_registered_in_any_letter_case(name, own_loss):
    losses.register_loss(own_loss)
    own_loss.__name__ = name
    with pytest.raises(ValueError, match="already exists"):
        losses.register_loss(own_loss)
