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
from .ash import AshGate, Kept, StackedAsh, gate_gradient, gated
from .leaves import StackedBatchNorm, StackedDropout, StackedEdgeLinear, StackedLayerNorm

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
    """What a call needs besides tensors; without curve and gate the activation is a module of its own."""

    replicas: int
    structure: EdgeStructure
    backend: str
    norm: StackedBatchNorm | None
    curve: Curve | None
    gate: AshGate | None
    zeros: Tensor

    @property
    def is_whole(self) -> bool:
        """Whether activation and dropout belong to the node."""
        return self.curve is not None or self.gate is not None


def _rows(x: Tensor) -> Tensor:
    """Return (B, I) or (R, B, I) as contiguous rows."""
    return (x if x.dim() == 2 else x.mT.flatten(0, 1).t()).t().contiguous()


class _FusedLayer(Function):
    """Map x to (R, B, N).

    Given are weights, bias, scale and shift (R, N), masks (R or 1, N, B) times the factor, and z and alpha of ASH
    (R, 1 or N, 1).
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
        plan: Plan,
    ) -> Tensor:
        curve = plan.curve or Curve(False)
        rows = _rows(x)
        y = product(weight, rows, plan.structure, False, plan.backend)
        centred = deviation = None
        if plan.norm is not None:
            centred = y
            y, deviation = _normalise(y, bias, scale, shift, curve.slope, plan.norm, plan.zeros)
        else:
            y = y if bias is None else y.add_(bias.view(-1, 1))
            y = y if curve.slope == 1 else y.mul_(curve.slope)
        core, kept = None, (None,) * 6
        if plan.gate is not None and z is not None and alpha is not None:
            y = y.unflatten(0, (plan.replicas, -1))
            out, found = gated(y, z, alpha, plan.gate)
            out, kept = (out if mask is None else out.mul_(mask)).flatten(0, 1), (y, z, alpha, *found)
        elif plan.curve is None:
            out = y
        else:
            core = y.sigmoid_() if curve.is_sigmoid else y.relu_()
            out = _masked(core, mask, curve, plan.replicas)
        ctx.save_for_backward(weight, rows, scale, mask, centred, deviation, core, *kept)
        ctx.plan, ctx.is_shared = plan, x.dim() == 2
        return out.unflatten(0, (plan.replicas, -1)).mT

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        weight, rows, scale, mask, centred, deviation, core, y, z, alpha, *kept = ctx.saved_tensors
        plan: Plan = ctx.plan
        g, gain = gradients[0].mT.contiguous(), 1.0
        z_gradient = alpha_gradient = None
        if plan.gate is not None:
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
            x_gradient = product(weight if gain == 1 else weight * gain, g, plan.structure, True, plan.backend)
            x_gradient = x_gradient.t() if ctx.is_shared else x_gradient.unflatten(0, (plan.replicas, -1)).mT
        weight_gradient = sampled(g, rows, plan.structure, plan.backend)
        weight_gradient = weight_gradient if gain == 1 else weight_gradient.mul_(gain)
        inner = (bias_gradient, scale_gradient, shift_gradient)
        return x_gradient, weight_gradient, *inner, None, z_gradient, alpha_gradient, None


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


class FusedPathwayLayer(PathwayLayer):
    """A stacked `PathwayLayer` that trains in few passes, with the modules and the results of the plain one."""

    def forward(self, *inputs: Tensor) -> Tensor:
        """Map the outputs of the layers it reads to (R, B, N)."""
        linear, norm, dropout = cast(StackedEdgeLinear, self.linear), self.norm, self.dropout
        if not self.training or isinstance(norm, StackedLayerNorm) or linear.weight.dtype.itemsize < 4:
            return super().forward(*inputs)
        x = side_by_side(inputs).to(linear.weight.dtype)
        plan = self._plan(linear, x.dim() == 2)
        mask = scale = shift = z = alpha = None
        if isinstance(norm, StackedBatchNorm):
            norm.check(x)
            scale, shift = norm.weight, norm.bias
        if isinstance(self.activation, StackedAsh):
            z, alpha = (value.unsqueeze(-1) for value in self.activation.per_replica())
        if plan.is_whole and isinstance(dropout, StackedDropout):
            factor = 1.0 if plan.curve is None else plan.curve.factor
            mask = dropout.draw(plan.zeros.new_empty(linear.out_features, x.shape[-2]), factor)
        y: Any = _FusedLayer.apply(x, linear.weight, linear.bias, scale, shift, mask, z, alpha, plan)
        return y if plan.is_whole else dropout(self.activation(y))

    def _plan(self, linear: StackedEdgeLinear, is_shared: bool) -> Plan:
        weight = linear.weight
        key = (weight.device, weight.dtype, is_shared)
        if self.__dict__.get("_planned", (None,))[0] != key:
            backend = choose_sparse_backend(linear.backend, weight.device.type)
            zeros = weight.new_zeros(linear.count * linear.out_features)
            norm = self.norm if isinstance(self.norm, StackedBatchNorm) else None
            curve = _CURVES.get(type(self.activation))
            gate = self.activation.gate if isinstance(self.activation, StackedAsh) else None
            plan = Plan(linear.count, linear.structure(is_shared), backend, norm, curve, gate, zeros)
            self.__dict__["_planned"] = (key, plan)
        return self.__dict__["_planned"][1]
