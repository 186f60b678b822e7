"""The networks and the floors of the survival reproduction: what each is given, and how all are trained."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from axonlight.batches import MultimodalInputs
from axonlight.models import ABMIL, GeneNetwork, MMPLike, PathwayNetwork, ProtoPathway, SurvPathLike
from axonlight.structures import Hierarchy
from torch import nn

__all__ = ["ARMS", "BUDGET", "FLOORS", "INPUTS", "SEEDS", "Arm", "Budget", "PathwaysOfPatients"]

INPUTS = ("rna", "rna+clinical", "rna+slides")
SEEDS = 3


@dataclass(frozen=True)
class Budget:
    """How every network is trained: fixed by patients held out of training parts, before test patients were scored."""

    epochs: int = 8
    batch_size: int = 16
    learning_rate: float = 1e-3
    weight_decay: float = 0.01


BUDGET = Budget()


class PathwaysOfPatients(nn.Module):
    """A `PathwayNetwork` that takes patients: covariates, if any, join its head."""

    def __init__(
        self,
        in_features: int,
        out_features: int,
        hierarchy: Hierarchy,
        feature_names: list[str],
        clinical_features: int = 0,
    ) -> None:
        super().__init__()
        self.takes_covariates = clinical_features > 0
        covariates = [f"covariate_{number}" for number in range(clinical_features)]
        columns = [*feature_names, *covariates]
        self.network = PathwayNetwork(
            in_features + clinical_features, out_features, hierarchy, columns, design="binn", covariates=covariates
        )

    def forward(self, inputs: MultimodalInputs) -> Any:
        """Map patients to outputs."""
        return self.network(torch.cat([inputs.rna, inputs.clinical], 1) if self.takes_covariates else inputs.rna)


@dataclass(frozen=True)
class Arm:
    """A network and what it is given.

    Args:
        network: Class of the network.
        inputs: What it is given: keys of `INPUTS`.
        options: Of the class.
        epochs: None takes those of the budget.
        prototypes: Scale of the k-means centres that prototypes start at; None: no such start.
        untrained: Whether the networks of its pathways stay as they were initialised.
        relabelled: Whether it is also trained with exchanged outcomes.
    """

    network: type[nn.Module]
    inputs: tuple[str, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    epochs: int | None = None
    prototypes: str | None = None
    untrained: bool = False
    relabelled: bool = False


# Peers at the width of ProtoPathway; their published widths, 256, have 19 to 25 million parameters here.
_NARROW = {"width": 128, "set_hidden": 64}
_TYPED = {"gene_encoder": "typed", "width": 64}
ARMS: dict[str, Arm] = {
    "ProtoPathway, published": Arm(ProtoPathway, ("rna", "rna+slides"), {}, prototypes="unit", relabelled=True),
    "ProtoPathway, typed": Arm(ProtoPathway, INPUTS, _TYPED, prototypes="data", relabelled=True),
    "gene MLP": Arm(GeneNetwork, ("rna", "rna+clinical"), {"kind": "mlp"}),
    "gene MLP, 100 epochs": Arm(GeneNetwork, ("rna",), {"kind": "mlp"}, epochs=100),
    "gene SNN": Arm(GeneNetwork, ("rna", "rna+clinical"), {"kind": "snn"}),
    "pathway network": Arm(PathwaysOfPatients, ("rna", "rna+clinical")),
    "SurvPath-like": Arm(SurvPathLike, ("rna+slides",), _NARROW),
    "SurvPath-like, pathways untrained": Arm(SurvPathLike, ("rna+slides",), _NARROW, untrained=True),
    "MMP-like": Arm(MMPLike, ("rna+slides",), _NARROW, prototypes="data"),
    "MMP-like, pathways untrained": Arm(MMPLike, ("rna+slides",), _NARROW, prototypes="data", untrained=True),
    "ABMIL, slides alone": Arm(ABMIL, ("rna+slides",)),
}
# Ridge Cox regressions: which views they see; of several, the mean of the ranks.
FLOORS: dict[str, dict[str, tuple[str, ...]]] = {
    "rna": {"ridge, genes": ("rna",), "ridge, pathway means": ("pathway_means",)},
    "rna+clinical": {"ridge, clinical": ("clinical",), "rank average": ("pathway_means", "clinical")},
    "rna+slides": {
        "ridge, mean patch": ("mean_patch",),
        "rank average with slides": ("pathway_means", "mean_patch"),
        "ridge, planted shares (oracle)": ("planted_shares",),
        "ridge, mean patch, nothing planted": ("mean_patch_without_outcome",),
    },
}
