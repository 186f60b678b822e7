"""Help and the light verbs answer at once: they import neither torch nor lightning nor pandas."""

import subprocess
import sys

import pytest
from axonlight import __version__
from axonlight.cli import main

HEAVY = ("torch", "lightning", "jsonargparse", "pandas", "sklearn", "scipy", "matplotlib", "shtab")
# The child runs the command as a user does and reports which heavy packages it has loaded by the end.
CHILD = f"""
import sys
from axonlight.cli import main
code = main(sys.argv[1:])
print("loaded:", [name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)
sys.exit(code)
"""


def run(*arguments):
    command = [sys.executable, "-c", CHILD, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["--help"], "verbs:"),
        (["--version"], f"axonlight {__version__}"),
        (["data"], "spambase"),
        (["data", "list"], "breast_cancer"),
        (["data", "--help"], "check"),
        (["inspect", "--help"], "activation"),
        (["inspect", "activation", "--help"], "--low"),
    ],
    ids=" ".join,
)
def test_light_verbs_import_nothing_heavy(arguments, shown):
    child = run(*arguments)
    assert child.returncode == 0, child.stderr
    assert shown in child.stdout
    assert "loaded: []" in child.stderr


def test_the_probe_sees_heavy_imports():
    child = run("inspect", "activation", "relu", "--low", "2", "--high", "1")
    assert child.returncode == 2
    assert "'torch'" in child.stderr
    assert "low is 2.0 and high is 1.0" in child.stderr


def test_the_package_runs_as_a_module():
    command = [sys.executable, "-m", "axonlight", "--version"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == f"axonlight {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fitt"], "'fitt' (choose from 'fit'"),
        (["data", "gett"], "choose from 'list', 'get', 'check'"),
        (["data", "get"], "required: name; see axonlight data get --help"),
        (["data", "list", "more"], "unrecognized arguments: more"),
        (["inspect"], "required: thing"),
        (["inspect", "activation", "relu", "--low", "left"], "invalid float value: 'left'"),
        (["--vers"], "required: verb"),
    ],
    ids=" ".join,
)
def test_wrong_arguments_are_one_sentence(arguments, message, capsys):
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err.replace('"', "'")
    assert captured.err.startswith("axonlight: error: ")
    assert len(captured.err.splitlines()) == 1


def test_without_arguments_it_shows_the_help(capsys):
    assert main([]) == 2
    assert "verbs:" in capsys.readouterr().out
