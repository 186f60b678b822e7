"""ASH for compilers: the same analytic gradient, written for fused kernels (formulas in `_ash_function`).

Left to differentiate the composed operators, Inductor divides by n sigma for every element and sums t u over the whole
tensor in a loop of its own. Here everything that is constant within a sample is folded into a slope and an offset
first, so that the backward pass is one kernel of sums and one of products: some four times fewer operations. What
Inductor cannot be talked out of on CPU is to write the gate to memory between the two: it stores the result of every
exponential that is read twice.
"""

from math import prod
from typing import Any

import torch
from torch import Tensor

from ._ash_function import AshOptions
from .statistics import mean_and_std

__all__ = ["CompiledAsh"]


class CompiledAsh(torch.autograd.Function):
    """`Ash` in operators that a compiler fuses; once differentiable."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, z: Tensor, alpha: Tensor, options: AshOptions) -> Tensor:
        """Return the gated input."""
        wide = x.to(z.dtype)
        mean, std = mean_and_std(wide, options.reduced, options.eps)
        slope = 2 * alpha
        shift = slope * (mean + z * std)
        ctx.save_for_backward(x, z, slope, shift, mean, std)
        ctx.options = options
        if options.mode == "hard":
            return (wide * (wide >= mean + z * std)).to(x.dtype)
        gate = torch.sigmoid(slope * wide - shift)
        if options.leak:
            gate = options.leak + (1 - options.leak) * gate
        return (wide * gate).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        """Return the gradients of x, z and alpha."""
        x, z, slope, shift, mean, std = ctx.saved_tensors
        reduced, _, _, leak = ctx.options
        wide, g = x.to(z.dtype), gradients[0].to(z.dtype)
        # a list: Dynamo cannot trace math.prod over a generator
        n = prod([x.shape[dim] for dim in reduced])
        s = torch.sigmoid(slope * wide - shift)
        t = (1 - leak) * g * wide * (s - s * s)
        total = t.sum(reduced, keepdim=True)
        total_x = (t * wide).sum(reduced, keepdim=True)
        if z.numel() == slope.numel() == 1:
            pull, push = slope * total * z / (n * std), slope * total / n
            dz, dalpha = -(slope * total * std), 2 * (total_x - shift / slope * total)
        else:
            weighted = slope * t
            pull = (weighted * z).sum(reduced, keepdim=True) / (n * std)
            push = weighted.sum(reduced, keepdim=True) / n
            dz, dalpha = -(weighted * std), 2 * t * (wide - shift / slope)
        offset = pull * mean - push
        dx = g * (leak + (1 - leak) * s) + slope * t - pull * wide + offset
        return dx.to(x.dtype), dz.sum_to_size(z.shape), dalpha.sum_to_size(slope.shape), None
