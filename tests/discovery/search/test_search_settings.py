"""The keys of a search file: defaults, a round trip, and one sentence for each mistake."""

import pytest
from axonlight.discovery import SearchSettings
from axonlight.errors import InputError

pytestmark = pytest.mark.xdist_group("search")  # its fixtures are made once


def given(**content):
    return SearchSettings.from_mapping({"base": "demo.yaml", **content})


def test_round_trip_through_plain_data():
    settings = given(
        name="waves",
        engine={"kind": "enumerate", "max_nodes": 5},
        stages={"proxies": None, "halving": {"epochs": [1, 4], "keep": [20, 10]}},
        controls={"known": ["relu"], "random": 0},
    )
    plain = settings.to_dict()
    assert plain["stages"]["proxies"] is None
    assert plain["stages"]["halving"] == {"epochs": (1, 4), "keep": (20, 10), "seeds": (1, 1)}
    assert SearchSettings.from_mapping(plain) == settings


def test_an_empty_part_has_the_defaults():
    assert given(stages=None, gate=None, metric=None) == given()
    assert given(stages={"few_steps": {}}).few_steps.steps == 24


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({"stage": {}}, "the search has the unknown key 'stage'; did you mean 'stages'?"),
        ({"stages": {"halvings": {}}}, "stages has the unknown key 'halvings'; did you mean 'halving'?"),
        ({"stages": {"halving": None}}, "stages.halving is null"),
        ({"stages": {"halving": {"epochs": [5, 2], "keep": [9, 9]}}}, r"stages.halving.epochs is \[5, 2\]"),
        ({"stages": {"halving": {"epochs": [1, 2], "keep": [9]}}}, "stages.halving.keep lists 1 numbers for 2"),
        (
            {"stages": {"halving": {"epochs": [1], "keep": [9], "seeds": [1, 1]}}},
            "stages.halving.seeds lists 2 numbers",
        ),
        ({"stages": {"halving": {"epochs": [1, 2], "keep": [9, 10]}}}, r"stages.halving.keep is \[9, 10\]"),
        ({"stages": {"few_steps": {"steps": 1}}}, "stages.few_steps.steps is 1; it must be a whole number, at least 2"),
        ({"gate": {"max_growth": 0}}, "gate.max_growth is 0; it must be a number above 0"),
        ({"gate": {"normalize": "yes"}}, "gate.normalize is 'yes'; it must be true or false"),
        ({"finalists": {"count": 11}}, "finalists.count is 11, but the last rung of stages.halving keeps 10"),
        ({"finalists": {"seeds": 1}}, "finalists.seeds is 1; it must be a whole number, at least 2"),
        ({"controls": {"known": []}}, "controls.known is an empty list"),
        ({"controls": {"known": ["relu", "relu"]}}, "controls.known holds relu twice"),
        ({"validation_fraction": 1}, "validation_fraction is 1; it is a share of the training rows"),
        ({"rope": -0.1}, "rope is -0.1; it must be a number above 0"),
        ({"name": "a/b"}, "name is 'a/b'"),
        ({"base": None}, "the search has no base"),
    ],
)
def test_mistakes(content, sentence):
    with pytest.raises(InputError, match=sentence):
        given(**content)
