"""Claims: which comparisons they rest on, what the verdicts make of them, and tasks that may stand side by side."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from axonlight.comparison.analysis import Contrast, analyze
from axonlight.comparison.analysis.claims import judge_claims
from axonlight.comparison.design import StudyFields
from axonlight.comparison.design.validation import check_paired
from axonlight.comparison.report.answer import answer_of
from axonlight.comparison.study import Study
from axonlight.errors import InputError

SILENCE = [{"target": "level_2.post", "opsin": "silence"}]
OFF = {"protocol": SILENCE, "controls": ["random_units"]}


def judged(claim, words, arms=None, **changes):
    """The outcome of a claim where comparisons, in the order that it names them, end in these verdicts."""
    study = StudyFields(base="demo.yaml", arms=arms or {"intact": {}, "off": OFF}, claims=[claim], floors=[], **changes)
    found = [
        SimpleNamespace(
            contrast=Contrast("", {part.first: 1.0, part.second: -1.0}),
            metric=part.metric or "auroc",
            comparison=SimpleNamespace(verdict=word),
        )
        for part, word in zip(study.all_claims[0].parts, words, strict=True)
    ]
    return judge_claims(study.all_claims, found, "auroc")[0].outcome


@pytest.mark.parametrize(
    ("words", "outcome"),
    [
        (("better", "better"), "shown, and performance falls further than for as many random units"),
        (
            ("better", "equivalent"),
            "shown of these units, but nothing special about them: as many random units do the same",
        ),
        (
            ("better", "worse"),
            "shown of these units, but nothing special about them: as many random units do more harm",
        ),
        (("better", "inconclusive"), "shown of these units, but no difference from as many random units is shown"),
        (("equivalent", "better"), "refuted: performance is equivalent without it"),
        (("worse", "better"), "refuted: performance is better without it"),
        (("inconclusive", "better"), "not decided: whether performance falls remains open"),
    ],
)
def test_necessity(words, outcome):
    assert judged({"necessity": "off"}, words) == outcome


@pytest.mark.parametrize(
    ("words", "outcome"),
    [
        (("equivalent", "worse"), "shown, and performance stays higher than for as many random units"),
        (("worse", "worse"), "shown, and performance stays higher than for as many random units"),
        (
            ("equivalent", "better"),
            "shown of these units, but nothing special about them: as many random units do better",
        ),
        (("better", "worse"), "refuted: alone it performs worse than the reference"),
        (("inconclusive", "worse"), "not decided: whether performance stays remains open"),
    ],
)
def test_sufficiency(words, outcome):
    assert judged({"sufficiency": "off"}, words) == outcome


@pytest.mark.parametrize(
    ("words", "outcome"),
    [
        (("better", "better", "equivalent"), "shown, completely, as performance is equivalent to the reference"),
        (("better", "better", "better"), "shown, in part, as performance is still below the reference"),
        (("better", "better", "inconclusive"), "shown, whether completely remains open"),
        (("better", "equivalent", "better"), "refuted: training under stimulation regains nothing"),
        (("better", "worse", "better"), "refuted: training under stimulation makes it worse"),
        (
            ("equivalent", "worse", "better"),
            "there is nothing to compensate: performance is equivalent under acute stimulation",
        ),
    ],
)
def test_compensation(words, outcome):
    plain = {"protocol": SILENCE, "controls": []}
    arms = {"intact": {}, "trained": plain, "acute": {**plain, "act_on": "rest"}}
    assert judged({"compensation": {"trained": "trained", "acute": "acute"}}, words, arms) == outcome


@pytest.mark.parametrize(
    ("words", "outcome"),
    [
        (("better", "better"), "shown: each does more harm than the other where it was expected to"),
        (("better", "worse"), "not shown: a single dissociation; the other comparison does not speak for it"),
        (("inconclusive", "equivalent"), "not shown: neither comparison speaks for it"),
    ],
)
def test_double_dissociation_of_two_readouts(words, outcome):
    plain = {"protocol": SILENCE, "controls": []}
    arms = {"intact": {}, "a": plain, "b": {**plain, "act_on": "rest"}}
    claim = {"double_dissociation": [{"worse": "a", "than": "b"}, {"worse": "b", "than": "a", "metric": "accuracy"}]}
    assert judged(claim, words, arms, metrics=["auroc", "accuracy"]) == outcome


def scored(means, noise):
    """A study of two arms and what it says, where the second is silenced."""
    generator = np.random.default_rng(1)
    arms = {"intact": {}, "off": {"protocol": SILENCE, "controls": []}}
    study = StudyFields(base="demo.yaml", arms=arms, claims=[{"necessity": "off"}], floors=[], folds=5, repeats=1)
    rows = [(arm, fold, f"{arm}{fold}", means[arm] + noise * generator.normal()) for arm in arms for fold in range(5)]
    runs = pd.DataFrame(rows, columns=["arm", "fold", "key", "auroc"]).assign(repeat=0, seed=0, draw=None, state="done")
    data = analyze(study, runs)
    assert answer_of(data).claims == (f"Necessity of off: {data.claims[0].outcome}.",)
    return data.claims[0].outcome


def test_a_claim_rests_on_the_scores():
    assert scored({"intact": 0.9, "off": 0.8}, 0.002) == (
        "shown; nothing tells it from other units, as no control of random units exists"
    )
    assert scored({"intact": 0.9, "off": 0.9}, 0.0) == "refuted: performance is equivalent without it"
    # what is not decided is no evidence that there is no effect
    assert scored({"intact": 0.9, "off": 0.88}, 0.05) == "not decided: whether performance falls remains open"


def test_claims_bring_the_comparisons_that_they_rest_on():
    arms = {"intact": {}, "off": OFF}
    study = StudyFields(base="demo.yaml", arms=arms, comparisons=[["intact", "off"]], claims=[{"necessity": "off"}])
    assert study.contrasts == [["intact", "off"], ["off / random_units", "off"]]


@pytest.mark.parametrize(
    ("claim", "words"),
    [
        ({"necesity": "off"}, "unknown key 'necesity'; did you mean 'necessity'"),
        ({"necessity": "of"}, "claims: necessity names the unknown arm 'of'; did you mean 'off'"),
        ({"necessity": "intact"}, "names the arm 'intact', which nothing stimulates; give it a protocol"),
        ({"necessity": "off / random_units"}, "which nothing stimulates"),
        ({"necessity": "off", "sufficiency": "off"}, "an entry is one claim"),
        ({"compensation": {"trained": "off"}}, "compensation has no acute"),
        ({"compensation": {"trained": "off", "acute": "off"}}, "it needs two arms with one reference"),
        ({"double_dissociation": [{"worse": "off", "than": "intact"}]}, "has 1 entries; it needs two"),
        ({"double_dissociation": [{"worse": "off", "than": "intact"}] * 2}, "the same entry twice"),
        ({"double_dissociation": [{"worse": "off", "than": "off"}] * 2}, "compares 'off' with itself"),
        ({"double_dissociation": [{"worse": "off"}] * 2}, "has no than"),
    ],
)
def test_claims_that_are_refused(claim, words):
    with pytest.raises(InputError, match=words):
        StudyFields(base="demo.yaml", arms={"intact": {}, "off": OFF}, claims=[claim])


def test_a_claim_on_a_metric_that_nobody_asked_for():
    protocol = [{"target": {"site": "level_2.post", "units": [0]}, "opsin": "silence"}]
    claim = [{"worse": "off", "than": "intact", "metric": "accuracy"}, {"worse": "intact", "than": "off"}]
    arms = {"intact": {}, "off": {"protocol": protocol, "controls": []}}
    with pytest.raises(InputError, match="claims names the metric accuracy, which metrics does not name"):
        _ = Study(base="pathways/breast_cancer.yaml", arms=arms, claims=[{"double_dissociation": claim}]).plan


FACTORS = {
    "task": {"first": {}, "second": {"overrides": {"data.causal": ["b"]}}},
    "silenced": {"nothing": {}, "a": {"protocol": SILENCE, "controls": []}},
}
ROWS = {f"{task} / {light}": task for task in FACTORS["task"] for light in FACTORS["silenced"]}


def test_tasks_stand_side_by_side_as_long_as_each_is_compared_with_itself():
    shared = {"base": "demo.yaml", "factors": FACTORS, "reference": {"silenced": "nothing"}}
    two = StudyFields(**shared, floors=[], interactions=[{"silenced": "nothing", "task": "first"}])
    check_paired(two, ROWS)
    with pytest.raises(
        InputError, match=r"arm 'second / nothing' has other rows or targets .* floors, .* set floors to \[\]"
    ):
        check_paired(StudyFields(**shared), {**ROWS, "constant": "first", "ridge": "first", "random_forest": "first"})
    across = StudyFields(**shared, floors=[], comparisons=[["first / a", "second / a"]])
    with pytest.raises(
        InputError, match=r"arm 'second / a' has other training or test rows.* by data.causal: move that"
    ):
        check_paired(across, ROWS)
