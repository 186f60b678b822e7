"""How far ASH is from a Swish with a constant bias, by a formula and in trained networks.

ASH is x * sigmoid(2 alpha (x - t)) with the threshold t = mu + z sigma of the sample; with a constant t it is a Swish
with a bias. Shapes: N samples, U units of a sample.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from axonlight.activations import ASH
from axonlight.comparison.runs.build import build_run
from torch import Tensor, nn

__all__ = ["Degeneration", "distance_of_independent_units", "distance_to_swish", "measure_degeneration"]

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(200)


def distance_of_independent_units(units: int, z: float = 0.0, alpha: float = 1.0) -> float:
    """Return the distance of ASH from Swish with threshold z, for U independent standard normal units, to first order.

    The mean of a sample then has variance 1/U and its standard deviation variance 1/(2 U) around 1, so the threshold
    has variance (1 + z^2 / 2) / U around z; ASH differs by that times its slope in t. Both are integrated over x, and
    the distance is the root mean square of the difference over that of Swish.
    """
    gate = 1 / (1 + np.exp(-2 * alpha * (NODES - z)))
    slope = 2 * alpha * NODES * gate * (1 - gate)
    moment = [float(WEIGHTS @ values**2) for values in (slope, NODES * gate)]
    return math.sqrt((1 + z * z / 2) / units * moment[0] / moment[1])


def distance_to_swish(activation: ASH, x: Tensor) -> tuple[float, float, float]:
    """Return how far ASH of x (N, ...) is from a Swish with one constant threshold.

    Returns:
        Mean of the threshold over samples, its standard deviation, and the root mean square of ASH minus the Swish with
        the mean threshold, over that of ASH.
    """
    with torch.no_grad():
        x = x.double()
        units = tuple(range(1, x.dim()))
        sigma = (x.var(units, correction=0) + activation.eps).sqrt()
        threshold = x.mean(units) + activation.z.item() * sigma
        swish = x * torch.sigmoid(2 * activation.alpha.item() * (x - threshold.mean()))
        out = activation(x)
        distance = (out - swish).square().mean().sqrt() / out.square().mean().sqrt()
    return float(threshold.mean()), float(threshold.std(correction=0)), float(distance)


@dataclass(frozen=True)
class Degeneration:
    """One ASH of one trained network on its test rows.

    Attributes:
        layer: Number of the activation within the network, from 1.
        units: Entries of a sample that share its statistics.
        z: Learned threshold in standard deviations.
        alpha: Learned steepness.
        threshold: Mean of mu + z sigma over test rows.
        spread: Its standard deviation over test rows.
        distance: See `distance_to_swish`.
    """

    layer: int
    units: int
    z: float
    alpha: float
    threshold: float
    spread: float
    distance: float


def measure_degeneration(recipe: Mapping[str, Any]) -> list[Degeneration]:
    """Train the network of a recipe as its study did, and compare each ASH with a Swish on the test rows."""
    run = build_run(recipe)
    run.trainer(run.callbacks).fit(run.task, datamodule=run.data)
    network: nn.Module = run.task.network.eval()
    gates = [module for module in network.modules() if isinstance(module, ASH)]
    seen: dict[ASH, list[Tensor]] = {gate: [] for gate in gates}
    hooks = [gate.register_forward_pre_hook(lambda gate, given: seen[gate].append(given[0])) for gate in gates]
    with torch.no_grad():
        for x, _ in run.data.test_dataloader():
            network(x)
    for hook in hooks:
        hook.remove()
    found = []
    for number, gate in enumerate(gates, start=1):
        x = torch.cat(seen[gate])
        values = gate.z.item(), gate.alpha.item(), *distance_to_swish(gate, x)
        found.append(Degeneration(number, x[0].numel(), *values))
    return found
