"""`attribute`: which columns, features and pathways made the output what it is.

Legend of shapes: B batch, F columns, N nodes of a layer.
"""

import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal, TypeAlias, get_args

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import InputError
from ..models import PathwayNetwork
from .attributions import Attributions
from .deep_lift import deep_lift
from .explained import Explained, device_of, evaluating
from .layers import NamedLayer, find_layers, summed_per_entity
from .methods import conductance, integrated_gradients
from .rules import rescaled_modules, watch_calls

__all__ = ["Method", "attribute"]

Method: TypeAlias = Literal["integrated_gradients", "conductance", "deep_lift"]
_Scorer: TypeAlias = Callable[[nn.Module, Tensor, Tensor], Tensor]


def attribute(
    network: nn.Module,
    x: Tensor,
    *,
    method: Method = "integrated_gradients",
    target: int = 0,
    baseline: Tensor | None = None,
    layers: Sequence[str] | None = None,
    steps: int = 64,
    batch_size: int = 1024,
    tolerance: float = 0.05,
    dtype: torch.dtype = torch.float64,
) -> Attributions:
    """Score every node of every named layer by what it contributed to an output, compared with a baseline.

    All methods are captum's, at the layer's output: integrated gradients of the layer (arXiv 1703.01365), layer
    conductance (arXiv 1805.12233) and DeepLIFT's rescale rule (arXiv 1704.02685) for every elementwise activation.
    Where a layer cuts the network, the scores of a row sum up to the difference of the outputs; how far they do not
    is reported per row and layer, and warned of. Outputs are logits; for networks with several heads the combined ones.

    Nothing is drawn at random and the network is left as it was: modes, tensors, gradients, hooks.

    Args:
        network: Maps (B, F) to (B, O); a `PathwayNetwork` has layers by name, others are asked by module path.
        x: (B, F) rows.
        method: "integrated_gradients", "conductance" or "deep_lift".
        target: Which output: a class, or 0.
        baseline: (F,), (1, F) or (B, F): what the rows are compared with; None takes zeros.
        layers: Names; None takes the columns and every layer of the hierarchy, or every activation module of another
            network. The columns are called "features", or as the hierarchy's lowest layer, and then summed per entity.
        steps: Points of the integrals; DeepLIFT has none.
        batch_size: Rows, or points of rows, that are evaluated at once; bounds the memory.
        tolerance: Relative delta beyond which a warning is given for a layer that cuts the network.
        dtype: Type to compute in; where the device lacks float64, float32 is taken.

    Returns:
        The scores.

    Raises:
        InputError: If a name, number or shape is unusable, or the network holds something that DeepLIFT has no rule
            for: gated activations such as ASH, layer normalisation, softmax, modules of unknown kind.

    Example:
        >>> network = nn.Linear(2, 1)
        >>> found = attribute(network, torch.tensor([[1.0, -2.0]]), layers=["features"])
        >>> by_hand = network.weight.detach().numpy() * [[1.0, -2.0]]
        >>> np.allclose(found.scores["features"], by_hand, rtol=0, atol=1e-8)
        True
    """
    _check_options(method, steps, batch_size, tolerance)
    device = device_of(network)
    with evaluating(network):
        dtype = torch.float32 if device.type == "mps" else dtype
        x, baseline = _rows(x, baseline, device, dtype)
        explained = Explained(network, target, dtype)
        named = find_layers(explained, layers)
        scorer = _scorer(method, explained, torch.cat([x[:2], baseline[:2]]), named, steps, batch_size)
        rows = max(1, batch_size // (2 if method == "deep_lift" else steps + 1))
        pieces = list(zip(x.split(rows), baseline.split(rows), strict=True))
        with torch.no_grad():
            difference = torch.cat([explained(part) - explained(start) for part, start in pieces])
        raw = {
            layer.name: torch.cat([scorer(layer.module, part, start).detach() for part, start in pieces])
            for layer in named
        }
        cuts = {layer.name: _cuts(explained, layer.module, x[:rows], baseline[:rows]) for layer in named}
    found = _collected(method, explained, named, raw, difference, cuts)
    _warn(found, tolerance)
    return found


def _check_options(method: str, steps: int, batch_size: int, tolerance: float) -> None:
    if method not in get_args(Method):
        raise InputError(f"method is {method!r}; it must be one of {', '.join(get_args(Method))}")
    for key, value in (("steps", steps), ("batch_size", batch_size)):
        if value < 2:
            raise InputError(f"{key} is {value}; it must be at least 2")
    if not tolerance > 0:
        raise InputError(f"tolerance is {tolerance}; it must be positive")


def _rows(x: Tensor, baseline: Tensor | None, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    if x.dim() != 2 or not len(x):
        raise InputError(f"x has shape {tuple(x.shape)}; it must hold one or more rows (B, F)")
    baseline = torch.zeros_like(x[:1]) if baseline is None else baseline
    if baseline.shape not in (x.shape, x[:1].shape, x[0].shape):
        raise InputError(
            f"baseline has shape {tuple(baseline.shape)}; for x of shape {tuple(x.shape)} it must be "
            f"({x.shape[1]},), (1, {x.shape[1]}) or {tuple(x.shape)}"
        )
    for name, values in (("x", x), ("baseline", baseline)):
        if not bool(values.isfinite().all()):
            raise InputError(f"{name} holds values that are not finite; impute or leave out those rows")
    move = partial(torch.Tensor.to, device=device, dtype=dtype)
    return move(x.detach()).clone(), move(baseline.detach()).expand(x.shape).clone()


def _scorer(
    method: Method, explained: Explained, sample: Tensor, named: Sequence[NamedLayer], steps: int, batch_size: int
) -> _Scorer:
    """Return the method as a function of layer, rows and baselines, after a look at how the network runs."""
    calls = watch_calls(explained, sample, probe=method == "deep_lift")
    for layer in named:
        if calls.times[layer.module] != 1:
            raise InputError(
                f"layer {layer.name} is called {calls.times[layer.module]} times in a forward pass; scores are defined "
                "for modules called once"
            )
    if method == "deep_lift":
        return partial(deep_lift, explained, rescaled=set(rescaled_modules(explained, calls)))
    # One row alone has more points than are allowed at once: captum then takes the points in parts.
    options = {"n_steps": steps, **({"internal_batch_size": batch_size} if steps + 1 > batch_size else {})}
    return partial(integrated_gradients if method == "integrated_gradients" else conductance, explained, **options)


@torch.no_grad()
def _cuts(explained: Explained, layer: nn.Module, x: Tensor, baseline: Tensor) -> bool:
    """Tell whether the output at x becomes that at the baseline once the layer's output does."""
    kept: list[Tensor] = []

    def keep(module: nn.Module, arguments: tuple, output: Tensor) -> None:
        kept.append(output)

    reading = layer.register_forward_hook(keep)
    try:
        expected = explained(baseline)
    finally:
        reading.remove()
    writing = layer.register_forward_hook(lambda module, arguments, output: kept[0])
    try:
        patched = explained(x)
    finally:
        writing.remove()
    eps = torch.finfo(x.dtype).eps ** 0.5
    return bool(torch.allclose(patched, expected, rtol=eps, atol=eps * float(1 + expected.abs().max())))


def _collected(
    method: str,
    explained: Explained,
    named: Sequence[NamedLayer],
    raw: dict[str, Tensor],
    difference: Tensor,
    cuts: dict[str, bool],
) -> Attributions:
    delta = {name: scores.flatten(1).sum(1) - difference for name, scores in raw.items()}
    scores = {layer.name: layer.per_node(raw[layer.name]) for layer in named}
    nodes = {layer.name: layer.nodes or _numbered(scores[layer.name]) for layer in named}
    columns = next((layer.name for layer in named if layer.module is explained.inputs), None)
    hierarchy = None
    if isinstance(explained.network, PathwayNetwork):
        hierarchy = explained.network.hierarchy
        if columns is not None:
            nodes[columns] = hierarchy.features
            # On the CPU, whose sums have one order.
            places = explained.network.column_nodes.cpu()
            scores[columns] = summed_per_entity(raw[columns].cpu(), places, len(hierarchy.features))
    return Attributions(
        method=method,
        scores={name: _array(values) for name, values in scores.items()},
        column_scores=None if columns is None else _array(raw[columns]),
        difference=_array(difference),
        convergence_delta={name: _array(values) for name, values in delta.items()},
        cuts=cuts,
        nodes=nodes,
        hierarchy=hierarchy,
    )


def _numbered(scores: Tensor) -> tuple[str, ...]:
    return tuple(map(str, range(scores.shape[1])))


def _array(values: Tensor) -> np.ndarray:
    return values.detach().cpu().double().numpy()


def _warn(found: Attributions, tolerance: float) -> None:
    advice = {
        "deep_lift": "the network computes something non-linear outside of its activation modules",
        "integrated_gradients": "take more steps",
        "conductance": "take more steps",
    }[found.method]
    for layer, relative in found.relative_delta.items():
        if found.cuts[layer] and relative > tolerance:
            warnings.warn(
                f"the {found.method} scores of layer {layer} miss the difference of the outputs by {relative:.1%}: "
                f"{advice}",
                stacklevel=3,
            )
