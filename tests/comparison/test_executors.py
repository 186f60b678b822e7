"""Executors on cheap work: the same ledger whatever executes, and what dies, fails or is interrupted."""

import importlib.util
import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest
from axonlight.comparison.executors import (
    Group,
    LocalExecutor,
    RayExecutor,
    SlurmExecutor,
    choose_executor,
    ray_cluster,
    slurm_array,
)
from axonlight.comparison.ledger import Ledger
from axonlight.comparison.study.drive import drive
from axonlight.errors import InputError

HERE = str(Path(__file__).parent)
if HERE not in sys.path:
    sys.path.append(HERE)
import cheap  # noqa: E402  (found beside this file, also by the processes that execute its functions)

needs_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="ray is not installed")
needs_submitit = pytest.mark.skipif(importlib.util.find_spec("submitit") is None, reason="submitit is not installed")


def driven(tmp_path, executor, work=cheap.cheap_work, name="ledger", plan=None):
    plan = plan or cheap.cheap_plan()
    with Ledger(tmp_path / f"{name}.sqlite") as ledger:
        ledger.add_plan(plan.runs)
        seen = []
        drive(ledger, plan, executor, work, cheap.in_pairs, most=2, progress=lambda *numbers: seen.append(numbers))
        return ledger.frame().drop(columns="seconds"), ledger.curves(), ledger.details(), ledger.counts(), seen


@pytest.fixture
def by_name(monkeypatch):
    """Let processes that Ray and submitit start find the cheap work."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [HERE, os.environ.get("PYTHONPATH")])))


def test_workers_leave_the_ledger_that_one_process_leaves_though_one_dies(tmp_path):
    here = driven(tmp_path, LocalExecutor(0), name="here")
    there = driven(tmp_path, LocalExecutor(2), cheap.DyingWork(str(tmp_path / "died")), name="there")
    assert (tmp_path / "died").exists()
    assert here[0].equals(there[0])
    assert here[1:4] == there[1:4]
    assert here[3] == {"planned": 0, "running": 0, "done": 25, "failed": 0}
    assert sum(done for done, _ in there[4]) == 25
    assert here[0].groupby("arm").size().to_dict() == {"real": 5, "random": 20, "same as real": 5}


def test_a_failing_run_is_recorded_and_stops_nothing(tmp_path):
    frame, *_, counts, seen = driven(tmp_path, LocalExecutor(1), cheap.failing_work)
    # groups of two neighbours in the plan: an exception is that of all runs of its group
    failed = frame[frame["state"] == "failed"].groupby("error")["key"].nunique().to_dict()
    assert failed == {"ValueError: no luck with fold 1": 6, "the loss is nan": 5}
    assert frame.loc[frame["state"] == "failed", "auroc"].isna().all()
    assert counts["done"] + counts["failed"] == 25
    assert sum(number for _, number in seen) == 11


def test_a_group_that_kills_its_worker_three_times_has_failed(tmp_path):
    frame, *_, counts, _ = driven(tmp_path, LocalExecutor(1), cheap.DyingWork(None))
    assert set(frame.loc[frame["state"] == "failed", "error"]) == {"its worker ended 3 times: killed by SIGKILL"}
    assert 1 <= counts["failed"] <= 2
    assert counts["done"] == 25 - counts["failed"]


def test_results_that_do_not_match_the_runs_are_an_error(tmp_path):
    frame, *_ = driven(tmp_path, LocalExecutor(0), lambda recipes: [])
    assert set(frame["error"]) == {"0 results for 1 runs", "0 results for 2 runs"}


def test_an_interruption_ends_the_workers_and_keeps_what_is_done(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plan = cheap.cheap_plan(folds=100)

    def interrupt():
        while len(list(tmp_path.glob("worker-*"))) < 2:
            time.sleep(0.05)
        time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    path = tmp_path / "ledger.sqlite"
    with Ledger(path) as ledger:
        ledger.add_plan(plan.runs)
        with pytest.raises(KeyboardInterrupt):
            drive(ledger, plan, LocalExecutor(2), cheap.interruptible_work, cheap.in_pairs, most=2)
        counts = ledger.counts()
        assert counts["running"] == ledger.recover() <= 4
        assert ledger.counts() == {**counts, "planned": counts["planned"] + counts["running"], "running": 0}
        assert counts["done"] > 0
    assert not [path for path in tmp_path.glob("worker-*") if alive(int(path.name.removeprefix("worker-")))]


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@needs_submitit
@pytest.mark.usefixtures("by_name")
def test_slurm_arrays_leave_the_same_ledger(tmp_path):
    plan = cheap.cheap_plan(folds=2, draws=2)
    executor = SlurmExecutor(2, tmp_path / "jobs", {"cluster": "local"}, seconds_between_looks=0.1)
    there = driven(tmp_path, executor, plan=plan, name="there")
    here = driven(tmp_path, LocalExecutor(0), plan=plan, name="here")
    assert here[0].equals(there[0])
    assert here[1:4] == there[1:4]


@needs_submitit
def test_slurm_parameters_are_checked(tmp_path):
    executor = SlurmExecutor(2, tmp_path, {"cluster": "local", "timeout_mins": 3})
    with pytest.raises(InputError, match=r"slurm cannot be used: .*timeout_mins"):
        list(executor.run([Group(("a",), ({},))], cheap.cheap_work, lambda *_: None))


@needs_ray
@pytest.mark.usefixtures("by_name")
def test_ray_leaves_the_same_ledger_and_survives_the_death_of_a_worker(tmp_path):
    work = cheap.DyingWork(str(tmp_path / "died"))
    there = driven(tmp_path, RayExecutor(2, "local"), work, name="there")
    here = driven(tmp_path, LocalExecutor(0), name="here")
    assert (tmp_path / "died").exists()
    assert here[0].equals(there[0])
    assert here[1:4] == there[1:4]


@pytest.mark.parametrize(("module", "name", "extra"), [(ray_cluster, "ray", "ray"), (slurm_array, "submitit", "slurm")])
def test_a_missing_library_is_named_with_its_extra(monkeypatch, tmp_path, module, name, extra):
    monkeypatch.setitem(sys.modules, name, None)
    executor = choose_executor(extra, 1, folder=tmp_path)
    with pytest.raises(InputError, match=rf"pip install 'axonlight\[{extra}\]'"):
        list(executor.run([Group(("a",), ({},))], cheap.cheap_work, lambda *_: None))
