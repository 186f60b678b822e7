"""Formulas as modules in the place of learned curves."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ...activations import Activation, Formula
from ...activations.base import unit_dimension
from .result import SnappedCurve

__all__ = ["FormulasPerUnit", "formula_module"]


class FormulasPerUnit(Activation):
    """Formulas that differ between the units of a layer.

    Args:
        formulas: Some formulas, each with one value per constant.
        of_unit: For each unit, the number of its formula.
        channel_dim: Dimension of the units; None picks it by the number of dimensions.

    Shapes: any, output as input; the units' dimension has `len(of_unit)` entries.

    Example:
        >>> both = FormulasPerUnit([Formula("x*x"), Formula("sin(x)")], [0, 1, 0])
        >>> both(torch.tensor([[3.0, 0.0, 2.0]])).tolist()
        [[9.0, 0.0, 4.0]]
    """

    order: Tensor
    back: Tensor

    def __init__(self, formulas: Sequence[Formula], of_unit: Sequence[int], channel_dim: int | None = None) -> None:
        super().__init__(1, None, channel_dim)
        self.formulas = nn.ModuleList(formulas)
        owner = torch.as_tensor(of_unit)
        order = torch.argsort(owner, stable=True)
        self.counts = torch.bincount(owner, minlength=len(formulas)).tolist()
        self.register_buffer("order", order, persistent=False)
        self.register_buffer("back", torch.argsort(order), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Apply to every unit its formula."""
        dim = unit_dimension(x, self.channel_dim)
        parts = x.index_select(dim, self.order).split(self.counts, dim)
        values = [formula(part) for formula, part in zip(self.formulas, parts, strict=True)]
        return torch.cat(values, dim).index_select(dim, self.back)


def formula_module(old: Activation, found: Sequence[SnappedCurve], of_unit: Sequence[int]) -> Activation:
    """Return what takes the place of an activation: one formula, or one for each curve.

    Args:
        old: The activation, whose device, type, mode, groups and dimension of units the new one takes.
        found: One formula for the layer, or one for each of its curves.
        of_unit: For each unit, the number of its curve.
    """
    if len(found) == 1:
        labels = [old.group_names[index] for index in of_unit] if old.groups is not None else None
        new: Activation = Formula(
            found[0].text,
            constants=found[0].constants,
            num_parameters=old.num_parameters,
            groups=labels,
            channel_dim=old.channel_dim,
        )
        # marks of a module that a spec built, for those who read networks
        new.spec = found[0].spec  # pyright: ignore[reportArgumentType]
    else:
        new = FormulasPerUnit([Formula(each.text, each.constants) for each in found], of_unit, old.channel_dim)
    like = next(old.parameters())
    return new.to(device=like.device, dtype=like.dtype).train(old.training)
