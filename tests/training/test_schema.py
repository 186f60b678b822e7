"""The JSON schema of configs: it accepts what the command line accepts and underlines mistakes."""

import inspect
from pathlib import Path

import axonlight.activations
import axonlight.callbacks
import axonlight.configs
import axonlight.datamodules
import axonlight.models
import pytest
import torch
import yaml
from axonlight.training.checkpoint_config import LINKED
from axonlight.training.config_classes import PLACES, describe_arguments, parameters_of
from axonlight.training.schema import config_schema
from axonlight.training.schema_types import type_schema
from jsonargparse import ArgumentParser
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer
from torch import nn

pytestmark = pytest.mark.xdist_group("schema")  # its fixtures are made once

CONFIGS = [
    path
    for path in sorted(Path(axonlight.configs.__path__[0]).rglob("*.yaml"))
    if path.parent.name not in ("discovery", "studies", "protocols")
]


@pytest.fixture(scope="module")
def validator():
    schema = config_schema()
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@pytest.fixture
def demo():
    return yaml.safe_load(next(path for path in CONFIGS if path.name == "demo.yaml").read_text())


def mistake(validator, config):
    """Return the place and the message of the first mistake, or None."""
    error = best_match(validator.iter_errors(config))
    return None if error is None else (".".join(map(str, error.absolute_path)), error.message)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_shipped_configs_are_valid(validator, path):
    assert mistake(validator, yaml.safe_load(path.read_text())) is None


@pytest.mark.parametrize("verb", ["fit", "test"])
def test_a_printed_config_is_valid(validator, verb, capsys):
    from axonlight.cli import main

    scheduler = ["--model.scheduler", "StepLR", "--model.scheduler.step_size", "3"]
    assert main([verb, "--config", "demo.yaml", *scheduler, "--print_config"]) == 0
    assert mistake(validator, yaml.safe_load(capsys.readouterr().out)) is None


def place(config, keys):
    for key in keys.split("."):
        config = config[int(key) if key.isdigit() else key]
    return config


TYPOS = {
    "": "modle",
    "trainer": "max_epoch",
    "model": "init_arg",
    "model.init_args": "netwrok",
    "model.init_args.network.init_args": "hiden",
    "model.init_args.optimizer.init_args": "lrate",
    "data.init_args": "batchsize",
    "trainer.callbacks.0": "init_arg",
}


@pytest.mark.parametrize("where", TYPOS)
def test_a_typing_mistake_in_a_key_is_refused_where_it_stands(validator, demo, where):
    (place(demo, where) if where else demo)[TYPOS[where]] = 1
    at, message = mistake(validator, demo)
    assert at == where
    assert TYPOS[where] in message


@pytest.mark.parametrize("where", ["in_features", "num_classes", "feature_names"])
def test_what_the_data_decide_is_no_key(validator, demo, where):
    demo["model"]["init_args"][where] = 3
    assert where in mistake(validator, demo)[1]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("trainer.max_epochs", "many"),
        ("data.init_args.batch_size", 1.5),
        ("model.init_args.network.init_args.norm", "btch"),
        ("model.init_args.network.init_args.hidden", [8, "x"]),
        ("model.init_args.optimizer.init_args.lr", "fast"),
        ("seed_everything", "x"),
        ("trainer.precision", "17"),
    ],
)
def test_wrong_values_are_refused(validator, demo, key, value):
    parent, _, name = key.rpartition(".")
    (place(demo, parent) if parent else demo)[name] = value
    assert mistake(validator, demo)[0].startswith(key)


