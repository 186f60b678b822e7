"""The steps of a search, one after the other."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..datamodules import TableDataModule
from ..errors import InputError, RunError
from ..randomness import derive_seed
from .contenders import Entrant, final_activations, ranked_finalists, selection_inflation, to_contender
from .engines import Engine, search_rows
from .proposals import kept_proposals
from .result import Contender
from .search_settings import SearchSettings
from .stages import Entry, Funnel, SearchBase, StageResult, StageRunner
from .stages.gate import equal_after_normalisation, gate_recipe, spec_of
from .stages.proxies import proxy_recipe
from .stages.training import (
    FEW_STEPS,
    by_contender,
    few_step_recipes,
    full_recipes,
    mean_score,
    rung_name,
    rung_recipes,
    stage_seed,
    validated,
)

__all__ = ["Pipeline"]

_GATE, _PROXIES, _FINALISTS, _TEST = "gate", "proxies", "finalists", "test"


class Pipeline:
    """From an engine to what `SearchResult` holds.

    Args:
        settings: Of the search.
        base: What is trained.
        engine: Where formulas come from.
        runner: Executes recipes.
        keeps_proposals: Whether the settings alone decide what the engine proposes, so that it need not do so twice.
    """

    def __init__(
        self,
        settings: SearchSettings,
        base: SearchBase,
        engine: Engine,
        runner: StageRunner,
        *,
        keeps_proposals: bool,
    ) -> None:
        self.settings, self.base, self.engine, self.runner = settings, base, engine, runner
        self.keeps_proposals = keeps_proposals

    def run(self) -> dict[str, Any]:
        """Return the fields of the result that were not known before.

        Raises:
            InputError: If the engine proposes nothing, or no candidate passes the gate.
            RunError: If no candidate survives a later stage.
        """
        self.funnel = self._propose()
        self._gate()
        drawn = self._random_entries()
        if self.settings.proxies is not None:
            self._proxies(self.settings.proxies.rows, self.settings.proxies.keep)
        if self.settings.few_steps is not None:
            self._few_steps(self.settings.few_steps.steps, self.settings.few_steps.keep)
        for rung in self.settings.halving.rungs:
            self._rung(*rung)
        finalists, controls = self._finalists(drawn)
        known = [one for one in controls if one.kind == "known"]
        tested = self._test([finalists[0], *known])
        return {
            "stages": self.funnel.outcomes,
            "candidates": self.funnel.searched(),
            "finalists": finalists,
            "controls": controls,
            "tested": tested,
            "inflation": selection_inflation(finalists[0], tested, self.base.metric, self.base.sign),
        }

    def _propose(self) -> Funnel:
        rows = None
        if self.engine.needs_rows:
            if not isinstance(self.base.data, TableDataModule):
                raise InputError(
                    f"engine {self.engine.name} fits formulas to the rows of a table, and "
                    f"{type(self.base.data).__name__} is none; take the engine enumerate"
                )
            rows = search_rows(self.base.data)
        seed = stage_seed(self.settings.seed, "engine")
        ledger = self.runner.ledger if self.keeps_proposals and rows is not None else None
        candidates, seconds = kept_proposals(self.engine, self.settings.engine, rows, seed, self.base.key, ledger)
        if not candidates:
            raise InputError(f"engine {self.engine.name} proposed no formula; give it a larger budget")
        return Funnel(candidates, seconds)

    def _gate(self) -> None:
        gate = self.settings.gate
        recipes = [gate_recipe(entry.candidate, gate) for entry in self.funnel.alive]
        results, seconds = self.runner.run(_GATE, recipes)
        self.funnel.judge(_GATE, results, seconds)
        if not self.funnel.alive:
            reasons = [f"{reason} ({count:,})" for reason, count in self.funnel.outcomes[-1].reasons.items()]
            raise InputError(
                f"none of the {len(results):,} candidates of engine {self.engine.name} passes the gate: "
                f"{', '.join(reasons[:3])}; let it propose others, or change gate"
            )
        if gate.normalize:
            for entry in self.funnel.alive:
                entry.normalise(f"{_GATE}/shift", f"{_GATE}/scale")
        alive = self.funnel.alive
        equals = equal_after_normalisation([entry.candidate for entry in alive])
        self.funnel.drop(
            [
                (entry, f"equal to {alive[place].candidate.formula} in a network")
                for entry, place in zip(alive, equals, strict=True)
                if place is not None
            ]
        )

    def _random_entries(self) -> list[Entry]:
        """Draw random formulas from those that passed the gate, before anything is known of them."""
        generator = np.random.default_rng(derive_seed(self.settings.seed, "search", "random controls"))
        count = min(self.settings.controls.random, len(self.funnel.alive))
        places = generator.choice(len(self.funnel.alive), size=count, replace=False)
        return [self.funnel.alive[place] for place in places]

    def _proxies(self, rows: int, keep: int) -> None:
        seed = stage_seed(self.settings.seed, _PROXIES)
        recipes = [proxy_recipe(self.base.key, spec, seed, rows) for spec in self._specs(self.funnel.alive)]
        self._judged(_PROXIES, *self.runner.run(_PROXIES, recipes))
        self.funnel.keep(f"{_PROXIES}/lost_decades", keep, sign=-1)

    def _few_steps(self, steps: int, keep: int) -> None:
        recipes = few_step_recipes(self.base, self._specs(self.funnel.alive), self.settings.seed, steps)
        results, seconds = self.runner.run(FEW_STEPS, recipes)
        self._judged(FEW_STEPS, [validated(result, "loss") for result in results], seconds)
        self.funnel.keep(f"{FEW_STEPS}/loss", keep, sign=-1)

    def _rung(self, epochs: int, keep: int, seeds: int) -> None:
        stage, metric = rung_name(epochs), self.base.metric
        specs = self._specs(self.funnel.alive)
        results, seconds = self.runner.run(stage, rung_recipes(self.base, specs, self.settings.seed, epochs, seeds))
        scored = by_contender([validated(result, metric) for result in results], len(specs))
        self._judged(stage, [mean_score(own, metric) for own in scored], seconds)
        self.funnel.keep(f"{stage}/{metric}", keep, sign=self.base.sign)

    def _finalists(self, drawn: Sequence[Entry]) -> tuple[tuple[Contender, ...], tuple[Contender, ...]]:
        chosen = self.funnel.alive[: self.settings.finalists.count]
        entrants = [
            *self._entrants("finalist", chosen),
            *(Entrant(spec, "known", spec) for spec in self.settings.controls.known),
            *self._entrants("random", drawn),
        ]
        specs, seeds = [entrant.spec for entrant in entrants], self.settings.finalists.seeds
        recipes = full_recipes(self.base, specs, self.settings.seed, _FINALISTS, seeds)
        results, seconds = self.runner.run(_FINALISTS, recipes)
        scored = by_contender([validated(result, self.base.metric) for result in results], len(entrants))
        contenders = [
            to_contender(entrant, runs, self.base.metric) for entrant, runs in zip(entrants, scored, strict=True)
        ]
        score = f"{_FINALISTS}/{self.base.metric}"
        self.funnel.finals(_FINALISTS, chosen, contenders[: len(chosen)], seconds, score, self.base.sign)
        finalists = ranked_finalists(contenders[: len(chosen)], self.base.sign)
        if finalists[0].estimate.count == 0:
            raise RunError(f"no finalist could be trained: {finalists[0].failures[0]}")
        return finalists, tuple(contenders[len(chosen) :])

    def _entrants(self, kind: Any, entries: Sequence[Entry]) -> list[Entrant]:
        specs = self._specs(entries)
        return [
            Entrant(entry.candidate.formula, kind, spec, entry.candidate)
            for entry, spec in zip(entries, specs, strict=True)
        ]

    def _test(self, entrants: Sequence[Contender]) -> Any:
        """Train winner and known activations with fresh seeds, and look at the test rows: once, here."""
        specs, seeds = [entrant.spec for entrant in entrants], self.settings.finalists.seeds
        recipes = full_recipes(self.base, specs, self.settings.seed, _TEST, seeds, test=True)
        results, seconds = self.runner.run(_TEST, recipes)
        self.funnel.note(_TEST, 1, seconds)
        metric = self.base.metric
        return final_activations(
            entrants,
            by_contender(results, len(entrants)),
            by_contender([validated(result, metric) for result in results], len(entrants)),
            metric,
            sign=self.base.sign,
            rope=self.base.rope,
            test_share=self.base.test_share,
        )

    def _specs(self, entries: Sequence[Entry]) -> list[str]:
        return [spec_of(entry.candidate, self.settings.gate.normalize) for entry in entries]

    def _judged(self, stage: str, results: Sequence[StageResult], seconds: float) -> None:
        self.funnel.judge(stage, results, seconds)
        if not self.funnel.alive:
            error = next(result.error for result in results if result.error is not None)
            raise RunError(f"no candidate survives the stage {stage}; the first failed so: {error}")
