"""`axonlight data list|get|check`, driven through its own parser."""

import argparse
import subprocess
import sys

import pytest
from axonlight.commands.data import add_arguments, run
from axonlight.errors import InputError


def _run(*words):
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return run(parser.parse_args(words))


@pytest.mark.parametrize("words", [(), ("list",)])
def test_list(capsys, tmp_path, words):
    assert _run("--root", str(tmp_path), *words) == 0
    printed = capsys.readouterr().out
    for name in ("breast_cancer", "covertype", "digits", "higgs", "spambase"):
        assert f"\n{name}" in printed
    assert "ready: inside scikit-learn" in printed
    assert "not there: `axonlight data get higgs`, or put higgs.csv.gz" in printed


def test_list_shows_local_files(capsys, data_root):
    assert _run("list", "--root", str(data_root)) == 0
    assert f"ready: {data_root}/tabular/forest_cover.csv.gz" in capsys.readouterr().out


def test_list_is_light(tmp_path):
    code = (
        "import argparse, sys; from axonlight.commands import data; p = argparse.ArgumentParser(); "
        "data.add_arguments(p); data.run(p.parse_args([])); "
        "print([m for m in ('torch', 'lightning', 'pandas', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_get(capsys, data_root):
    assert _run("get", "spambase", "--root", str(data_root)) == 0
    assert "already there" in capsys.readouterr().out
    with pytest.raises(InputError, match="did you mean higgs"):
        _run("get", "higs")


def test_check(capsys, data_root, tmp_path):
    assert _run("check", "covertype", "--root", str(data_root)) == 0
    printed = capsys.readouterr().out
    assert "a part of 581,012 rows" in printed
    assert "15,000 x 55" in printed
    (tmp_path / "t.csv").write_text("y,a\n0,1\n0,2\n1,2\n")
    assert _run("check", str(tmp_path / "t.csv"), "--target", "0") == 0
    assert "0: 2 (66.7 %)" in capsys.readouterr().out
    assert _run("check", "breast_cancer") == 0
    assert "569 rows" in capsys.readouterr().out
    with pytest.raises(InputError, match="no data set 'spam'"):
        _run("check", "spam")
