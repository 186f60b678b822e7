"""Targets: which entries, how strongly, in which samples."""

import numpy as np
import pytest
import torch
from axonlight.errors import InputError
from axonlight.models import PathwayNetwork, Site, sites_of
from axonlight.stimulation import Scene
from axonlight.stimulation.protocol import Protocol, Target
from axonlight.structures import Hierarchy
from torch import nn

VALUES = Site("v", "v", axes=("batch", "head", "position", "unit"), sizes={"head": 4, "unit": 6})
PATTERN = Site("p", "p", axes=("batch", "head", "query", "key"), sizes={"head": 4})
NAMED = Site("n", "n", axes=("batch", "unit"), units=("R-HSA-1", "DNA repair", "R-HSA-2", "apoptosis"))


def on(target, site, sizes=None, seed=0):
    """The entries of a site that a target reaches, dense, by an outer product in NumPy."""
    expression = target.expression(site, sizes, seed)
    known = {**site.sizes, **({"unit": len(site.units)} if site.units else {}), **(sizes or {})}
    return np.broadcast_to(expression.numpy(), [known[axis] for axis in site.axes if axis != "batch"])


def test_axes_are_chosen_apart_and_meet():
    expected = np.zeros((4, 5, 6))
    expected[np.ix_([1, 3], [4], [0, 1, 2])] = 0.25
    target = Target("v", heads=[1, -1], positions=["query"], units=["0:3"], gain=0.25)
    np.testing.assert_array_equal(on(target, VALUES, {"position": 5}), expected)
    assert target.expression(VALUES, {"position": 5}).shape == (4, 5, 6)
    # along axes that are not chosen from, one entry stands for all
    assert Target("v", heads=[0]).expression(VALUES, {"position": 5}).shape == (4, 1, 1)
    assert Target("v").expression(VALUES).tolist() == [[[1.0]]]


def test_queries_and_keys_of_a_pattern():
    expected = np.zeros((4, 5, 5))
    expected[2][np.ix_([4], [1, 3])] = 1
    target = Target("p", heads=2, queries="query", keys="labels")
    np.testing.assert_array_equal(on(target, PATTERN, {"query": 5, "key": 5}), expected)


@pytest.mark.parametrize(
    ("units", "expected"),
    [
        (["DNA repair"], [1]),
        (["R-HSA-*", 3], [0, 2, 3]),
        (["*"], [0, 1, 2, 3]),
        (["1:", "::2"], [0, 1, 2, 3]),
        (["-2:"], [2, 3]),
        (["type:E"], [0, 3]),
    ],
)
def test_units_by_name_pattern_slice_and_type(units, expected):
    target = Target("n", units=units, cell_types={"E": [0, 3], "I": [1, 2]})
    assert np.flatnonzero(on(target, NAMED)).tolist() == expected


def test_gain_per_unit_goes_by_the_order_of_choice():
    target = Target("n", units=[3, "R-HSA-*"], gain=[0.1, 0.2, 0.3])
    np.testing.assert_allclose(on(target, NAMED), [0.2, 0, 0.3, 0.1], rtol=1e-6)
    np.testing.assert_allclose(on(Target("n", gain=[1, 2, 3, 4]), NAMED), [1, 2, 3, 4])
    with pytest.raises(InputError, match="gain has 2 values for 4 chosen units"):
        Target("n", gain=[1, 2]).expression(NAMED)


def test_a_random_share_is_drawn_by_seed_and_site():
    site, other = (Site(name, name, axes=("batch", "unit"), sizes={"unit": 1000}) for name in ("s", "t"))
    target = Target("*", units=["0:800"], fraction=0.25, gain=2.0)
    draws = [on(target, place, seed=seed) for place, seed in ((site, 0), (site, 0), (site, 1), (other, 0))]
    assert [np.count_nonzero(draw) for draw in draws] == [200] * 4
    assert all(set(np.unique(draw)) == {0.0, 2.0} and not draw[800:].any() for draw in draws)
    np.testing.assert_array_equal(draws[0], draws[1])
    # independent draws of a quarter share a quarter: 50 of 200, standard deviation 5.3
    assert all(20 < np.count_nonzero(draws[0] * draw) < 80 for draw in draws[2:])
    assert np.count_nonzero(on(Target("s", units=[1, 2], fraction=0.01), site)) == 1


def test_units_are_counted_with_their_expression():
    sizes = {"position": 5}
    assert Target("v").count(VALUES, sizes) == (24, 24.0)
    assert Target("v", heads=[0, 1], positions=["query"], gain=0.5).count(VALUES, sizes) == (12, 6.0)
    assert Target("n", units=[0, 1], gain=[0.25, 3]).count(NAMED, {}) == (2, 3.25)
    assert Target("p", heads=[0, 1], queries=["query"]).count(PATTERN, {"query": 5, "key": 5}) == (2, 2.0)


def test_samples_of_classes():
    scene = Scene(batch={"target": torch.tensor([0, 2, 1, 2])})
    assert Target("v", classes=[2, 0]).samples(scene).tolist() == [1, 1, 0, 1]
    assert Target("v").samples(scene) is None
    with pytest.raises(InputError, match="the batch has no 'target'"):
        Target("v", classes=[0]).samples(Scene())


