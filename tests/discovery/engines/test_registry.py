"""Engines by name."""

import pytest
from axonlight.discovery.engines import Enumeration, GplearnEngine, OperonEngine, build_engine
from axonlight.discovery.engines.registry import ENGINES
from axonlight.errors import InputError


@pytest.mark.parametrize(
    ("name", "kind"), [("enumerate", Enumeration), ("gplearn", GplearnEngine), ("operon", OperonEngine)]
)
def test_text_and_mapping_give_the_same_engine(name, kind):
    for spec in (name, {"kind": name}):
        engine = build_engine(spec)
        assert type(engine) is kind
        assert engine.name == name
        assert engine.needs_rows is (name != "enumerate")


def test_arguments_reach_the_engine():
    engine = build_engine({"kind": "gplearn", "population_size": 40, "sample": None, "operators": ["add", "sin"]})
    assert (engine.population_size, engine.sample, engine.operators) == (40, None, ("add", "sin"))
    assert build_engine({"kind": "operon", "sample": 0.5}).sample == 0.5


def test_an_engine_of_ones_own_stays_itself():
    own = GplearnEngine()
    assert build_engine(own) is own


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("gplern", "engine 'gplern' is unknown; did you mean gplearn"),
        ("zzz", "known are enumerate, gplearn, operon"),
        ({"max_nodes": 8}, "engine has no key kind"),
        (
            {"kind": "enumerate", "max_node": 8},
            "engine.max_node is not a setting of engine enumerate; nearest are max_nodes",
        ),
        ({"kind": "gplearn", "leak": True}, "engine.leak is not a setting of engine gplearn"),
        ({"kind": "gplearn", "generations": "many"}, "engine.generations is 'many'"),
        ({"kind": "operon", "whole_numbers": 3}, "engine.whole_numbers is 3"),
        (7, "engine is 7"),
    ],
)
def test_what_is_no_engine_is_refused_in_one_sentence(spec, message):
    with pytest.raises(InputError) as caught:
        build_engine(spec)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_engines_are_listed_by_their_own_names():
    assert all(engine.name == name for name, engine in ENGINES.items())
