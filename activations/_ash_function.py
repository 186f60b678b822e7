"""ASH with its analytic gradient: y = x s, s = sigmoid(2 alpha u), u = x - mu - z sigma (arXiv 2210.11672).

With g the incoming gradient, w = 2 alpha g x s (1 - s), n the elements that one mu and sigma cover, and sums
over those elements (leaky: the gate is l + (1 - l) s, and w carries a factor 1 - l):

    dx     = g gate + w - sum(w) / n - sum(w z) (x - mu) / (n sigma)
    dz     = -sum(w sigma)
    dalpha = sum(w u) / alpha

`composed_ash` and `composed_gradient` say this in differentiable operators: compilers, vmap and gradients of
gradients use them. `Ash` is the eager fast path: it keeps the input and its statistics, recomputes the gate,
and works through a batch in blocks of samples small enough for the processor's cache, in buffers that are
reused. A small input's gate is kept instead: there the number of operators counts, not memory. (torch.func works;
the older `is_grads_batched` cannot batch operators that write into buffers.)
"""

import inspect
import threading
from collections.abc import Sequence
from math import prod
from typing import Any, NamedTuple

import torch
from torch import Tensor

from .statistics import mean_and_std

__all__ = ["Ash", "AshOptions", "composed_ash", "composed_gradient"]

# Elements per block on CPU: 1 MiB of float32, so that a block and its two buffers stay in the cache.
BLOCK = 1 << 18
_kept = threading.local()


