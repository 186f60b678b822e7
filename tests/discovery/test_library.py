"""The file activations.yaml: what goes in comes out, and what a stranger wrote into it does no harm."""

import os
import stat

import numpy as np
import pytest
import torch
import yaml
from axonlight.activations import Formula, build_activation
from axonlight.cli import main
from axonlight.discovery import ActivationLibrary, Candidate
from axonlight.errors import InputError

X = torch.linspace(-3, 3, 101, dtype=torch.float64)


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AXONLIGHT_LIBRARY", raising=False)
    return tmp_path / "activations.yaml"


def found(formula, **known):
    return Candidate.from_text(formula, **{"engine": "enumerate", **known})


def test_what_is_saved_is_what_a_network_gets(path):
    library = ActivationLibrary()
    library.add("plain", found("x*cos(x)"))
    library.add("tuned", found("sin(a*x) + b*x", constants={"a": 2.5, "b": np.float64(0.25)}))
    library.add("level", found("x*x", normalization=(1.0, 0.7)))
    library.save(path)
    cosine, tuned, level = (build_activation(f"library:{name}", width=3).double() for name in library)
    torch.testing.assert_close(cosine(X), X * torch.cos(X))
    assert tuned.a.tolist() == [2.5] * 3
    torch.testing.assert_close(tuned.curve(X[:, None])[:, 0], torch.sin(2.5 * X) + 0.25 * X)
    # mean 1 and variance 2 under N(0, 1), known in closed form
    torch.testing.assert_close(level(X), (X * X - 1) / 2**0.5)
    assert build_activation("library:level").normalize is True


def test_where_it_was_found_comes_along(path):
    library = ActivationLibrary()
    scores = {"selection": np.float32(0.5), "few_steps": float("nan")}
    candidate = found("x*cos(x)", seed=3, data_hash="abc", scores=scores, cost={"seconds": 1.5})
    library.add("wave", candidate, data="Covertype", metric="auroc", known_as=None)
    library.save(path)
    told = ActivationLibrary.load(path)["wave"]["found"]
    assert told.pop("date").startswith("20")
    assert told.pop("version")
    assert told == {
        "engine": "enumerate",
        "seed": 3,
        "nodes": 4,
        "data_hash": "abc",
        "scores": {"selection": 0.5, "few_steps": None},
        "cost": {"seconds": 1.5},
        "data": "Covertype",
        "metric": "auroc",
    }
    assert ActivationLibrary.load(path) == library
    assert "axonlight fit --config ... --model.network.activation library:wave" in path.read_text()


def test_a_network_is_trained_with_an_entry(path, tmp_path, capsys):
    library = ActivationLibrary()
    library.add("wave", found("x*cos(a*x)", constants={"a": 1.5}))
    library.save(path)
    few = [
        "--trainer.max_epochs",
        "1",
        "--trainer.default_root_dir",
        str(tmp_path / "run"),
        "--trainer.callbacks",
        "[]",
    ]
    assert main(["fit", "--config", "demo.yaml", "--model.network.activation", "library:wave", *few]) == 0
    capsys.readouterr()
    saved = next((tmp_path / "run").rglob("config.yaml"))
    assert "library:wave" in saved.read_text()


def test_names_are_taken_once_and_must_be_sayable():
    library = ActivationLibrary()
    library.add("wave", found("sin(x)"))
    with pytest.raises(InputError, match="holds wave already"):
        library.add("wave", found("cos(x)"))
    library.add("wave", found("cos(x)"), replace=True)
    assert library["wave"]["formula"] == "cos(x)"
    for name in ("", " wave", "two\nlines"):
        with pytest.raises(InputError, match="cannot stand in library:NAME"):
            library.add(name, found("cos(x)"))


def test_a_file_is_replaced_whole_or_not_at_all(path, monkeypatch):
    library = ActivationLibrary({"wave": {"formula": "sin(x)"}})
    library.save(path)
    before = path.read_text()
    library.add("more", found("cos(x)"))
    monkeypatch.setattr(os, "replace", None)
    monkeypatch.setattr("pathlib.Path.replace", lambda *_: (_ for _ in ()).throw(OSError("the disk is full")))
    with pytest.raises(OSError, match="disk is full"):
        library.save(path)
    assert path.read_text() == before
    assert [one.name for one in path.parent.iterdir()] == ["activations.yaml"]


