"""What a study makes of arms with a protocol, before anything is trained."""

import json

import pytest
from axonlight.comparison.design import Arm, StudyFields, read_study
from axonlight.comparison.design.controls import CONTROLS
from axonlight.comparison.study import Study
from axonlight.comparison.study.study import _plain
from axonlight.errors import InputError
from axonlight.stimulation import Protocol
from axonlight.stimulation import controls as stimulation_controls

pytestmark = pytest.mark.xdist_group("stimulated_arms")  # its fixtures are made once

AREA = {"site": "level_2.post", "units": ["area"]}
SILENCE = [{"target": AREA, "opsin": "silence", "phases": ["train", "test"]}]
DRIVE = [{"target": AREA, "opsin": {"kind": "drive", "amount": 2.0}, "light": {"window": [0, 10]}}]
SHARED = {
    "base": "pathways/breast_cancer.yaml",
    "overrides": {"trainer.max_epochs": 2},
    "floors": [],
    "folds": 2,
    "repeats": 1,
    "workers": 0,
}


def fields(arms, **changes):
    return StudyFields(**{**SHARED, "arms": arms, **changes})


def protocols_of(study):
    return {run.arm: run.recipe.get("protocol") for run in study.plan.runs}


@pytest.fixture(scope="module")
def study():
    """One study for all that is read off its plan."""
    arms = {
        "intact": {},
        "driven": {"protocol": DRIVE},
        "silenced": {"protocol": SILENCE, "controls": {"random_units": {"draws": 3}}},
        "alone": {"protocol": SILENCE, "act_on": "rest", "controls": []},
    }
    found = Study(**SHARED, arms=arms)
    assert found.plan
    return found


def test_the_names_of_controls_are_those_of_stimulation():
    assert CONTROLS == stimulation_controls.CONTROLS


def test_an_arm_brings_the_controls_that_exist(study):
    names = [arm.name for arm in study.fields.all_arms]
    driven = [f"driven / {name}" for name in CONTROLS]
    assert names == ["intact", "driven", *driven, "silenced", "silenced / random_units", "alone"]
    protocols = protocols_of(study)
    assert protocols["intact"] is None
    assert protocols["driven / sham"]["stimuli"][0]["opsin"] == {"kind": "sham"}
    assert protocols["driven / opposite_sign"]["stimuli"][0]["opsin"]["amount"] == -2
    assert Protocol.build(protocols["driven / release"]).stimuli[0].light.until == 5


def test_what_exists_nowhere_is_left_out_and_said():
    study = Study(**SHARED, arms={"intact": {}, "silenced": {"protocol": SILENCE}})
    assert study.plan.arms == ("intact", "silenced", "silenced / sham", "silenced / random_units")
    assert study.fields.without == {
        "silenced / opposite_sign": "stimulus 1 (silence at level_2.post): opsin silence has no opposite sign",
        "silenced / release": "stimulus 1 (silence at level_2.post): its light has no end in steps; say from which "
        "step on it shall be dark",
    }
    assert ["silenced / release", "silenced"] not in study.fields.contrasts


def test_draws_of_random_units_are_different_choices_and_the_same_at_every_split(study):
    chosen = {}
    for run in study.plan.of_arm("silenced / random_units"):
        chosen.setdefault(run.draw, set()).add(run.recipe["protocol"]["stimuli"][0]["target"]["units"][0])
    assert [len(units) for units in chosen.values()] == [1, 1, 1]
    numbers = set.union(*chosen.values())
    assert len(numbers) == 3
    assert 0 not in numbers  # area itself


def test_the_rest_is_all_but_the_target(study):
    assert protocols_of(study)["alone"]["stimuli"][0]["target"]["units"] == list(range(1, 13))


def test_the_protocol_decides_the_key_however_it_is_written(tmp_path):
    (tmp_path / "silence.yaml").write_text(
        "- phases: [test, train]\n  opsin: {kind: silence}\n  target: {units: [area], site: level_2.post}\n"
    )
    (tmp_path / "study.yaml").write_text(
        "base: pathways/breast_cancer.yaml\noverrides: {trainer.max_epochs: 2}\n"
        "arms: {silenced: {protocol: silence.yaml, controls: []}}\n"
    )
    options = [("floors", ["constant"]), ("folds", 2), ("repeats", 1)]
    written = {run.key for run in Study(read_study(tmp_path / "study.yaml", options)).plan.of_arm("silenced")}

    def keys(protocol):
        return {
            run.key for run in Study(**SHARED, arms={"a": {}, "b": {"protocol": protocol, "controls": []}}).plan.runs
        }

    assert written < keys(SILENCE)
    assert not written & keys([{**SILENCE[0], "phases": ["test"]}])


def test_unstimulated_runs_keep_the_keys_they_always_had(study):
    for run in study.plan.of_arm("intact"):
        assert "protocol" not in run.recipe


def test_controls_stand_beside_their_arm_in_comparisons():
    arms = {"intact": {}, "off": {"protocol": SILENCE, "controls": ["sham", "random_units"]}, "plain": {}}
    assert fields(arms).contrasts == [
        ["intact", "off"],
        ["intact", "plain"],
        ["intact", "off / sham"],
        ["off / random_units", "off"],
    ]


