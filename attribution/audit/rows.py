"""The rows of an audit, and how their inputs are changed while their bags pass by, one batch at a time.

What is small (expression, covariates, the columns of a table) is held for all rows; bags are read anew in each pass. So
that a bag never has to be looked up out of order, slides are permuted by giving every bag the rest of another patient:
the prediction then belongs to that patient.

Shapes: n rows of all batches, b rows of a batch, G genes, C clinical columns, D patch features, F columns.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from ...batches import MODALITIES, MultimodalInputs
from ...errors import InputError

__all__ = ["AuditRows", "Changed", "MultimodalRows", "ReferenceMeans", "TableRows", "collect_rows", "on_device"]


class Changed(NamedTuple):
    """Changed inputs of a batch, and the rows (b,) that the predictions belong to."""

    inputs: Any
    places: Tensor


class AuditRows(Protocol):
    """All rows of an audit.

    Attributes:
        names: Names of what can be taken away.
        count: Number of rows n.
    """

    names: tuple[str, ...]
    count: int

    def having(self, name: str) -> Tensor:
        """Return int64, the rows that have it."""
        ...

    def droppable(self, name: str) -> Tensor:
        """Return int64, the rows that can be without it."""
        ...

    def permuted(self, inputs: Any, rows: Tensor, name: str, order: Tensor) -> Changed:
        """Give row i the values that row order[i] has."""
        ...

    def averaged(self, inputs: Any, rows: Tensor, name: str, means: "ReferenceMeans") -> Changed:
        """Put means of other rows in the place of the values."""
        ...

    def dropped(self, inputs: Any, rows: Tensor, name: str) -> Changed:
        """Say that it is absent, where something else is present."""
        ...


class ReferenceMeans:
    """Means over reference rows that have something: of expression, covariates, columns, and of the mean patches.

    Example:
        >>> means = ReferenceMeans()
        >>> means.update(torch.tensor([[1.0], [3.0]]))
        >>> means["table"].tolist()
        [2.0]
    """

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._rows: dict[str, int] = {}

    def update(self, inputs: Any) -> None:
        """Take in the inputs of a batch."""
        for name, values in _values(inputs):
            self._sums[name] = self._sums.get(name, 0) + values.double().sum(0).cpu()
            self._rows[name] = self._rows.get(name, 0) + len(values)

    def __getitem__(self, name: str) -> Tensor:
        if not self._rows.get(name):
            raise InputError(f"no reference row has {name}, so there is no mean to put in its place")
        return (self._sums[name] / self._rows[name]).float()


def _values(inputs: Any) -> list[tuple[str, Tensor]]:
    if isinstance(inputs, Tensor):
        return [("table", inputs)]
    rna, slides, clinical = inputs.present.unbind(1)
    sizes = inputs.pointers.diff()
    filled = slides & (sizes > 0)
    bounds = inputs.pointers.tolist()
    bags = [inputs.bags[bounds[row] : bounds[row + 1]].float().mean(0) for row in filled.nonzero()[:, 0].tolist()]
    patches = torch.stack(bags) if bags else inputs.bags.new_zeros((0, inputs.bags.shape[1])).float()
    return [("rna", inputs.rna[rna]), ("slides", patches), ("clinical", inputs.clinical[clinical])]


class TableRows:
    """Rows of a table, whose groups of columns are taken away.

    Args:
        x: (n, F).
        groups: Name -> places of columns.

    Example:
        >>> rows = TableRows(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), {"rna": [0], "clinical": [1]})
        >>> rows.permuted(None, torch.tensor([0, 1]), "clinical", torch.tensor([1, 0])).inputs.tolist()
        [[1.0, 4.0], [3.0, 2.0]]
    """

    def __init__(self, x: Tensor, groups: Mapping[str, Sequence[int]]) -> None:
        self.x, self.count = x, len(x)
        self.groups = {name: torch.tensor(list(columns)) for name, columns in groups.items()}
        self.names = tuple(self.groups)

    def having(self, name: str) -> Tensor:
        """Return all rows."""
        return torch.arange(self.count)

    def droppable(self, name: str) -> Tensor:
        """Return no row: a table cannot say that columns are absent."""
        return torch.arange(0)

    def permuted(self, inputs: Any, rows: Tensor, name: str, order: Tensor) -> Changed:
        """Give row i the columns that row order[i] has."""
        x, columns = self.x[rows], self.groups[name]
        x[:, columns] = self.x[order[rows]][:, columns]
        return Changed(x, rows)

    def averaged(self, inputs: Any, rows: Tensor, name: str, means: ReferenceMeans) -> Changed:
        """Put means in the place of the columns."""
        x, columns = self.x[rows], self.groups[name]
        x[:, columns] = means["table"][columns].to(x)
        return Changed(x, rows)

    def dropped(self, inputs: Any, rows: Tensor, name: str) -> Changed:
        """Leave them as they are; see `droppable`."""
        return Changed(self.x[rows], rows)


class MultimodalRows:
    """Patients with expression, slides and covariates, of whom each may lack some.

    Args:
        rna: (n, G).
        clinical: (n, C).
        present: (n, 3) bool, in the order of `MODALITIES`.
        widths: Columns of each modality; one without any is no modality.

    Example:
        >>> present = torch.tensor([[True, True, False], [True, False, False]])
        >>> rows = MultimodalRows(torch.zeros(2, 5), torch.zeros(2, 0), present, (5, 64, 0))
        >>> rows.names, rows.having("slides").tolist()
        (('rna', 'slides'), [0])
    """

    def __init__(self, rna: Tensor, clinical: Tensor, present: Tensor, widths: Sequence[int]) -> None:
        self.rna, self.clinical, self.present, self.count = rna, clinical, present, len(present)
        self.names = tuple(
            name for place, name in enumerate(MODALITIES) if widths[place] and bool(present[:, place].any())
        )

    def having(self, name: str) -> Tensor:
        """Return the patients who have a modality."""
        return self.present[:, MODALITIES.index(name)].nonzero()[:, 0]

    def droppable(self, name: str) -> Tensor:
        """Return the patients who have a modality and another one beside it."""
        return self._beside(self.present, name).nonzero()[:, 0]

    def permuted(self, inputs: MultimodalInputs, rows: Tensor, name: str, order: Tensor) -> Changed:
        """Give patient i the modality of patient order[i]."""
        if name != "slides":
            return Changed(inputs._replace(**{name: getattr(self, name)[order[rows]]}), rows)
        places = torch.argsort(order)[rows]  # who gets the bags that pass by
        rest = inputs._replace(rna=self.rna[places], clinical=self.clinical[places], present=self.present[places])
        return Changed(rest, places)

    def averaged(self, inputs: MultimodalInputs, rows: Tensor, name: str, means: ReferenceMeans) -> Changed:
        """Put means in the place of a modality: for slides, a bag of the one mean patch."""
        has = inputs.present[:, MODALITIES.index(name)]
        if name != "slides":
            values = torch.where(has[:, None], means[name].to(getattr(inputs, name)), getattr(inputs, name))
            return Changed(inputs._replace(**{name: values}), rows)
        patch = means[name].to(inputs.bags)
        pointers = torch.cat([has.new_zeros(1).long(), has.long().cumsum(0)])
        return Changed(inputs._replace(bags=patch.expand(int(has.sum()), -1), pointers=pointers), rows)

    def dropped(self, inputs: MultimodalInputs, rows: Tensor, name: str) -> Changed:
        """Say that a modality is absent, but for patients of whom nothing else is known."""
        place = MODALITIES.index(name)
        gone = self._beside(inputs.present, name)
        present = inputs.present.clone()
        present[gone, place] = False
        if name != "slides":
            values = torch.where(gone[:, None], 0, getattr(inputs, name))
            return Changed(inputs._replace(**{name: values}, present=present), rows)
        sizes = torch.where(gone, 0, inputs.pointers.diff())
        kept = torch.repeat_interleave(~gone, inputs.pointers.diff())
        pointers = torch.cat([sizes.new_zeros(1), sizes.cumsum(0)])
        return Changed(inputs._replace(bags=inputs.bags[kept], pointers=pointers, present=present), rows)

    def _beside(self, present: Tensor, name: str) -> Tensor:
        others = [MODALITIES.index(other) for other in self.names if other != name]
        return present[:, MODALITIES.index(name)] & present[:, others].any(1)


def collect_rows(inputs: Sequence[Any], groups: Mapping[str, Sequence[int]] | None) -> AuditRows:
    """Return the rows of batches whose bags are no longer needed.

    Args:
        inputs: Tensors (b, F), or `MultimodalInputs` (`bags` may hold no patches).
        groups: Of the columns of a table; None: all columns are one group.
    """
    first = inputs[0]
    if isinstance(first, Tensor):
        x = torch.cat(list(inputs))
        found = groups if groups is not None else {"features": range(x.shape[1])}
        for name, columns in found.items():
            if not len(columns) or not all(0 <= column < x.shape[1] for column in columns):
                raise InputError(
                    f"groups.{name} is {list(columns)[:5]}; it must list columns from 0 to {x.shape[1] - 1}"
                )
        return TableRows(x, found)
    if groups is not None:
        raise InputError("groups are columns of a table, and these inputs have modalities; leave groups out")
    rna, clinical, present = (
        torch.cat([getattr(part, key) for part in inputs]) for key in ("rna", "clinical", "present")
    )
    return MultimodalRows(rna, clinical, present, (rna.shape[1], first.bags.shape[1], clinical.shape[1]))


def on_device(inputs: Any, device: torch.device) -> Any:
    """Return inputs on a device."""
    if isinstance(inputs, Tensor):
        return inputs.to(device)
    return type(inputs)(*(part.to(device) for part in inputs))
