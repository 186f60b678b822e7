"""The reproduction with pathway networks: paired, leak-free, resumed; floors on the same rows; tables."""

import csv
import dataclasses
import math
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from axonlight.errors import RunError
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import StandardScaler

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
if not EXAMPLES.is_dir():
    pytest.skip("examples are not installed with the package", allow_module_level=True)
sys.path.insert(0, str(EXAMPLES))
import _marked_tables as marked  # noqa: E402
import _pathway_report as tables  # noqa: E402
import _pathway_runs as runs  # noqa: E402
import pathway_networks as example  # noqa: E402

sys.path.remove(str(EXAMPLES))


@pytest.fixture
def data(data_root):
    return runs.load_data("proteomics", str(data_root), 0, 0)


def job(model, activation="", dataset="proteomics", repeat=0, fold=0, seed=0, epochs=2):
    return runs.Job(dataset, model, activation, repeat, fold, seed, epochs)


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("name", runs.DATASETS)
def test_every_model_runs_on_the_same_splits_with_the_same_seeds(name):
    dataset = runs.DATASETS[name]
    places = {}
    for each in dataset.jobs(name):
        places.setdefault((each.model, each.activation), []).append((each.repeat, each.fold, each.seed))
    assert len({tuple(found) for found in places.values()}) == 1
    first = next(iter(places.values()))
    assert len(first) == len(set(first)) == dataset.repeats * 5 * dataset.seeds
    assert len({seed for _, _, seed in first}) == len(first)


def test_page_has_a_place_for_every_table():
    page = (EXAMPLES.parent / "docs" / "reproductions" / "pathway_networks.md").read_text()
    for label in (*runs.DATASETS, "published figures"):
        assert [page.count(mark) for mark in marked.marks(label, "pathway_networks")] == [1, 1]


def test_compared_arms_exist():
    arms = {arm for dataset in runs.DATASETS.values() for arm in dataset.models}
    assert {arm for pairs in tables.FAMILIES.values() for pair in pairs for arm in pair} <= arms


def test_splits_are_stratified_folds_of_the_repeat(data_root):
    rows = runs.load_data("proteomics", str(data_root), 3, 2).rows
    group = pd.read_csv(data_root / "proteomics" / "design_matrix.tsv", sep="\t")["group"]
    expected = list(StratifiedKFold(5, shuffle=True, random_state=3).split(group, group))[2]
    np.testing.assert_array_equal(np.sort(rows.test), expected[1])
    assert len(rows.validation) == 0
    assert sorted([*rows.train, *rows.test]) == list(range(197))


@pytest.mark.parametrize(("name", "all_rows"), [("proteomics_zero_filled", False), ("proteomics_scaler_leak", True)])
def test_only_the_leak_scales_by_test_rows(name, all_rows, data_root):
    data = runs.load_data(name, str(data_root), 0, 0)
    quantities = pd.read_csv(data_root / "proteomics" / "test_qm.csv", index_col=0).T
    samples = pd.read_csv(data_root / "proteomics" / "design_matrix.tsv", sep="\t")["sample"]
    filled = quantities.loc[samples].fillna(0.0).to_numpy()
    scaler = StandardScaler().fit(filled if all_rows else filled[data.rows.train])
    found = data.test_dataloader().tensors[0]
    seen = np.isfinite(quantities.loc[samples].to_numpy()[data.rows.train]).any(axis=0)
    expected = scaler.transform(filled[data.rows.test])
    np.testing.assert_allclose(found[:, seen], expected[:, seen], atol=1e-4)


def test_samples_of_one_sided_prefixes_are_left_out(data_root):
    data = runs.load_data("proteomics_without_suspects", str(data_root), 0, 0)
    assert len(data.sample_names) == 190
    assert not [name for name in data.sample_names if name.startswith("CK_")]
    assert data.batch_effect_suspects == {}


