"""Exchange the activations of an existing model, and say what was exchanged and what was not."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import nn

from ..errors import InputError
from .base import is_activation
from .specs import build_activation
from .tracing import CallSite, FunctionalCall, ModelTrace, trace_model

__all__ = ["Kept", "Replaced", "Report", "replace_activations"]


_NOT_EXCHANGEABLE = (nn.Softmax, nn.Softmin, nn.LogSoftmax, nn.Softmax2d, nn.GLU)


@dataclass(frozen=True)
class Replaced:
    """One exchange: where, what was there, what is there now, and a remark if there is one.

    Example:
        >>> Replaced("net.1", "ReLU", "Swish").path
        'net.1'
    """

    path: str
    old: str
    new: str
    note: str = ""


@dataclass(frozen=True)
class Kept:
    """An activation left as it was, and why.

    Example:
        >>> Kept("net.1", "ReLU", "does not match").why
        'does not match'
    """

    path: str
    old: str
    why: str


@dataclass
class Report:
    """What `replace_activations` did; printing it gives a table.

    Attributes:
        replaced: Exchanged modules.
        kept: Activation modules left alone, with the reason.
        functional: Activations called as functions, which no exchange of modules reaches.
        untraceable: Path and reason of code in which functional calls could not be looked for.

    Example:
        >>> print(Report(replaced=[Replaced("1", "ReLU", "Tanh")]))
        replaced 1, kept 0, functional 0
        replaced    1  ReLU -> Tanh
    """

    replaced: list[Replaced] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)
    functional: list[FunctionalCall] = field(default_factory=list)
    untraceable: list[tuple[str, str]] = field(default_factory=list)

    def __str__(self) -> str:
        rows = [
            *(("replaced", item.path, _remark(f"{item.old} -> {item.new}", item.note)) for item in self.replaced),
            *(("kept", item.path, f"{item.old}: {item.why}") for item in self.kept),
            *(("functional", item.owner, f"{item.function} called in {item.owner_type}") for item in self.functional),
            *(("unseen", path, f"not traceable: {reason}") for path, reason in self.untraceable),
        ]
        width = max((len(path or "(model)") for _, path, _ in rows), default=0)
        head = f"replaced {len(self.replaced)}, kept {len(self.kept)}, functional {len(self.functional)}"
        return "\n".join([head, *(f"{kind:<10}  {path or '(model)':<{width}}  {text}" for kind, path, text in rows)])


def replace_activations(model: nn.Module, spec: Any, match: str | Sequence[str] = "*") -> Report:
    """Exchange activation modules in place, each for a fresh one built from `spec`.

    A module used under several paths is exchanged for one fresh module per path. The width comes from the
    layer in front, where tracing finds it; device, type and training mode are those of the model. Activations
    called as functions, and those inside torch's recurrent layers, cannot be exchanged: the former are named
    in the report. Softmax and gated linear units are kept.

    Args:
        model: Changed in place.
        spec: What to put in, as for `build_activation`.
        match: Glob, or several, on module paths such as `encoder.*`.

    Returns:
        The report.

    Raises:
        InputError: If the spec cannot be read or built; the model is then unchanged.

    Example:
        >>> model = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 1))
        >>> report = replace_activations(model, "swish")
        >>> model[1].beta.shape, [item.path for item in report.replaced]
        (torch.Size([8]), ['1'])
    """
    build_activation(spec, width=1)  # a spec that cannot be built is refused before anything changes
    patterns = [match] if isinstance(match, str) else list(match)
    trace = trace_model(model)
    report = Report(functional=trace.functional, untraceable=trace.untraceable)
    planned: list[tuple[str, nn.Module, nn.Module, str]] = []
    places: dict[tuple[int, str], str] = {}
    for path, old in _outermost_activations(model):
        parent, _, name = path.rpartition(".")
        place = (id(model.get_submodule(parent)), name)
        why = _reason_to_keep(path, old, patterns, places.get(place))
        if not why:
            try:
                planned.append((path, old, *_fresh(model, path, old, spec, trace)))
                places[place] = path
            except InputError as error:
                why = str(error)
        if why:
            report.kept.append(Kept(path, _name(old), why))
    for path, old, new, note in planned:
        parent, _, name = path.rpartition(".")
        setattr(model.get_submodule(parent), name, new)
        report.replaced.append(Replaced(path, _name(old), _name(new), note))
    return report


def _outermost_activations(model: nn.Module) -> Iterable[tuple[str, nn.Module]]:
    """Yield every path that leads to an activation which is not part of another one."""
    inside: tuple[str, ...] = ()
    for path, module in model.named_modules(remove_duplicate=False):
        if path.startswith(inside) and inside:
            continue
        if is_activation(module):
            inside = (f"{path}.",) if path else ("",)
            yield path, module


def _reason_to_keep(path: str, old: nn.Module, patterns: list[str], same_place: str | None) -> str:
    if path == "":
        return "it is the model itself; build the new one with build_activation"
    if not any(fnmatchcase(path, pattern) for pattern in patterns):
        return f"its path does not match {' or '.join(patterns)}"
    if isinstance(old, _NOT_EXCHANGEABLE):
        return "it normalises or halves its input, which no other activation does"
    if same_place is not None:
        return f"its parent is the same module as that of {same_place}"
    return ""


def _fresh(model: nn.Module, path: str, old: nn.Module, spec: Any, trace: ModelTrace) -> tuple[nn.Module, str]:
    sites = trace.call_sites.get(path, [])
    site = sites[0] if len(set(sites)) == 1 else CallSite(None, None)
    own = getattr(old, "num_parameters", None)
    width = site.width or (own if isinstance(own, int) and own > 1 else None)
    new = build_activation(spec, width=width)
    if site.channel_dim is not None and getattr(new, "channel_dim", site) is None:
        new.channel_dim = site.channel_dim  # pyright: ignore[reportArgumentType]
    reference = _reference(model, path)
    if reference is not None:
        new.to(device=reference.device, dtype=reference.dtype)
    new.train(old.training)
    notes = [f"called {len(sites)} times in one forward"] if len(sites) > 1 else []
    if width is None and any(True for _ in new.parameters()):
        notes.append("width unknown: one value for all units")
    return new, "; ".join(notes)


def _reference(model: nn.Module, path: str) -> torch.Tensor | None:
    """Return a floating-point parameter near the path, whose device and type the new module takes."""
    while path:
        path = path.rpartition(".")[0]
        for parameter in model.get_submodule(path).parameters():
            if parameter.is_floating_point():
                return parameter
    return None


def _name(module: nn.Module) -> str:
    return type(module).__name__


def _remark(text: str, note: str) -> str:
    return f"{text}  [{note}]" if note else text
