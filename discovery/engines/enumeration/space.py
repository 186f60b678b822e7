"""All distinct functions, size by size.

A formula of n nodes is an operation on smaller formulas, and replacing a part by an equal one changes nothing: so
the functions of n nodes are found by applying every operation to the distinct functions of fewer nodes. What
equals an earlier function is dropped; what stays is the first formula of its function, hence a shortest one.

Legend of shapes: C candidates, R distinct functions so far, M points.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ....activations.formula import Node, Number, Operation, Variable
from ....activations.formula.operators import ARITY, Operand
from .arithmetic import apply
from .equality import CORE, find_equals, grid, resolved

__all__ = ["Space"]

_COMMUTATIVE = frozenset({"add", "mul", "max", "min"})
# Candidates evaluated in one call, and candidates that wait at most before equals are sought.
_BLOCK = 1 << 13
_MOST_WAITING = 1 << 16

Made = tuple[str, tuple[int, ...]]


@dataclass(frozen=True)
class _Batch:
    """One operation on many operands: one (C,) per operand, of functions or, by ~index, of one number."""

    name: str
    operands: tuple[Tensor, ...]

    def blocks(self) -> Iterator["_Batch"]:
        for block in zip(*(operand.split(_BLOCK) for operand in self.operands), strict=True):
            yield _Batch(self.name, block)


class _Curves:
    """Values and errors of curves, (R, M) each, in buffers that grow."""

    def __init__(self) -> None:
        self._values = torch.empty(0, len(grid()), dtype=torch.float64)
        self._errors = torch.empty(0, len(grid()))
        self.count = 0

    @property
    def values(self) -> Tensor:
        return self._values[: self.count]

    @property
    def errors(self) -> Tensor:
        return self._errors[: self.count]

    def append(self, values: Tensor, errors: Tensor) -> None:
        stop = self.count + len(values)
        if stop > len(self._values):
            longer = max(stop, 2 * len(self._values)) - len(self._values)
            self._values = torch.cat([self._values, self._values.new_empty(longer, self._values.shape[1])])
            self._errors = torch.cat([self._errors, self._errors.new_empty(longer, self._errors.shape[1])])
        self._values[self.count : stop], self._errors[self.count : stop] = values, errors
        self.count = stop

    def keep(self, start: int, chosen: Tensor) -> None:
        """Drop the curves from `start` on, except the chosen ones (ascending indices)."""
        stop = start + len(chosen)
        self._values[start:stop], self._errors[start:stop] = self._values[chosen], self._errors[chosen]
        self.count = stop


class Space:
    """The distinct functions of x that operators and numbers build, extended one size at a time.

    Formulas whose value on [-1.25, 1.25] is not finite or not known to 7 digits in double precision are left out,
    with everything built on them; `unresolved` counts them. Parts of numbers alone are not built: such a part is
    a number.

    Args:
        operators: Names of the grammar, out of `ENUMERABLE`.
        numbers: Number literals that may stand in a formula.

    Attributes:
        counts: How many functions have their shortest formula at 1, 2, ... nodes.
        unresolved: Candidates that were left out.

    Example:
        >>> space = Space(("mul", "cos"), ())
        >>> space.extend(4)
        >>> [str(tree) for tree in space.trees()]
        ['x', 'cos(x)', 'x * x', 'cos(cos(x))', 'x * cos(x)', 'cos(x * x)', 'cos(cos(cos(x)))']
    """

    def __init__(self, operators: Sequence[str], numbers: Sequence[float]) -> None:
        self.operators = tuple(operators)
        self.numbers = tuple(float(number) for number in numbers)
        self._curves = _Curves()
        self._curves.append(grid()[None], torch.zeros(1, len(grid())))
        # How each function is built: the operation and its operands; the variable is built of nothing.
        self._made: list[Made] = [("x", ())]
        self.counts = [1]
        self.unresolved = 0

    def __len__(self) -> int:
        return sum(self.counts)

    def extend(self, max_nodes: int) -> None:
        """Add all functions of up to `max_nodes` nodes."""
        while len(self.counts) < max_nodes:
            distinct = len(self)  # curves from here on may be equal to others
            for batch in self._batches(len(self.counts) + 1):
                for block in batch.blocks():
                    self._evaluate(block)
                    if self._curves.count - distinct >= _MOST_WAITING:
                        distinct = self._drop_equals(distinct)
            self.counts.append(self._drop_equals(distinct) - len(self))

    def trees(self) -> list[Node]:
        """Return the formula of every function, in the order in which they were found: shortest first."""
        trees: list[Node] = []
        for name, operands in self._made:
            parts = tuple(trees[i] if i >= 0 else Number(self.numbers[~i]) for i in operands)
            trees.append(Operation(name, parts) if parts else Variable())
        return trees

    def sizes(self) -> list[int]:
        """Return the number of nodes of every function."""
        return [size for size, count in enumerate(self.counts, start=1) for _ in range(count)]

    def _indices(self, size: int) -> Tensor:
        start = sum(self.counts[: size - 1])
        return torch.arange(start, start + self.counts[size - 1])

    def _batches(self, size: int) -> Iterator[_Batch]:
        """Yield every way to build formulas of one size."""
        for name in self.operators:
            if ARITY[name] == 1:
                yield _Batch(name, (self._indices(size - 1),))
            elif size >= 3:
                yield from self._pairs(name, size)
                yield from self._with_numbers(name, self._indices(size - 2))

    def _pairs(self, name: str, size: int) -> Iterator[_Batch]:
        for left in range(1, size - 1):
            right = size - 1 - left
            if name in _COMMUTATIVE and left > right:
                continue
            a, b = self._indices(left), self._indices(right)
            first, second = a.repeat_interleave(len(b)), b.repeat(len(a))
            if name in _COMMUTATIVE and left == right:
                ordered = first <= second
                first, second = first[ordered], second[ordered]
            yield _Batch(name, (first, second))

    def _with_numbers(self, name: str, functions: Tensor) -> Iterator[_Batch]:
        for place, number in enumerate(self.numbers):
            constant = torch.full_like(functions, ~place)
            yield _Batch(name, (constant, functions))
            if name not in _COMMUTATIVE and not (name == "div" and number == 0):
                yield _Batch(name, (functions, constant))

    def _operand(self, indices: Tensor) -> tuple[Operand, Operand]:
        """Return values and errors of functions, (C, M) each, or of the one number that stands for all."""
        if len(indices) and indices[0] < 0:
            return self.numbers[~int(indices[0])], 0.0
        return self._curves.values[indices], self._curves.errors[indices]

    def _evaluate(self, batch: _Batch) -> None:
        """Append candidates to the curves, except those that cannot be compared."""
        pairs = [self._operand(indices) for indices in batch.operands]
        values, errors = apply(batch.name, [value for value, _ in pairs], [error for _, error in pairs])
        known = resolved(values, errors)
        usable = known[:, :CORE].all(1)
        self.unresolved += int((~usable).sum())
        self._curves.append(torch.where(known, values, 0.0)[usable], torch.where(known, errors, torch.inf)[usable])
        made = torch.stack(batch.operands, 1)[usable].tolist()
        self._made.extend((batch.name, tuple(operands)) for operands in made)

    def _drop_equals(self, distinct: int) -> int:
        """Drop the curves that equal an earlier one, and return how many are left."""
        equals = find_equals(self._curves.values, self._curves.errors)
        new = (equals[distinct:] == torch.arange(distinct, len(equals))).nonzero()[:, 0] + distinct
        self._curves.keep(distinct, new)
        self._made[distinct:] = [self._made[i] for i in new.tolist()]
        return len(self._made)
