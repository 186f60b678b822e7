"""Integrated gradients and conductance of a layer, by captum.

Legend of shapes: B batch, F columns, N outputs of the layer.
"""

from torch import Tensor, nn

__all__ = ["conductance", "integrated_gradients"]


def integrated_gradients(model: nn.Module, layer: nn.Module, x: Tensor, baseline: Tensor, **options: int) -> Tensor:
    """Integrate the gradient along the line from the layer's values at the baseline to those at x.

    Source: Sundararajan, Taly and Yan, "Axiomatic attribution for deep networks", arXiv 1703.01365, equation 1, with
    the layer's values in place of the input; the integral is a Gauss-Legendre sum.

    Args:
        model: Maps (B, F) to (B,).
        layer: Module of the model; (B, N).
        x: (B, F).
        baseline: (B, F).
        **options: `n_steps` and `internal_batch_size` of captum.

    Returns:
        (B, N)
    """
    from captum.attr import LayerIntegratedGradients

    return LayerIntegratedGradients(model, layer).attribute(x, baseline, **options)  # type: ignore[call-overload]


def conductance(model: nn.Module, layer: nn.Module, x: Tensor, baseline: Tensor, **options: int) -> Tensor:
    """Integrate the gradient with respect to a layer along the way that the layer takes as the input goes to x.

    Source: Dhamdhere, Sundararajan and Yan, "How important is a neuron?", arXiv 1805.12233, equation 2. captum sums
    the gradient at the beginning of each step, whose error falls with the number of steps; the mean with the way
    back, which takes the gradients at the ends, is the trapezoid rule, whose error falls with its square.

    Args:
        model: Maps (B, F) to (B,).
        layer: Module of the model; (B, N).
        x: (B, F).
        baseline: (B, F).
        **options: `n_steps` and `internal_batch_size` of captum.

    Returns:
        (B, N)
    """
    from captum.attr import LayerConductance

    # Steps that include both ends: without them the first and the last piece of the way are lost.
    rule = LayerConductance(model, layer)
    there = rule.attribute(x, baseline, method="riemann_trapezoid", **options)  # type: ignore[call-overload]
    back = rule.attribute(baseline, x, method="riemann_trapezoid", **options)  # type: ignore[call-overload]
    return (there - back) / 2
