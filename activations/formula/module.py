"""The activation that computes a formula."""

import copy
import warnings
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any, Self

import torch
from torch import Tensor, nn

from ...errors import InputError
from ..base import Activation
from .constants import starting_values, trainable_names
from .gate import NumericGate, affine_normalisation, check_function
from .grammar import parse_formula
from .latex import to_latex
from .operators import Protection
from .prefix import text_of_program, to_prefix
from .program import Program, compile_program
from .tree import Node, count_nodes

__all__ = ["Formula", "check_formula"]

_EXTRA_STATE = "_extra_state"
_AFFINE = ("output_shift", "output_scale")
_OPTIONS = {"text": str, "collapse": bool, "protect": str, "normalize": bool, "trainable": list}


class Formula(Activation):
    """Activation given by the text of a formula, with trainable constants.

    The text is read by a whitelisting parser that never runs any of it, so formulas from configurations and
    checkpoints of other people are safe to load. The text travels in the state dictionary: loading one that
    holds another formula rebuilds this module, constants included, with a warning.

    Grammar: + - * / ** and unary signs; `abs add cos div erf exp inv log max min mul neg pow relu sigmoid
    sin softplus sqrt square sub tan tanh`; the variable `x`; lower-case names are constants; gplearn's prefix
    form.

    With `protect="smooth"` each function and its derivative are finite on [-1e4, 1e4]: a/b is
    a*b/(b^2 + eps), log is log(x^2 + eps)/2, sqrt is (x^2 + eps)^(1/4), all with eps = 1e-6, the argument of
    exp is clamped at 40, powers with a fractional exponent see sqrt(x^2 + eps). Compositions that grow fast
    enough still overflow, as x**16 does beyond |x| = 256 in float32; `gate()` tells. float16 and bfloat16
    inputs are computed in float32 and rounded.

    Args:
        text: The formula, such as `x*cos(a*x)`.
        constants: Starting values by name: a number, or `num_parameters` numbers. Names of the formula that
            are not given here start at 1.
        trainable: Which constants are trained: all (True), none (False), or those named.
        protect: `smooth`, or `gplearn` for the functions of gplearn 0.4.3, jumps included.
        collapse: Read several feature names (X0, X3) as the one variable; they are refused otherwise.
        num_parameters: Values held per constant: 1, or one per unit (or per group).
        groups: One label per unit; units with the same label share their constants.
        channel_dim: Dimension of the units; None picks it by the number of dimensions.
        normalize: Shift and scale so that E[f] = 0 and E[f^2] = 1 under N(0, 1) at the starting constants.

    Shapes:
        Input and output: any shape, floating point; with `num_parameters` P > 1 the units' dimension has P
        entries (or one per label of `groups`).

    Raises:
        InputError: If the text is outside the grammar, a constant does not fit, or normalising is impossible.

    Source:
        Formulas as activations: arXiv 2601.10740. Normalisation: arXiv 2301.05785.

    Example:
        >>> import torch
        >>> from axonlight.activations import Formula
        >>> formula = Formula("x*cos(a*x)", constants={"a": 2.0})
        >>> formula(torch.tensor([0.0, 1.0]))
        tensor([ 0.0000, -0.4161], grad_fn=<MulBackward0>)
        >>> [name for name, _ in formula.named_parameters()]
        ['a']
    """

    program: Program
    protect: Protection
    output_shift: Tensor
    output_scale: Tensor

    def __init__(
        self,
        text: str,
        constants: Mapping[str, float | Sequence[float]] | None = None,
        trainable: bool | str | list[str] = True,
        protect: Protection = "smooth",
        collapse: bool = False,
        num_parameters: int = 1,
        groups: Sequence[int | str] | None = None,
        channel_dim: int | None = None,
        normalize: bool = False,
    ) -> None:
        super().__init__(num_parameters, groups, channel_dim)
        self._build(text, constants or {}, trainable, protect, collapse, normalize)

    @classmethod
    def from_prefix(cls, program: object, **options: Any) -> Self:
        """Build from gplearn's prefix text or from a gplearn program, whose constants keep full precision.

        Example:
            >>> from axonlight.activations import Formula
            >>> str(Formula.from_prefix("add(mul(2, mul(X0, X0)), X0)").tree)
            '2 * (x * x) + x'
        """
        return cls(text_of_program(program), **options)

    @property
    def tree(self) -> Node:
        """The formula's tree; `str(formula.tree)` is canonical text."""
        return parse_formula(self.text, self.collapse, self.protect)

    @property
    def node_count(self) -> int:
        """Number of functions, operators, variables, constants and numbers."""
        return count_nodes(self.tree)

    @property
    def constants(self) -> dict[str, Tensor]:
        """The constants by name, each of shape (P,)."""
        return {name: getattr(self, name) for name in self.program.constants}

    def latex(self) -> str:
        """Return the formula as LaTeX for math mode, constants by name."""
        return to_latex(self.tree)

    def to_prefix(self) -> str:
        """Return the formula in gplearn's prefix form."""
        return to_prefix(self.tree)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the formula to every entry of x."""
        return self._evaluate(x, per_unit=True)

    def curve(self, x: Tensor) -> Tensor:
        """Evaluate the function of every unit (or group) on points: (N, 1) or (N, P) to (N, P)."""
        return self._evaluate(x, per_unit=False)

    def gate(self, **limits: float) -> NumericGate:
        """Run the numeric gate on the formula with its present constants (see `check_function`)."""
        # On a copy: the gate's points lie on the CPU, this module may not.
        return check_function(copy.deepcopy(self).cpu().curve, self.num_parameters, **limits)

    def extra_repr(self) -> str:
        """Show text, present constants and options when the module is printed."""
        values = [f"{name}={_brief(value)}" for name, value in self.constants.items()]
        flags = [name for name in ("collapse", "normalize") if getattr(self, name)]
        return ", ".join([repr(self.text), *values, f"protect={self.protect}", *flags])

    def get_extra_state(self) -> dict[str, Any]:
        """Return the text and options that rebuild this formula, as plain data."""
        trained = [name for name, value in self.constants.items() if isinstance(value, nn.Parameter)]
        return {name: getattr(self, name) for name in _OPTIONS if name != "trainable"} | {"trainable": trained}

    def set_extra_state(self, state: Any) -> None:
        """Become the formula that a state dictionary holds; a warning names both where they differ.

        Raises:
            InputError: If the state is not one of a formula, or its text is outside the grammar.
        """
        if not isinstance(state, dict) or any(not isinstance(state.get(key), kind) for key, kind in _OPTIONS.items()):
            raise InputError(
                f"the checkpoint's state of a formula is {state!r:.60}; it must hold {', '.join(_OPTIONS)}"
            )
        options = {key: state[key] for key in _OPTIONS}
        wanted = parse_formula(options["text"], options["collapse"], options["protect"])
        same = wanted == self.tree and all(options[key] == getattr(self, key) for key in ("protect", "normalize"))
        if not same:
            replaced = self.text
            self._build(constants={}, **options)
            warnings.warn(
                f"the checkpoint's formula {self.text!r} (protect={self.protect}, "
                f"normalize={self.normalize}) replaces {replaced!r}",
                stacklevel=2,
            )

    def _load_from_state_dict(  # the signature is torch's
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        # Before the tensors are matched by name: another formula has other constants.
        if prefix + _EXTRA_STATE in state_dict:
            self.set_extra_state(state_dict[prefix + _EXTRA_STATE])
        super()._load_from_state_dict(
            state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )

    def _evaluate(self, x: Tensor, per_unit: bool) -> Tensor:
        if not x.is_floating_point():
            raise InputError(f"input of Formula is of type {x.dtype}; it must be floating point")
        # Half precision would lose the phase of cos(a*x) and overflow in squares: compute in float32.
        precision = torch.float32 if x.dtype in (torch.float16, torch.bfloat16) else x.dtype

        def spread(parameter: Tensor) -> Tensor:
            parameter = parameter.to(precision)
            if parameter.numel() == 1:
                return parameter.reshape(())  # also fits an x without dimensions
            return self.per_unit(parameter, x) if per_unit else parameter

        values = [spread(getattr(self, name)) for name in self.program.constants]
        result = self.program.run(x.to(precision), values)
        if self.normalize:
            result = (result - spread(self.output_shift)) * spread(self.output_scale)
        return result.to(x.dtype)

    def _build(
        self,
        text: str,
        constants: Mapping[str, float | Sequence[float]],
        trainable: bool | str | Collection[str],
        protect: Protection,
        collapse: bool,
        normalize: bool,
    ) -> None:
        program = _program_of(text, collapse, protect)
        start = starting_values(program.constants, constants, self.num_parameters)
        trained = trainable_names(trainable, program.constants)
        affine = _normalisation(program, start, self.num_parameters) if normalize else {}
        old = self.constants if hasattr(self, "program") else {}
        taken = {*dir(self), *_OPTIONS, "program"} - set(old)
        for name in start:
            if name in taken:
                raise InputError(f"constant name {name!r} is an attribute of every module; choose another name")
        self.text, self.protect, self.collapse, self.normalize = text.strip(), protect, collapse, normalize
        self.program = program
        self._place(start, trained, affine, old)

    def _place(
        self,
        start: Mapping[str, list[float]],
        trained: Collection[str],
        affine: Mapping[str, list[float]],
        old: Mapping[str, Tensor],
    ) -> None:
        """Register the constants, on the device and in the type of those they replace."""
        like = next(iter(old.values()), None)
        device, dtype = (None, torch.get_default_dtype()) if like is None else (like.device, like.dtype)
        for name in (*old, *_AFFINE):
            if hasattr(self, name):
                delattr(self, name)
        for name, values in start.items():
            tensor, is_trained = old.get(name), name in trained
            if tensor is None or isinstance(tensor, nn.Parameter) != is_trained:
                tensor = torch.tensor(values, device=device, dtype=dtype)
            # A kept parameter stays the one that an optimizer may already hold.
            if is_trained:
                self.register_parameter(name, tensor if isinstance(tensor, nn.Parameter) else nn.Parameter(tensor))
            else:
                self.register_buffer(name, tensor)
        for name, values in affine.items():
            self.register_buffer(name, torch.tensor(values, device=device, dtype=dtype))


def check_formula(formula: Formula | str, **limits: float) -> NumericGate:
    """Run the numeric gate on a formula or its text (see `check_function` for what is checked).

    Args:
        formula: The activation, or the text of one whose constants all start at 1.
        limits: `max_growth` and `max_slope`.

    Raises:
        InputError: If the text is outside the grammar.

    Example:
        >>> from axonlight.activations.formula import check_formula
        >>> gate = check_formula("2*x**2 + x")
        >>> gate.passed, round(gate.second, 6), round(gate.growth, 2)
        (True, 13.0, 2.0)
    """
    return (Formula(formula) if isinstance(formula, str) else formula).gate(**limits)


def _program_of(text: str, collapse: bool, protect: Protection) -> Program:
    """Return the program of a formula; layers of one network, and networks side by side, have the same again."""
    return (_kept_program if isinstance(text, str) else _new_program)(text, collapse, protect)


def _new_program(text: str, collapse: bool, protect: Protection) -> Program:
    return compile_program(parse_formula(text, collapse, protect), protect)


_kept_program = lru_cache(maxsize=512)(_new_program)


def _normalisation(program: Program, start: Mapping[str, list[float]], units: int) -> dict[str, list[float]]:
    if program.constants:
        return _new_normalisation(program, start, units)
    return {name: list(values) for name, values in _kept_normalisation(program).items()}


@lru_cache(maxsize=512)
def _kept_normalisation(program: Program) -> dict[str, list[float]]:
    return _new_normalisation(program, {}, 1)


def _new_normalisation(program: Program, start: Mapping[str, list[float]], units: int) -> dict[str, list[float]]:
    values = [torch.tensor(start[name], dtype=torch.float64, device="cpu") for name in program.constants]
    shift, scale = affine_normalisation(lambda x: program.run(x, values), units if values else 1)
    return {"output_shift": shift.tolist(), "output_scale": scale.tolist()}


def _brief(value: Tensor) -> str:
    return f"{value.item():.4g}" if value.numel() == 1 else f"[{value.numel()} values]"
