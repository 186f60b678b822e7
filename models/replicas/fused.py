"""A layer of many replicas as one node of the autograd graph, in few passes over the batch.

The arithmetic of a replica is small, so time goes with the passes over memory. Product, batch norm, activation and
dropout share buffers here, and backward is written out. Twice differentiable it is not: `Replicas.backward` uses it.
Legend of shapes: R replicas, B batch, I inputs, N units; rows are (R * N, B), one per unit and contiguous.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from ...activations.base import is_plain_elementwise
from ..layers.choice import choose_sparse_backend
from ..pathways.layer import PathwayLayer, side_by_side
from .activations import StackedActivation
from .ash import AshGate, Kept, StackedAsh, gate_gradient, gated
from .leaves import StackedBatchNorm, StackedDropout, StackedEdgeLinear, StackedLayerNorm, StackedLinear
from .mixed import MixedActivation
from .pieces import Pieces, pieces_of
from .products import DenseProduct, SparseProduct

__all__ = ["FusedPathwayLayer", "FusedSequential"]

_aten = torch.ops.aten


class Curve(NamedTuple):
    """An activation as factor * (core(slope * z) - offset): sigmoid is several times faster than torch's tanh."""

    is_sigmoid: bool
    slope: float = 1.0
    factor: float = 1.0
    offset: float = 0.0


_CURVES = {nn.Sigmoid: Curve(True), nn.Tanh: Curve(True, 2.0, 2.0, 0.5), nn.ReLU: Curve(False)}


class Plan(NamedTuple):
    """What a call needs besides tensors; without curve, gate and pieces the activation is a module of its own."""

    replicas: int
    product: SparseProduct | DenseProduct
    norm: StackedBatchNorm | None
    curve: Curve | None
    gate: AshGate | None
    pieces: Pieces | None
    zeros: Tensor

    @property
    def is_whole(self) -> bool:
        """Whether activation and dropout belong to the node."""
        return self.curve is not None or self.gate is not None or self.pieces is not None


def _rows(x: Tensor) -> Tensor:
    """Return (B, I) or (R, B, I) as contiguous rows."""
    return (x if x.dim() == 2 else x.mT.flatten(0, 1).t()).t().contiguous()


