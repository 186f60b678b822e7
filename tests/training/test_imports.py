"""The import policy: only the command line can widen it."""

import sys

import pytest
from axonlight.cli import main
from axonlight.errors import InputError
from axonlight.training.imports import take_allow_imports


@pytest.mark.parametrize(
    ("arguments", "names", "rest"),
    [
        (["fit"], [], ["fit"]),
        (["fit", "--allow_imports", "a"], ["a"], ["fit"]),
        (["fit", "--allow_imports=a,b.c", "--x", "1"], ["a", "b.c"], ["fit", "--x", "1"]),
        (["--allow_imports", "a, b", "fit", "--allow_imports=c"], ["a", "b", "c"], ["fit"]),
        (["fit", "--allow_imports_too", "a"], [], ["fit", "--allow_imports_too", "a"]),
    ],
)
def test_names_are_taken_off(arguments, names, rest):
    assert take_allow_imports(arguments) == (names, rest)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--allow_imports"],
        ["--allow_imports="],
        ["--allow_imports=", "fit"],
        ["--allow_imports", "--x"],
        ["--allow_imports=,"],
    ],
)
def test_names_must_be_given(arguments):
    with pytest.raises(InputError, match="needs the name of a package"):
        take_allow_imports(arguments)


@pytest.mark.parametrize("name", ["a-b", "a/b", "a..b", "*", "torch.*", "a b"])
def test_names_must_be_dotted_identifiers(name):
    with pytest.raises(InputError, match="is not the name of a package"):
        take_allow_imports(["--allow_imports", name])


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory with modules of the user."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "stranger.py").write_text(
        "import pathlib\npathlib.Path('ran').touch()\n"
        "from axonlight.models import DenseNetwork\nclass Slim(DenseNetwork): pass\n"
    )
    (tmp_path / "broken.py").write_text("x = 1\nraise RuntimeError('not today')\n")
    yield tmp_path
    for name in ("stranger", "broken"):
        sys.modules.pop(name, None)


PRINT = ["fit", "--config", "demo.yaml", "--print_config"]


@pytest.mark.parametrize("path", ["stranger.Slim", "os.system", "subprocess.Popen", "builtins.exec"])
@pytest.mark.parametrize(
    "key", ["model.network", "model", "data", "model.optimizer", "trainer.callbacks", "trainer.logger"]
)
def test_other_packages_are_refused_before_they_are_imported(folder, capsys, path, key):
    assert main([*PRINT, f"--{key}={path}"]) == 2
    captured = capsys.readouterr()
    assert f"--allow_imports {path.partition('.')[0]}" in captured.err
    assert not (folder / "ran").exists()
    assert "stranger" not in sys.modules


def test_a_file_cannot_widen_the_policy(folder, capsys):
    (folder / "own.yaml").write_text("allow_imports: stranger\nmodel: {class_path: stranger.Slim}\n")
    assert main([*PRINT, "--config", "own.yaml"]) == 2
    assert "allow_imports" in capsys.readouterr().err
    assert not (folder / "ran").exists()


def test_the_command_line_can(folder, capsys):
    assert main([*PRINT, "--model.network=Slim", "--allow_imports", "stranger"]) == 0
    assert "class_path: stranger.Slim" in capsys.readouterr().out
    assert (folder / "ran").exists()


def test_a_module_beside_the_config_cannot_shadow_a_library(folder):
    (folder / "json.py").write_text("raise RuntimeError('shadowed')\n")
    assert main([*PRINT, "--allow_imports", "stranger"]) == 0
    assert sys.path[-1] == str(folder)


@pytest.mark.parametrize(
    ("name", "message"),
    [("nowhere", "No module named 'nowhere'"), ("broken", "RuntimeError: not today")],
)
def test_a_package_that_cannot_be_imported(folder, capsys, name, message):
    assert main([*PRINT, "--allow_imports", name]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert ("line 2" in error) == (name == "broken")
