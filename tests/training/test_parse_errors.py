"""jsonargparse's reports become one sentence: texts as jsonargparse 4.53 writes them, and the command itself."""

import pytest
from axonlight.cli import main
from axonlight.training.parse_errors import condense

UNION = """Parser key "{key}":
  Does not validate against any of the Union subtypes
  Subtypes: [...]
  Errors:
{errors}
    - Expected a <class 'NoneType'>
  Given value type: <class 'str'>
  Given value: {value}"""


def union(key, value, *errors):
    return UNION.format(key=key, value=value, errors="\n".join(f"    - {error}" for error in errors))


def test_types_of_a_union():
    text = union("trainer.limit_train_batches", "x", "Expected a <class 'int'>", "Expected a <class 'float'>")
    assert condense(text) == "trainer.limit_train_batches is 'x'; it must be an integer or a number"


def test_members_of_several_literals():
    text = union(
        "trainer.precision", "17", "Expected a typing.Literal[64, 32]", "Expected a typing.Literal['32', 'bf16']"
    )
    assert condense(text) == "trainer.precision is '17'; it must be one of 64, 32, bf16"


def test_only_the_innermost_types_count():
    inner = (
        "Problem with given class_path 'axonlight.datamodules.BreastCancer':\n"
        "        Parser key \"batch_size\":\n          Expected a <class 'int'>. Got value: x"
    )
    text = union("data", "NestedArg(key='batch_size', val='x')", inner, "Expected a <class 'str'>")
    assert condense(text) == "data.batch_size is 'x'; it must be an integer"


def test_a_whole_object_is_not_repeated():
    text = (
        "Parser key \"model\":\n  Expected a <class 'int'>. Got value: a. Got value: Namespace(b=1)\n  Given value: {}"
    )
    assert condense(text) == "model is 'a'; it must be an integer"
    long = "Parser key \"model\":\n  Expected a <class 'int'>\n  Given value: {" + "x" * 500 + "}"
    assert condense(long) == "model is of another type; it must be an integer"


def test_unknown_class():
    text = union("model.network", "DenseNetwrk", "Expected a dot import path string: DenseNetwrk")
    assert condense(text, ["DenseNetwork"]) == (
        "model.network: no class is called 'DenseNetwrk'; did you mean DenseNetwork or GeneNetwork?"
    )
    text = union("model.network", "Qqq", "Expected a dot import path string: Qqq")
    assert "--allow_imports PACKAGE makes" in condense(text, ["DenseNetwork"])


def test_a_number_is_no_missing_class():
    text = union("model.optimizer.lr", "x", "Expected a <class 'float'>", "Expected a dot import path string: x")
    assert condense(text) == "model.optimizer.lr is 'x'; it must be a number"


def test_denied_import():
    text = union("model", "os.system", "Importing 'os.system' is not allowed, denied by the '*' entry")
    assert condense(text).startswith(
        "model: importing 'os.system' is not allowed; if you trust it, add --allow_imports os"
    )


def test_plain_messages_stay():
    assert condense("there is no file x.csv") == "there is no file x.csv"


def test_the_cause_beneath_a_union_of_types():
    assert condense(union("data", "Namespace(a=1)", "there is no file x.csv")) == "data: there is no file x.csv"


COMMANDS = {
    "misspelt key": (
        ["--model.network.hiden=[3]"],
        "model.network.hiden is not an option; did you mean model.network.hidden",
    ),
    "misspelt trainer key": (["--config={trainer: {max_epoch: 3}}"], "did you mean trainer.max_epochs"),
    "misspelt top": (["--modle", "x"], "modle is not an option; did you mean model?"),
    "misspelt data key": (["--data.batchsize", "3"], "did you mean data.batch_size?"),
    "misspelt optimizer": (["--model.optimizer", "Adm"], "no class is called 'Adm'; did you mean Adam"),
    "misspelt member": (["--data.missing", "eror"], "data.missing is 'eror'; it must be one of error, median"),
    "wrong type": (["--data.batch_size", "x"], "data.batch_size is 'x'; it must be an integer"),
    "key of a text": (["--model.network.activation.z", "1"], "is the text 'ash(z=0.5)', whose parts cannot be set"),
    "key of a formula": (
        ["--model.network.activation={formula: x, a: 2}"],
        "model.network.activation: the key 'a' is not accepted",
    ),
    "key of a mapping": (
        ["--data.hierarchy={reader: gmt, pathh: x}"],
        "data.hierarchy: the key 'pathh' is not accepted; did you mean path?",
    ),
    "value in a mapping": (
        ["--data.hierarchy.reader", "gmt", "--data.hierarchy.fill", "jump"],
        "data.hierarchy.fill is 'jump'; it must be one of copy, skip",
    ),
    "stray word": (["stray"], "stray is not an option"),
    "callback": (
        ["--config={trainer: {callbacks: [{class_path: TrainingCurves, init_args: {filname: x}}]}}"],
        "trainer.callbacks.filname is not an option; did you mean trainer.callbacks.filename",
    ),
    "no optimizer": (["--model.optimizer", "axonlight.cli.main"], "to be a function that returns <class 'Optimizer'>"),
}


@pytest.mark.parametrize("mistake", COMMANDS)
def test_of_the_command(mistake, capsys):
    flags, message = COMMANDS[mistake]
    assert main(["fit", "--config", "demo.yaml", *flags, "--print_config"]) == 2
    error = capsys.readouterr().err.strip()
    assert message in error
    assert "Union" not in error
    assert "Namespace" not in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fit", "--data", "BreastCancer"], "model must be given"),
        (["fit"], "data, model must be given"),
        (["fit", "--model", "ClassificationTask", "--data", "BreastCancer"], "network must be given"),
    ],
)
def test_what_is_missing(arguments, message, capsys):
    assert main(arguments) == 2
    assert message in capsys.readouterr().err
