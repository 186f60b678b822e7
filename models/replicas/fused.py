"""A pathway layer of many replicas as one node of the autograd graph, in few passes over the batch.

The arithmetic of a replica is small, so time goes with the passes over memory. Product, batch norm, activation and
dropout share buffers here, and backward is written out. Twice differentiable it is not: `Replicas.backward` uses it.
Legend of shapes: R replicas, B batch, I inputs, N units; rows are (R * N, B), one per unit and contiguous.
"""

from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from ..layers import EdgeStructure
from ..layers._kernels import product, sampled
from ..layers.choice import choose_sparse_backend
from ..pathways.layer import PathwayLayer, side_by_side
from .leaves import StackedBatchNorm, StackedDropout, StackedEdgeLinear

__all__ = ["FusedPathwayLayer"]

_aten = torch.ops.aten


class Curve(NamedTuple):
    """An activation as factor * (core(slope * z) - offset): sigmoid is several times faster than torch's tanh."""

    is_sigmoid: bool
    slope: float = 1.0
    factor: float = 1.0
    offset: float = 0.0


_CURVES = {nn.Sigmoid: Curve(True), nn.Tanh: Curve(True, 2.0, 2.0, 0.5), nn.ReLU: Curve(False)}


class Plan(NamedTuple):
    """What a call needs besides tensors; the curve is None where the activation is a module of its own."""

    count: int
    structure: EdgeStructure
    backend: str
    norm: StackedBatchNorm | None
    curve: Curve | None


def _rows(x: Tensor) -> Tensor:
    """Return (B, I) or (R, B, I) as contiguous rows."""
    return (x if x.dim() == 2 else x.mT.flatten(0, 1).t()).t().contiguous()


class _FusedLayer(Function):
    """Map x to (R, B, N), given weights, bias, scale and shift of the norm, and masks (R or 1, N, B) times the factor."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        scale: Tensor | None,
        shift: Tensor | None,
        mask: Tensor | None,
        plan: Plan,
    ) -> Tensor:
        curve = plan.curve or Curve(False)
        rows = _rows(x)
        y = product(weight, rows, plan.structure, False, plan.backend)
        centred = deviation = None
        if plan.norm is not None:
            centred = y
            y, deviation = _normalise(y, bias, scale, shift, curve.slope, plan.norm)
        else:
            y = y if bias is None else y.add_(bias.view(-1, 1))
            y = y if curve.slope == 1 else y.mul_(curve.slope)
        if plan.curve is None:
            core, out = None, y
        else:
            core = y.sigmoid_() if curve.is_sigmoid else y.relu_()
            out = _masked(core, mask, curve, plan.count)
        ctx.save_for_backward(weight, rows, scale, mask, centred, deviation, core)
        ctx.plan, ctx.is_shared = plan, x.dim() == 2
        return out.unflatten(0, (plan.count, -1)).mT

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor | None, ...]:
        weight, rows, scale, mask, centred, deviation, core = ctx.saved_tensors
        plan: Plan = ctx.plan
        (g,) = gradients
        g, gain = _before_curve(g.mT.contiguous(), core, mask, plan)
        bias_gradient = scale_gradient = shift_gradient = None
        if plan.norm is not None:
            g, scale_gradient, shift_gradient = _before_norm(g, scale, centred, deviation, gain, plan.norm)
            # batch norm takes any constant away
            bias_gradient = g.new_zeros(len(g)) if ctx.needs_input_grad[2] else None
            gain = 1.0
        elif ctx.needs_input_grad[2]:
            bias_gradient = g.sum(1).mul_(gain)
        x_gradient = None
        if ctx.needs_input_grad[0]:
            x_gradient = product(weight if gain == 1 else weight * gain, g, plan.structure, True, plan.backend)
            x_gradient = x_gradient.t() if ctx.is_shared else x_gradient.unflatten(0, (plan.count, -1)).mT
        weight_gradient = sampled(g, rows, plan.structure, plan.backend)
        weight_gradient = weight_gradient if gain == 1 else weight_gradient.mul_(gain)
        return x_gradient, weight_gradient, bias_gradient, scale_gradient, shift_gradient, None, None


def _normalise(
    y: Tensor, bias: Tensor | None, scale: Tensor | None, shift: Tensor | None, slope: float, norm: StackedBatchNorm
) -> tuple[Tensor, Tensor]:
    """Centre rows in place; return slope times the normalised rows, and one over their standard deviations."""
    number = y.shape[1]
    mean = y.mean(1)
    y.sub_(mean.unsqueeze(1))
    squares = torch.linalg.vector_norm(y, dim=1).square_()
    norm.update(mean if bias is None else mean.add_(bias), squares / max(number - 1, 1))
    variance = squares.div_(number)
    wide = [None if value is None else value * slope for value in (scale, shift)]
    # Evaluation mode writes in one pass what training mode takes four for.
    z = _aten.native_batch_norm(y[None], *wide, torch.zeros_like(variance), variance, False, 0.0, norm.eps)[0][0]
    return z, variance.add_(norm.eps).rsqrt_()


def _masked(core: Tensor, mask: Tensor | None, curve: Curve, count: int) -> Tensor:
    """Return the activation from its core, times the mask."""
    if mask is None:
        plain = curve.factor == 1 and curve.offset == 0
        return core if plain else torch.add(core.new_tensor(-curve.factor * curve.offset), core, alpha=curve.factor)
    out = core - curve.offset if curve.offset else core.clone()
    out.unflatten(0, (count, -1)).mul_(mask)
    return out


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
    g: Tensor, scale: Tensor | None, centred: Tensor, deviation: Tensor, gain: float, norm: StackedBatchNorm
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Return the gradients of the rows before the norm, of its scale and of its shift."""
    factor = torch.full_like(deviation, gain) if scale is None else scale * gain
    wanted = [True, scale is not None, scale is not None]
    zeros = torch.zeros_like(deviation)
    found = _aten.native_batch_norm_backward(
        g[None], centred[None], factor, None, None, zeros, deviation, True, norm.eps, wanted
    )
    if scale is None:
        return found[0][0], None, None
    return found[0][0], found[1].mul_(gain), found[2].mul_(gain)


class FusedPathwayLayer(PathwayLayer):
    """A stacked `PathwayLayer` that trains in few passes, with the modules and the results of the plain one."""

    def forward(self, *inputs: Tensor) -> Tensor:
        """Map the outputs of the layers it reads to (R, B, N)."""
        linear, norm = cast(StackedEdgeLinear, self.linear), self.norm
        is_normed = isinstance(norm, StackedBatchNorm)
        if not self.training or not (is_normed or isinstance(norm, nn.Identity)) or not linear.weight.dtype.itemsize >= 4:
            return super().forward(*inputs)
        x = side_by_side(inputs)
        curve = _CURVES.get(type(self.activation))
        mask = scale = shift = None
        if isinstance(norm, StackedBatchNorm):
            scale, shift = norm.weight, norm.bias
            norm.check(x)
        if curve is not None and isinstance(self.dropout, StackedDropout):
            like = linear.weight.new_empty(linear.out_features, x.shape[-2])
            mask = self.dropout.draw(like, curve.factor)
        plan = Plan(
            linear.count,
            linear.structure(x.dim() == 2),
            choose_sparse_backend(linear.backend, x.device.type),
            norm if isinstance(norm, StackedBatchNorm) else None,
            curve,
        )
        flat = [None if value is None else value.flatten() for value in (linear.bias, scale, shift)]
        y: Any = _FusedLayer.apply(x.to(linear.weight.dtype), linear.weight, *flat, mask, plan)
        return y if curve is not None else self.dropout(self.activation(y))