@pytest.mark.parametrize(
    ("cohort", "used", "left_out"), [("blca", (127, 122), 110), ("stad", (99, 102), 117)], ids=["blca", "stad"]
)
def test_patients_censored_early_are_left_out_and_counted(cohort, used, left_out, data_root):
    data = runs.load_data(cohort, str(data_root), 0, 1)
    split = pd.read_csv(data_root / "tcga" / f"{cohort}_splits" / "splits_1.csv")
    names = np.array(data.labels.index)
    assert set(names[data.rows.test]) == set(split["val"].dropna()) & set(names)
    assert set(names[data.rows.train]) == set(split["train"].dropna()) & set(names)
    said = tables.describe_data(data)
    assert f"'no death within 24 months': {used[0]}, 'death within 24 months': {used[1]}" in said
    assert f"{left_out} censored before 24 months" in said


def test_columns_of_the_floors(data):
    by_name = {which: runs._columns(data, which) for which in ("all", "none", "masks", "the hierarchy's")}
    assert {which: len(found) for which, found in by_name.items()} == {
        "all": 1108,
        "none": 0,
        "masks": 554,
        "the hierarchy's": 898,
    }
    network = runs._build_task(job("binn", "tanh"), data, runs.RECIPES["binn"]).network
    unused = {data.feature_names.index(name) for name in network.unused_columns}
    assert unused == set(range(1108)) - set(by_name["the hierarchy's"])


def test_dense_network_has_the_nearest_number_of_parameters(data):
    wanted = count(runs._build_task(job("binn", "tanh"), data, runs.RECIPES["binn"]).network)
    width = runs.dense_width(data)
    found = [
        count(runs.DenseNetwork(data.num_features, 1, hidden=[w, w], activation="tanh")) - wanted
        for w in (width - 1, width, width + 1)
    ]
    assert abs(found[1]) <= min(abs(found[0]), abs(found[2]))


def test_arms_begin_with_the_same_weights_and_the_published_training(data):
    tasks = []
    for activation in ("tanh", "ash"):
        runs.seed_everything(7, verbose=False)
        tasks.append(runs._build_task(job("pnet", activation), data, runs.RECIPES["pnet"]))
    weights = [
        {name: value for name, value in task.state_dict().items() if "linear" in name or "heads" in name}
        for task in tasks
    ]
    assert weights[0]
    for name, value in weights[0].items():
        torch.testing.assert_close(value, weights[1][name], rtol=0, atol=0)
    chosen = tasks[0].configure_optimizers()
    assert chosen["optimizer"].defaults["lr"] == 0.001
    assert chosen["optimizer"].defaults["weight_decay"] == 0.002
    assert (chosen["lr_scheduler"]["scheduler"].step_size, chosen["lr_scheduler"]["scheduler"].gamma) == (50, 0.25)


def test_a_last_batch_of_one_row_is_left_out(data_root):
    assert len(runs.load_data("blca", str(data_root), 0, 1).rows.train) % 32 == 1
    run = runs.execute(job("dense", "tanh", dataset="blca", fold=1), str(data_root))
    assert 0 <= run.auroc <= 1


def run_command(data_root, folder, *more):
    example.main(["--data.root", str(data_root), "--output", str(folder), "--quick", *more])
    with (folder / "pathway_networks.csv").open() as file:
        return list(csv.DictReader(file))


def use_models(monkeypatch, dataset, *models):
    monkeypatch.setitem(runs.DATASETS, dataset, dataclasses.replace(runs.DATASETS[dataset], models=models))


