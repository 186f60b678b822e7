"""The reproduction of "Neuro-Symbolic Activation Discovery": protocol, resumed runs, tables."""

import csv
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from axonlight.training.command_line import AxonlightCLI
from axonlight.training.config_files import with_shipped_configs
from scipy import stats
from sklearn.metrics import accuracy_score, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
if not EXAMPLES.is_dir():
    pytest.skip("examples are not installed with the package", allow_module_level=True)
sys.path.insert(0, str(EXAMPLES))
import _neuro_symbolic_report as tables  # noqa: E402
import neuro_symbolic as example  # noqa: E402

sys.path.remove(str(EXAMPLES))

PARAMETERS = {
    ("forest_cover", "light"): 5_825,
    ("forest_cover", "heavy"): 31_801,
    ("higgs", "light"): 4_161,
    ("higgs", "heavy"): 26_601,
    ("spambase", "light"): 6_017,
    ("spambase", "heavy"): 32_401,
}


@pytest.fixture
def options(data_root, tmp_path):
    return example.Options(str(data_root), tmp_path, rows=300, epochs=1)


def build(dataset, size, options, activation="relu"):
    arguments = ["fit", *example.fit_arguments(dataset, size, activation, 43, options)]
    return AxonlightCLI(with_shipped_configs([*arguments, "--trainer.logger=false"]))


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(("dataset", "size"), PARAMETERS)
def test_parameter_counts_are_the_published_ones(dataset, size, options):
    assert count(build(dataset, size, options).model) == PARAMETERS[dataset, size]


@pytest.mark.parametrize("activation", example.LIGHT)
def test_only_ash_adds_parameters_one_pair_per_layer(activation, options):
    extra = 4 if activation.startswith("ash") else 0
    assert count(build("spambase", "light", options, activation).model) == 6_017 + extra


@pytest.mark.parametrize(("size", "widths"), [("light", (64, 32)), ("heavy", (200, 100))])
def test_network_and_optimizer_are_the_published_ones(size, widths, options):
    cli = build("higgs", size, options)
    layers = list(cli.model.network.layers)
    kinds = [nn.Linear, nn.BatchNorm1d, nn.ReLU, nn.Dropout] * 2 + [nn.Linear]
    assert len(layers) == len(kinds)
    assert all(isinstance(layer, kind) for layer, kind in zip(layers, kinds, strict=True))
    assert [layer.out_features for layer in layers if isinstance(layer, nn.Linear)] == [*widths, 1]
    assert [layer.p for layer in layers if isinstance(layer, nn.Dropout)] == [0.3, 0.3]
    optimizer = cli.model.configure_optimizers()
    assert type(optimizer) is torch.optim.Adam
    assert optimizer.defaults["lr"] == 0.001
    assert optimizer.defaults["weight_decay"] == 0


@pytest.mark.parametrize("dataset", example.SETS)
def test_configs_alone_train_for_fifteen_epochs_with_seed_42(dataset, data_root):
    arguments = ["fit", f"--config=neuro_symbolic/{dataset}_light.yaml", f"--data.root={data_root}"]
    cli = AxonlightCLI(with_shipped_configs([*arguments, "--trainer.logger=false"]))
    assert cli.trainer.max_epochs == 15
    assert cli.config.fit.seed_everything == cli.datamodule.split_options.seed == 42


@pytest.mark.parametrize("seed", [42, 43, 44])
def test_spambase_is_divided_scaled_and_batched_as_published(seed, data_root, tmp_path):
    data = example.load_data("spambase", seed, example.Options(str(data_root), tmp_path, None, 15))
    train, test = train_test_split(np.arange(4_601), test_size=0.2, random_state=seed)
    np.testing.assert_array_equal(data.rows.train, train)
    np.testing.assert_array_equal(data.rows.test, test)
    assert len(data.rows.validation) == 0
    assert data.train_dataloader().batch_sizes == [1024, 1024, 1024, 608]
    assert data.duplicates_across_split == {42: 113, 43: 113, 44: 96}[seed]
    x = data.train_dataloader().tensors[0].double()
    torch.testing.assert_close(x.mean(0), torch.zeros(57, dtype=torch.float64), atol=1e-5, rtol=0)
    torch.testing.assert_close(x.var(0, correction=0), torch.ones(57, dtype=torch.float64), atol=1e-4, rtol=0)


