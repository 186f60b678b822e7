"""Stimulated runs: what sham, phases and a batch do to the figures, and what a report says of them."""

import json

import pytest
from axonlight.comparison.runs import Result, execute, execute_batch, group_runs
from axonlight.comparison.study import Study
from axonlight.comparison.study.budget import pilot

pytestmark = pytest.mark.xdist_group("stimulated_runs")  # its fixtures are made once

AREA = {"site": "level_2.post", "units": ["area"]}


def silence(*phases):
    return [{"target": AREA, "opsin": "silence", "phases": list(phases)}]


ARMS = {
    "intact": {},
    "silenced": {"protocol": silence("train", "test"), "controls": {"sham": None, "random_units": {"draws": 2}}},
    "acute": {"protocol": silence("test"), "controls": []},
    "alone": {"protocol": silence("train", "test"), "act_on": "rest", "controls": []},
}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    found = Study(
        base="pathways/breast_cancer.yaml",
        overrides={"trainer.max_epochs": 2, "data.limit_rows": 200},
        arms=ARMS,
        claims=[{"necessity": "silenced"}, {"compensation": {"trained": "silenced", "acute": "acute"}}],
        floors=[],
        folds=2,
        repeats=1,
        workers=0,
        output=tmp_path_factory.mktemp("study"),
    )
    found.run(progress=False).close()
    return found


@pytest.fixture(scope="module")
def data(study):
    return study.analyze()


@pytest.fixture(scope="module")
def results(study):
    """The first split's runs, executed once more: by arm, without draws."""
    runs = [run for run in study.plan.runs if run.fold == 0 and not run.draw]
    return {run.arm: (run.recipe, execute(run.recipe)) for run in runs}


def test_a_sham_is_the_reference_bit_for_bit_and_the_rule_says_equivalent(data, results):
    sham, intact = results["silenced / sham"][1], results["intact"][1]
    assert (sham.metrics, sham.curves) == (intact.metrics, intact.curves)
    found = next(one for one in data.comparisons if one.name == "intact against silenced / sham").comparison
    assert (found.difference, found.interval, found.effect_size) == (0.0, (0.0, 0.0), 0.0)
    assert found.verdict == "equivalent"
    assert found.rule.startswith("Equivalent: both one-sided tests place the difference of +0 within")


def test_a_run_of_a_study_is_that_of_the_callback_in_the_config(results):
    recipe, found = results["silenced"]
    callback = {"class_path": "Optogenetics", "init_args": {"protocol": recipe["protocol"], "show": False}}
    config = {**recipe["config"], "trainer": {**recipe["config"]["trainer"], "callbacks": [callback]}}
    alone = execute({"kind": "network", "config": config})
    assert alone.error is None
    assert (found.metrics, found.curves) == (alone.metrics, alone.curves)
    assert found.metrics != results["intact"][1].metrics


def test_light_of_the_test_alone_leaves_training_as_it_was(results):
    acute, intact = results["acute"][1], results["intact"][1]
    assert acute.curves == intact.curves
    assert acute.metrics != intact.metrics
    assert {row["phase"] for row in acute.details["stimulation"]} == {"test"}


def test_stimulated_runs_stay_alone_and_have_the_same_figures(study, results):
    runs = [run for run in study.plan.runs if run.fold == 0]
    sizes = [len(group) for group in group_runs(runs, 64)]
    assert sizes == [1] * len(runs)
    arms = ("silenced", "silenced / sham")
    together = execute_batch([results[arm][0] for arm in arms])
    assert [result.metrics for result in together] == [results[arm][1].metrics for arm in arms]
    assert not any("side_by_side" in result.details for result in together)


def test_the_record_says_that_doses_match(data):
    rows = {(row.arm, row.phase): row for row in data.stimulation}
    target, others = rows["silenced", "train"], rows["silenced / random_units", "train"]
    assert (target.units, target.dose) == (others.units, others.dose)
    assert target.dose == target.batches == 2  # one batch of 64 from 100 rows in each of two epochs
    assert rows["alone", "train"].units == 12


def test_the_report_says_what_became_of_claims(study, data):
    paths = study.report()
    page, text = paths.html.read_text(), paths.markdown.read_text()
    verdicts = json.loads(paths.verdicts.read_text())
    assert [claim["kind"] for claim in verdicts["claims"]] == ["necessity", "compensation"]
    assert verdicts["claims"][0]["comparisons"] == [
        "intact against silenced",
        "silenced / random units against silenced",
    ]
    assert {row["arm"] for row in verdicts["stimulation"]} == {arm for arm in study.plan.arms if arm != "intact"}
    for words in ("Necessity of silenced: ", "Compensation of acute by silenced: ", "Stimulated arms"):
        assert words in page
        assert words in text


def test_a_pilot_is_too_short_for_the_light_of_a_run(study):
    seen = []

    def work(recipes):
        seen.extend(recipes)
        return [Result({"auroc": 0.5})]

    run = study.plan.of_arm("silenced")[0]
    assert pilot([[run]], work)["silenced"] > 0
    assert [recipe["config"]["trainer"]["max_epochs"] for recipe in seen] == [1, 3]
    assert not any("protocol" in recipe for recipe in seen)
    assert "protocol" in run.recipe