def test_runs_are_kept_resumed_and_tabled(data_root, tmp_path, monkeypatch):
    models = [("binn", "tanh"), ("binn", "ash"), ("pnet", "tanh"), ("dense", "tanh"), ("ridge logistic", "")]
    use_models(monkeypatch, "proteomics", *models)
    quick = ["--sets", "proteomics", "--processes", "1"]
    first = run_command(data_root, tmp_path, *quick)
    assert [(row["model"], row["activation"]) for row in first] == models * 2
    assert [row["fold"] for row in first] == ["0"] * 5 + ["1"] * 5
    assert [row["columns"] for row in first[:5]] == ["898", "898", "898", "1108", "1108"]
    assert float(first[4]["auroc"]) > 0.99

    # A command that was killed while it wrote: what is missing, and only that, is run again, with the same numbers.
    path = tmp_path / "pathway_networks.csv"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:-2]) + lines[-2][:20])
    calls = []
    original = example.execute
    monkeypatch.setattr(example, "execute", lambda job, root: calls.append(job.model) or original(job, root))
    second = run_command(data_root, tmp_path, *quick)
    assert calls == ["dense", "ridge logistic"]
    without_time = [[{**row, "seconds": ""} for row in rows] for rows in (first, second)]
    assert without_time[0] == without_time[1]

    # Everything is there: nothing is run, and what people wrote into the page stays.
    page = tmp_path / "pathway_networks.md"
    page.write_text(f"# Title\n\n{page.read_text()}\nDiscussion.\n")
    run_command(data_root, tmp_path, *quick)
    assert len(calls) == 2
    text = page.read_text()
    assert text.startswith("# Title\n\n<!-- proteomics, trial: written by")
    assert text.endswith("<!-- end of published figures, trial -->\n\nDiscussion.\n")
    assert text.count("<!--") == 4
    assert "197 rows (classes '1': 74, '2': 123), 1,108 columns" in text
    assert "449-446-285-116-28 nodes, 2,609 / 448 / 285 / 117 edges" in text
    assert "| binn `ash` | binn `tanh` |" in text
    assert "| pnet `tanh` | ridge logistic |" in text
    assert "| ours | 197 rows, 2 test folds;" in text


def test_a_worker_process_gives_the_same_run(data_root, monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES)  # where the workers find the modules of the example
    torch.set_num_threads(1)  # as in a worker: sums have one order
    alone = runs.execute(job("dense", "ash"), str(data_root))
    (beside,) = example.run_all([job("dense", "ash")], str(data_root), 2)
    assert dataclasses.replace(alone, seconds=0) == dataclasses.replace(beside, seconds=0)


def test_failed_run_is_kept_as_undefined(data_root, monkeypatch):
    def fail(*args, **kwargs):
        raise RunError("the loss is nan at step 7")

    monkeypatch.setattr(runs.Trainer, "fit", fail)
    run = runs.execute(job("binn", "tanh"), str(data_root))
    assert math.isnan(run.auroc)
    assert run.failure == "the loss is nan at step 7"
    assert "1 failed: the loss is nan at step 7." in tables.conditions([run, dataclasses.replace(run, failure="")])


def made_run(model, fold, seed, auroc):
    numbers = {"parameters": 1, "columns": 1, "train_rows": 80, "test_rows": 20, "train_loss": 0.1, "seconds": 1.0}
    scores = dict.fromkeys(runs.METRICS, auroc)
    return runs.Run("blca", model, "tanh", 0, fold, seed, 100, "0", "0", **numbers, **scores, failure="")


def test_seeds_of_a_split_are_averaged_before_splits_are_compared():
    made = [made_run("binn", fold, seed, 0.5 + 0.1 * fold + 0.01 * seed) for fold in (1, 0) for seed in (0, 1, 2)]
    scores = tables.scores_by_split(made)["binn", "tanh"]["auroc"]
    assert scores == pytest.approx([0.51, 0.61])
    assert tables.test_fraction(made) == pytest.approx(0.2)
    # The interval is that of two splits, not of six runs.
    half = 12.706 * math.sqrt((1 / 2 + 0.25) * 0.005)
    assert f"{0.56 - half:.3f}, {0.56 + half:.3f}" in tables.scores_table(made, tables.scores_by_split(made))


def test_verdicts_are_corrected_for_the_family():
    arms = {
        ("binn", "tanh"): {name: [0.70, 0.71, 0.72, 0.69, 0.70] for name in runs.METRICS},
        ("binn", "ash"): {name: [0.73, 0.75, 0.75, 0.71, 0.74] for name in runs.METRICS},
    }
    pair = (("binn", "ash"), ("binn", "tanh"))
    assert "| better |" in tables.comparison_table([pair], arms, 0.2)
    assert "| better |" not in tables.comparison_table([pair] * 40, arms, 0.2)
