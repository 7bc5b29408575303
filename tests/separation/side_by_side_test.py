"""Several networks, and several songs, at the same time: the numbers of one after the other."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from asteroid_xscheme import Separator
from asteroid_xscheme.separation.side_by_side import SideBySide, runner

CPU = torch.device("cpu")


@pytest.fixture(params=[1, 2, 3])
def n_threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.fixture(params=["xumx", "d3net", "d3nets_of_two_patches", "tasnet"])
def model(request):
    return request.getfixturevalue(request.param)


def songs(n_songs, n_samples=10000):
    generator = torch.Generator().manual_seed(0)
    return [0.1 * torch.randn(2, n_samples, generator=generator) for _ in range(n_songs)]


@pytest.mark.parametrize("n_threads", [1], indirect=True)
def test_threads_that_share_a_separator_get_what_one_thread_gets(model, n_threads):
    assert_shared_is_alone(model, n_threads)


@pytest.mark.parametrize("n_threads", [2], indirect=True)
def test_threads_share_the_workers_of_a_separator(xumx, n_threads):
    assert_shared_is_alone(xumx, n_threads)


def assert_shared_is_alone(model, n_threads):
    """Three songs at once, each in a thread, are the songs one after the other, bit for bit."""
    separator, mixtures = Separator(model), songs(3, 10000)
    expected = [separator.separate(mixture) for mixture in mixtures]
    ready = threading.Barrier(len(mixtures))

    def separate(mixture):
        ready.wait()
        return separator.separate(mixture)

    with ThreadPoolExecutor(len(mixtures)) as pool:
        found = list(pool.map(separate, mixtures))
    for one, reference in zip(found, expected):
        assert all(torch.equal(one[source], reference[source]) for source in reference)
    assert torch.get_num_threads() == n_threads


def test_separating_never_changes_the_number_of_threads(xumx, n_threads):
    (mixture,), seen = songs(1), set()
    separator = Separator(xumx, chunk_seconds=0.2)
    separator.separate(mixture, progress=lambda _: seen.add(torch.get_num_threads()))
    in_a_new_thread = []
    thread = threading.Thread(target=lambda: in_a_new_thread.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert seen == {n_threads} and in_a_new_thread == [n_threads]


def test_layers_do_not_set_the_number_of_threads(model, monkeypatch):
    separator = Separator(model)

    def refuse(n_threads):
        raise AssertionError("A layer set the number of threads.")

    monkeypatch.setattr(torch, "set_num_threads", refuse)
    separator.separate(songs(1)[0])


# a BLAS may share the terms of a sum among threads; samples are below 1 and some 50 sums deep
@pytest.mark.parametrize("precision, limit", [("float32", 50 * 2.0**-24), ("bf16", 2.0**-8)])
def test_number_of_threads_only_changes_rounding(xumx, n_threads, precision, limit):
    (mixture,) = songs(1)
    found = Separator(xumx, precision=precision).separate(mixture)
    torch.set_num_threads(1)
    expected = Separator(xumx, precision=precision).separate(mixture)
    torch.testing.assert_close(found, expected, rtol=0, atol=limit)


def test_one_thread_needs_no_workers():
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        assert runner(4, CPU) is map
        torch.set_num_threads(4)
        assert isinstance(runner(3, CPU), SideBySide)
        assert runner(3, torch.device("meta")) is map
    finally:
        torch.set_num_threads(before)


def test_workers_have_their_share_of_the_threads_and_the_callers_precision(n_threads):
    def look(_):
        dtype = (torch.ones(2, 2) @ torch.ones(2, 2)).dtype
        return torch.get_num_threads(), torch.is_grad_enabled(), dtype

    run_each = SideBySide(2, 1)
    with torch.autocast("cpu", torch.bfloat16):
        seen = run_each(look, range(6))
    assert seen == [(1, False, torch.bfloat16)] * 6
    assert run_each(look, [0]) == [(1, False, torch.float32)]
    assert torch.get_num_threads() == n_threads


def test_errors_of_workers_are_raised(n_threads):
    run_each = SideBySide(2, 1)
    with pytest.raises(ZeroDivisionError):
        run_each(lambda x: 1 / x, [1, 0, 2])
    assert run_each(lambda x: 2 * x, [1, 2]) == [2, 4]
