"""Tree to straight-line program: numbers folded, common sub-expressions evaluated once, slots reused."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...errors import InputError
from .operators import FUNCTIONS, NUMBERS, Operand, Protection
from .tree import (
    MAX_EXPONENT,
    MAX_MAGNITUDE,
    Constant,
    Node,
    Number,
    Operation,
    Variable,
    constant_names,
    walk,
)

__all__ = ["Program", "compile_program", "fold"]


@dataclass(frozen=True)
class Program:
    """A list of function calls over numbered slots; names and numbers only, so it pickles as plain data.

    Slots hold, in this order: x, the constants, the numbers, the intermediate results.

    Attributes:
        constants: Names of the constants, in the order in which `run` takes their values.
        numbers: Fixed numbers of the formula.
        steps: (function's name, slots of its operands, slot of its result), in order of evaluation.
        result: Slot of the final value.
        protect: Which table of functions is used.

    Example:
        >>> from axonlight.activations.formula import compile_program, parse_formula
        >>> program = compile_program(parse_formula("x * cos(a*x)"), "smooth")
        >>> program.constants, [name for name, _, _ in program.steps]
        (('a',), ['mul', 'cos', 'mul'])
        >>> program.run(torch.tensor([2.0]), [torch.tensor(0.0)])
        tensor([2.])
    """

    constants: tuple[str, ...]
    numbers: tuple[float, ...]
    steps: tuple[tuple[str, tuple[int, ...], int], ...]
    result: int
    protect: Protection

    def run(self, x: Tensor, constants: Sequence[Tensor]) -> Tensor:
        """Evaluate on x of any shape, with constants that broadcast against it."""
        functions = FUNCTIONS[self.protect]
        slots: list[Operand] = [x, *constants, *self.numbers]
        for name, operands, target in self.steps:
            value = functions[name](*[slots[operand] for operand in operands])
            # Writing into a free slot drops the old value, so that memory is not held until the end.
            if target == len(slots):
                slots.append(value)
            else:
                slots[target] = value
        return slots[self.result]  # type: ignore[return-value]  # a number alone is no formula


def compile_program(tree: Node, protect: Protection = "smooth") -> Program:
    """Turn a tree into a program.

    Args:
        tree: Tree of `parse_formula`.
        protect: Which functions stand in for singular ones.

    Raises:
        InputError: If `protect` is unknown, or a part without x or names is too large.

    Example:
        >>> import torch
        >>> from axonlight.activations.formula import compile_program, parse_formula
        >>> program = compile_program(parse_formula("sin(x)*sin(x) + sin(x)"))
        >>> [name for name, _, _ in program.steps]
        ['sin', 'mul', 'add']
    """
    folded = fold(tree, protect)
    constants = constant_names(folded)
    numbers = tuple(dict.fromkeys(node.value for node in walk(folded) if isinstance(node, Number)))
    order = _evaluation_order(folded)
    inputs: list[Node] = [Variable(), *map(Constant, constants), *map(Number, numbers)]
    steps, result = _allocate(order, {node: slot for slot, node in enumerate(inputs)}, folded)
    return Program(constants, numbers, steps, result, protect)


def fold(tree: Node, protect: Protection = "smooth") -> Node:
    """Replace every part that holds numbers alone by its value, computed in float64.

    Raises:
        InputError: If such a value is not finite or too large, or is too large an exponent or a zero divisor,
            or if `protect` is unknown.

    Example:
        >>> from axonlight.activations.formula import parse_formula
        >>> from axonlight.activations.formula.program import fold
        >>> str(fold(parse_formula("x / (2**3 + 1)")))
        'x / 9'
    """
    if protect not in tuple(NUMBERS):
        raise InputError(f"protect is {protect!r:.40}; allowed are {', '.join(NUMBERS)}")
    if not isinstance(tree, Operation):
        return tree
    operands = tuple(fold(operand, protect) for operand in tree.operands)
    folded = Operation(tree.name, operands)
    last = operands[-1]
    if tree.name == "pow" and isinstance(last, Number) and abs(last.value) > MAX_EXPONENT:
        raise InputError(f"formula part '{tree!s:.60}' has an exponent beyond {MAX_EXPONENT} in size")
    if tree.name == "div" and last == Number(0.0) and protect == "smooth":
        raise InputError(f"formula part '{tree!s:.60}' divides by zero")
    values = [operand.value for operand in operands if isinstance(operand, Number)]
    if len(values) < len(operands):
        return folded
    first = torch.tensor(values[0], dtype=torch.float64)
    value = float(NUMBERS[protect][tree.name](first, *values[1:]))
    if not abs(value) <= MAX_MAGNITUDE:
        raise InputError(f"formula part '{tree!s:.60}' is {value:g}; numbers are finite, at most {MAX_MAGNITUDE:g}")
    return Number(value)


def _evaluation_order(tree: Node) -> list[Operation]:
    """List the distinct operations, operands before the operations that need them."""
    order: dict[Operation, None] = {}

    def visit(node: Node) -> None:
        if isinstance(node, Operation) and node not in order:
            for operand in node.operands:
                visit(operand)
            order[node] = None

    visit(tree)
    return list(order)


def _allocate(
    order: Sequence[Operation], slots: dict[Node, int], tree: Node
) -> tuple[tuple[tuple[str, tuple[int, ...], int], ...], int]:
    """Give every result a slot, reusing those whose value is not needed any more."""
    last_use: dict[Node, int] = {operand: i for i, node in enumerate(order) for operand in node.operands}
    steps: list[tuple[str, tuple[int, ...], int]] = []
    free: list[int] = []
    size = len(slots)
    for i, node in enumerate(order):
        operands = tuple(slots[operand] for operand in node.operands)
        free.extend(
            slots[operand]
            for operand in dict.fromkeys(node.operands)
            if isinstance(operand, Operation) and last_use[operand] == i
        )
        if free:
            slots[node] = free.pop()
        else:
            slots[node], size = size, size + 1
        steps.append((node.name, operands, slots[node]))
    return tuple(steps), slots[tree]
