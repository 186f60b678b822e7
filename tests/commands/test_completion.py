"""Completion scripts: a real shell reads them and completes what a person would type."""

import json
import re
import shutil
import subprocess
import sys

import pytest
from axonlight.cli import main
from axonlight.training.completion_options import training_options

needs_bash = pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")


def printed(kind, capsys):
    assert main(["--print_completion", kind]) == 0
    return capsys.readouterr().out


@pytest.fixture
def bash_script(tmp_path, capsys):
    path = tmp_path / "completion.bash"
    path.write_text(printed("shtab-bash", capsys))
    return path


def complete(script, *words):
    """Let bash complete the last word."""
    commands = (
        'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _shtab_axonlight; '
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    run = subprocess.run(
        ["bash", "-c", commands, "bash", str(script), "axonlight", *words],
        capture_output=True,
        text=True,
        check=True,
        cwd=script.parent,
    )
    return set(run.stdout.split())


@needs_bash
def test_bash_reads_the_script(bash_script):
    run = subprocess.run(["bash", "-n", str(bash_script)], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")


@needs_bash
def test_bash_completes(bash_script):
    (bash_script.parent / "spam_mine.yaml").write_text("trainer: {}\n")
    expected = [
        ([""], {"fit", "validate", "test", "predict", "compare", "discover", "inspect", "data"}),
        (["da"], {"data"}),
        (["data", ""], {"list", "get", "check"}),
        (["data", "get", "sp"], {"spambase"}),
        (["inspect", ""], {"activation", "hierarchy", "nulls"}),
        (["inspect", "nulls", "--null", "Erd"], {"ErdosRenyi"}),
        (["fit", "--trainer.max_"], {"--trainer.max_epochs", "--trainer.max_steps", "--trainer.max_time"}),
        (["fit", "--model", "C"], {"ClassificationTask"}),
        (["fit", "--model.network", "Den"], {"DenseNetwork"}),
        (["fit", "--model.network.norm", ""], {"batch", "layer", "none", "null"}),
        (["fit", "--model.network.activation", "AS"], {"ASH"}),
        (["fit", "--model.network.activation.ne"], {"--model.network.activation.negative_slope"}),
        (["fit", "--model.optimizer", "Adam"], {"Adam", "AdamW", "Adamax"}),
        (["fit", "--data", "Sp"], {"Spambase"}),
        (["fit", "--data.hierarchy.le"], {"--data.hierarchy.level_rule", "--data.hierarchy.levels"}),
        (["fit", "--data.hierarchy.reader", "re"], {"reactome"}),
        (["fit", "--model.hier"], set()),
        (["test", "--ckpt_path", "la"], {"last"}),
        (["fit", "--config", "d"], {"demo.yaml"}),
        (["fit", "--config", "spam"], {"spam_mine.yaml"}),
        (["compare", "studies/quick"], {"studies/quickstart.yaml"}),
        (["compare", "--executor", ""], {"local", "ray", "slurm"}),
        (["--print_completion", "shtab-z"], {"shtab-zsh"}),
    ]  # fmt: skip
    assert [complete(bash_script, *words) for words, _ in expected] == [names for _, names in expected]


def test_zsh_and_tcsh(capsys):
    for kind, first in [("shtab-zsh", "#compdef axonlight"), ("shtab-tcsh", "# AUTOMATICALLY GENERATED")]:
        script = printed(kind, capsys)
        assert script.startswith(first)
        for word in ("trainer.max_epochs", "model.network.activation", "data.split_seed", "Spambase"):
            assert word in script


@pytest.mark.parametrize("kind", ["jsonschema", "shtab-bash"])
def test_both_ways_of_giving_the_kind(kind, capsys):
    first = printed(kind, capsys)
    assert main([f"--print_completion={kind}"]) == 0
    assert capsys.readouterr().out == first


def test_the_schema_is_json(capsys):
    assert set(json.loads(printed("jsonschema", capsys))["properties"]) >= {"model", "data", "trainer"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--print_completion", "bash"], "'bash'; it must be jsonschema, shtab-bash, shtab-zsh or shtab-tcsh"),
        (["--print_completion=shtab-bsh"], "did you mean shtab-bash?"),
        (["--print_completion"], "expected one argument"),
    ],
)
def test_mistakes(arguments, message, capsys):
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err
    assert len(captured.err.strip().splitlines()) == 1


def test_without_shtab(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert main(["--print_completion", "shtab-bash"]) == 2
    assert "pip install shtab" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["fit", "validate", "test", "predict"])
def test_options_are_those_of_the_verb(verb):
    options = training_options(verb)
    assert ("verbose" in options) == (verb in ("validate", "test"))
    assert ("return_predictions" in options) == (verb == "predict")
    assert {"seed_everything", "ckpt_path", "trainer.max_epochs", "data.root", "model.network.hidden"} <= set(options)


def test_the_command_line_accepts_the_options(capsys):
    chosen = {
        "model": "ClassificationTask",
        "model.network": "DenseNetwork",
        "model.network.hidden": "[4]",
        "model.network.activation": "ASH",
        "model.network.activation.z": "0.5",
        "model.optimizer": "SGD",
        "model.optimizer.momentum": "0.5",
        "model.scheduler": "StepLR",
        "model.scheduler.step_size": "3",
        "data": "Covertype",
        "data.classes": "all",
        "trainer.callbacks": "TrainingCurves",
        "trainer.callbacks.filename": "c.png",
        "trainer.precision": "bf16-mixed",
    }
    assert set(chosen) <= set(training_options("fit"))
    assert main(["fit", *(f"--{name}={value}" for name, value in chosen.items()), "--print_config"]) == 0
    shown = capsys.readouterr().out
    for text in ("axonlight.activations.ASH", "momentum: 0.5", "step_size: 3", "classes: all", "filename: c.png"):
        assert text in shown


def test_hints_are_words_and_descriptions_short():
    for name, (description, values) in training_options("fit").items():
        assert re.fullmatch(r"[\w.]+", name)
        assert len(description) < 110
        assert all(re.fullmatch(r"[\w.:-]+", value) for value in values)


def test_hints_name_every_public_class():
    options = training_options("fit")
    assert {"ASH", "Swish", "ReLU", "GELU"} <= set(options["model.network.activation"][1])
    assert {"Spambase", "TabularData"} <= set(options["data"][1])
    assert options["data.missing"][1] == ["error", "median"]
    assert {"true", "false"} <= set(options["data.stratify"][1])
