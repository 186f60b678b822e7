"""`axonlight discover` in this process and in children: what it prints and writes, its exit codes, kill and resume."""

import os
import signal
import sqlite3
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml
from axonlight.cli import main

TESTS = str(Path(__file__).parents[1])
if TESTS not in sys.path:
    sys.path.append(TESTS)
import forked  # noqa: E402  (found beside conftest.py)

TINY = [
    "discovery/quickstart.yaml",
    *("--engine.max_nodes", "3", "--stages.proxies.keep", "8", "--stages.few_steps.keep", "6", "--workers", "0"),
    *("--stages.halving", "{epochs: [1], keep: [3]}", "--finalists", "{count: 2, seeds: 2}"),
    *("--controls", "{known: [relu, silu], random: 2}", "--trainer.max_epochs", "2"),
]
FOLDER = "runs/discover/quickstart"


@pytest.fixture
def discover(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        code = main(["discover", *map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_a_dry_run_prints_the_plan_and_writes_nothing(discover, tmp_path):
    code, out, err = discover(*TINY, "--dry_run")
    assert code == 0, err
    lines = out.splitlines()
    assert lines[0] == "Does any formula of up to five nodes tell tumours apart better than ReLU?"
    assert lines[1] == "BreastCancer: train 363, validation 92, test 114 rows"
    assert lines[2].startswith("engine enumerate (max_nodes 3), ")
    assert lines[2].endswith("formulas -> gate -> before training, best 8 -> 10 steps, best 6 -> 1 epoch, best 3")
    assert lines[3] == "2 finalists, 2 known activations and 2 random formulas with 2 seeds, 2 epochs each"
    assert lines[-1] == "dry run: all was checked, nothing was trained or written"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--finalist.seeds", "3"], "unknown key 'finalist'; did you mean 'finalists'?"),
        (["--finalists.seeds"], "--finalists.seeds needs a value"),
        (["--engine.kind", "gplern"], "engine 'gplern' is unknown; did you mean gplearn?"),
        (["--engine.max_nodes", "30"], "the budget is 200,000: max_nodes up to 10 fits"),
        (["--data.rot", "x"], "data.rot is not an option; did you mean data.root?"),
        (["--metric", "aurok"], "did you mean 'auroc'?"),
        (["--controls.known", "[reluu]"], "unknown activation 'reluu'; did you mean ReLU"),
        (["--trainer.max_epochs", "0"], "base has no trainer.max_epochs above 0"),
        (["--output", "/dev/null"], "/dev/null is a file; name another folder by --output"),
        (["--resume", "--fresh"], "not allowed with argument"),
        (["more.yaml"], "unrecognized arguments: more.yaml"),
    ],
)
def test_mistakes_end_in_one_sentence_and_code_2(discover, tmp_path, arguments, words):
    code, out, err = discover(*TINY, *arguments)
    assert code == 2
    assert words in err
    assert err.count("\n") == 1
    assert out.count("\n") <= 1  # the question
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "search 'mine.yaml' is not a file; shipped searches: "),
        ("- a\n", "must be a mapping of keys and values"),
        ("name: mine\n", "has no base"),
        ("base: demo.yaml\nbase: demo.yaml\n", "the key 'base' is there twice"),
        ("base: demo.yaml\narms: {a: {}}\n", "so it is a study; give it to axonlight compare"),
        ("base: other.yaml\n", "config 'other.yaml' is not a file"),
    ],
)
def test_files_that_are_no_search(discover, tmp_path, content, words):
    if content is not None:
        (tmp_path / "mine.yaml").write_text(content)
    code, _, err = discover("mine.yaml")
    assert code == 2
    assert words in err
    assert err.count("\n") == 1


def test_a_search_is_run_and_said_and_used(discover, tmp_path):
    code, out, err = discover(*TINY)
    assert (code, err) == (0, "")
    assert "\nfinalists: 12 of 12" in out
    assert "\ntest: 6 of 6" in out
    assert "\nThe winner is " in out
    assert "winner against relu: " in out
    assert out.rstrip().endswith(f"report: {FOLDER}/report.html")
    folder = tmp_path / FOLDER
    names = {"activations.yaml", "curves.png", "ledger.sqlite", "report.html", "report.md", "results.parquet"}
    assert {path.name for path in folder.iterdir()} - {"ledger.sqlite.lock"} == names
    library = yaml.safe_load((folder / "activations.yaml").read_text())
    assert list(library) == ["quickstart", "quickstart_2"]
    assert f"The winner is {library['quickstart']['formula']} " in out
    table = pd.read_parquet(folder / "results.parquet")
    assert {library[name]["formula"] for name in library} <= set(table["formula"])
    assert table["reached"].iloc[-1] in ("gate", "proxies", "few_steps")
    # the command that the report names leads to the same figures, and nothing is trained again
    before = library["quickstart"]["found"]["scores"]
    again = discover(*TINY)
    assert again[0] == 0
    assert again[1].split("\nThe winner is ")[1] == out.split("\nThe winner is ")[1]
    assert yaml.safe_load((folder / "activations.yaml").read_text())["quickstart"]["found"]["scores"] == before
    # the written file is a library for any network
    os.environ["AXONLIGHT_LIBRARY"] = str(folder / "activations.yaml")
    few = ["--trainer.max_epochs", "1", "--trainer.callbacks", "[]", "--trainer.logger", "false"]
    few += ["--trainer.enable_checkpointing", "false", "--trainer.default_root_dir", str(tmp_path)]
    assert main(["fit", "--config", "demo.yaml", "--model.network.activation", "library:quickstart", *few]) == 0


def ended_at(done, number, folder, arguments):
    """Start the command in a child, send it a signal once so many outcomes are stored, and return how it ended."""
    child = forked.Child("axonlight", ["discover", *arguments], folder)
    deadline = time.monotonic() + 120
    while done_in(folder / FOLDER / "ledger.sqlite") < done and time.monotonic() < deadline and child.poll() is None:
        time.sleep(0.02)
    os.kill(child.pid, number)
    _, err = child.communicate(timeout=60)
    return child.returncode, err


def test_an_interrupted_and_killed_search_goes_on_and_ends_as_one_that_was_not(discover, tmp_path):
    seeds = ["--finalists", "{count: 2, seeds: 6}"]
    code, err = ended_at(20, signal.SIGINT, tmp_path, [*TINY, *seeds])
    assert code == 130
    assert err.splitlines()[-1].endswith("ledger.sqlite, and the same command goes on")
    assert ended_at(40, signal.SIGKILL, tmp_path, [*TINY, *seeds])[0] == -signal.SIGKILL
    assert not (tmp_path / FOLDER / "report.html").exists()
    code, out, err = discover(*TINY, *seeds)
    assert (code, err) == (0, "")
    whole = discover(*TINY, *seeds, "--output", tmp_path / "whole")
    assert whole[0] == 0
    answer, other = (text.split("\nThe winner is ")[1].split("library:")[0] for text in (out, whole[1]))
    assert answer == other


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