GOOD_ACTIVATIONS = [
    "relu",
    "ash(z=0.5)",
    {"class_path": "ASH", "init_args": {"z": 0.7, "mode": "hard"}},
    {"class_path": "axonlight.activations.Swish"},
    {"class_path": "torch.nn.LeakyReLU", "init_args": {"negative_slope": 0.2}},
    {"formula": "x*cos(a*x)", "constants": {"a": 2.0}},
    ["relu", {"class_path": "ASH"}, {"formula": "x*cos(x)"}],
]
BAD_ACTIVATIONS = [
    3,
    {"class_path": "ASH", "init_args": {"zz": 0.7}},
    {"class_path": "ASH", "init_args": {"mode": "soft"}},
    {"formla": "x"},
    {"formula": "x", "constant": {}},
    ["relu", {"class_path": "ASH", "init_args": {"zz": 0.7}}],
]


@pytest.mark.parametrize("spec", GOOD_ACTIVATIONS, ids=str)
def test_every_form_of_activation(validator, demo, spec):
    demo["model"]["init_args"]["network"]["init_args"]["activation"] = spec
    assert mistake(validator, demo) is None


@pytest.mark.parametrize("spec", BAD_ACTIVATIONS, ids=str)
def test_wrong_activations_are_refused(validator, demo, spec):
    demo["model"]["init_args"]["network"]["init_args"]["activation"] = spec
    assert "activation" in mistake(validator, demo)[0]


@pytest.mark.parametrize("key", ["model", "data", "model.init_args.network", "model.init_args.optimizer"])
def test_classes_of_other_packages_take_anything(validator, demo, key):
    parent, _, name = key.rpartition(".")
    other = {"class_path": "mine.Class", "init_args": {"anything": [1, {"a": None}]}}
    (place(demo, parent) if parent else demo)[name] = other
    assert mistake(validator, demo) is None
    other["init_arg"] = {}
    assert mistake(validator, demo)[0] == key


def test_fragments_are_valid(validator):
    for fragment in [
        {},
        {"trainer": {"callbacks": "TrainingCurves", "max_time": "00:01:00:00"}},
        {"model": {"init_args": {"activation_lr": 0.1}}},
        {"data": "BreastCancer", "ckpt_path": None},
        {"trainer": {"logger": {"class_path": "lightning.pytorch.loggers.MLFlowLogger", "init_args": {"run_id": "a"}}}},
        {"trainer": {"callbacks": [{"class_path": "lightning.pytorch.callbacks.EarlyStopping", "init_args": {}}]}},
    ]:
        assert mistake(validator, fragment) is None


# Public, but only to be derived from, layers of networks, or many networks at once.
BASES = {
    *("Activation", "Task", "NamedData", "TableDataModule", "EdgeLinear", "Electrode", "RankOneTensor", "Replicas"),
    *("GeneGraphEncoder", "PrototypeEncoder"),
}


@pytest.mark.parametrize(
    ("name", "package", "base", "without"),
    [
        ("activation", axonlight.activations, nn.Module, ()),
        ("callback", axonlight.callbacks, Callback, ()),
        ("data", axonlight.datamodules, LightningDataModule, ()),
        ("task", axonlight.models, LightningModule, ()),
        ("network", axonlight.models, nn.Module, LightningModule),
    ],
)
def test_names_are_those_of_the_packages(name, package, base, without):
    public = {
        item
        for item in package.__all__
        if inspect.isclass(found := getattr(package, item)) and base in found.__mro__ and not issubclass(found, without)
    }
    assert set(PLACES[name].short_names) == public - BASES
    for path, item in PLACES[name].classes.items():
        assert path == f"{package.__name__}.{item.__name__}"


@pytest.mark.parametrize("name", PLACES)
def test_parameters_are_those_that_the_command_line_takes(name):
    """Jsonargparse resolves ``**options`` by reading the source; ours by the line of ancestors."""
    for path, item in PLACES[name].classes.items():
        parser = ArgumentParser(exit_on_error=False)
        parser.add_class_arguments(item, skip={PLACES[name].supplied or 0})
        known = {action.dest.partition(".")[0] for action in parser._actions} - {"help"}
        # links from the data fill these; the data themselves may take them
        hidden = getattr(item, "fixed_options", set()) if name == "data" else set(LINKED)
        assert {parameter.name for parameter in PLACES[name].parameters(path)} == known - hidden, path