class _FusedLayer(Function):
    """Map x to (R, B, N).

    Given are weights, bias, scale and shift (R, N), masks (R or 1, N, B) times the factor, z and alpha of ASH
    (R, 1 or N, 1), and the trained values of activations that differ.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        scale: Tensor | None,
        shift: Tensor | None,
        mask: Tensor | None,
        z: Tensor | None,
        alpha: Tensor | None,
        trained: Tensor | None,
        plan: Plan,
    ) -> Tensor:
        curve = plan.curve or Curve(False)
        rows = _rows(x)
        y = plan.product.apply(weight, rows)
        centred = deviation = None
        if plan.norm is not None:
            centred = y
            y, deviation = _normalise(y, bias, scale, shift, curve.slope, plan.norm, plan.zeros)
        else:
            y = y if bias is None else y.add_(bias.view(-1, 1))
            y = y if curve.slope == 1 else y.mul_(curve.slope)
        core, kept, ctx.graphs = None, (None,) * 6, []
        if plan.gate is not None and z is not None and alpha is not None:
            y = y.unflatten(0, (plan.replicas, -1))
            out, found = gated(y, z, alpha, plan.gate)
            out, kept = (out if mask is None else out.mul_(mask)).flatten(0, 1), (y, z, alpha, *found)
        elif plan.pieces is not None:
            core, ctx.graphs = plan.pieces.forward(y.unflatten(0, (plan.replicas, -1)), mask)
            out, mask = y, None
        elif plan.curve is None:
            out = y
        else:
            core = y.sigmoid_() if curve.is_sigmoid else y.relu_()
            out = _masked(core, mask, curve, plan.replicas)
        ctx.save_for_backward(weight, rows, scale, mask, centred, deviation, core, trained, *kept)
        ctx.plan, ctx.is_shared = plan, x.dim() == 2
        return out.unflatten(0, (plan.replicas, -1)).mT

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        weight, rows, scale, mask, centred, deviation, core, trained, y, z, alpha, *kept = ctx.saved_tensors
        plan: Plan = ctx.plan
        g, gain = gradients[0].mT.contiguous(), 1.0
        z_gradient = alpha_gradient = trained_gradient = None
        if plan.pieces is not None:
            g, trained_gradient = plan.pieces.backward(g, core, ctx.graphs, trained)
            g = g.flatten(0, 1)
        elif plan.gate is not None:
            g, wanted = g if mask is None else g * mask, ctx.needs_input_grad[6:8]
            g, z_gradient, alpha_gradient = gate_gradient(g, y, z, alpha, Kept(*kept), plan.gate, wanted)
            g = g.flatten(0, 1)
        else:
            g, gain = _before_curve(g, core, mask, plan)
        bias_gradient = scale_gradient = shift_gradient = None
        if plan.norm is not None:
            g, scale_gradient, shift_gradient = _before_norm(g, scale, centred, deviation, gain, plan)
            # batch norm takes any constant away
            bias_gradient = plan.zeros.view(plan.replicas, -1) if ctx.needs_input_grad[2] else None
            gain = 1.0
        elif ctx.needs_input_grad[2]:
            bias_gradient = g.sum(1).mul_(gain).view(plan.replicas, -1)
        x_gradient = None
        if ctx.needs_input_grad[0]:
            x_gradient = plan.product.input_gradient(weight if gain == 1 else weight * gain, g)
            x_gradient = x_gradient.t() if ctx.is_shared else x_gradient.unflatten(0, (plan.replicas, -1)).mT
        weight_gradient = plan.product.weight_gradient(weight, g, rows)
        weight_gradient = weight_gradient if gain == 1 else weight_gradient.mul_(gain)
        inner = (bias_gradient, scale_gradient, shift_gradient)
        return x_gradient, weight_gradient, *inner, None, z_gradient, alpha_gradient, trained_gradient, None


def _normalise(
    y: Tensor,
    bias: Tensor | None,
    scale: Tensor | None,
    shift: Tensor | None,
    slope: float,
    norm: StackedBatchNorm,
    zeros: Tensor,
) -> tuple[Tensor, Tensor]:
    """Centre rows in place; return slope times the normalised rows, and one over their standard deviations."""
    number = y.shape[1]
    mean = y.mean(1)
    y.sub_(mean.unsqueeze(1))
    squares = torch.linalg.vector_norm(y, dim=1).square_()
    norm.update(mean if bias is None else mean.add_(bias.view(-1)), squares / (number - 1))
    variance = squares.div_(number)
    wide = [None if value is None else (value * slope).view(-1) for value in (scale, shift)]
    # Evaluation mode writes in one pass what training mode takes four for.
    z = _aten.native_batch_norm(y[None], *wide, zeros, variance, False, 0.0, norm.eps)[0][0]
    return z, variance.add_(norm.eps).rsqrt_()


def _masked(core: Tensor, mask: Tensor | None, curve: Curve, count: int) -> Tensor:
    """Return the activation from its core, times the mask."""
    if mask is None:
        plain = curve.factor == 1 and curve.offset == 0
        return core if plain else torch.add(core.new_tensor(-curve.factor * curve.offset), core, alpha=curve.factor)
    core = core.view(count, *mask.shape[1:])
    if curve.offset == 0:
        return (core * mask).flatten(0, 1)
    if mask.shape[0] == 1:  # one pass: the mask is small
        return torch.addcmul(mask * -curve.offset, core, mask).flatten(0, 1)
    return (core - curve.offset).mul_(mask).flatten(0, 1)


def _before_curve(g: Tensor, core: Tensor | None, mask: Tensor | None, plan: Plan) -> tuple[Tensor, float]:
    """Return the gradient (R * N, B) up to a factor, and that factor."""
    if plan.curve is None or core is None:
        return g.flatten(0, 1), 1.0
    gain = plan.curve.slope
    if mask is None:
        gain *= plan.curve.factor
        g = g.flatten(0, 1)
    else:
        g = (g * mask).flatten(0, 1)
    if plan.curve.is_sigmoid:
        return _aten.sigmoid_backward(g, core), gain
    return _aten.threshold_backward(g, core, 0), gain


def _before_norm(
    g: Tensor, scale: Tensor | None, centred: Tensor, deviation: Tensor, gain: float, plan: Plan
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Return the gradients of the rows before the norm, of its scale and of its shift."""
    factor = torch.full_like(deviation, gain) if scale is None else (scale * gain).view(-1)
    wanted = [True, scale is not None, scale is not None]
    found = _aten.native_batch_norm_backward(
        g[None], centred[None], factor, None, None, plan.zeros, deviation, True, 0.0, wanted
    )
    if scale is None:
        return found[0][0], None, None
    return found[0][0], *(value.mul_(gain).view(plan.replicas, -1) for value in found[1:])