def run_command(data_root, folder, *more):
    example.main(["--data.root", str(data_root), "--output", str(folder), "--sets", "spambase", *more])
    with (folder / "neuro_symbolic.csv").open() as file:
        return list(csv.DictReader(file))


def test_runs_are_kept_resumed_and_tabled(data_root, tmp_path, monkeypatch):
    trial = ["--rows", "300", "--epochs", "1", "--seeds", "42"]
    monkeypatch.setattr(example, "NETWORKS", [("light", "relu"), ("light", "formula(x*cos(x))")])
    first = run_command(data_root, tmp_path, *trial)
    assert [(row["size"], row["activation"]) for row in first] == [
        ("light", "relu"),
        ("light", "formula(x*cos(x))"),
        ("floor", "logistic regression"),
        ("floor", "majority class"),
    ]
    assert [row["parameters"] for row in first] == ["6017", "6017", "58", "0"]

    # A run that was stopped: the last network and the floors are missing, and only they are run.
    path = tmp_path / "neuro_symbolic.csv"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:2]))
    calls = []
    original = example.train_and_test
    monkeypatch.setattr(example, "train_and_test", lambda *given: calls.append(given[2]) or original(*given))
    second = run_command(data_root, tmp_path, *trial)
    assert calls == ["formula(x*cos(x))"]
    without_time = [[{**row, "fit_seconds": ""} for row in rows] for rows in (first, second)]
    assert without_time[0] == without_time[1]

    # Everything is there: nothing is run, and what people wrote into the page stays.
    page = tmp_path / "neuro_symbolic.md"
    page.write_text(f"# Title\n\n{page.read_text()}\nDiscussion.\n")
    run_command(data_root, tmp_path, *trial)
    assert len(calls) == 1
    text = page.read_text()
    assert text.startswith("# Title\n\n<!-- spambase, 300 rows, 1 epochs: written by")
    assert text.endswith("<!-- end of spambase, 300 rows, 1 epochs -->\n\nDiscussion.\n")
    assert text.count("<!--") == 2
    assert "| light | `relu` | 6,017 |" in text
    assert "300 rows x 57 features: 240 train, 60 test" in text

    # Other conditions are other runs and another table, below what is there.
    assert len(run_command(data_root, tmp_path, "--rows", "301", *trial[2:])) == 8
    assert page.read_text().startswith(text + "\n<!-- spambase, 301 rows")


def test_failed_fit_ends_the_command(data_root, tmp_path):
    results = example.Results(tmp_path / "runs.csv", example.Options(str(data_root), tmp_path, 300, 1))
    with pytest.raises(SystemExit, match="ended with 2"):
        example.train_and_test("spambase", "light", "rellu", 42, results)
    assert not (tmp_path / "runs.csv").exists()


def plain_scores(data_root, activation, seed, hidden=(64, 32)):
    """Accuracy and AUC on Spambase of the published protocol as a plain loop, torch seeded once as published."""
    table = np.loadtxt(data_root / "tabular" / "spambase.data.gz", delimiter=",")
    parts = train_test_split(table[:, :-1], table[:, -1], test_size=0.2, random_state=seed)
    scaler = StandardScaler().fit(parts[0])
    x_train, x_test = (torch.tensor(scaler.transform(part), dtype=torch.float32) for part in parts[:2])
    y_train = torch.tensor(parts[2], dtype=torch.float32)
    torch.manual_seed(seed)
    layers, width = [], 57
    for wide in hidden:
        layers += [nn.Linear(width, wide), nn.BatchNorm1d(wide), activation, nn.Dropout(0.3)]
        width = wide
    network = nn.Sequential(*layers, nn.Linear(width, 1), nn.Flatten(0))
    optimizer = torch.optim.Adam(network.parameters(), lr=0.001)
    loader = DataLoader(TensorDataset(x_train, y_train), batch_size=1024, shuffle=True)
    for _ in range(15):
        for x, y in loader:
            optimizer.zero_grad()
            nn.functional.binary_cross_entropy_with_logits(network(x), y).backward()
            optimizer.step()
    scores = network.eval()(x_test).sigmoid().detach().numpy()
    return accuracy_score(parts[3], scores > 0.5), roc_auc_score(parts[3], scores)