def test_sham_is_compared_with_an_arm_that_differs_by_more_than_light():
    ash = {"overrides": {"model.network.activation": "ash"}, "protocol": SILENCE, "controls": ["sham"]}
    assert fields({"intact": {}, "ash_off": ash}).contrasts[1:] == [
        ["intact", "ash_off / sham"],
        ["ash_off / sham", "ash_off"],
    ]


def test_factors_bring_controls_within_every_combination():
    factors = {
        "design": {"binn": {}, "kpnn": {}},
        "light": {"none": {}, "off": {"protocol": SILENCE, "controls": ["sham"]}},
    }
    found = fields({}, factors=factors, reference={"light": "none"})
    assert found.contrasts == [
        ["binn / none", "binn / off"],
        ["kpnn / none", "kpnn / off"],
        ["binn / none", "binn / off / sham"],
        ["kpnn / none", "kpnn / off / sham"],
    ]


def test_a_dense_arm_is_stimulated_where_it_has_sites():
    target = {"site": "hidden_0.post", "fraction": 0.5}
    arm = {"dense": "nodes", "protocol": [{"target": target, "opsin": "silence"}], "controls": ["sham"]}
    assert "dense / sham" in Study(**SHARED, arms={"intact": {}, "dense": arm}).plan.arms


@pytest.mark.parametrize(
    ("arm", "words"),
    [
        ({"controls": ["sham"]}, "arm 'off' has controls, but no protocol to stimulate by"),
        ({"act_on": "rest"}, "arm 'off' has act_on, but no protocol"),
        ({"floor": "ridge", "protocol": SILENCE}, "is the floor ridge and has a protocol, which only networks take"),
        ({"protocol": SILENCE, "act_on": "others"}, "act_on is 'others'; known are target, rest"),
        ({"protocol": SILENCE, "controls": ["shame"]}, "controls names the unknown 'shame'; did you mean 'sham'"),
        ({"protocol": SILENCE, "controls": "sham"}, "controls is 'sham'; it must be a list"),
        ({"protocol": SILENCE, "controls": {"sham": {"draws": 2}}}, "controls.sham has the unknown key 'draws'"),
        ({"protocol": SILENCE, "controls": {"random_units": {"draws": 0}}}, "random_units.draws is 0; it must be"),
        (
            {"protocol": SILENCE, "controls": {"random_units": {"draws": 2}}, "null": "ErdosRenyi"},
            "draws is 2, but the arm is drawn from a null model already",
        ),
    ],
)
def test_arms_that_are_refused_as_they_stand(arm, words):
    with pytest.raises(InputError, match=words):
        Arm.from_mapping("off", arm)


@pytest.mark.parametrize(
    ("arm", "words"),
    [
        (
            {"protocol": [{"target": {**AREA, "units": ["aria"]}, "opsin": "silence"}]},
            "units has 'aria', .* nearest are",
        ),
        ({"protocol": "pulsed_silense"}, "protocol 'pulsed_silense' is not a file; shipped protocols: pulsed_silence"),
        (
            {"protocol": [{**SILENCE[0], "light": {"window": [500, 600]}}]},
            "light never shines: the window opens at 500 steps, the run has 8",
        ),
        (
            {"protocol": SILENCE, "controls": ["opposite_sign"]},
            "controls names opposite_sign, but .*no opposite sign; lea",
        ),
        (
            {"protocol": SILENCE, "controls": {"random_units": {"draws": 30}}},
            "only 12 different choices .* set it to 12",
        ),
        ({"protocol": [{"target": "level_2.post", "opsin": "silence"}], "act_on": "rest"}, "neither units nor heads"),
        (
            {
                "protocol": [
                    {
                        **SILENCE[0],
                        "light": {
                            "closed_loop": {"kind": "trigger", "sensor": "metric:val/los", "above": 1.0, "hold": 2}
                        },
                    }
                ]
            },
            "'val/los', which is never logged",
        ),
    ],
)
def test_protocols_that_do_not_fit_the_network(arm, words):
    with pytest.raises(InputError, match=rf"^arm 'off': .*{words}"):
        _ = Study(**SHARED, arms={"intact": {}, "off": arm}).plan


def test_a_comparison_with_a_control_that_does_not_exist():
    arms = {"intact": {}, "off": {"protocol": SILENCE}}
    compared = [["off / opposite_sign", "off"]]
    with pytest.raises(InputError, match=r"comparisons names 'off / opposite_sign', but .*no opposite sign"):
        _ = Study(**SHARED, arms=arms, comparisons=compared).plan


def test_a_protocol_may_be_an_object_and_the_ledger_keeps_it_as_plain_data(study):
    arms = {"intact": {}, "silenced": {"protocol": Protocol.build(SILENCE), "controls": []}}
    found = Study(**SHARED, arms=arms)
    assert {run.key for run in found.plan.of_arm("silenced")} == {run.key for run in study.plan.of_arm("silenced")}
    kept = json.loads(json.dumps(_plain(found.fields)))
    assert Protocol.build(kept["arms"]["silenced"]["protocol"]) == Protocol.build(SILENCE)


@pytest.mark.parametrize(("name", "runs"), [("silence_pathway", 260), ("dissociation", 140)])
def test_studies_that_ship(name, runs):
    found = Study.from_yaml(f"studies/{name}.yaml")
    assert len(found.plan.runs) == runs
    assert not found.fields.without
    assert found.fields.all_claims
