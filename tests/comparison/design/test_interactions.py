"""Differences of differences between two factors."""

import pytest
from axonlight.comparison.design.fields import StudyFields
from axonlight.errors import InputError

FACTORS = {
    "network": {"binn": {}, "pnet": {"overrides": {"model.network.design": "pnet"}}},
    "activation": {"tanh": {}, "ash": {"overrides": {"model.network.activation": "ash"}}, "gelu": {}},
    "wiring": {"real": {}, "random": {"null": "ErdosRenyi", "draws": 2}},
}


def fields(**changes):
    return StudyFields(base="demo.yaml", factors=FACTORS, reference={"wiring": "real"}, **changes)


def test_interactions_join_the_comparisons_with_the_reference():
    plain, found = fields().contrasts, fields(interactions=[{"activation": "tanh", "wiring": "real"}]).contrasts
    assert found[: len(plain)] == plain
    assert len(found) - len(plain) == 2 * 2 * 1  # networks, other activations, other wirings
    assert found[-1] == {
        "name": "pnet: gain of gelu over tanh, real against random",
        "weights": {
            "pnet / gelu / real": 1,
            "pnet / tanh / real": -1,
            "pnet / gelu / random": -1,
            "pnet / tanh / random": 1,
        },
    }


@pytest.mark.parametrize(
    ("interactions", "message"),
    [
        ([{"activation": "tanh"}], "name two factors"),
        ([{"activation": "tanh", "wire": "real"}], "unknown factor 'wire'; did you mean 'wiring'"),
        ([{"activation": "relu", "wiring": "real"}], "unknown level 'relu' of activation"),
        ({"activation": "tanh", "wiring": "real"}, "must be a list"),
    ],
)
def test_unusable_interactions_are_refused(interactions, message):
    with pytest.raises(InputError, match=message):
        fields(interactions=interactions)
