"""ASH with its analytic gradient: y = x s, s = sigmoid(2 alpha u), u = x - mu - z sigma (arXiv 2210.11672).

With g the incoming gradient, w = 2 alpha g x s (1 - s), n the elements that one mu and sigma cover, and sums
over those elements (leaky: the gate is l + (1 - l) s, and w carries a factor 1 - l):

    dx     = g gate + w - sum(w) / n - sum(w z) (x - mu) / (n sigma)
    dz     = -sum(w sigma)
    dalpha = sum(w u) / alpha

`composed_ash` and `composed_gradient` say this in differentiable operators: compilers, vmap and gradients of
gradients use them. `Ash` is the eager fast path: it keeps the input and its statistics, recomputes the gate,
and works through a batch in blocks of samples small enough for the processor's cache, in buffers that are
reused. (torch.func works; the older `is_grads_batched` cannot batch operators that write into buffers.)
"""

from collections.abc import Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor

from .statistics import mean_and_std

__all__ = ["Ash", "composed_ash", "composed_gradient"]

# Elements per block on CPU: 2 MiB of float32, with its two buffers within the cache of two or more cores.
BLOCK = 1 << 19


def composed_ash(
    x: Tensor, threshold: Tensor, alpha: Tensor, mode: str = "smooth", negative_slope: float = 0.01
) -> Tensor:
    """Gate `x` at a threshold that broadcasts over it; the result has the input's type."""
    wide = x.to(threshold.dtype)
    gate = torch.sigmoid(2 * alpha * (wide - threshold))
    if mode == "leaky":
        gate = negative_slope + (1 - negative_slope) * gate
    result = wide * gate
    if mode == "hard":
        # Straight-through: the difference is exactly zero, so the value is hard and the gradient smooth.
        result = wide.detach() * (wide >= threshold).detach() + (result - result.detach())
    return result.to(x.dtype)


