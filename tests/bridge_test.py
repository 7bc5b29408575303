"""The bridge: the mean over the sources, where it is open."""

import pytest
import torch

from asteroid_xscheme.bridge import Bridges, average, select_bridge_points

KNOWN = ("encoder", "middle", "decoder")


def features(n_sources, *shape):
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=generator) for _ in range(n_sources)]


@pytest.mark.parametrize("shape", ((), (5,), (2, 3, 4, 5)))
@pytest.mark.parametrize("n_sources", (1, 2, 5))
def test_average_is_the_mean_over_the_sources(n_sources, shape):
    paths = features(n_sources, *shape)
    torch.testing.assert_close(average(paths), torch.stack(paths).mean(0))


def test_bridge_of_identical_paths_is_identity():
    (path,) = features(1, 3, 4)
    torch.testing.assert_close(average([path] * 4), path)


def test_average_does_not_depend_on_the_order_of_the_sources():
    paths = features(4, 6)
    torch.testing.assert_close(average(paths), average(paths[::-1]))


def test_average_does_not_change_its_inputs():
    paths = features(3, 6)
    before = [path.clone() for path in paths]
    average(paths)
    assert all(torch.equal(path, old) for path, old in zip(paths, before))


def test_gradient_is_shared_equally_among_the_sources():
    paths = [path.requires_grad_() for path in features(4, 6)]
    average(paths).sum().backward()
    assert all(torch.equal(path.grad, torch.full((6,), 0.25)) for path in paths)


def test_features_of_different_shapes_are_an_error_and_never_broadcast():
    with pytest.raises(ValueError, match=r"same shape, but got \(3, 1\) and \(3, 4\)"):
        average([torch.zeros(3, 1), torch.zeros(3, 4)])


@pytest.mark.parametrize(
    "bridge, points",
    (
        (True, ("encoder", "decoder")),
        (False, ()),
        ([], ()),
        ("middle", ("middle",)),
        (["decoder", "encoder"], ("encoder", "decoder")),
        (KNOWN, KNOWN),
    ),
)
def test_choice_opens_points_in_the_order_of_the_network(bridge, points):
    assert select_bridge_points(bridge, KNOWN, ("encoder", "decoder")) == points


def test_unknown_point_is_an_error_that_lists_known_points():
    with pytest.raises(ValueError, match=r"\['end'\].*\['encoder', 'middle', 'decoder'\]"):
        select_bridge_points(["encoder", "end"], KNOWN, KNOWN)


def test_open_points_average_and_closed_points_pass_through():
    bridges, paths = Bridges(["encoder"], KNOWN, KNOWN), features(3, 6)
    for shared in bridges("encoder", paths):
        assert torch.equal(shared, average(paths))
    assert all(own is path for own, path in zip(bridges("decoder", paths), paths))