class Typed(nn.Module):
    """Excitatory and inhibitory cells, labelled by the network; one layer is of another width."""

    def __init__(self):
        super().__init__()
        self.cells, self.readout = nn.Linear(3, 4), nn.Linear(4, 2)
        self.cell_types = ["E", "I", "E", "E"]


def test_types_of_cells_come_from_the_network_or_the_target():
    def reached(target):
        (bound,) = Protocol.build([{"target": target, "opsin": "silence"}]).bind(Typed())
        return bound.expression({"batch": 7, "unit": 4}).tolist()

    assert reached({"site": "cells", "units": ["type:E"]}) == [1, 0, 1, 1]
    assert reached({"site": "cells", "units": ["type:E"], "cell_types": {"E": [1]}}) == [0, 1, 0, 0]
    with pytest.raises(InputError, match="units has 'type:X'; the types of cells are E, I"):
        reached({"site": "cells", "units": ["type:X"]})
    (bound,) = Protocol.build([{"target": {"site": "readout", "units": ["type:E"]}, "opsin": "silence"}]).bind(Typed())
    with pytest.raises(InputError, match="nothing says which cells are of which type"):
        bound.expression({"batch": 7, "unit": 2})


@pytest.mark.parametrize(
    ("units", "expected"), [(["DNA repair"], ["DNA repair"]), (["R-HSA-*"], ["R-HSA-1", "R-HSA-2"])]
)
def test_pathways_go_by_their_names(units, expected):
    edges = [("cell", child) for child in ("R-HSA-1", "DNA repair", "R-HSA-2")]
    edges += [("R-HSA-1", "TP53"), ("DNA repair", "ATM"), ("R-HSA-2", "EGFR")]
    network = PathwayNetwork(3, 1, hierarchy=Hierarchy.from_edges(edges))
    site = next(site for site in sites_of(network).values() if set(expected) <= set(site.units))
    (bound,) = Protocol.build([{"target": {"site": site.name, "units": units}, "opsin": "silence"}]).check(network)
    reached = bound.expression().nonzero().flatten().tolist()
    assert sorted(site.units[number] for number in reached) == sorted(expected)


@pytest.mark.parametrize(
    ("target", "site", "message"),
    [
        (Target("v", heads=[9]), VALUES, r"heads is \[9\]; the site has 4 heads, 0 to 3"),
        (Target("v", heads=[-5]), VALUES, r"heads is \[-5\]; the site has 4 heads, 0 to 3"),
        (Target("v", positions=[5]), VALUES, r"positions is \[5\]; the site has 5 positions, 0 to 4"),
        (Target("v", units=["TP53"]), VALUES, "units has 'TP53'; the site has 6 units without names"),
        (
            Target("n", units=["DNA repare"]),
            NAMED,
            "units has 'DNA repare', which the site does not have; .* DNA repair",
        ),
        (Target("v", units=["6:"]), VALUES, "chooses none of the 6 units"),
        (Target("v", units=["::0"]), VALUES, "step of a slice must not be 0"),
        (Target("n", heads=[0]), NAMED, "heads is given, but the site has no axis 'head'; it has unit"),
        (Target("p", positions=["query"]), PATTERN, "no axis 'position'; it has head, query, key"),
        (Target("p", fraction=0.5), PATTERN, "fraction is given, but the site has no axis 'unit'"),
        (Target("p", gain=[1.0]), PATTERN, "gain per unit is given, but the site has no axis 'unit'"),
    ],
)
def test_what_a_site_does_not_have_is_refused(target, site, message):
    with pytest.raises(InputError, match=message):
        target.expression(site, {"position": 5, "query": 5, "key": 5} if site is not NAMED else None)


def test_a_size_that_nobody_knows():
    with pytest.raises(InputError, match="positions cannot be chosen: the size of axis 'position' is not known"):
        Target("v", positions=[0]).expression(VALUES)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"site": []}, "site is"),
        ({"units": []}, "units is"),
        ({"units": [1.5]}, "units is"),
        ({"heads": [True]}, "heads is"),
        ({"classes": ["a"]}, "classes is"),
        ({"gain": -1.0}, "gain is -1.0; it must be a finite number of at least 0"),
        ({"gain": []}, "gain is"),
        ({"gain": float("nan")}, "gain is nan"),
        ({"fraction": 0}, "fraction is 0; it must be above 0 and at most 1"),
        ({"fraction": "half"}, "fraction is 'half'"),
        ({"cell_types": {"E": ["a"]}}, "cell_types is"),
    ],
)
def test_values_of_the_wrong_kind_are_refused(values, message):
    with pytest.raises(InputError, match=message):
        Target(**{"site": "v", **values})


def test_sizes_that_a_first_pass_told_keep_the_order_of_the_activation():
    # a linear layer on (batch, position, unit): the site knows the size of its last axis alone
    site = Site("linear", "linear", sizes={"unit": 4})
    expression = Target("linear", units=[1]).expression(site, {"position": 3, "unit": 4})
    assert expression.tolist() == [[0.0, 1.0, 0.0, 0.0]]
