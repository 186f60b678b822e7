"""gplearn's prefix form: writing it, and reading gplearn's programs with constants in full precision."""

from collections.abc import Sequence

from ...errors import InputError
from .operators import ARITY
from .tree import Node, Operation, Variable

__all__ = ["text_of_program", "to_prefix"]


def to_prefix(tree: Node) -> str:
    """Return a tree in gplearn's prefix form, with X0 for the variable.

    Example:
        >>> from axonlight.activations.formula import parse_formula, to_prefix
        >>> to_prefix(parse_formula("x*cos(x)"))
        'mul(X0, cos(X0))'
    """
    if isinstance(tree, Operation):
        return f"{tree.name}({', '.join(to_prefix(operand) for operand in tree.operands)})"
    return "X0" if isinstance(tree, Variable) else str(tree)


def text_of_program(program: object) -> str:
    """Return the prefix text of a gplearn program (or the text itself), constants in full precision.

    gplearn prints constants with three digits only; the program object still holds them all.

    Args:
        program: Text such as `mul(cos(X0), X0)`, or a fitted gplearn program, e.g. `est._program`.

    Raises:
        InputError: If it is neither text nor a gplearn program, or uses a function outside the grammar.
    """
    if isinstance(program, str):
        return program
    tokens = getattr(program, "program", None)
    if not isinstance(tokens, Sequence):
        raise InputError(
            f"formula is a {type(program).__name__}; it must be text in prefix form or a program of gplearn"
        )
    pieces: list[str] = []
    waiting: list[int] = []  # operands still to come, one entry per open bracket
    for token in tokens:
        name = getattr(token, "name", None)
        if name is not None:
            if ARITY.get(name) != token.arity:
                raise InputError(f"gplearn function {name!r} is not allowed; allowed are {' '.join(ARITY)}")
            pieces.append(f"{name}(")
            waiting.append(token.arity)
            continue
        pieces.append(f"X{token}" if isinstance(token, int) else repr(float(token)))
        while waiting:
            waiting[-1] -= 1
            if waiting[-1]:
                pieces.append(", ")
                break
            waiting.pop()
            pieces.append(")")
    return "".join(pieces)
