"""Many formulas on the same points at once: every distinct part once, equal operations of one size together.

Legend of shapes: M points, P formulas, U distinct parts (sub-trees) of all formulas.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from ..activations.formula import Constant, Node, Number, Operation, Variable, parse_formula
from ..activations.formula.operators import FUNCTIONS
from ..activations.formula.program import fold

__all__ = ["evaluate_formulas"]

# Values of all parts that may stand in memory at once, in bytes.
_MEMORY = 1 << 28

Part = tuple[str, tuple[int, ...]]


class _Parts:
    """The distinct parts of many trees as numbered operations, grouped so that each group is one call.

    A part is a row of values unless it is a number: numbers stay Python floats, because some functions of the
    grammar treat them otherwise than a tensor of equal entries (division is protected from tensors alone).
    """

    def __init__(self, trees: Sequence[Node]) -> None:
        self.rows: dict[Node, int] = {Variable(): 0}
        self._depths = [0]
        self._pending: dict[tuple[int, str, tuple[float | None, ...]], list[tuple[int, list[int]]]] = defaultdict(list)
        self.constants: list[int] = []
        self.results = [self._row(tree) for tree in trees]

    def groups(self) -> Iterator[tuple[str, tuple[float | None, ...], list[int], list[list[int]]]]:
        """Yield (function, numbers among its operands, target rows, operand rows), operands before users."""
        for (_, name, numbers), members in sorted(self._pending.items(), key=lambda item: item[0][0]):
            yield name, numbers, [row for row, _ in members], [rows for _, rows in members]

    def _row(self, node: Node) -> int:
        if (row := self.rows.get(node)) is not None:
            return row
        if isinstance(node, Operation):
            numbers = tuple(operand.value if isinstance(operand, Number) else None for operand in node.operands)
            operands = [self._row(operand) for operand in node.operands if not isinstance(operand, Number)]
            depth = 1 + max(self._depths[row] for row in operands)
            row = self._new(node, depth)
            self._pending[depth, node.name, numbers].append((row, operands))
            return row
        row = self._new(node, 0)
        if isinstance(node, Constant):
            self.constants.append(row)
        return row

    def _new(self, node: Node, depth: int) -> int:
        self.rows[node] = len(self.rows)
        self._depths.append(depth)
        return self.rows[node]


def evaluate_formulas(formulas: Sequence[str], points: np.ndarray) -> np.ndarray:
    """Return the values of formulas on points, float64 (P, M), as `Formula` computes them (`protect="smooth"`).

    Named constants have their starting value, 1. Parts that formulas share are computed once.

    Args:
        formulas: Texts, P of them.
        points: Where to evaluate, (M,).

    Raises:
        InputError: If a text is no formula.

    Example:
        >>> from axonlight.discovery.curve_evaluation import evaluate_formulas
        >>> evaluate_formulas(["x*x", "2*x*x - a"], np.array([1.0, 3.0]))
        array([[ 1.,  9.],
               [ 1., 17.]])
    """
    parts = _Parts([fold(parse_formula(text)) for text in formulas])
    width = max(1, _MEMORY // (8 * len(parts.rows)))
    values = np.empty((len(formulas), len(points)))
    for start in range(0, len(points), width):
        stop = min(start + width, len(points))
        block = _evaluate(parts, torch.as_tensor(points[start:stop], dtype=torch.float64))
        values[:, start:stop] = block[parts.results].numpy()
    return values


def _evaluate(parts: _Parts, points: Tensor) -> Tensor:
    """Return the values of all parts, (U, M)."""
    values = torch.ones(len(parts.rows), len(points), dtype=torch.float64)
    values[0] = points
    for name, numbers, targets, operands in parts.groups():
        columns = iter(torch.tensor(operands).unbind(1))
        given = [values[next(columns)] if number is None else number for number in numbers]
        values[targets] = FUNCTIONS["smooth"][name](*given)  # type: ignore[assignment]
    return values
