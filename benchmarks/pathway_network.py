"""A training step of a PathwayNetwork beside its own layers in a torch.nn.Sequential, in the same run.

    python benchmarks/pathway_network.py [--threads 1] [--rounds 15] [--batch 64 512]

The sizes are those of the septic kidney proteomes, 449-446-285-116-28 with 2,609, 448, 285 and 117 edges drawn at
random; batch norm, tanh, one output. One step is forward, loss and backward.

    network         PathwayNetwork
    sequential      EdgeLinear, torch.nn.BatchNorm1d, Tanh of each layer, and the head
    products        the EdgeLinear layers alone, each with an input in the layout of an earlier sparse layer

All functions run in turns (see _timing.py); the numbers are medians in milliseconds, and their ratio.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from _timing import interleaved_medians, machine
from axonlight.models import EdgeLinear, PathwayNetwork
from axonlight.structures import Hierarchy
from torch import nn

SIZES, EDGES = (449, 446, 285, 116, 28), (2609, 448, 285, 117)


def random_hierarchy() -> Hierarchy:
    rng = np.random.default_rng(0)
    blocks = []
    for place, number in enumerate(EDGES):
        pairs = rng.choice(SIZES[place] * SIZES[place + 1], number, replace=False)
        blocks.append((place, place + 1, np.stack(np.divmod(pairs, SIZES[place + 1]))))
    nodes = tuple(tuple(f"{layer}.{node}" for node in range(size)) for layer, size in enumerate(SIZES))
    return Hierarchy(("features", "level_4", "level_3", "level_2", "level_1"), nodes, tuple(blocks))


def bare_layers(network: PathwayNetwork) -> nn.Sequential:
    modules: list[nn.Module] = []
    for layer in network.pathway_layers:
        linear = layer.linear
        modules.append(EdgeLinear(linear.edges, linear.in_features, linear.out_features))
        modules += [nn.BatchNorm1d(linear.out_features), nn.Tanh()]
    return nn.Sequential(*modules, nn.Linear(SIZES[-1], 1))


def training_step(network: nn.Module, batch: int) -> Callable[[], None]:
    x, target = torch.randn(batch, SIZES[0]), torch.rand(batch, 1)

    def step() -> None:
        nn.functional.binary_cross_entropy_with_logits(network(x), target).backward()

    return step


def products_step(layers: list[EdgeLinear], batch: int) -> Callable[[], None]:
    inputs = [torch.randn(layer.in_features, batch).t().requires_grad_(place > 0) for place, layer in enumerate(layers)]
    gradients = [torch.randn(layer.out_features, batch).t() for layer in layers]

    def step() -> None:
        for layer, x, gradient in zip(layers, inputs, gradients, strict=True):
            layer(x).backward(gradient)

    return step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--batch", type=int, nargs="+", default=[64, 512])
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    network = PathwayNetwork(SIZES[0], 1, random_hierarchy(), dropout=0.0)
    bare = bare_layers(network)
    products = [module for module in bare if isinstance(module, EdgeLinear)]
    # of one thread only its own time counts, whoever else is running
    clock = time.thread_time if arguments.threads == 1 else time.perf_counter
    print(machine())
    print(f"{'batch':>5}  {'network':>8}  {'sequential':>10}  {'products':>8}  network / sequential")
    for batch in arguments.batch:
        steps = {
            "network": training_step(network, batch),
            "sequential": training_step(bare, batch),
            "products": products_step(products, batch),
        }
        seconds = interleaved_medians(steps, rounds=arguments.rounds, clock=clock)
        ms = {name: 1e3 * value for name, value in seconds.items()}
        ratio = ms["network"] / ms["sequential"]
        print(f"{batch:>5}  {ms['network']:>8.2f}  {ms['sequential']:>10.2f}  {ms['products']:>8.2f}  {ratio:.2f}")


if __name__ == "__main__":
    main()
