"""Child processes of a grid: their share of the machine, failures, and termination."""

import os
import threading
import time

import pytest

from asteroid_xscheme.recipes.ablation import AblationError, ChildProcesses, Job
from asteroid_xscheme.recipes.ablation.processes import run_jobs
from asteroid_xscheme.recipes.machine import n_cores


def job(folder, name="a", kind="cell"):
    return Job(name, kind, (folder,), "cell.json")


def test_jobs_never_outnumber_slots(tmp_path):
    running, most, lock = set(), [], threading.Lock()

    def run(job, slot):
        with lock:
            assert slot not in running
            running.add(slot)
            most.append(len(running))
        time.sleep(0.01)
        with lock:
            running.remove(slot)

    run_jobs([job(tmp_path, str(i)) for i in range(12)], run, 3, report=lambda line: None)
    assert len(most) == 12 and max(most) <= 3


def test_interruption_stops_running_jobs_and_starts_no_others(tmp_path):
    stopped, started = threading.Event(), []

    def run(job, slot):
        started.append(job.name)
        if job.name == "0":
            raise KeyboardInterrupt
        assert stopped.wait(10)

    jobs = [job(tmp_path, str(i)) for i in range(9)]
    with pytest.raises(KeyboardInterrupt):
        run_jobs(jobs, run, 2, report=lambda line: None, stop=stopped.set)
    assert len(started) < 9


def test_cores_are_shared_between_slots():
    children = ChildProcesses(slots=n_cores())
    assert children.environment(0)["OMP_NUM_THREADS"] == "1"
    assert ChildProcesses(slots=1).threads == n_cores()


def test_each_slot_has_its_own_gpu(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5")
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    children = ChildProcesses(slots=3)
    chosen = [children.environment(slot)["CUDA_VISIBLE_DEVICES"] for slot in range(3)]
    assert chosen == ["2", "5", "2"]


def test_failed_child_is_reported_with_its_last_output(tmp_path, monkeypatch):
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\necho $OMP_NUM_THREADS $@\necho out of luck >&2\nexit 3\n")
    program.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(program))
    children = ChildProcesses(slots=n_cores())
    with pytest.raises(AblationError, match="exited with status 3: out of luck .see .*cell.log"):
        children(job(tmp_path), 0)
    first = (tmp_path / "cell.log").read_text().splitlines()[0]
    assert first == f"1 -m asteroid_xscheme.recipes.ablation.job cell {tmp_path}"


def test_stop_kills_children(tmp_path, monkeypatch):
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\necho $$ > $4.pid\nexec sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(program))
    children = ChildProcesses(slots=1)
    problems = []

    def run():
        try:
            children(job(tmp_path / "cell"), 0)
        except AblationError as error:
            problems.append(str(error))

    thread = threading.Thread(target=run)
    thread.start()
    pid = tmp_path / "cell.pid"
    while not (pid.is_file() and pid.read_text().strip()):
        time.sleep(0.01)
    children.stop()
    thread.join(10)
    assert "exited with status -9" in problems[0]
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)
