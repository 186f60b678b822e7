"""Draws are made once in a process, and what is kept is what would be drawn."""

from axonlight.comparison.runs import draws
from axonlight.comparison.runs.build import build_run
from axonlight.comparison.runs.data_cache import clear_data_cache, data_of
from axonlight.structures import NullModel

NULL = {"class_path": "DegreePreserving", "init_args": {}, "seed": 5}


def drawn(config, null):
    run = build_run({"config": config, "null": null})
    return run.data.hierarchy, run.details["null"]


def test_a_draw_is_made_once_for_all_splits_and_is_the_one_of_a_new_process(pathway_config, monkeypatch):
    made = []
    original = NullModel.__call__
    monkeypatch.setattr(NullModel, "__call__", lambda self, *args: (made.append(args[1]), original(self, *args))[1])
    folds = [pathway_config(data={"num_folds": 3, "fold": fold}) for fold in range(2)]
    (first, quality), (second, same_quality) = (drawn(config, NULL) for config in folds)
    assert made == [5]
    assert first is second
    assert quality == same_quality
    assert drawn(folds[0], {**NULL, "seed": 6})[0] != first
    clear_data_cache()
    fresh, fresh_quality = drawn(folds[1], NULL)
    assert made == [5, 6, 5]
    assert (fresh, fresh_quality) == (first, quality)
    assert fresh is not first


def test_what_is_fitted_on_rows_is_drawn_for_these_rows(pathway_config):
    null = {"class_path": "PermuteInputsWithinBins", "init_args": {"by": "variance", "bins": 2}, "seed": 1}
    found = [drawn(pathway_config(data={"num_folds": 3, "fold": fold}), null)[0] for fold in range(2)]
    assert found[0] is not found[1]
    assert found[0] is drawn(pathway_config(data={"num_folds": 3, "fold": 0}), null)[0]


def test_a_caller_cannot_change_what_is_kept(pathway_config):
    config = pathway_config()
    data = build_run({"config": config}).data
    _, quality = data_of(config["data"], lambda: data, NULL)
    quality["live_inputs"] = None
    assert data_of(config["data"], lambda: data, NULL)[1]["live_inputs"] is not None


def test_old_draws_make_room(pathway_config, monkeypatch):
    config = pathway_config()
    edges = drawn(config, NULL)[0].num_edges
    monkeypatch.setattr(draws, "_MOST_EDGES", 2 * edges)
    hierarchies = [drawn(config, {**NULL, "seed": seed})[0] for seed in (5, 6, 5, 7)]
    assert hierarchies[0] is hierarchies[2]
    assert drawn(config, {**NULL, "seed": 5})[0] is hierarchies[0]
    assert drawn(config, {**NULL, "seed": 6})[0] is not hierarchies[1]


def test_order_of_edges_and_notes_tell_hierarchies_apart(pathway_config):
    hierarchy = build_run({"config": pathway_config()}).data.hierarchy
    turned = type(hierarchy)(
        hierarchy.layers, hierarchy.nodes, [(*block[:2], block.pairs[:, ::-1]) for block in hierarchy.edges]
    )
    assert turned == hierarchy
    assert draws.edges_key(turned) != draws.edges_key(hierarchy)