def composed_gradient(
    g: Tensor, x: Tensor, z: Tensor, alpha: Tensor, reduced: tuple[int, ...], eps: float, leak: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients for x, z and alpha, differentiable any number of times."""
    wide, g = x.to(z.dtype), g.to(z.dtype)
    mean, std = mean_and_std(wide, reduced, eps)
    n = prod(x.shape[dim] for dim in reduced)
    u = wide - mean - z * std
    s = torch.sigmoid(2 * alpha * u)
    w = 2 * (1 - leak) * alpha * g * wide * s * (1 - s)
    pull = w.sum(reduced, keepdim=True) + (w * z).sum(reduced, keepdim=True) * (wide - mean) / std
    dx = g * (leak + (1 - leak) * s) + w - pull / n
    return dx.to(x.dtype), -(w * std).sum_to_size(z.shape), (w * u / alpha).sum_to_size(alpha.shape)


def _slope(alpha: Tensor) -> float | Tensor:
    """Return 2 alpha; as a number where that saves a pass and reading it does not wait for a device."""
    return 2 * float(alpha) if alpha.numel() == 1 and alpha.device.type == "cpu" else 2 * alpha


def _argument(x: Tensor, threshold: Tensor, slope: float | Tensor, out: Tensor) -> Tensor:
    """Write slope * (x - threshold) into `out`."""
    if isinstance(slope, float):
        return torch.add(threshold * -slope, x, alpha=slope, out=out)
    return torch.sub(x, threshold, out=out).mul_(slope)


def _rows_per_block(x: Tensor, reduced: tuple[int, ...]) -> int:
    if x.device.type != "cpu" or 0 in reduced or x.numel() <= BLOCK:
        return max(1, x.shape[0])
    return max(1, BLOCK * x.shape[0] // x.numel())


def _blocks(rows: int, *tensors: Tensor) -> Sequence[tuple[Tensor, ...]]:
    if tensors[0].shape[0] <= rows:
        return [tensors]
    return list(zip(*(tensor.split(rows) for tensor in tensors), strict=True))


def _forward_kernel(
    x: Tensor, z: Tensor, alpha: Tensor, reduced: tuple[int, ...], eps: float, mode: str, leak: float
) -> tuple[Tensor, Tensor, Tensor]:
    rows = _rows_per_block(x, reduced)
    n, slope = prod(x.shape[dim] for dim in reduced), _slope(alpha)
    out = torch.empty_like(x)
    shape = [1 if dim in reduced else size for dim, size in enumerate(x.shape)]
    mean, std = x.new_empty(shape, dtype=z.dtype), x.new_empty(shape, dtype=z.dtype)
    buffer = torch.empty_like(x[:rows], dtype=z.dtype)
    for x_block, y, mu, sigma in _blocks(rows, x, out, mean, std):
        wide = x_block.to(z.dtype)
        work = buffer[: wide.shape[0]]
        torch.sum(wide, reduced, keepdim=True, out=mu).div_(n)
        torch.sub(wide, mu, out=work)
        torch.linalg.vector_norm(work, dim=reduced, keepdim=True, out=sigma)
        sigma.square_().div_(n).add_(eps).sqrt_()
        if mode == "hard":
            torch.mul(wide, wide >= mu + z * sigma, out=y)
            continue
        # `work` holds x - mu, so the threshold that is left is z sigma.
        gate = _argument(work, z * sigma, slope, out=work).sigmoid_()
        torch.mul(wide, gate.mul_(1 - leak).add_(leak) if leak else gate, out=y)
    return out, mean, std


def _gradient_kernel(
    g: Tensor, x: Tensor, z: Tensor, alpha: Tensor, mean: Tensor, std: Tensor, reduced: tuple[int, ...],
    leak: float, needs_alpha: bool,
) -> tuple[Tensor, Tensor, Tensor | None]:  # fmt: skip
    rows = _rows_per_block(x, reduced)
    n, slope = prod(x.shape[dim] for dim in reduced), _slope(alpha)
    # Where parameters differ between units, w is summed over the other dimensions first.
    units = max((p.dim() for p in (z, alpha) if p.numel() > 1), default=0)
    inner = tuple(dim for dim in reduced if not units or dim != x.dim() - units)
    dx = torch.empty_like(x)
    dz, dalpha = torch.zeros_like(z), torch.zeros_like(alpha) if needs_alpha else None
    v_buffer = torch.empty_like(x[:rows], dtype=z.dtype)
    s_buffer, w_buffer = torch.empty_like(v_buffer), torch.empty_like(v_buffer)
    for g_block, x_block, out, mu, sigma in _blocks(rows, g, x, dx, mean, std):
        g_wide, wide = g_block.to(z.dtype), x_block.to(z.dtype)
        v, s, w = (buffer[: wide.shape[0]] for buffer in (v_buffer, s_buffer, w_buffer))
        _argument(wide, torch.addcmul(mu, z, sigma), slope, out=v)
        torch.sigmoid(v, out=s)
        torch.mul(g_wide, wide, out=w)
        torch.ops.aten.sigmoid_backward.grad_input(w, s, grad_input=w)
        if dalpha is not None:
            dalpha += v.mul_(w).sum_to_size(alpha.shape)  # w lacks 2 alpha here, v = 2 alpha u has it
        total = (w.sum(inner, keepdim=True) if inner else w) * slope
        dz -= (total * sigma).sum_to_size(z.shape)
        weighted = total * z
        if inner != reduced:
            total, weighted = (t.sum(reduced, keepdim=True) for t in (total, weighted))
        factor = weighted.mul_(leak - 1).div_(sigma).div_(n)  # of x - mu
        offset = torch.addcmul(total.mul_((leak - 1) / n), factor, mu, value=-1)
        if leak:
            s.mul_(1 - leak).add_(leak)
            w.mul_(1 - leak)
        torch.addcmul(offset, g_wide, s, out=s)
        torch.add(s, w, alpha=slope, out=s) if isinstance(slope, float) else s.add_(w.mul_(slope))
        torch.addcmul(s, wide, factor, out=out)
    scale = 1 - leak
    return dx, dz.mul_(scale), None if dalpha is None else dalpha.mul_(scale).div_(alpha)


class Ash(torch.autograd.Function):
    """y, mean and std of (x, z, alpha, reduced dimensions, eps, mode, leak); only y carries a gradient."""

    @staticmethod
    def forward(
        x: Tensor, z: Tensor, alpha: Tensor, reduced: tuple[int, ...], eps: float, mode: str, leak: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        return _forward_kernel(x, z, alpha, reduced, eps, mode, leak)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor, Tensor]) -> None:
        x, z, alpha, ctx.reduced, ctx.eps, _, ctx.leak = inputs
        _, mean, std = output
        ctx.mark_non_differentiable(mean, std)
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(x, z, alpha, mean, std)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        g = gradients[0]
        if g is None:
            return (None,) * 7
        x, z, alpha, mean, std = ctx.saved_tensors
        if torch.is_grad_enabled():  # someone will differentiate the gradient
            result = composed_gradient(g, x, z, alpha, ctx.reduced, ctx.eps, ctx.leak)
        else:
            needs_alpha = ctx.needs_input_grad[2]
            result = _gradient_kernel(g, x, z, alpha, mean, std, ctx.reduced, ctx.leak, needs_alpha)
        return (*result, None, None, None, None)  # pyright: ignore[reportGeneralTypeIssues]

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *arguments: Any) -> tuple[Any, Any]:
        x, z, alpha, reduced, eps, mode, leak = arguments

        def apply(x: Tensor, z: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            mean, std = mean_and_std(x, reduced, eps)
            return composed_ash(x, mean + z * std, alpha, mode, leak), mean, std

        return torch.vmap(apply, in_dims[:3], randomness="error")(x, z, alpha), (0, 0, 0)
