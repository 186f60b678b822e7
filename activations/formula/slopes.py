"""Value and slope of a formula in one run of in-place operations, for training code that writes its gradients out.

Forward-mode differentiation: every part gets its derivative by x beside its value, and equal parts are computed once,
so that x*cos(x) takes one cosine and one sine. Numbers that only multiply are carried along and come out as factors of
the two results, which the caller multiplies by something anyway.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from .operators import FUNCTIONS
from .program import Program

__all__ = ["SlopeProgram", "compile_slopes"]

# Operations that write into `out`; operands are tensors, then numbers.
_RUN: dict[str, Callable[..., object]] = {
    "abs": lambda out, a: torch.abs(a, out=out),
    "add": lambda out, a, b, factor: torch.add(a, b, alpha=factor, out=out),
    "bell": lambda out, a: torch.mul(a, a, out=out).neg_().exp_(),
    "clamp_above": lambda out, a, most: torch.clamp(a, max=most, out=out),
    "clamp_below": lambda out, a, least: torch.clamp(a, min=least, out=out),
    "cos": lambda out, a: torch.cos(a, out=out),
    "erf": lambda out, a: torch.erf(a, out=out),
    "exp": lambda out, a: torch.exp(a, out=out),
    "fma": lambda out, a, b, c, factor: torch.addcmul(a, b, c, value=factor, out=out),
    "is_at_least": lambda out, a, least: torch.ge(a, least, out=out),
    "is_at_most": lambda out, a, most: torch.le(a, most, out=out),
    "is_positive": lambda out, a: torch.gt(a, 0, out=out),
    "maximum": lambda out, a, b: torch.maximum(a, b, out=out),
    "minimum": lambda out, a, b: torch.minimum(a, b, out=out),
    "mul": lambda out, a, b: torch.mul(a, b, out=out),
    "relu": lambda out, a: torch.clamp(a, min=0, out=out),
    "scale": lambda out, a, factor: torch.mul(a, factor, out=out),
    "shift": lambda out, a, number: torch.add(a, number, out=out),
    "sigmoid": lambda out, a: torch.sigmoid(a, out=out),
    "sign": lambda out, a: torch.sgn(a, out=out),
    "sin": lambda out, a: torch.sin(a, out=out),
    # 1 where the operand is positive, 1/2 where it is 0: what torch gives each side of a maximum
    "step": lambda out, a: torch.sgn(a, out=out).add_(1).mul_(0.5),
}
_X = 0
_TWO_OVER_ROOT_PI = 1.1283791670955126
_MAX_LOGARITHM = 40.0


class Term(NamedTuple):
    """A number times a part; without a part the number itself."""

    factor: float
    part: int | None


@dataclass(frozen=True)
class SlopeProgram:
    """What to run for value and slope; names and numbers only, so it pickles as plain data.

    Attributes:
        steps: (operation, registers of its operands, its numbers, register of its result), in order.
        value: The number that the value is multiplied by, and the register that holds it.
        slope: The same of the slope, without a register where it is the same everywhere.
        registers: How many there are; register 0 is x.
    """

    steps: tuple[tuple[str, tuple[int, ...], tuple[float, ...], int], ...]
    value: tuple[float, int]
    slope: tuple[float, int | None]
    registers: int

    def run(self, registers: Sequence[Tensor]) -> tuple[Tensor, Tensor | None]:
        """Evaluate in registers of one shape, x in the first, and return those of value and slope.

        The registers but the first are written over; the results still lack their numbers `value[0]`, `slope[0]`.
        """
        for name, operands, numbers, target in self.steps:
            _RUN[name](registers[target], *[registers[operand] for operand in operands], *numbers)
        slope = self.slope[1]
        return registers[self.value[1]], None if slope is None else registers[slope]


@lru_cache(maxsize=4096)
def compile_slopes(program: Program) -> SlopeProgram | None:
    """Return the program for value and slope, or None where there is none.

    That is the case with named constants, with functions whose protection makes their slope long (div, inv, log, pow,
    sqrt, tan), with softplus, and where the value is the same everywhere or is its own slope.

    Args:
        program: The program of a formula.

    Example:
        >>> from axonlight.activations.formula import compile_program, parse_formula
        >>> slopes = compile_slopes(compile_program(parse_formula("x*cos(x)")))
        >>> [step[0] for step in slopes.steps]
        ['cos', 'sin', 'mul', 'fma']
        >>> x = torch.tensor([0.0, 1.0])
        >>> value, slope = slopes.run([x, *torch.empty(slopes.registers - 1, 2)])
        >>> slopes.value[0] * value, slopes.slope[0] * slope
        (tensor([0.0000, 0.5403]), tensor([ 1.0000, -0.3012]))
    """
    if program.constants or any(name not in _RULES for name, _, _ in program.steps):
        return None
    tape = _Tape()
    slots: list[tuple[Term, Term]] = [(Term(1.0, _X), Term(1.0, None))]
    slots += [(Term(number, None), Term(0.0, None)) for number in program.numbers]
    for name, operands, target in program.steps:
        pairs = [slots[operand] for operand in operands]
        if all(value.part is None for value, _ in pairs):  # what follows from x - x
            result = _number(name, [value.factor for value, _ in pairs])
        else:
            result = _RULES[name](tape, *pairs)
        slots[target : target + 1] = [result]
    value, slope = slots[program.result]
    return None if value.part == slope.part or value.part is None else tape.program(value, slope)


def _number(name: str, operands: Sequence[float]) -> "Pair":
    tensors = [torch.tensor(operand, dtype=torch.float64) for operand in operands]
    value: Any = FUNCTIONS["smooth"][name](*tensors)
    return Term(float(value), None), Term(0.0, None)


class _Tape:
    """Operations in order, each with its parts and numbers once."""

    def __init__(self) -> None:
        self.operations: list[tuple[str, tuple[int, ...], tuple[float, ...]]] = [("x", (), ())]
        self._known: dict[tuple[str, tuple[int, ...], tuple[float, ...]], int] = {}

    def part(self, name: str, *parts: int, numbers: tuple[float, ...] = ()) -> int:
        """Return the part that an operation gives, a new one if it is the first of its kind."""
        key = (name, parts, numbers)
        if key not in self._known:
            self._known[key] = len(self.operations)
            self.operations.append(key)
        return self._known[key]

    def plain(self, term: Term) -> int:
        """Return a part that is the term, number and all."""
        assert term.part is not None  # noqa: S101
        return term.part if term.factor == 1 else self.part("scale", term.part, numbers=(term.factor,))

    def add(self, a: Term, b: Term) -> Term:
        """Return a + b."""
        if a.factor == 0 or b.factor == 0:
            return b if a.factor == 0 else a
        if a.part is None:
            a, b = b, a
        if a.part is None or b.part == a.part:
            total = a.factor + b.factor
            return Term(total, a.part if total else None)
        if b.part is None:
            return Term(a.factor, self.part("shift", a.part, numbers=(b.factor / a.factor,)))
        if abs(a.factor) != 1 and abs(b.factor) == 1:
            a, b = b, a
        if self._is_newest_product(a.part):
            a, b = b, a
        assert a.part is not None and b.part is not None  # noqa: S101, PT018
        factor = b.factor / a.factor
        if self._is_newest_product(b.part):
            # It was made for this sum, most likely: one operation less, and if not, no harm is done.
            return Term(a.factor, self.part("fma", a.part, *self.operations[b.part][1], numbers=(factor,)))
        return Term(a.factor, self.part("add", a.part, b.part, numbers=(factor,)))

    def _is_newest_product(self, part: int | None) -> bool:
        return part == len(self.operations) - 1 and self.operations[-1][0] == "mul"

    def mul(self, a: Term, b: Term) -> Term:
        """Return a * b."""
        factor = a.factor * b.factor
        if factor == 0:
            return Term(0.0, None)
        if a.part is None or b.part is None:
            return Term(factor, b.part if a.part is None else a.part)
        return Term(factor, self.part("mul", *sorted((a.part, b.part))))

    def unary(self, name: str, a: Term) -> Term:
        """Return a function of a."""
        return Term(1.0, self.part(name, self.plain(a)))

    def program(self, value: Term, slope: Term) -> SlopeProgram:
        """Return what is needed for two results, in as few registers as it takes."""
        ends = [term.part for term in (value, slope) if term.part is not None]
        needed = set(ends)
        for part in range(len(self.operations) - 1, 0, -1):
            if part in needed:
                needed.update(self.operations[part][1])
        last = {operand: part for part in sorted(needed) for operand in self.operations[part][1]}
        last |= dict.fromkeys(ends, len(self.operations))
        register, free, count = {_X: 0}, [], 1
        steps = []
        for part in sorted(needed - {_X}):
            name, operands, numbers = self.operations[part]
            free += [register[operand] for operand in set(operands) if last[operand] == part and operand != _X]
            if not free:
                free, count = [count], count + 1
            register[part] = free.pop()
            steps.append((name, tuple(register[operand] for operand in operands), numbers, register[part]))
        at = None if slope.part is None else register[slope.part]
        assert value.part is not None  # noqa: S101
        return SlopeProgram(tuple(steps), (value.factor, register[value.part]), (slope.factor, at), count)


Pair = tuple[Term, Term]  # a value and its derivative
Rule = Callable[..., Pair]


def _chain(function: Callable[[_Tape, Term], tuple[Term, Callable[[], Term]]]) -> Rule:
    """Return the rule of a function of one operand from its value and what makes its slope."""

    def rule(tape: _Tape, a: Pair) -> Pair:
        value, slope = function(tape, a[0])
        return value, Term(0.0, None) if a[1].factor == 0 else tape.mul(slope(), a[1])

    return rule


def _add(tape: _Tape, a: Pair, b: Pair) -> Pair:
    return tape.add(a[0], b[0]), tape.add(a[1], b[1])


def _neg(tape: _Tape, a: Pair) -> Pair:
    return Term(-a[0].factor, a[0].part), Term(-a[1].factor, a[1].part)


def _mul(tape: _Tape, a: Pair, b: Pair) -> Pair:
    value = tape.mul(a[0], b[0])
    if a == b:
        return value, tape.mul(Term(2 * a[0].factor, a[0].part), a[1])
    return value, tape.add(tape.mul(a[1], b[0]), tape.mul(a[0], b[1]))


def _absolute(tape: _Tape, a: Term) -> tuple[Term, Callable[[], Term]]:
    sign = 1.0 if a.factor > 0 else -1.0
    inner = Term(1.0, a.part)
    return (
        Term(abs(a.factor), tape.unary("abs", inner).part),
        lambda: Term(sign, tape.unary("sign", inner).part),
    )


def _odd(a: Term) -> tuple[float, Term]:
    """Return a sign and the term without it."""
    return (-1.0, Term(-a.factor, a.part)) if a.factor < 0 else (1.0, a)


def _sin(tape: _Tape, a: Term) -> tuple[Term, Callable[[], Term]]:
    sign, inner = _odd(a)
    return Term(sign, tape.unary("sin", inner).part), lambda: tape.unary("cos", inner)


def _cos(tape: _Tape, a: Term) -> tuple[Term, Callable[[], Term]]:
    sign, inner = _odd(a)
    return tape.unary("cos", inner), lambda: Term(-sign, tape.unary("sin", inner).part)


def _erf(tape: _Tape, a: Term) -> tuple[Term, Callable[[], Term]]:
    sign, inner = _odd(a)
    return (
        Term(sign, tape.unary("erf", inner).part),
        lambda: Term(_TWO_OVER_ROOT_PI, tape.unary("bell", inner).part),
    )


def _sigmoid(tape: _Tape, a: Term) -> tuple[Term, Callable[[], Term]]:
    value = tape.unary("sigmoid", a)
    return value, lambda: tape.mul(value, tape.add(Term(1.0, None), Term(-1.0, value.part)))


def _tanh(tape: _Tape, a: Term) -> tuple[Term, Callable[[], Term]]:
    """2 sigmoid(2a) - 1: torch's sigmoid takes a sixth of the time of its tanh."""
    half = tape.unary("sigmoid", Term(2 * a.factor, a.part))
    value = tape.add(Term(2.0, half.part), Term(-1.0, None))
    return value, lambda: tape.mul(Term(4.0, half.part), tape.add(Term(1.0, None), Term(-1.0, half.part)))