class AshOptions(NamedTuple):
    """What is no tensor: the dimensions that mu and sigma cover, and how the gate is made."""

    reduced: tuple[int, ...]
    eps: float
    mode: str = "smooth"
    leak: float = 0.0  # smallest gate; 0 but in leaky mode


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
    g: Tensor, x: Tensor, z: Tensor, alpha: Tensor, options: AshOptions
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients for x, z and alpha, differentiable any number of times."""
    reduced, eps, _, leak = options
    wide, g = x.to(z.dtype), g.to(z.dtype)
    mean, std = mean_and_std(wide, reduced, eps)
    n = prod(x.shape[dim] for dim in reduced)
    u = wide - mean - z * std
    s = torch.sigmoid(2 * alpha * u)
    w = 2 * (1 - leak) * alpha * g * wide * s * (1 - s)
    pull = w.sum(reduced, keepdim=True) + (w * z).sum(reduced, keepdim=True) * (wide - mean) / std
    dx = g * (leak + (1 - leak) * s) + w - pull / n
    return dx.to(x.dtype), -(w * std).sum_to_size(z.shape), (w * u / alpha).sum_to_size(alpha.shape)


def _factors(z: Tensor, alpha: Tensor) -> tuple[float | Tensor, float | Tensor]:
    """Return z and 2 alpha; as numbers where that saves passes and reading them does not wait for a device."""
    if z.numel() == alpha.numel() == 1 and alpha.device.type == "cpu":
        return float(z), 2 * float(alpha)
    return z, 2 * alpha


def _rows_per_block(x: Tensor, reduced: tuple[int, ...]) -> int:
    if x.device.type != "cpu" or 0 in reduced or x.numel() <= BLOCK:
        return max(1, x.shape[0])
    return max(1, BLOCK * x.shape[0] // x.numel())


def _blocks(rows: int, *tensors: Tensor) -> Sequence[tuple[Tensor, ...]]:
    if tensors[0].shape[0] <= rows:
        return [tensors]
    return list(zip(*(tensor.split(rows) for tensor in tensors), strict=True))


def _workspace(like: Tensor, dtype: torch.dtype) -> Sequence[Tensor]:
    """Return three buffers of the shape of `like`.

    Blocks on CPU find them kept, 3 MiB of float32 per thread: memory fresh from the system costs more time, by
    its page faults, than the arithmetic that is done in it.
    """
    if like.device.type != "cpu" or like.numel() > BLOCK or not like.is_contiguous():
        return [torch.empty_like(like, dtype=dtype) for _ in range(3)]
    memory = getattr(_kept, str(dtype), None)
    if memory is None:
        with torch.inference_mode(mode=False):  # else nothing outside could write into it
            memory = torch.empty(3, BLOCK, dtype=dtype)
        setattr(_kept, str(dtype), memory)
    return [row[: like.numel()].view(like.shape) for row in memory]


def _keeps_gate(x: Tensor, z: Tensor, alpha: Tensor, options: AshOptions) -> bool:
    small = x.device.type == "cpu" and 0 < x.numel() <= BLOCK and x.dtype == z.dtype
    return small and z.numel() == alpha.numel() == 1 and options.mode == "smooth"


def _small_forward(x: Tensor, z: Tensor, alpha: Tensor, options: AshOptions) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    reduced, eps, _, _ = options
    mean = x.mean(reduced, keepdim=True)
    gate = x - mean
    std = torch.linalg.vector_norm(gate, dim=reduced, keepdim=True)
    std.square_().mul_(std.numel() / x.numel()).add_(eps).sqrt_()
    slope = 2 * float(alpha)
    torch.add(std * (-float(z) * slope), gate, alpha=slope, out=gate).sigmoid_()
    return x * gate, mean, std, gate


def _small_gradient(
    g: Tensor, x: Tensor, parameters: tuple[Tensor, Tensor], kept: tuple[Tensor, Tensor, Tensor], options: AshOptions
) -> tuple[Tensor, Tensor, Tensor]:
    (z, alpha), (mean, std, gate) = parameters, kept
    level, slope, n = float(z), 2 * float(alpha), x.numel() // mean.numel()
    t = torch.mul(g, x)
    torch.ops.aten.sigmoid_backward.grad_input(t, gate, grad_input=t)
    total = t.sum(options.reduced, keepdim=True)
    # sum of t u, with u = x - mu - z sigma
    dalpha = torch.dot(t.flatten(), x.flatten()) - torch.dot(total.flatten(), (mean + level * std).flatten())
    factor = (total / std).mul_(-level * slope / n)
    dx = torch.addcmul(torch.addcmul(total * (-slope / n), factor, mean, value=-1), g, gate)
    dx.add_(t, alpha=slope).addcmul_(x, factor)
    return dx, (torch.dot(total.flatten(), std.flatten()) * -slope).view_as(z), (2 * dalpha).view_as(alpha)


def _forward_kernel(x: Tensor, z: Tensor, alpha: Tensor, options: AshOptions) -> tuple[Tensor, Tensor, Tensor]:
    reduced, eps, mode, leak = options
    rows = _rows_per_block(x, reduced)
    n, (level, slope) = prod(x.shape[dim] for dim in reduced), _factors(z, alpha)
    out = torch.empty_like(x)
    shape = [1 if dim in reduced else size for dim, size in enumerate(x.shape)]
    mean, std = x.new_empty(shape, dtype=z.dtype), x.new_empty(shape, dtype=z.dtype)
    # The output itself holds what comes before it, unless its type is narrower.
    workspace = out if x.dtype == z.dtype else _workspace(x[:rows], z.dtype)[0]
    for x_block, y, mu, sigma in _blocks(rows, x, out, mean, std):
        wide = x_block.to(z.dtype)
        torch.sum(wide, reduced, keepdim=True, out=mu).div_(n)
        u = torch.sub(wide, mu, out=y if workspace is out else workspace[: y.shape[0]])
        torch.linalg.vector_norm(u, dim=reduced, keepdim=True, out=sigma)
        sigma.square_().div_(n).add_(eps).sqrt_()
        if mode == "hard":
            torch.mul(wide, wide >= mu + z * sigma, out=y)
            continue
        if isinstance(slope, float):
            gate = torch.add(sigma * (-level * slope), u, alpha=slope, out=u).sigmoid_()
        else:
            gate = u.sub_(level * sigma).mul_(slope).sigmoid_()
        torch.mul(wide, gate.mul_(1 - leak).add_(leak) if leak else gate, out=y)
    return out, mean, std


def _gradient_kernel(
    g: Tensor,
    x: Tensor,
    parameters: tuple[Tensor, Tensor],
    statistics: tuple[Tensor, Tensor],
    options: AshOptions,
    needs_alpha: bool,
) -> tuple[Tensor, Tensor, Tensor | None]:
    (z, alpha), reduced, leak = parameters, options.reduced, options.leak
    rows, slope = _rows_per_block(x, reduced), _factors(z, alpha)[1]
    dx, dz = torch.empty_like(x), torch.zeros_like(z)
    dalpha = torch.zeros_like(alpha) if needs_alpha else None
    v_buffer, t_buffer, s_buffer = _workspace(x[:rows], z.dtype)
    s_buffer = dx if x.dtype == z.dtype else s_buffer
    for g_block, x_block, out, mu, sigma in _blocks(rows, g, x, dx, *statistics):
        g_wide, wide = g_block.to(z.dtype), x_block.to(z.dtype)
        v, t = v_buffer[: out.shape[0]], t_buffer[: out.shape[0]]
        s = out if s_buffer is dx else s_buffer[: out.shape[0]]
        threshold = torch.addcmul(mu, z, sigma)
        if isinstance(slope, float):
            torch.add(threshold.mul_(-slope), wide, alpha=slope, out=v)
        else:
            torch.sub(wide, threshold, out=v).mul_(slope)
        torch.sigmoid(v, out=s)
        torch.mul(g_wide, wide, out=t)
        torch.ops.aten.sigmoid_backward.grad_input(t, s, grad_input=t)
        if leak:
            t.mul_(1 - leak)
            s.mul_(1 - leak).add_(leak)
        if dalpha is not None:  # t u = (w / 2 alpha) (v / 2 alpha)
            if isinstance(slope, float):
                dalpha.add_(torch.dot(v.flatten(), t.flatten()))
            else:
                dalpha.add_(v.mul_(t).sum_to_size(alpha.shape))
        # dx = g s + w + factor * (x - mu) + constant, the latter folded into `offset`.
        factor, offset = _statistics_part(t, mu, sigma, (z, alpha), dz, reduced)
        torch.addcmul(offset, g_wide, s, out=s)
        s.add_(t, alpha=slope) if isinstance(slope, float) else s.add_(t.mul_(slope))
        torch.addcmul(s, wide, factor, out=out)
    return dx, dz, None if dalpha is None else dalpha.div_(alpha)


def _statistics_part(
    t: Tensor,
    mu: Tensor,
    sigma: Tensor,
    parameters: tuple[Tensor, Tensor],
    dz: Tensor,
    reduced: tuple[int, ...],
) -> tuple[Tensor, Tensor]:
    """Return the slope and offset in x of the gradient through mu and sigma; add to `dz` in place."""
    z, slope = _factors(*parameters)
    n = prod(t.shape[dim] for dim in reduced)
    if isinstance(slope, float):
        total = t.sum(reduced, keepdim=True)
        dz.sub_(torch.dot(total.flatten(), sigma.flatten()), alpha=slope)
        factor = (total / sigma).mul_(-z * slope / n)
        return factor, torch.addcmul(total.mul_(-slope / n), factor, mu, value=-1)
    # Where parameters differ between units, sum over the other dimensions first.
    unit = t.dim() - max((p.dim() for p in parameters if p.numel() > 1), default=0)
    inner = tuple(dim for dim in reduced if dim != unit)
    w = (t.sum(inner, keepdim=True) if inner else t) * slope
    dz.sub_((w * sigma).sum_to_size(dz.shape))
    weighted = w * z
    if inner != reduced:
        w, weighted = w.sum(reduced, keepdim=True), weighted.sum(reduced, keepdim=True)
    factor = weighted.div_(sigma).mul_(-1 / n)
    return factor, torch.addcmul(w.mul_(-1 / n), factor, mu, value=-1)


class Ash(torch.autograd.Function):
    """y, mean, std and, of a small input, the gate of (x, z, alpha, options); only y carries a gradient."""

    @staticmethod
    def forward(x: Tensor, z: Tensor, alpha: Tensor, options: AshOptions) -> tuple[Tensor, ...]:
        if _keeps_gate(x, z, alpha, options):
            return _small_forward(x, z, alpha, options)
        return _forward_kernel(x, z, alpha, options)

    # torch binds the arguments by this signature at every call; kept here, it need not be read anew.
    forward.__signature__ = inspect.signature(forward.__func__)  # pyright: ignore[reportFunctionMemberAccess]

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        x, z, alpha, ctx.options = inputs
        _, *kept = output
        ctx.mark_non_differentiable(*kept)
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(x, z, alpha, *kept)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        g = gradients[0]
        if g is None:
            return (None,) * 4
        x, z, alpha, mean, std, *gate = ctx.saved_tensors
        if torch.is_grad_enabled():  # someone will differentiate the gradient
            return (*composed_gradient(g, x, z, alpha, ctx.options), None)
        if gate:
            return (*_small_gradient(g, x, (z, alpha), (mean, std, gate[0]), ctx.options), None)
        needs_alpha = ctx.needs_input_grad[2]
        return (*_gradient_kernel(g, x, (z, alpha), (mean, std), ctx.options, needs_alpha), None)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *arguments: Any) -> tuple[Any, Any]:
        x, z, alpha, (reduced, eps, mode, leak) = arguments

        def apply(x: Tensor, z: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            mean, std = mean_and_std(x, reduced, eps)
            return composed_ash(x, mean + z * std, alpha, mode, leak), mean, std

        return torch.vmap(apply, in_dims[:3], randomness="error")(x, z, alpha), (0, 0, 0)
