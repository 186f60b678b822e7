"""The searches of the transfer study: one per set, on its search half alone, with the same settings."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from _transfer_sets import SETS, base_of
from axonlight.comparison.runs.recipe import canonical_json, software_versions
from axonlight.discovery import Search, SearchResult
from axonlight.discovery.novelty import known_as

__all__ = ["RANDOM", "found_on", "search_settings"]

# Random formulas of the space; their draw needs no data, so all sets draw the same.
RANDOM = 5
KEPT = "found.json"


def search_settings(name: str, folder: Path, nodes: int, epochs: int | None = None) -> dict[str, Any]:
    """Return the settings of a search; only the rows, and what is trained on them, differ from set to set.

    Args:
        name: Name of the set.
        folder: Of its halves.
        nodes: Largest formula.
        epochs: Those of a trial, which keeps and seeds little, too.
    """
    trial = epochs is not None
    full = SETS[name].epochs if epochs is None else epochs
    # A quarter of the epochs first, so that most candidates cost little.
    epochs_of_rungs = sorted({max(1, full // 4), full})
    rungs = {"epochs": epochs_of_rungs, "keep": ([4, 2] if trial else [60, 8])[-len(epochs_of_rungs) :]}
    return {
        "name": f"transfer_{name}",
        "base": base_of(name, "search", folder, epochs),
        "engine": {"kind": "enumerate", "max_nodes": nodes},
        "metric": SETS[name].metric,
        "validation_fraction": 0.25,
        # Whatever passes the gate is trained: proxies and few steps cost more than they save where sets are this small.
        "stages": {"proxies": None, "few_steps": None, "halving": rungs},
        "finalists": {"count": 2 if trial else 8, "seeds": 2 if trial else 10},
        "controls": {"known": ["relu"], "random": RANDOM},
        "seed": 0,
    }


def found_on(name: str, settings: Mapping[str, Any], folder: Path, workers: int) -> dict[str, Any]:
    """Return what the search of a set found; a finished search is read from its folder."""
    asked = canonical_json([settings, software_versions()])
    path = folder / KEPT
    if path.exists():
        kept = json.loads(path.read_text())
        if kept["asked"] == asked:
            return kept
    result = Search({**settings, "workers": workers}, folder).run(_said(name))
    found = {"asked": asked, "set": name, **summary(result)}
    path.write_text(json.dumps(found, indent=1))
    return found


def _said(name: str) -> Any:
    last = ""

    def progress(stage: str, total: int, done: int, failed: int) -> None:
        nonlocal last
        if stage != last and done == 0:
            print(f"{name}: {stage}, {total:,} to do", flush=True)
            last = stage

    return progress


def summary(result: SearchResult) -> dict[str, Any]:
    """Return what the study and its page need of a result, as plain data."""
    winner, (own, relu, *_) = result.winner, result.tested
    low, high = result.comparison.interval
    return {
        "formula": winner.name,
        "spec": winner.spec,
        "nodes": None if winner.candidate is None else winner.candidate.nodes,
        "known_as": winner.known_as,
        "selection": result.inflation.selection,
        "fresh": own.validation.mean,
        "test": own.test.mean,
        "relu_test": relu.test.mean,
        "against_relu": {"difference": result.comparison.difference, "low": low, "high": high},
        "verdict": result.comparison.verdict,
        "by_seeds": result.inflation.by_seeds,
        "by_rows": result.inflation.by_rows,
        "rows": {key: value for key, value in result.data.items() if key in ("train", "validation", "test")},
        "funnel": [[stage.name, stage.entered, stage.failed, stage.kept] for stage in result.stages],
        "agreement": [stage.agreement for stage in result.stages if stage.score is not None][:-1],
        "seconds": result.seconds,
        "finalists": [one.name for one in result.finalists],
        "random": [_control(one.name, one.spec) for one in result.controls if one.kind == "random"],
    }


def _control(name: str, spec: str) -> dict[str, str | None]:
    return {"formula": name, "spec": spec, "known_as": known_as(name)}
