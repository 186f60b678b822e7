"""What a search will do, before it does it: stages in words, and what each costs in epochs of one network."""

from dataclasses import dataclass

from .search_settings import SearchSettings

__all__ = ["SearchPlan"]


@dataclass(frozen=True)
class SearchPlan:
    """The stages that follow from settings.

    Args:
        settings: Of the search.
        epochs: Epochs of a full training.
        steps_per_epoch: Training batches of an epoch.
        proposed: Number of formulas that the engine proposes, where it is known before.

    Example:
        >>> from axonlight.discovery.search_settings import ControlSettings
        >>> settings = SearchSettings(base="demo.yaml", controls=ControlSettings(known=["relu"], random=2))
        >>> plan = SearchPlan(settings, epochs=15, steps_per_epoch=10)
        >>> plan.costs["few_steps"], plan.costs["finalists"]
        (8400.0, 1950.0)
        >>> print(plan.lines()[-1])
        winner and 1 known activation on the test rows, with 10 fresh seeds
    """

    settings: SearchSettings
    epochs: int
    steps_per_epoch: int
    proposed: int | None = None

    @property
    def costs(self) -> dict[str, float]:
        """Epochs of one network that each stage of training takes, at most."""
        settings, found = self.settings, {}
        left = float("inf") if self.proposed is None else self.proposed
        if settings.proxies is not None:
            left = min(left, settings.proxies.keep)
        if settings.few_steps is not None:
            found["few_steps"] = left * settings.few_steps.steps / self.steps_per_epoch
            left = min(left, settings.few_steps.keep)
        for epochs, keep, seeds in settings.halving.rungs:
            found[f"halving {epochs} epoch{'s' * (epochs > 1)}"] = float(left * epochs * seeds)
            left = min(left, keep)
        seeds, known = settings.finalists.seeds, len(settings.controls.known)
        finalists = settings.finalists.count + known + settings.controls.random
        found["finalists"] = float(finalists * seeds * self.epochs)
        found["test"] = float((1 + known) * seeds * self.epochs)
        return found

    def lines(self) -> list[str]:
        """Return the stages in words."""
        settings = self.settings
        engine = settings.engine if isinstance(settings.engine, str) else settings.engine.get("kind", "enumerate")
        options = {} if isinstance(settings.engine, str) else settings.engine
        said = "; ".join(f"{key} {value}" for key, value in options.items() if key != "kind")
        number = "" if self.proposed is None else f", {self.proposed:,} formulas"
        stages = [f"engine {engine}{f' ({said})' * bool(said)}{number}", "gate"]
        if settings.proxies is not None:
            stages.append(f"before training, best {settings.proxies.keep:,}")
        if settings.few_steps is not None:
            stages.append(f"{settings.few_steps.steps} steps, best {settings.few_steps.keep:,}")
        for epochs, keep, seeds in settings.halving.rungs:
            often = f" with {seeds} seeds" * (seeds > 1)
            stages.append(f"{epochs} epoch{'s' * (epochs > 1)}{often}, best {keep:,}")
        finalists, known, random = settings.finalists, settings.controls.known, settings.controls.random
        return [
            " -> ".join(stages),
            f"{finalists.count} finalists, {len(known)} known activation{'s' * (len(known) > 1)} and {random} random "
            f"formula{'s' * (random != 1)} with {finalists.seeds} seeds, {self.epochs} epochs each",
            f"winner and {len(known)} known activation{'s' * (len(known) > 1)} on the test rows, with "
            f"{finalists.seeds} fresh seeds",
        ]
