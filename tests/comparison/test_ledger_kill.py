"""A driver killed at any moment loses at most the runs in flight; resuming never repeats or doubles a run."""

import os
import random
import signal
import sqlite3
import sys
import time
from pathlib import Path

import pytest
from axonlight.comparison.executors import LocalExecutor
from axonlight.comparison.ledger import Ledger
from axonlight.comparison.study.drive import drive
from axonlight.errors import InputError

HERE = str(Path(__file__).parent)
if HERE not in sys.path:
    sys.path.append(HERE)
import cheap  # noqa: E402  (found beside this file, also by the processes that execute its functions)

TESTS = str(Path(__file__).parents[1])
if TESTS not in sys.path:
    sys.path.append(TESTS)
import forked  # noqa: E402  (found beside conftest.py)

pytestmark = pytest.mark.xdist_group("ledger_kill")  # its fixtures are made once

# What differs between two executions of the same study.
INCIDENTAL = ("worker", "started", "finished", "seconds")


@pytest.fixture(scope="module")
def server():
    """A process that has imported what a driver needs and forks one driver after another."""
    return forked.CONTEXT


def drive_study(path, journal, workers, work):
    """Do what `Study.run` does with a ledger: plan, recover, drive."""
    plan = cheap.cheap_plan(folds=10, draws=6)
    with Ledger(path, lock=True) as ledger:
        ledger.add_plan(plan.runs)
        ledger.recover()
        drive(ledger, plan, LocalExecutor(workers), JournalledWork(journal, work), cheap.in_pairs, most=2)


class JournalledWork:
    """Note every run that is executed to its end."""

    def __init__(self, journal, work):
        self.journal, self.work = journal, work

    def __call__(self, recipes):
        results = self.work(recipes)
        with open(self.journal, "a") as file:
            file.write("".join(f"{recipe['arm']}-{recipe['fold']}-{recipe['draw']}\n" for recipe in recipes))
        return results


def contents(path):
    """Every table without what is incidental, in an order of its own."""
    connection = sqlite3.connect(path)
    connection.row_factory = sqlite3.Row
    found = {}
    for table, order in (("runs", "key"), ("plan", "arm, repeat, fold, seed, draw"), ("study", "name")):
        rows = connection.execute(f"SELECT * FROM {table} ORDER BY {order}").fetchall()
        found[table] = [{name: row[name] for name in row.keys() if name not in INCIDENTAL} for row in rows]  # noqa: SIM118
    connection.close()
    return found


def count_done(path):
    connection = sqlite3.connect(path)
    done = connection.execute("SELECT COUNT(*) FROM runs WHERE state = 'done'").fetchone()[0]
    connection.close()
    return done


def start(server, *arguments):
    process = server.Process(target=drive_study, args=arguments)
    process.start()
    return process


def killed_after(process, seconds):
    process.join(seconds)
    if process.exitcode is not None:
        return False
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    return True


def test_twenty_kills_leave_the_ledger_of_an_uninterrupted_run(server, tmp_path):
    drive_study(tmp_path / "whole.sqlite", tmp_path / "whole.txt", 0, cheap.cheap_work)
    path, journal = tmp_path / "killed.sqlite", tmp_path / "killed.txt"
    moments, kills, done = random.Random(0), 0, 0
    while kills < 20:
        process = start(server, path, journal, 0, cheap.slow_work)
        kills += killed_after(process, moments.uniform(0.0, 0.3))
        assert process.exitcode in (0, -signal.SIGKILL)
        if path.exists() and count_of_tables(path) == 3:
            assert done <= (done := count_done(path))  # nothing that was done is lost
        if process.exitcode == 0:  # all done before the twentieth kill: begin anew, in the same file
            connection = sqlite3.connect(path)
            with connection:
                connection.execute("UPDATE runs SET state = 'planned', metrics = NULL, curves = NULL, details = NULL")
            connection.close()
            done = 0
            journal.unlink()
    process = start(server, path, journal, 0, cheap.cheap_work)
    process.join(60)
    assert process.exitcode == 0
    assert contents(path) == contents(tmp_path / "whole.sqlite")
    # At most the group in flight is executed again: two runs per kill.
    executed = journal.read_text().splitlines()
    assert set(executed) == {run.key for run in cheap.cheap_plan(folds=10, draws=6).runs}
    assert len(executed) - len(set(executed)) <= 2 * kills


def count_of_tables(path):
    connection = sqlite3.connect(path)
    number = connection.execute("SELECT COUNT(*) FROM sqlite_master WHERE type = 'table'").fetchone()[0]
    connection.close()
    return number


def test_workers_end_with_a_killed_driver_and_the_study_goes_on(server, tmp_path):
    path, journal = tmp_path / "killed.sqlite", tmp_path / "killed.txt"
    process = start(server, path, journal, 1, cheap.slow_work)
    deadline = time.monotonic() + 60
    while not (journal.exists() and count_done(path)) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    connection = sqlite3.connect(path)
    worker = connection.execute("SELECT worker FROM runs WHERE worker IS NOT NULL LIMIT 1").fetchone()[0]
    connection.close()
    wait_for_end(int(worker.removeprefix("process ")))
    before = count_done(path)
    assert 0 < before < 70
    process = start(server, path, journal, 1, cheap.cheap_work)
    process.join(60)
    assert process.exitcode == 0
    drive_study(tmp_path / "whole.sqlite", tmp_path / "whole.txt", 0, cheap.cheap_work)
    assert contents(path) == contents(tmp_path / "whole.sqlite")
    assert len(journal.read_text().splitlines()) <= 70 + 2


def wait_for_end(pid):
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    raise AssertionError(f"worker {pid} outlives its driver")


def test_two_drivers_of_one_ledger_are_refused(tmp_path):
    path = tmp_path / "ledger.sqlite"
    with Ledger(path, lock=True), pytest.raises(InputError, match="another process is running the study"):
        Ledger(path, lock=True)
    Ledger(path, lock=True).close()