def test_a_hierarchy_is_an_option_of_data_alone(validator, demo):
    files = {"reader": "reactome", "annotations": "a.tsv", "relations": "b.tsv", "levels": "all", "fill": "skip"}
    demo["data"] = {"class_path": "Proteomics", "init_args": {"hierarchy": files}}
    assert mistake(validator, demo) is None
    for change in ({"level": 3}, {"levels": "few"}, {"reader": "edge"}):
        demo["data"]["init_args"]["hierarchy"] = {**files, **change}
        assert mistake(validator, demo)[0].startswith("data.init_args.hierarchy")
    demo["data"]["init_args"]["hierarchy"] = None
    assert mistake(validator, demo) is None
    demo["model"]["init_args"]["hierarchy"] = files
    assert mistake(validator, demo)[0].startswith("model.init_args")


def test_our_parameters_are_described():
    for name in ("task", "network", "activation", "data", "callback"):
        for path in PLACES[name].classes:
            for parameter in PLACES[name].parameters(path):
                assert parameter.description, f"{path}.{parameter.name}"


def test_descriptions_and_defaults_reach_the_schema():
    described = {item["then"]["title"]: item["then"] for item in config_schema()["$defs"]["data"]["allOf"]}
    spambase = described["Spambase"]
    assert spambase["description"].startswith("Spam against other e-mail")
    batch_size = spambase["properties"]["init_args"]["properties"]["batch_size"]
    assert batch_size["default"] == 256
    assert batch_size["description"].startswith("Rows of a batch")


def test_examples_of_classes_can_be_imported():
    for name in ("callback", "optimizer", "scheduler"):
        for path in [*PLACES[name].others, *PLACES[name].classes]:
            module, _, attribute = path.rpartition(".")
            assert inspect.isclass(getattr(__import__(module, fromlist=["_"]), attribute))


def test_trainer_keys_are_those_of_the_trainer():
    keys = config_schema()["properties"]["trainer"]["properties"]
    assert set(keys) == set(inspect.signature(Trainer).parameters)


def test_arguments_of_a_docstring():
    text = """Do.

    Args:
        rate: How fast: one line
            and another.

            A second paragraph.
        **rest: What else (see there).
        size (int, optional): How large.

    Returns:
        wrong: This is no argument.
    """
    assert describe_arguments(text) == {
        "rate": "How fast: one line and another. A second paragraph.",
        "rest": "What else (see there).",
        "size": "How large.",
    }
    assert describe_arguments(None, "No section.") == {}


def test_parameters_behind_keyword_arguments():
    class Base:
        def __init__(self, low: int = 1, high: "Unknown" = 2):  # noqa: F821  (a name that cannot be resolved)
            pass

    class Child(Base):
        def __init__(self, low: float = 0.5, **options):
            pass

    class Closed(Base):
        def __init__(self, own: str):
            pass

    assert [(item.name, item.default) for item in parameters_of(Child)] == [("low", 0.5), ("high", 2)]
    assert [item.name for item in parameters_of(Closed)] == ["own"]


@pytest.mark.parametrize(
    ("annotation", "good", "bad"),
    [
        (tuple[int, int], [[1, 2]], [[1], [1, 2, 3], [1, "a"]]),
        (tuple[float, ...], [[], [1.5, 2]], [["a"]]),
        (dict[str, float], [{"a": 1.0}], [{"a": "b"}, 1]),
        (int | None, [1, None], ["a", 1.5]),
        (list[str] | str, [["a"], "a"], [1, [1]]),
        (torch.Tensor | float, [1.0], ["a", {}]),
        (inspect.Parameter.empty, [1, "a", None, {}], []),
        ("forward", [1, "a", None, {}], []),
    ],
    ids=str,
)
def test_types(annotation, good, bad):
    from axonlight.training.schema import _class_reference

    check = Draft202012Validator(type_schema(annotation, _class_reference))
    assert all(check.is_valid(value) for value in good)
    assert not any(check.is_valid(value) for value in bad)