class FusedLayer:
    """Linear map, norm, activation and dropout of many replicas; calls it in training, when nothing prevents it.

    Args:
        linear: The sparse or dense map.
        norm: Its norm.
        activation: Its activation.
        dropout: Its dropout.
    """

    def __init__(self, linear: nn.Module, norm: nn.Module, activation: nn.Module, dropout: nn.Module) -> None:
        self.linear = cast(StackedEdgeLinear | StackedLinear, linear)
        self.norm, self.activation, self.dropout = norm, activation, dropout
        self._planned: tuple[Any, Plan] | None = None

    def applies(self, x: Tensor) -> bool:
        """Whether a batch can go this way."""
        weight = self.linear.weight
        if not self.linear.training or isinstance(self.norm, StackedLayerNorm) or weight.dtype.itemsize < 4:
            return False
        is_sparse = isinstance(self.linear, StackedEdgeLinear)
        return is_sparse or (x.dtype == weight.dtype and not torch.is_autocast_enabled(x.device.type))

    def __call__(self, x: Tensor) -> Tensor:
        """Map (B, I) or (R, B, I) to (R, B, N)."""
        plan = self._plan(x.dim() == 2)
        mask = scale = shift = z = alpha = trained = None
        if isinstance(self.norm, StackedBatchNorm):
            self.norm.check(x)
            scale, shift = self.norm.weight, self.norm.bias
        if isinstance(self.activation, StackedAsh):
            z, alpha = (value.unsqueeze(-1) for value in self.activation.per_replica())
        if isinstance(self.activation, MixedActivation):
            trained = self.activation.trained
        if plan.is_whole and isinstance(self.dropout, StackedDropout):
            factor = 1.0 if plan.curve is None else plan.curve.factor
            width = len(plan.zeros) // plan.replicas
            mask = self.dropout.draw(plan.zeros.new_empty(width, x.shape[-2]), factor)
        values = (self.linear.weight, self.linear.bias, scale, shift, mask, z, alpha, trained)
        y: Any = _FusedLayer.apply(x, *values, plan)
        return y if plan.is_whole else self.dropout(self.activation(y))

    def _plan(self, is_shared: bool) -> Plan:
        weight = self.linear.weight
        key = (weight.device, weight.dtype, is_shared)
        if self._planned is None or self._planned[0] != key:
            self._planned = (key, self._new_plan(is_shared))
        return self._planned[1]

    def _new_plan(self, is_shared: bool) -> Plan:
        linear, count = self.linear, self.linear.count
        if isinstance(linear, StackedEdgeLinear):
            backend = choose_sparse_backend(linear.backend, linear.weight.device.type)
            product, width = SparseProduct(linear.structure(is_shared), backend), linear.out_features
        else:
            product, width = DenseProduct(is_shared), linear.weight.shape[1]
        norm = self.norm if isinstance(self.norm, StackedBatchNorm) else None
        curve = _CURVES.get(type(self.activation))
        gate = self.activation.gate if isinstance(self.activation, StackedAsh) else None
        pieces = None if curve or gate else pieces_of(self.activation, count)
        zeros = linear.weight.new_zeros(count * width)
        return Plan(count, product, norm, curve, gate, pieces, zeros)


class FusedPathwayLayer(PathwayLayer):
    """A stacked `PathwayLayer` that trains in few passes, with the modules and the results of the plain one."""

    def forward(self, *inputs: Tensor) -> Tensor:
        """Map the outputs of the layers it reads to (R, B, N)."""
        fused = self.__dict__.get("_fused")
        if fused is None:
            fused = self.__dict__["_fused"] = FusedLayer(self.linear, self.norm, self.activation, self.dropout)
        x = side_by_side(inputs)
        return fused(x.to(fused.linear.weight.dtype)) if fused.applies(x) else super().forward(*inputs)


class FusedSequential(nn.Sequential):
    """Stacked layers one after the other, of which those that belong together train in few passes."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  (torch's own name for it)
        """Map (B, I) to (R, B, O)."""
        groups = self.__dict__.get("_groups")
        if groups is None:
            groups = self.__dict__["_groups"] = list(_groups(list(self)))
        for modules, fused in groups:
            if fused is not None and fused.applies(input):
                input = fused(input)  # noqa: A001
            else:
                for module in modules:
                    input = module(input)  # noqa: A001
        return input


def _groups(modules: list[nn.Module]) -> Iterator[tuple[list[nn.Module], FusedLayer | None]]:
    """Yield linear map, norm if any, activation and dropout if any, as they follow each other; all else by itself."""
    place = 0
    while place < len(modules):
        end = place + 1
        norm: nn.Module = nn.Identity()
        dropout: nn.Module = nn.Identity()
        if isinstance(modules[place], StackedLinear) and end < len(modules):
            if isinstance(modules[end], StackedBatchNorm):
                norm, end = modules[end], end + 1
            if end < len(modules) and _is_stacked_activation(modules[end]):
                activation, end = modules[end], end + 1
                if end < len(modules) and isinstance(modules[end], StackedDropout):
                    dropout, end = modules[end], end + 1
                yield modules[place:end], FusedLayer(modules[place], norm, activation, dropout)
                place = end
                continue
        yield modules[place : place + 1], None
        place += 1


def _is_stacked_activation(module: nn.Module) -> bool:
    return isinstance(module, StackedActivation | MixedActivation) or is_plain_elementwise(module)