def _exp(tape: _Tape, a: Term) -> tuple[Term, Callable[[], Term]]:
    inner = Term(1.0, tape.plain(a))
    value = tape.unary("exp", Term(1.0, tape.part("clamp_above", tape.plain(inner), numbers=(_MAX_LOGARITHM,))))
    is_below = Term(1.0, tape.part("is_at_most", tape.plain(inner), numbers=(_MAX_LOGARITHM,)))
    return value, lambda: tape.mul(value, is_below)


def _relu(tape: _Tape, a: Term) -> tuple[Term, Callable[[], Term]]:
    return tape.unary("relu", a), lambda: tape.unary("is_positive", a)


def _extreme(name: str) -> Rule:
    """Return the rule of max or min, with the slopes that torch gives at ties."""
    sign = 1.0 if name == "max" else -1.0
    clamp, inside = ("clamp_below", "is_at_least") if name == "max" else ("clamp_above", "is_at_most")

    def rule(tape: _Tape, a: Pair, b: Pair) -> Pair:
        if a[0].part is None:
            a, b = b, a
        first = tape.plain(a[0])
        if b[0].part is None:
            limit = (b[0].factor,)
            value = Term(1.0, tape.part(clamp, first, numbers=limit))
            return value, tape.mul(Term(1.0, tape.part(inside, first, numbers=limit)), a[1])
        value = Term(1.0, tape.part(f"{name}imum", first, tape.plain(b[0])))
        difference = tape.add(Term(sign * a[0].factor, a[0].part), Term(-sign * b[0].factor, b[0].part))
        if difference.part is None:  # both are the same
            return value, a[1]
        weight = tape.unary("step", difference)
        return value, tape.add(b[1], tape.mul(weight, tape.add(a[1], Term(-b[1].factor, b[1].part))))

    return rule


_RULES: dict[str, Rule] = {
    "abs": _chain(_absolute),
    "add": _add,
    "cos": _chain(_cos),
    "erf": _chain(_erf),
    "exp": _chain(_exp),
    "max": _extreme("max"),
    "min": _extreme("min"),
    "mul": _mul,
    "neg": _neg,
    "relu": _chain(_relu),
    "sigmoid": _chain(_sigmoid),
    "sin": _chain(_sin),
    "square": lambda tape, a: _mul(tape, a, a),
    "sub": lambda tape, a, b: _add(tape, a, _neg(tape, b)),
    "tanh": _chain(_tanh),
}
