"""From the layers of a network to its outputs: heads, deep supervision, covariates.

Legend of shapes: B batch, F columns, C covariates, H heads, O outputs.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ...activations import build_activation
from ...errors import InputError
from ..head_outputs import HeadOutputs
from ..layers.dropout import UnitDropout
from .designs import HeadKind, Prediction
from .layer import build_norm, side_by_side

__all__ = ["CovariateHead", "LayerHeads"]


class CovariateHead(nn.Module):
    """The covariates as they are, or behind dense hidden layers: what joins the input of every head.

    Args:
        columns: Places of the covariates among the columns.
        hidden: Widths of the hidden layers; none hands the covariates through.
        activation: Spec of their activations.
        norm: "batch", "layer" or "none".
        dropout: Share of their units zeroed in training.
    """

    columns: Tensor

    def __init__(
        self, columns: Sequence[int], hidden: Sequence[int], activation: Any, norm: str, dropout: float
    ) -> None:
        super().__init__()
        if any(width < 1 for width in hidden):
            raise InputError(f"covariate_hidden is {list(hidden)}; every width must be a positive integer")
        self.register_buffer("columns", torch.tensor(columns), persistent=False)
        layers: list[nn.Module] = []
        width = len(columns)
        for following in hidden:
            layers += [nn.Linear(width, following), build_norm(norm, following)]
            layers += [build_activation(activation, width=following, groups=1)]
            layers += [UnitDropout(dropout)] if dropout else []
            width = following
        self.hidden = nn.Sequential(*layers)
        self.width = width

    def forward(self, x: Tensor) -> Tensor:
        """Map all columns (B, F) to (B, width)."""
        return self.hidden(x.index_select(-1, self.columns))


class LayerHeads(nn.Module):
    """One linear head for the last layer, or one per layer with weights.

    Args:
        widths: Width of every layer, by the key of its module.
        covariates: Width of what joins every head's input.
        out_features: Number of outputs O.
        kind: "last", "equal", "exponential" (weights in proportion to e^k, last layer largest) or "learned" (the sum
            of the heads' outputs, weighted by the softmax of trainable values).
        prediction: Whether predictions are the "mean" of the heads' or those of the "last".
    """

    loss_weights: Tensor
    prediction_weights: Tensor

    def __init__(
        self, widths: Mapping[str, int], covariates: int, out_features: int, kind: HeadKind, prediction: Prediction
    ) -> None:
        super().__init__()
        self.kind = kind
        chosen = list(widths)[-1:] if kind == "last" else list(widths)
        self.linear = nn.ModuleDict({key: nn.Linear(widths[key] + covariates, out_features) for key in chosen})
        number = len(chosen)
        steps = torch.arange(number) if kind == "exponential" else torch.zeros(number)
        last = torch.eye(number)[-1]
        mean = torch.full((number,), 1 / number)
        # Part of the architecture, not of the learned state.
        self.register_buffer("loss_weights", steps.float().softmax(0), persistent=False)
        self.register_buffer("prediction_weights", last if prediction == "last" else mean, persistent=False)
        if kind == "learned":
            self.mix = nn.Parameter(torch.zeros(number))

    def forward(self, states: Sequence[Tensor], covariates: Tensor | None) -> Tensor | HeadOutputs:
        """Map the outputs of all layers to (B, O), or to one such tensor per head with its weights."""
        chosen = states[-len(self.linear) :]
        if covariates is not None:
            chosen = [side_by_side([state, covariates]) for state in chosen]
        outputs = [head(state) for head, state in zip(self.linear.values(), chosen, strict=True)]
        if self.kind == "last":
            return outputs[0]
        stacked = torch.stack(outputs)
        if self.kind == "learned":
            shares = self.mix.softmax(-1).movedim(-1, 0)[..., None, None]
            return (stacked * shares.to(stacked.dtype)).sum(dim=0)
        return HeadOutputs(stacked, self.loss_weights, self.prediction_weights)
