"""`GeneNetwork`: expression alone, by a dense or a self-normalising network.

Legend of shapes: B patients, G genes, T outputs.
"""

from typing import Literal, get_args

import torch
from torch import Tensor, nn

from ...activations import LayerActivations, build_activation
from ...errors import InputError
from ..bags import MultimodalInputs
from ..sites import Electrode
from .frame import MultimodalNetwork
from .modalities import Missing

__all__ = ["GeneNetwork"]

Kind = Literal["mlp", "snn"]


class GeneNetwork(MultimodalNetwork):
    """All genes through dense layers: the floor of what a network learns from expression, with clinical columns if any.

    "mlp": ReLU and dropout. "snn": SELU, alpha dropout and LeCun's start, which keep mean and variance of the units
    (the genomic network of PORPOISE and MCAT has ELU there). Slides are not looked at. Sites: `genes` (batch, unit).

    Args:
        in_features: Number of genes G.
        out_features: Number of outputs T.
        clinical_features: Number of clinical columns.
        kind: "mlp" or "snn".
        hidden: Widths of the hidden layers.
        missing: What stands for absent expression or covariates: "zeros" or "learned".
        modality_dropout: Probability that a modality of a patient is hidden in training.
        dropout: Share of units zeroed in training.
        activation: One spec for all layers or one per layer; None: that of `kind`.

    Shape:
        - Input: `MultimodalInputs`, or expression alone, (B, G)
        - Output: (B, T)

    Raises:
        InputError: If an option is unusable or inputs have another width.

    Source: G. Klambauer et al., Self-normalizing neural networks, NeurIPS 2017, arXiv:1706.02515.

    Example:
        >>> GeneNetwork(100, 4, kind="snn")(torch.randn(3, 100)).shape
        torch.Size([3, 4])
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        clinical_features: int = 0,
        kind: Kind = "mlp",
        hidden: list[int] = [256, 256],  # noqa: B006  (a literal default that --print_config can show; never mutated)
        missing: Missing = "zeros",
        modality_dropout: float = 0.0,
        dropout: float = 0.25,
        activation: LayerActivations | None = None,
    ) -> None:
        if kind not in get_args(Kind):
            raise InputError(f"kind is {kind!r}; it must be one of {', '.join(get_args(Kind))}")
        if not hidden or min(hidden) < 1:
            raise InputError(f"hidden is {hidden}; it must list at least one positive width")
        width = hidden[-1]
        super().__init__(["rna"], in_features, 0, clinical_features, width, missing, modality_dropout)
        usual = "relu" if kind == "mlp" else "selu"
        specs = (
            activation if isinstance(activation, list) else [usual if activation is None else activation] * len(hidden)
        )
        if len(specs) != len(hidden):
            raise InputError(f"activation lists {len(specs)} specs; this network has {len(hidden)} hidden layers")
        layers: list[nn.Module] = []
        for inputs, units, spec in zip([in_features, *hidden], hidden, specs, strict=False):
            linear = nn.Linear(inputs, units)
            if kind == "snn":
                nn.init.normal_(linear.weight, std=inputs**-0.5)
                nn.init.zeros_(linear.bias)
            layers += [linear, build_activation(spec, width=units, groups=1)]
            layers += [nn.AlphaDropout(dropout) if kind == "snn" else nn.Dropout(dropout)]
        self.layers = nn.Sequential(*layers)
        self.genes = Electrode("batch", "unit", sizes={"unit": width})
        self.head = nn.Linear(width + sum(self.clinical_width().values()), out_features)

    def forward(self, inputs: MultimodalInputs | Tensor) -> Tensor:
        """Map a batch to outputs (B, T)."""
        inputs, used = self.begin(inputs)
        genes = self.genes(self.absent.fill("rna", self.layers(inputs.rna), used))
        return self.head(torch.cat([genes, *self.clinical_stream(inputs, used).values()], 1))
