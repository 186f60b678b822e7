"""DeepLIFT by captum, with the rescale rule for every elementwise activation.

Legend of shapes: B batch, F columns, N outputs of a layer; the network sees 2B rows, x above the baselines.
"""

from collections.abc import Collection
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

__all__ = ["deep_lift", "rescale"]


def deep_lift(
    model: nn.Module, layer: nn.Module, x: Tensor, baseline: Tensor, rescaled: Collection[nn.Module]
) -> Tensor:
    """Return multiplier times difference for each output of a layer.

    Every activation's derivative is replaced by the slope between its two values (the rescale rule); all else must
    be linear, as `rescaled_modules` makes sure.

    Source: Shrikumar, Greenside and Kundaje, "Learning important features through propagating activation
    differences", arXiv 1704.02685, section 3.5.1.

    Args:
        model: Maps (B, F) to (B,).
        layer: Module of the model; (B, N).
        x: (B, F).
        baseline: (B, F).
        rescaled: The activations.

    Returns:
        (B, N)
    """
    from captum.attr import LayerDeepLift

    class RescalingDeepLift(LayerDeepLift):
        """captum's, but which modules are scaled is decided by what they do, not by their type."""

        def _register_hooks(self, module: nn.Module, attribute_to_layer_input: bool = True) -> None:
            if module in rescaled and module is not self.layer:
                self.forward_handles.extend(rescale(module))

    return RescalingDeepLift(model, layer).attribute(x, baseline)  # type: ignore[return-value]


def rescale(module: nn.Module) -> list[RemovableHandle]:
    """Give an elementwise module the slope between the halves of its batch as derivative, until handles are removed.

    Unlike captum's hooks these stay out of the backward pass: what else the module's input leads to, such as a
    skip connection, keeps its own gradient.

    Example:
        >>> square = nn.ReLU()
        >>> handles = rescale(square)
        >>> x = torch.tensor([[3.0], [-1.0]], requires_grad=True)
        >>> torch.autograd.grad(square(x).sum(), x)[0].tolist()
        [[0.75], [0.75]]
        >>> for handle in handles:
        ...     handle.remove()
    """
    entered: dict[str, Tensor] = {}

    def before(module: nn.Module, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        entered["x"] = arguments[0]
        entered["leaf"] = arguments[0].detach().clone().requires_grad_()
        return entered["leaf"].clone(), *arguments[1:]  # a copy, which an in-place module may write over

    def after(module: nn.Module, arguments: tuple[Any, ...], output: Tensor) -> Tensor:
        x, leaf = entered.pop("x"), entered.pop("leaf")
        slope = _slope(leaf, output)
        # The value is the output, exactly; the derivative is the slope.
        return output.detach() + slope * (x - x.detach())

    return [module.register_forward_pre_hook(before), module.register_forward_hook(after)]


def _slope(leaf: Tensor, output: Tensor) -> Tensor:
    derivative = None
    if output.requires_grad:
        (derivative,) = torch.autograd.grad(output.sum(), leaf, allow_unused=True)
    if derivative is None:  # a constant
        derivative = torch.zeros_like(leaf)
    step, rise = _difference(leaf.detach()), _difference(output.detach())
    # Where rounding of the quotient would outweigh the curvature that the derivative leaves out.
    too_small = step.abs() < torch.finfo(leaf.dtype).eps ** 0.5
    return torch.where(too_small, derivative, rise / torch.where(too_small, 1.0, step))


def _difference(values: Tensor) -> Tensor:
    upper, lower = values.chunk(2)
    return torch.cat([upper - lower] * 2)
