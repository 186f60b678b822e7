"""`axonlight compare` in this process and in children: what it prints, its exit codes, kill and resume."""

import os
import signal
import sqlite3
import sys
import time
from pathlib import Path

import pytest
from axonlight.cli import main

TESTS = str(Path(__file__).parents[1])
if TESTS not in sys.path:
    sys.path.append(TESTS)
import forked  # noqa: E402  (found beside conftest.py)

TINY = [
    "studies/quickstart.yaml",
    *("--folds", "2", "--repeats", "1", "--floors", "[constant]", "--overrides.trainer.max_epochs", "2"),
    *("--arms", "{real: {}, random: {null: ErdosRenyi, draws: 2}}", "--metrics", "[auroc]", "--rope", "{auroc: 0.01}"),
]


@pytest.fixture
def compare(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        code = main(["compare", *map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_a_dry_run_prints_plan_and_budget_and_writes_nothing(compare, tmp_path):
    code, out, err = compare(*TINY, "--dry_run")
    assert code == 0, err
    lines = out.splitlines()
    assert lines[0].startswith("Does the true grouping of 30 measurements")
    assert lines[1] == ("3 arms on 2 splits (2 folds), 1 seed, 2 draws per null model: 8 runs, 8 of them distinct")
    assert lines[-2].startswith("8 runs to execute")
    assert lines[-1] == "dry run: all was checked, nothing was trained or written"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--fold", "3"], "unknown key 'fold'; did you mean 'folds'"),
        (["--folds", "1"], "folds is 1, so no row would be tested"),
        (["--folds"], "--folds needs a value"),
        (["--rope", "[}"], "--rope is '[}', which is not YAML"),
        (["--executor", "slrm"], "invalid choice: 'slrm'"),
        (["--resume", "--fresh"], "not allowed with argument"),
        (["--arms.real.overrides.trainer.max_epoch", "2"], "did you mean trainer.max_epochs"),
        (["--workers", "-1"], "workers is -1; it must be a whole number, at least 0"),
        (["--output", "/dev/null"], "/dev/null is a file; name another folder by --output"),
        (["--executor", "slurm", "--slurm.cluster", "lokal"], "slurm cannot be used: "),
        (["--executor", "ray", "--address", "127.0.0.1:9"], "no Ray cluster answers there"),
        (["more.yaml"], "unrecognized arguments: more.yaml"),
    ],
)
def test_mistakes_end_in_one_sentence_and_code_2(compare, tmp_path, arguments, words):
    code, out, err = compare("studies/quickstart.yaml", *arguments)
    assert code == 2
    assert words in err
    assert err.count("\n") == 1
    assert out.count("\n") <= 1  # the question
    assert not list(tmp_path.iterdir())


def test_a_study_is_run_and_said_and_resumed(compare, tmp_path):
    code, out, err = compare(*TINY, "--workers", "0")
    assert (code, err) == (0, "")
    assert "8 of 8 runs done" in out
    assert "real against random" in (tmp_path / "runs/compare/quickstart/report.md").read_text()
    assert out.rstrip().endswith("report: runs/compare/quickstart/report.html")
    again = compare(*TINY, "--workers", "0")
    assert again[0] == 0
    assert "nothing is left to execute" in again[1]
    assert "8 of 8 runs done" not in again[1]


def test_a_failed_run_is_told_and_code_3(compare, tmp_path):
    # a rate at which the loss is no number, in one arm
    wild = ["--arms.wild", "{overrides: {model.optimizer.lr: 1.0e+38, model.network.norm: none}}"]
    code, out, err = compare(*TINY, "--arms", "{real: {}}", *wild, "--workers", "0")
    assert code == 3, out
    assert "2 runs failed" in err
    assert (tmp_path / "runs/compare/quickstart/report.html").is_file()


def test_an_interrupted_study_goes_on_where_it_was(compare, tmp_path):
    seeds = ["--seeds", "2"]
    child = forked.Child("axonlight", ["compare", *TINY, *seeds, "--workers", "1"], tmp_path)
    ledger = tmp_path / "runs/compare/quickstart/ledger.sqlite"
    deadline = time.monotonic() + 120
    while done_in(ledger) < 1 and time.monotonic() < deadline and child.poll() is None:
        time.sleep(0.02)
    os.kill(child.pid, signal.SIGINT)
    _, err = child.communicate(timeout=60)
    assert child.returncode == 130
    assert "the same command goes on" in err.splitlines()[-1]
    done = done_in(ledger)
    assert 0 < done < 14
    code, out, err = compare(*TINY, *seeds, "--workers", "0")
    assert (code, err) == (0, "")
    assert f"{14 - done} runs to execute" in out
    assert done_in(ledger) == 14


def done_in(path):
    if not path.is_file():
        return 0
    connection = sqlite3.connect(path)
    try:
        return connection.execute("SELECT COUNT(*) FROM runs WHERE state = 'done'").fetchone()[0]
    except sqlite3.OperationalError:
        return 0
    finally:
        connection.close()
