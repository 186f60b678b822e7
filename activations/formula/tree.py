"""The tree of a formula: four kinds of node, their limits, and the text that parses back to the same tree."""

from collections.abc import Iterator
from dataclasses import dataclass

__all__ = [
    "MAX_DEPTH",
    "MAX_EXPONENT",
    "MAX_LENGTH",
    "MAX_MAGNITUDE",
    "MAX_NODES",
    "Constant",
    "Node",
    "Number",
    "Operation",
    "Variable",
    "constant_names",
    "count_nodes",
    "walk",
]

# Far above any useful activation, far below what could exhaust time, memory or the recursion limit.
MAX_LENGTH = 2000
MAX_DEPTH = 64
MAX_NODES = 500
MAX_EXPONENT = 16
MAX_MAGNITUDE = 1e6

_SYMBOLS = {"add": " + ", "sub": " - ", "mul": " * ", "div": " / ", "pow": "**"}
_PRECEDENCE = {"add": 1, "sub": 1, "mul": 2, "div": 2, "neg": 3, "pow": 4}
_ATOM = 5


@dataclass(frozen=True)
class Variable:
    """The input x.

    Example:
        >>> str(Variable())
        'x'
    """

    def __str__(self) -> str:
        return "x"


@dataclass(frozen=True)
class Number:
    """A number literal; it stays fixed in training.

    Example:
        >>> str(Number(2.0)), str(Number(0.5))
        ('2', '0.5')
    """

    value: float

    def __str__(self) -> str:
        return str(int(self.value)) if self.value.is_integer() else repr(self.value)


@dataclass(frozen=True)
class Constant:
    """A named constant, by default trainable.

    Example:
        >>> str(Operation("mul", (Constant("a"), Variable())))
        'a * x'
    """

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Operation:
    """A function or operator applied to one or two sub-trees; `str` gives canonical infix text.

    Example:
        >>> from axonlight.activations.formula.tree import Number, Operation, Variable
        >>> str(Operation("mul", (Number(2.0), Operation("add", (Variable(), Number(-1.0))))))
        '2 * (x + -1)'
    """

    name: str
    operands: tuple["Node", ...]

    def __str__(self) -> str:
        own = _PRECEDENCE.get(self.name, _ATOM)
        if own == _ATOM:
            return f"{self.name}({', '.join(str(operand) for operand in self.operands)})"
        if self.name == "neg":
            return "-" + _bracketed(self.operands[0], own)
        left, right = self.operands
        if self.name == "pow":
            # Binds to the right, and tighter than a sign on its left but not on its right.
            return _bracketed(left, _ATOM) + "**" + _bracketed(right, _PRECEDENCE["neg"])
        return _bracketed(left, own) + _SYMBOLS[self.name] + _bracketed(right, own + 1)


Node = Variable | Number | Constant | Operation


def _bracketed(node: Node, least: int) -> str:
    """Return the text of a node, in brackets if it binds less tightly than `least`."""
    if isinstance(node, Operation):
        binding = _PRECEDENCE.get(node.name, _ATOM)
    elif isinstance(node, Number) and node.value < 0:
        binding = _PRECEDENCE["neg"]
    else:
        binding = _ATOM
    return str(node) if binding >= least else f"({node})"


def walk(tree: Node) -> Iterator[Node]:
    """Yield every node of a tree, parents before children, left before right."""
    pending = [tree]
    while pending:
        node = pending.pop()
        yield node
        if isinstance(node, Operation):
            pending.extend(reversed(node.operands))


def count_nodes(tree: Node) -> int:
    """Return the number of functions, operators, variables, constants and numbers in a tree.

    Example:
        >>> from axonlight.activations.formula import count_nodes, parse_formula
        >>> count_nodes(parse_formula("cos(x) - cos(cos(x))"))
        6
    """
    return sum(1 for _ in walk(tree))


def constant_names(tree: Node) -> tuple[str, ...]:
    """Return the names of a tree's constants in the order of their first appearance.

    Example:
        >>> from axonlight.activations.formula import constant_names, parse_formula
        >>> constant_names(parse_formula("b*x + a*sin(b*x)"))
        ('b', 'a')
    """
    return tuple(dict.fromkeys(node.name for node in walk(tree) if isinstance(node, Constant)))
