"""Jobs run one by one or several at once, and each is prepared while the one before it runs."""

from pathlib import Path
from threading import Event

import pytest

from xscheme.at_once import in_order
from xscheme.songs import Job

JOBS = [Job(Path(name)) for name in "abcd"]


def test_the_next_job_is_prepared_while_one_runs():
    is_prepared = {job.path: Event() for job in JOBS}

    def prepare(job):
        is_prepared[job.path].set()
        return job.path.name.upper()

    def run(job, prepared):
        following = JOBS[JOBS.index(job) + 1 :][:1]
        met = all(is_prepared[other.path].wait(timeout=30) for other in following)
        return {"prepared": prepared(), "met": met}

    results = list(in_order(run, prepare, JOBS, 1, Event()))
    assert results == [{"prepared": name, "met": True} for name in "ABCD"]


@pytest.mark.parametrize("n_at_once", (1, 2))
def test_what_cannot_be_prepared_is_an_error_of_its_own_job(n_at_once):
    def prepare(job):
        if job is JOBS[1]:
            raise OSError("unreadable")

    def run(job, prepared):
        try:
            return {"done": prepared() is None}
        except OSError as error:
            return {"error": str(error)}

    results = list(in_order(run, prepare, JOBS, n_at_once, Event()))
    assert results == [{"done": True}, {"error": "unreadable"}, *[{"done": True}] * 2]
    assert not list(in_order(run, prepare, [], n_at_once, Event()))
