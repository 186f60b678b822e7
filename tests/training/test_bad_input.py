"""A user's mistake is one sentence that names the key and what is allowed, exit code 2, and nothing written."""

import pytest

from .conftest import BASE

MISTAKES = {
    "unknown activation": (["--model.network.activation", "relux"], ["relux", "ReLU"]),
    "spec with wrong parameter": (["--model.network.activation", "ash(k=1)"], ["ASH", "'k'", "alpha"]),
    "broken formula": (["--model.network.activation", "formula(x*foo(x))"], ["foo"]),
    "too few activations": (["--model.network.activation", "[relu]"], ["1 specs for 2 hidden layers"]),
    "unknown option": (["--model.network.hiden", "[3]"], ["model.network", "hiden"]),
    "unknown network": (["--model.network", "DenseNetwrk"], ["DenseNetwrk", "DenseNetwork"]),
    "unknown data": (["--data", "BreastCancr"], ["BreastCancr", "BreastCancer"]),
    "wrong type": (["--trainer.max_epochs", "many"], ["trainer.max_epochs", "many"]),
    "dropout out of range": (["--model.network.dropout", "1.5"], ["dropout", "1.5", "[0, 1)"]),
    "negative learning rate": (["--model.optimizer", "torch.optim.Adam", "--model.optimizer.lr", "-1"], ["-1"]),
    "batch size": (["--data.batch_size", "0"], ["batch_size", "0"]),
    "fraction": (["--data.test_fraction", "1.5"], ["test_fraction", "1.5"]),
    "fold without folds": (["--data.fold", "1"], ["num_folds"]),
    "missing config": (["--config", "nowhere.yaml"], ["nowhere.yaml"]),
    "missing checkpoint": (["--ckpt_path", "nowhere.ckpt"], ["nowhere.ckpt"]),
    "missing table": (["--data", "TabularData", "--data.path", "nowhere.csv"], ["nowhere.csv"]),
    "missing set": (["--data", "Spambase", "--data.root", "nowhere"], ["nowhere"]),
    "unknown verb option": (["--no_such_option", "1"], ["no_such_option"]),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake_is_one_sentence_and_leaves_nothing(axonlight, mistake):
    flags, expected = MISTAKES[mistake]
    run = axonlight("fit", *BASE, *flags)
    assert run.code == 2, run.out + run.err
    message = next(line for line in run.err.splitlines() if line.startswith("axonlight: error:"))
    for text in expected:
        assert text in message
    assert "Traceback" not in run.err
    assert "Union" not in message
    assert len(message) < 700
    assert not (run.folder / "runs").exists()


TABLES = {
    "wrong target column": ("a,b,y\n" + "1,2,0\n3,4,1\n" * 30, ["--data.target", "z"], ["z", "y"]),
    "one class": ("a,b,y\n" + "1,2,0\n3,4,0\n" * 30, [], ["class"]),
    "empty cell": ("a,b,y\n" + "1,2,0\n3,4,1\n" * 30 + "1,,0\n", [], ["'b'", "row 61"]),
    "infinite cell": ("a,b,y\n" + "1,2,0\n3,4,1\n" * 30 + "inf,1,0\n", [], ["a", "inf"]),
    "text in a numeric column": ("a,b,y\n" + "1,2,0\n3,4,1\n" * 30 + "1,red,0\n", [], ["b", "red"]),
    "fewer rows than folds": (
        "a,b,y\n1,2,0\n3,4,1\n5,6,0\n",
        ["--data.fold", "0", "--data.num_folds", "5"],
        ["3", "5"],
    ),
    "empty file": ("", [], ["own.csv"]),
}


@pytest.mark.parametrize("mistake", TABLES)
def test_bad_table_names_file_column_and_row(axonlight, tmp_path, mistake):
    content, flags, expected = TABLES[mistake]
    (tmp_path / "own.csv").write_text(content)
    run = axonlight("fit", *BASE, "--data", "TabularData", "--data.path", "own.csv", *flags)
    assert run.code == 2, run.out + run.err
    message = next(line for line in run.err.splitlines() if line.startswith("axonlight: error:"))
    for text in expected:
        assert text in message, message
    assert "Traceback" not in run.err
    assert not (run.folder / "runs").exists()


def test_abbreviated_option_is_refused_with_the_full_name(axonlight):
    run = axonlight("fit", *BASE, "--trainer.max_epoch", "3")
    assert run.code == 2
    assert "trainer.max_epochs" in run.err
