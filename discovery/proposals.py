"""What an engine proposed, kept in the ledger where it took long to find."""

import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ..comparison.design.plan import PlannedRun
from ..comparison.ledger import Ledger
from ..comparison.runs.recipe import recipe_key
from ..comparison.runs.result import Result
from .candidate import Candidate
from .engines import Engine, SearchRows

__all__ = ["kept_proposals"]


def kept_proposals(
    engine: Engine,
    described: str | Mapping[str, Any],
    rows: SearchRows | None,
    seed: int,
    base: str,
    ledger: Ledger | None,
) -> tuple[list[Candidate], float]:
    """Return an engine's candidates and the seconds that finding them took.

    Args:
        engine: The engine.
        described: Its settings.
        rows: What it may see.
        seed: Seed of whatever it draws.
        base: Key of the base.
        ledger: Where candidates are kept; None asks the engine again each time.
    """
    if ledger is None:
        return _timed(engine, rows, seed)
    recipe = {"stage": "propose", "engine": described, "seed": seed, "base": base}
    run = PlannedRun("propose", 0, 0, 0, None, recipe, recipe_key(recipe))
    ledger.add_plan([run])
    known = ledger.details().get(run.key)
    if known is None:
        candidates, seconds = _timed(engine, rows, seed)
        found = {"candidates": [asdict(one) for one in candidates], "seconds": seconds}
        ledger.finish(run.key, Result(details=found))
        known = ledger.details()[run.key]  # as it will be read next time
    return [_candidate(values) for values in known["candidates"]], float(known["seconds"])


def _timed(engine: Engine, rows: SearchRows | None, seed: int) -> tuple[list[Candidate], float]:
    began = time.perf_counter()
    candidates = engine.propose(rows, seed)
    return candidates, time.perf_counter() - began


def _candidate(values: Mapping[str, Any]) -> Candidate:
    affine = values["normalization"]
    return Candidate(**{**values, "normalization": None if affine is None else tuple(affine)})