def test_a_plain_loop_gives_the_same_scores(data_root, tmp_path):
    results = example.Results(tmp_path / "runs.csv", example.Options(str(data_root), tmp_path, None, 15))
    run = example.train_and_test("spambase", "light", "relu", 43, results)
    accuracy, auroc = plain_scores(data_root, nn.ReLU(), 43)
    # On one split, 12 initialisations of the plain loop have standard deviations of 0.004 and 0.002.
    assert run.accuracy == pytest.approx(accuracy, abs=0.02)
    assert run.auroc == pytest.approx(auroc, abs=0.008)


def test_floors_on_the_real_rows(data_root, tmp_path):
    results = example.Results(tmp_path / "runs.csv", example.Options(str(data_root), tmp_path, None, 15))
    logistic = example.score_floor("logistic regression", "spambase", 42, results)
    majority = example.score_floor("majority class", "spambase", 42, results)
    assert logistic.parameters == 58
    # beats every published network in "efficiency" (0.256), as any small model does
    assert tables.parameter_efficiency(logistic.auroc, logistic.parameters) > 0.5
    assert majority.accuracy == pytest.approx(
        1 - example.load_data("spambase", 42, results.options).test_dataloader().tensors[1].double().mean().item()
    )
    assert majority.auroc == 0.5


@pytest.mark.parametrize(("key", "scores"), tables.PUBLISHED.items())
def test_published_efficiency_follows_from_published_auc(key, scores):
    parameters = PARAMETERS[key[:2]]
    assert tables.parameter_efficiency(scores.auroc.mean, parameters) == pytest.approx(scores.efficiency, abs=7e-4)


def runs(accuracies, activation="relu", dataset="spambase"):
    shared = {"rows": "all", "epochs": 15, "axonlight": "0", "torch": "0", "parameters": 6017, "fit_seconds": 1.0}
    return [
        tables.Run(dataset, "light", activation, seed, accuracy=value, auroc=value / 2, **shared)
        for seed, value in enumerate(accuracies)
    ]


def cells(table, line):
    return [cell.strip() for cell in table.splitlines()[line].split("|")[1:-1]]


def test_published_table_counts_in_published_deviations():
    row = cells(tables.published_table(runs([0.918, 0.924, 0.930])), 2)
    # published: accuracy 0.919 ± 0.007, AUC 0.961 ± 0.007
    assert row[3:6] == ["0.924 ± 0.005", "0.919 ± 0.007", f"{0.005 / 0.007:+.2f}"]
    assert row[8] == f"{(0.462 - 0.961) / 0.007:+.2f}"
    assert row[9] == f"{0.462 / math.log10(6017):.3f}"
    assert row[-1] == "yes, no"


def test_published_deviation_of_zero_gives_no_verdict():
    heavy = [tables.Run(**{**vars(run), "size": "heavy"}) for run in runs([0.7, 0.72], dataset="higgs")]
    row = cells(tables.published_table(heavy), 2)
    assert row[5] == row[8] == ""
    assert row[-1] == "-, -"


def test_interval_of_a_paired_difference_is_widened_for_overlap():
    relu, other = [0.90, 0.91, 0.93, 0.92], [0.91, 0.93, 0.93, 0.94]
    row = cells(tables.seeds_table([*runs(relu), *runs(other, "gelu")]), 3)
    differences = np.array([0.01, 0.02, 0.0, 0.02])
    # t interval of a mean of 4 whose standard error counts 1/4 + 20 %/80 %, twice the naive variance
    low, high = stats.t.interval(0.95, 3, differences.mean(), math.sqrt(2) * stats.sem(differences))
    assert row[4] == f"+0.0125 [{low:+.4f}, {high:+.4f}]"
    assert cells(tables.seeds_table(runs(relu)), 2)[4] == ""
