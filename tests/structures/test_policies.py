"""Each choice on one small ontology whose answers fit on paper."""

import pytest
from axonlight.errors import InputError
from axonlight.structures import Hierarchy, Policies

# a has children b and d; b has c; d stands also under c: ways a-d and a-b-c-d. e is a root of its own.
RELATIONS = [("a", "b"), ("a", "d"), ("b", "c"), ("c", "d")]
MAPPING = [("f1", "d"), ("f2", "c"), ("f3", "b"), ("f4", "e"), ("f1", "c")]


def compiled(**options):
    options.setdefault("levels", None)
    return Hierarchy.from_reactome(MAPPING, RELATIONS, species=None, **options)


def edges(hierarchy):
    return {
        (hierarchy.layers[source], hierarchy.nodes[source][a], hierarchy.layers[target], hierarchy.nodes[target][b])
        for source, target, pairs in hierarchy.edges
        for a, b in pairs.T
    }


def test_lock_step_puts_a_node_on_every_level_of_its_parents():
    hierarchy = compiled()
    assert hierarchy.nodes[1:] == (("d", "e"), ("c", "d", "e"), ("b", "d", "e"), ("a", "e"))
    assert ("level_2", "d", "level_1", "a") in edges(hierarchy)
    assert ("level_4", "d", "level_3", "c") in edges(hierarchy)


def test_longest_puts_it_lowest_and_copies_or_skips():
    copies = compiled(level_rule="longest")
    assert copies.nodes[1:] == (("d", "e"), ("c", "d", "e"), ("b", "d", "e"), ("a", "e"))
    assert ("level_3", "d", "level_2", "d") in edges(copies)
    skips = compiled(level_rule="longest", fill="skip")
    assert skips.nodes[1:] == (("d",), ("c",), ("b",), ("a", "e"))
    assert ("level_4", "d", "level_1", "a") in edges(skips)
    assert ("features", "f4", "level_1", "e") in edges(skips)


def test_shortest_puts_it_highest_and_counts_the_relation_that_it_cannot_draw():
    hierarchy = compiled(level_rule="shortest", fill="skip")
    assert hierarchy.nodes[1:] == (("c",), ("b", "d"), ("a", "e"))
    assert hierarchy.report.relations_not_drawn == 1
    # c can no longer reach d, so it takes d's features itself.
    assert set(hierarchy.children("c")) == {"f1", "f2"}


def test_attachment():
    assert set(compiled().features) == {"f1", "f4"}
    assert compiled().report.unattached == ("f2", "f3")
    every = compiled(attach="every")
    assert set(every.features) == {"f1", "f2", "f3", "f4"}
    # f1 flows into c through d already.
    assert set(every.children("c")) == {"d", "f2"}
    cut = {name: compiled(levels=2, attach=name) for name in ("descendants", "own")}
    assert set(cut["descendants"].children("b")) == {"f1", "f2", "f3"}
    assert set(cut["own"].children("b")) == {"f3"}


def test_unannotated_features():
    hierarchy = compiled(features=["f1", "f2", "f9"], unannotated="residual")
    assert hierarchy.features == ("f1", "f2", "f9")
    assert set(hierarchy.children("residual")) == {"f2", "f9"}
    assert hierarchy.report.residual
    assert compiled(features=["f1", "f2", "f9"]).features == ("f1",)


def test_sizes_take_nodes_out_and_pass_their_children_on():
    hierarchy = compiled(max_size=2, level_rule="longest", fill="skip")
    # a and b hold three features: c becomes a root, and f3, annotated to b alone, has no place.
    assert hierarchy.nodes[1:] == (("d",), ("c", "e"))
    assert hierarchy.report.trimmed == {"min_size": 0, "max_size": 2}
    small = compiled(min_size=2, attach="every", level_rule="longest", fill="skip")
    assert small.nodes[1:] == (("c",), ("b",), ("a",))
    assert set(small.children("c")) == {"f1", "f2"}
    assert small.report.unattached == ("f4",)


def test_redundancy_and_chains():
    hierarchy = compiled(redundancy=1.0, attach="every", level_rule="longest", fill="skip")
    # a and b hold the same features; a is nearer to the roots.
    assert hierarchy.nodes[1:] == (("d",), ("c",), ("a", "e"))
    chains = compiled(collapse_chains=True, attach="every", level_rule="longest", fill="skip")
    assert chains.report.trimmed == {"collapse_chains": 1}
    assert {name for names in chains.nodes[1:] for name in names} == {"a", "b", "d", "e"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"level_rule": "deepest"}, "level_rule is 'deepest'; it must be one of lock_step, shortest, longest"),
        ({"levels": 0}, "levels is 0; it must be a positive integer"),
        ({"levels": True}, "levels is True"),
        ({"levels": 9}, "levels is 9, but the hierarchy above these features has 4; give at most 4"),
        ({"min_size": 3, "max_size": 2}, "max_size is 2, below min_size, which is 3"),
        ({"min_size": 50}, "leave no node"),
        ({"redundancy": 1.5}, "redundancy is 1.5"),
    ],
)
def test_wrong_choices(options, message):
    with pytest.raises(InputError, match=message):
        compiled(**options)


def test_own_features_of_inner_nodes_alone_leave_nothing():
    with pytest.raises(InputError, match="attach='own' leaves no feature"):
        Hierarchy.from_reactome([("f", "b")], [("a", "b")], species=None, levels=1, attach="own")


def test_choices_are_kept_as_plain_data():
    assert Policies(**compiled(fill="skip").policies.as_dict()) == Policies(fill="skip")