HOSTILE = {
    "import": ("{formula: \"__import__('os').system('touch stolen')\"}", "entry bad: formula "),
    "attribute": ("{formula: x.real}", "takes an attribute"),
    "lambda": ('{formula: "(lambda: x)()"}', "entry bad: formula"),
    "power": ("{formula: 9**9**9**9}", "entry bad: formula"),
    "long": (f"{{formula: {'sin(' * 3000}x{')' * 3000}}}", "entry bad: formula"),
    "list": ("{formula: [1, 2]}", "formula is a list; it must be text"),
    "class": ("{class_path: os.system, init_args: {command: touch stolen}}", "must be a mapping with the key formula"),
    "constant": ("{formula: x*a, constants: {a: .inf}}", "entry bad: "),
    "stranger": ("{formula: x*a, constants: {b: 1.0}}", "constants names 'b', which is not in the formula"),
    "text": ("{formula: x*a, a: 'open(1)'}", "unknown key 'a'"),
    "typo": ("{formula: x, normalise: true}", "did you mean 'normalize'?"),
    "found": ("{formula: x, found: [1]}", "found is a list; it must be a mapping"),
    "memory": ("{formula: x*a, num_parameters: 1000000000000}", "at most 1,000,000 values"),
    "alias": (f"{{formula: &a [{'x, ' * 9}x], note: *a}}", "it must be text"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_entry_is_refused_with_file_and_entry(path, kind):
    entry, words = HOSTILE[kind]
    path.write_text(f"good: {{formula: sin(x)}}\nbad: {entry}\n")
    for refuse in (lambda: build_activation("library:bad"), lambda: ActivationLibrary.load(path)):
        with pytest.raises(InputError) as caught:
            refuse()
        said = str(caught.value)
        assert "activations.yaml: entry bad" in said
        assert words in said
        assert "\n" not in said
        assert len(said) < 400
    assert not (path.parent / "stolen").exists()
    assert type(build_activation("library:good")) is Formula  # one rotten entry spoils no other


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12)
)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("- a\n- b\n", "must map names to formulas"),
        ("a: [1", "not readable as YAML"),
        ("a: !!python/object/apply:os.system ['touch stolen']\n", "not readable as YAML"),
        ("a: " + "[" * 20000, "nested too deep"),
        ("a: 2024-13-45\n", "not readable as YAML"),
        (BOMB, "must be a mapping with the key formula"),
    ],
    ids=["list", "broken", "object", "deep", "date", "bomb"],
)
def test_a_hostile_file_is_refused_in_one_sentence(path, content, words):
    path.write_text(content)
    name = "a11" if content is BOMB else "a"
    with pytest.raises(InputError, match=r"activations\.yaml") as caught:
        build_activation(f"library:{name}")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600
    assert not (path.parent / "stolen").exists()


def test_a_file_that_cannot_be_read(path):
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not readable as YAML"):
        ActivationLibrary.load(path)
    with pytest.raises(InputError, match="is not a file; axonlight discover writes one"):
        ActivationLibrary.load(path.parent)
    if os.geteuid():
        path.chmod(stat.S_IWUSR)
        with pytest.raises(InputError, match="cannot be read"):
            ActivationLibrary.load(path)


def test_the_command_line_refuses_a_hostile_entry_in_one_line(path, capsys):
    path.write_text("bad: {formula: x.__class__}\n")
    assert main(["fit", "--config", "demo.yaml", "--model.network.activation", "library:bad"]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("axonlight: error: ")
    assert "activations.yaml: entry bad: formula" in said


def test_values_per_unit_survive(path):
    path.write_text(yaml.safe_dump({"wave": {"formula": "sin(a*x)", "constants": {"a": [1.0, 2.0, 3.0]}}}))
    ActivationLibrary.load(path)
    assert build_activation("library:wave", width=3).a.tolist() == [1.0, 2.0, 3.0]
