"""The data module of simulated tables.

Shapes: N rows, F features, B rows of a batch.
"""

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from lightning.pytorch.utilities import rank_zero_info

from ...errors import shown
from ...structures import Hierarchy, HierarchyFiles, read_hierarchy
from ..encoding import TableEncoder
from ..table import TableDataModule
from ..targets import Target
from .effects import Effect
from .planted import PlantedPathways, Weights
from .random_trees import random_hierarchy
from .simulated_table import PHENOTYPE, SimulatedTask, simulate_pathways

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SimulatedPathways"]


class SimulatedPathways(TableDataModule):
    """A simulated phenotype that known pathways cause, on any hierarchy; needs no file.

    Args:
        hierarchy: The hierarchy, or the files it is read from; all its features become columns. None: a random tree.
        layer_sizes: Nodes per layer of the random tree, features first.
        overlap: Share of the tree's features that lie in two pathways.
        num_samples: Number of rows N.
        layer: Layer of the causal pathways. None: the lowest above the features, or with `causal` the lowest that
            holds all of them.
        num_causal: Number of causal pathways to draw; ignored with `causal`.
        causal: Names of the causal pathways.
        min_features: Pathways with fewer features cannot be causal.
        weights: Weights of the features in an activity: "equal", "random" (0.5 to 1.5), "signed" (random signs too).
        effect: "linear", "tanh", "threshold" or "interaction" of the activities.
        signal: Share of the variance of the liability that the causal pathways explain, 0 to 1.
        correlation: Correlation of two features whose only pathway of the layer they share.
        prevalence: Share of class 1 of a binary task.
        simulated_task: "binary", or "regression" on the liability.
        simulation_seed: Seed of tree, truth, features and noise; the split and the network have their own.
        **options: See `TableDataModule`.

    Raises:
        InputError: As `random_hierarchy`, `simulate_pathways` and `TableDataModule`.

    Example:
        >>> data = SimulatedPathways(layer_sizes=[60, 12, 3], num_causal=2, num_samples=200, test_fraction=0.5)
        >>> data.num_features, data.hierarchy.sizes, len(data.causal_pathways)
        (60, (60, 12, 3), 2)
        >>> len(data.rows.test), data.optimal_auroc > 0.8
        (100, True)
    """

    def __init__(
        self,
        hierarchy: HierarchyFiles | Hierarchy | None = None,
        layer_sizes: list[int] = [300, 60, 12],  # noqa: B006  (a literal default that --print_config can show)
        overlap: float = 0.0,
        num_samples: int = 500,
        layer: str | None = None,
        num_causal: int = 3,
        causal: list[str] | None = None,
        min_features: int = 1,
        weights: Weights = "equal",
        effect: Effect = "linear",
        signal: float = 0.8,
        correlation: float = 0.0,
        prevalence: float = 0.5,
        simulated_task: SimulatedTask = "binary",
        simulation_seed: int = 0,
        **options: Any,
    ) -> None:
        super().__init__(hierarchy=hierarchy, **options)
        self.layer_sizes = list(layer_sizes)
        self.overlap = overlap
        self.simulation_seed = simulation_seed
        self._arguments: dict[str, Any] = {
            "num_samples": num_samples,
            "layer": layer,
            "num_causal": num_causal,
            "causal": causal,
            "min_features": min_features,
            "weights": weights,
            "effect": effect,
            "signal": signal,
            "correlation": correlation,
            "prevalence": prevalence,
            "task": simulated_task,
            "seed": simulation_seed,
        }
        # At once: names and sizes depend on it, and a wrong option is an error here and now.
        self.simulated = simulate_pathways(self.hierarchy, **self._arguments)
        self._report()

    def _report(self) -> None:
        truth = self.truth
        rank_zero_info(
            f"{len(truth.names)} of {len(truth.candidates)} pathways of layer {truth.layer} are causal "
            f"({shown(truth.names)}), through {len(truth.features)} of {self.num_features} features"
        )

    @cached_property
    def hierarchy(self) -> Hierarchy:
        """The hierarchy that the features stand on."""
        if self._knowledge is None:
            return random_hierarchy(self.layer_sizes, overlap=self.overlap, seed=self.simulation_seed)
        if isinstance(self._knowledge, Hierarchy):
            return self._knowledge
        return read_hierarchy(self._knowledge)

    @property
    def truth(self) -> PlantedPathways:
        """The causal pathways, their features and weights, and when a pathway counts as found."""
        return self.simulated.truth

    @property
    def causal_pathways(self) -> tuple[str, ...]:
        """Names of the causal pathways, which stand on layer `truth.layer`."""
        return self.truth.names

    @property
    def causal_features(self) -> tuple[str, ...]:
        """Features with a weight in at least one causal pathway."""
        return self.truth.features

    @property
    def optimal_auroc(self) -> float:
        """AUROC of the noiseless score on the test rows (all rows if none test); NaN for regression."""
        tested = self.rows.test if len(self.rows.test) else np.arange(len(self.table()))
        return self.simulated.optimal_auroc_of(self.table().index.to_numpy()[tested])

    @property
    def source(self) -> str:
        """What the table is called in messages."""
        return "the simulated table"

    @cached_property
    def target(self) -> Target:
        """The phenotype."""
        if self.simulated.task == "regression":
            return Target(PHENOTYPE, "regression")
        return Target(PHENOTYPE, "binary", ("0", "1"))

    def read(self, limit_rows: int | None = None) -> "pd.DataFrame":
        """Return the table, or its first rows."""
        return self.simulated.frame().iloc[:limit_rows]

    def make_encoder(self) -> TableEncoder:
        """Return the encoder, not yet fitted: every column is numeric."""
        return TableEncoder(list(self.hierarchy.features), {}, self.missing, self.scale)
