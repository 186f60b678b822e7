"""The survival reproduction: published folds, fixed budget, one row per run, planned comparisons, a page with all."""

import csv
import dataclasses
import math
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from axonlight.comparison import adjust, compare_scores
from scipy.stats import rankdata

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
if not EXAMPLES.is_dir():
    pytest.skip("examples are not installed with the package", allow_module_level=True)
sys.path.insert(0, str(EXAMPLES))
import _marked_tables as marked  # noqa: E402
import _protopathway_arms as arms  # noqa: E402
import _protopathway_data as data  # noqa: E402
import _protopathway_report as report  # noqa: E402
import _protopathway_runs as runs  # noqa: E402
import protopathway as example  # noqa: E402

sys.path.remove(str(EXAMPLES))

pytestmark = pytest.mark.xdist_group("protopathway")  # its fixtures are made once

SETTING = ("blca", "os")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where slides are simulated: once, for all tests."""
    return str(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def fold(data_root, folder):
    return data.load_fold(*SETTING, 1, str(data_root), folder)


def job(arm, inputs="rna", labels="true", **changes):
    return dataclasses.replace(runs.Job(*SETTING, inputs, arm, labels, 1, 10, 1, 1), **changes)


def run(**changes):
    values = {field.name: {str: "", int: 0, float: math.nan}[field.type] for field in dataclasses.fields(runs.Run)}
    kept = {"cohort": "blca", "endpoint": "os", "inputs": "rna", "labels": "true", "train_rows": 80, "test_rows": 20}
    return runs.Run(**{**values, "test_events": 9, **kept, **changes})


def test_every_arm_has_every_fold_and_three_seeds_and_the_same_ones():
    jobs = runs.all_jobs()
    places = {}
    for each in jobs:
        key = (each.cohort, each.endpoint, each.inputs, each.arm, each.labels)
        places.setdefault(key, set()).add((each.fold, each.seed))
    whole = {(fold, 10 * fold + seed) for fold in range(5) for seed in range(3)}
    for (*_, labels), found in places.items():
        assert found == (whole if labels == "true" else {(fold, 10 * fold) for fold in range(5)})
    assert len(jobs) == len(set(jobs))
    assert {key[:2] for key in places} == set(data.SETTINGS)
    assert {key[2:4] for key in places if key[4] == "permuted"} == {
        (inputs, name)
        for name, arm in arms.ARMS.items()
        for inputs in arm.inputs
        if arm.relabelled and inputs == "rna+slides"
    }


def test_page_has_a_place_for_every_table():
    page = (EXAMPLES.parent / "docs" / "reproductions" / "protopathway.md").read_text()
    labels = {"conditions", "floors", *report.TITLES.values(), "best epoch", "planted links", "published figures"}
    written = re.findall("<!-- (.*): written by examples/protopathway.py -->", page)
    assert "floors" in written
    # until the command has run to its end the page says so
    assert set(written) < labels if "Not measured to its end yet" in page else set(written) == labels
    for label in written:
        assert [page.count(mark) for mark in marked.marks(label, "protopathway")] == [1, 1]
    budget = arms.BUDGET
    assert f"{budget.epochs} epochs" in page
    assert f"batches of {budget.batch_size}" in page


def test_compared_arms_exist():
    for inputs, pairs in report.PAIRS.items():
        known = {name for name, arm in arms.ARMS.items() if inputs in arm.inputs} | set(arms.FLOORS[inputs])
        assert {name for pair in pairs for name in pair} | {report.AGAINST[inputs]} <= known


def test_folds_are_the_published_ones_and_nothing_fitted_sees_a_test_patient(fold, data_root):
    split = pd.read_csv(data_root / "tcga" / "blca_splits" / "splits_1.csv")
    for part, column in (("train", "train"), ("test", "val")):
        assert set(fold.data.patient_names(part)) <= set(split[column].dropna())
    assert len(fold.data.rows.validation) == 0
    encoded = torch.cat([inputs.rna for inputs, _ in fold.data.train_dataloader()])
    torch.testing.assert_close(encoded.mean(0), torch.zeros(encoded.shape[1]), atol=0.2, rtol=0)  # a batch is dropped
    assert len(fold.views["mean_patch"][0]) == len(fold.data.rows.train)


def test_looks_go_to_the_test_patients_and_permuted_labels_only_to_training(fold):
    looked = torch.cat([target for _, target in fold.data.val_dataloader()])
    torch.testing.assert_close(looked, fold.test_target)

    def training(seed):
        fold.data.label_seed = seed
        loader = fold.data.train_dataloader()
        fold.data.label_seed = None
        return loader.data.rna, loader.data.target

    (rna, true), (other_rna, permuted) = training(None), training(4)
    torch.testing.assert_close(rna, other_rna)
    assert (true != permuted).any(dim=1).double().mean() > 0.9
    assert sorted(map(tuple, true.tolist())) == sorted(map(tuple, permuted.tolist()))
    torch.testing.assert_close(fold.test_target, looked)


def test_slides_without_relevance_do_not_depend_on_outcomes(fold):
    months, event = fold.test_target.numpy().T
    planted, blank = (fold.views[name][1] for name in ("mean_patch", "mean_patch_without_outcome"))
    assert planted.shape == blank.shape
    assert not np.allclose(planted, blank)
    assert fold.data.simulated.settings["relevance"] == data.SIMULATION["relevance"]
    assert len(months) == len(event) == len(blank)


def test_floor_of_several_views_is_the_mean_of_their_ranks(fold):
    found = fold.risk(("pathway_means", "clinical"), seed=0)
    alone = [fold.risk((view,), seed=0) for view in ("pathway_means", "clinical")]
    np.testing.assert_allclose(found, (rankdata(alone[0]) + rankdata(alone[1])) / 2)


@pytest.mark.parametrize("inputs", arms.INPUTS)
def test_networks_are_given_their_inputs_and_untrained_parts_stay(inputs, fold):
    for name, arm in arms.ARMS.items():
        if inputs not in arm.inputs:
            continue
        task = runs._build_task(job(name, inputs), arm, fold.data)
        batch = next(iter(fold.data.test_dataloader()))[0]._replace(clinical=torch.full((70, 7), 1.0))
        assert len(batch.rna) <= 70
        network = task.network
        takes = {
            "rna+clinical": getattr(network, "clinical_features", 0) or getattr(network, "takes_covariates", 0),
            "rna+slides": getattr(network, "patch_features", 0),
            "rna": 1,
        }
        assert bool(takes[inputs]), name
        frozen = [key for key, value in network.named_parameters() if not value.requires_grad]
        assert bool(frozen) == arm.untrained
        assert all(key.startswith("gene_sets") for key in frozen)


def test_a_run_with_slides_scores_the_last_weights_and_reads_the_links(fold, monkeypatch):
    monkeypatch.setattr(runs, "load_fold", lambda *_: fold)
    found = runs.execute(job("ProtoPathway, typed", "rna+slides", "permuted", epochs=2), None, "")
    assert found.failure == ""
    assert len(found.looks) == 2
    assert found.c_index == pytest.approx(found.looks[-1], abs=1e-4)
    assert math.isnan(found.with_clinical)
    for reading in runs.READINGS:
        assert 0 <= getattr(found, f"start_{reading}") <= 1
        assert 0 <= getattr(found, f"link_{reading}") <= 1
    floor = runs.execute(job("ridge, mean patch", "rna+slides", epochs=0), None, "")
    assert floor.c_index > 0.5
    assert floor.curve == ""


def test_untrained_pathways_do_not_move(fold, monkeypatch):
    monkeypatch.setattr(runs, "load_fold", lambda *_: fold)
    kept = {}
    built = runs._build_task

    def watch(*given):
        task = built(*given)
        kept["task"] = task
        kept["before"] = {name: value.detach().clone() for name, value in task.network.named_parameters()}
        return task

    monkeypatch.setattr(runs, "_build_task", watch)
    runs.execute(job("SurvPath-like, pathways untrained", "rna+slides"), None, "")
    moved = {
        name
        for name, value in kept["task"].network.named_parameters()
        if not torch.equal(value.detach(), kept["before"][name])
    }
    assert moved
    assert not [name for name in moved if name.startswith("gene_sets")]


def test_a_trial_is_resumed_and_writes_every_block(data_root, folder, tmp_path, monkeypatch):
    chosen = ("gene MLP", "gene SNN")
    given = ["--data.root", str(data_root), "--output", str(tmp_path), "--runs", folder, "--quick"]
    given += ["--sets", "blca-os", "--processes", "1", "--arms", *chosen]
    example.main(given)
    with (tmp_path / "protopathway_trial.csv").open() as file:
        rows = list(csv.DictReader(file))
    floors = sum(map(len, arms.FLOORS.values()))
    assert len(rows) == 2 * (floors + 4)
    page = (tmp_path / "protopathway.md").read_text()
    assert "| gene MLP | " in page
    assert "| ridge, pathway means | here | " in page
    monkeypatch.setattr(example, "execute", lambda *_, **__: pytest.fail("a finished run is run again"))
    example.main(given)
    assert (tmp_path / "protopathway.md").read_text() == page


def test_verdicts_are_those_of_seed_means_over_folds_corrected_within_a_setting():
    scores = {"gene MLP": [0.60, 0.62, 0.58, 0.61, 0.59], "ridge, pathway means": [0.66, 0.67, 0.65, 0.66, 0.66]}
    scores["gene SNN"] = [0.655, 0.668, 0.652, 0.661, 0.66]
    made = [
        run(arm=arm, fold=fold, seed=seed, c_index=value + 0.01 * (seed - 1), curve="0.5 0.6")
        for arm, values in scores.items()
        for fold, value in enumerate(values)
        for seed in range(3)
    ]
    by_fold = report.scores_by_fold(made, "rna")
    for arm, values in scores.items():
        np.testing.assert_allclose(by_fold[arm][SETTING], values)
    found = report.comparisons_of(made, by_fold, "rna")
    floor = scores["ridge, pathway means"]
    pairs = [(arm, "ridge, pathway means") for arm in ("gene MLP", "gene SNN")]
    expected = adjust([compare_scores(scores[a], floor, test_fraction=0.2, rope=report.ROPE) for a, _ in pairs])
    for pair, own in zip(pairs, expected, strict=True):
        assert found[pair][SETTING].verdict == own.verdict
        assert found[pair][SETTING].p_value == pytest.approx(own.p_value)
    assert found[pairs[0]][SETTING].verdict == "worse"


def test_gain_of_the_best_epoch_is_the_maximum_less_the_last():
    curves = ["0.50 0.70 0.60", "0.40 0.50 0.60", "0.60 0.50 0.50", "0.5 0.6 0.55", "0.5 0.5 0.5"]
    text = report._best_epoch_table([run(arm="gene MLP", fold=k, curve=curve) for k, curve in enumerate(curves)])
    assert f"{np.mean([0.1, 0, 0.1, 0.05, 0]):+.3f} [" in text
    assert text.splitlines()[-1].startswith("| gene MLP | rna | 3 | +0.050")


def test_planted_links_compare_true_and_permuted_labels_of_the_same_seed():
    made = [
        run(arm="ProtoPathway, typed", inputs="rna+slides", labels=labels, fold=fold, seed=10 * fold + seed)
        for labels, seeds in (("true", range(3)), ("permuted", range(1)))
        for fold in range(5)
        for seed in seeds
    ]
    places = {f"{when}_{reading}": 0.5 for when in ("start", "link") for reading in runs.READINGS}
    made = [dataclasses.replace(each, **places) for each in made]
    made = [
        dataclasses.replace(each, link_attention=0.9 if each.seed % 10 == 0 else 0.1) if each.labels == "true" else each
        for each in made
    ]
    line = report._links_table(made).splitlines()[2]
    assert line.startswith("| ProtoPathway, typed | attention | 0.50 | 0.37 | 0.50 | +0.400 [")
