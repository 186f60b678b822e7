"""`axonlight inspect nulls`: what the null models leave is printed, drawn and written."""

import numpy as np
import pandas as pd
import pytest
from axonlight.cli import main
from axonlight.commands import inspect_nulls
from axonlight.errors import InputError
from axonlight.structures import DegreePreserving, ErdosRenyi, Hierarchy, NullModel, NullReport, null_seed
from axonlight.structures.nulls.text import parse_null
from matplotlib import image


class Fitted(NullModel):
    """A null model that waits for training rows."""

    needs_data = True


@pytest.fixture
def edges(tmp_path):
    generator = np.random.default_rng(0)
    rows = [f"cell,p{number}" for number in range(4)]
    rows += [f"p{a},g{b}" for a, b in np.argwhere(generator.random((4, 12)) < 0.4)]
    path = tmp_path / "edges.csv"
    path.write_text("\n".join(["parent,child", *rows]))
    return path


def run(*arguments):
    return main(["inspect", "nulls", *map(str, arguments)])


def test_the_table_is_that_of_the_reports(edges, tmp_path, capsys):
    picture, table = tmp_path / "new" / "nulls.png", tmp_path / "also" / "nulls.csv"
    chosen = ["--null", "DegreePreserving", "ErdosRenyi", "ErdosRenyi", "--draws", "7", "--seed", "3"]
    assert run("--edges", edges, *chosen, "--csv", table, "--output", picture) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2:] == [str(table), str(picture)]
    real = Hierarchy.from_edges(edges)
    assert lines[0] == f"means of 7 draws of a hierarchy {'-'.join(map(str, real.sizes))} with {real.num_edges} edges"
    drawn = pd.read_csv(table)
    assert len(drawn) == 14  # a null model named twice is drawn once
    for null in (DegreePreserving(), ErdosRenyi()):
        draws = [null(real, null_seed(3, null, draw)) for draw in range(7)]
        report = NullReport(real, draws, null)
        rows = drawn[drawn["null"] == null.name].set_index("draw").drop(columns="null")
        pd.testing.assert_frame_equal(rows, report.draws)
        row = next(line.split() for line in lines if line.startswith(null.name))
        means = report.summary()["mean"]
        shown = ["live_inputs", "live_nodes", "live_edges", "paths", "effective_depth", "edge_overlap"]
        assert row == [null.name, *(f"{means[name]:.3f}" for name in shown)]
        assert f"every draw of {null.name} keeps: {', '.join(report.kept)}" in lines
    assert image.imread(picture).shape[1] > 400


def test_draws_without_any_path_are_counted(tmp_path, capsys):
    # a chain of four edges beside 40 genes whose set leads nowhere: chance hardly ever finds the way up
    real = Hierarchy(
        ["genes", "low", "high", "top"],
        [[f"g{number}" for number in range(40)], [f"p{number}" for number in range(40)], ["a", "b", "c", "d"], ["t"]],
        [(0, 1, np.stack([np.arange(40)] * 2)), (1, 2, [[0], [0]]), (2, 3, [[0], [0]])],
    )
    saved = real.save(tmp_path / "real.json")
    assert run("--load", saved, "--null", "ErdosRenyi", "--draws", 8, "--output", tmp_path / "n.svg") == 0
    draws = [ErdosRenyi()(real, null_seed(0, ErdosRenyi(), draw)) for draw in range(8)]
    dead = sum(not draw.live_nodes()[0].any() for draw in draws)
    assert 0 < dead < 8
    assert f"{dead} of the draws of ErdosRenyi leave no path to the highest layer" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ErdosRenyi", "ErdosRenyi"),
        ("Rewire(fraction=0.5)", {"class_path": "Rewire", "init_args": {"fraction": 0.5}}),
        ("DegreePreserving()", {"class_path": "DegreePreserving", "init_args": {}}),
        ("A(by='mean', bins=5)", {"class_path": "A", "init_args": {"by": "mean", "bins": 5}}),
    ],
)
def test_names_and_arguments(text, expected):
    assert parse_null(text) == expected


@pytest.mark.parametrize("text", ["Rewire(0.5)", "Rewire(", "a.b(c=1)", "Rewire(fraction=open('x'))", "(1)"])
def test_text_that_is_no_name_with_arguments(text):
    with pytest.raises(InputError, match="write a name, or"):
        parse_null(text)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--null", "ErdosRenyi", "--draws", "0"], "draws is 0; it must be a positive integer"),
        (["--null", "ErdosRenyi", "--seed", "-1"], "seed is -1"),
        (["--null", "ErdosReny"], "did you mean 'ErdosRenyi'?"),
        (["--null", "ErdosRenyi(p=2)"], "ErdosRenyi has no argument 'p'"),
        (["--null", "ErdosRenyi", "--output", "n.txt"], "output is n.txt; its suffix must be one of"),
        (["--null", "ErdosRenyi", "--output", "/dev/null/n.png"], "but /dev/null is a file; name another one"),
        (["--null", "ErdosRenyi", "--csv", "/dev/null/n.csv"], "csv is /dev/null/n.csv, but /dev/null is a file"),
        (["--null", "ErdosRenyi", "--csv", "."], "csv is ., which is a folder"),
        (["--null"], "argument --null: expected at least one argument"),
        ([], "the following arguments are required: --null"),
    ],
)
def test_mistakes(arguments, message, edges, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run("--edges", edges, *arguments) == 2
    assert message in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["edges.csv"]


def test_null_models_that_need_training_rows_are_sent_to_a_study(edges, monkeypatch, capsys):
    monkeypatch.setattr(inspect_nulls, "build_null", lambda spec: Fitted())
    assert run("--edges", edges, "--null", "Fitted") == 2
    assert "Fitted, which needs training rows before it can draw" in capsys.readouterr().err


def test_the_real_hierarchy_under_chance(data_root, tmp_path, capsys):
    folder = data_root / "proteomics"
    files = ["--mapping", folder / "translation.tsv", "--relations", folder / "pathways.tsv"]
    files += ["--features", folder / "test_qm.csv", "--output", tmp_path / "nulls.png"]
    assert run(*files, "--null", "ErdosRenyi", "PermuteInputs", "--draws", "10") == 0
    lines = capsys.readouterr().out.splitlines()
    chance = next(line.split() for line in lines if line.startswith("ErdosRenyi"))
    assert float(chance[2]) == pytest.approx(0.42, abs=0.03)  # 58 % of the nodes are dead
    assert next(line.split()[1:4] for line in lines if line.startswith("PermuteInputs")) == ["1.000"] * 3
