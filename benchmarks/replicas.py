"""A training step of 100 networks as one module beside three other ways to train them, in the same run.

    python benchmarks/replicas.py --data FOLDER [--threads 1 2] [--rounds 10] [--quick] [--device cuda]

FOLDER holds the septic kidney proteomes (test_qm.csv, translation.tsv, pathways.tsv); without it a hierarchy of the
same sizes, 449-446-285-116-28 with 2,609, 448, 285 and 117 edges, is drawn at random. Every network has edges of its
own: those of the hierarchy with permuted targets, so degrees are kept. One output, batch 64, fused Adam; one step is
forward, loss, backward and optimizer.

    one seed        `Replicas`, all of one seed, as the draws of a null model have: they share dropout masks
    own seeds       `Replicas`, each with its own seed and masks
    loop            a loop over the same networks as PathwayNetwork, an optimizer each
    masked dense    a loop over networks of the same modules whose sparse layers are linear(x, weight * mask)
    vmap            the masked-dense networks stacked by `torch.func.stack_module_state`, `vmap` over them

All run in turns (see _timing.py). "ms" is the fastest of the rounds and "median" their median, for 100 networks; a
busy machine moves both, their ratios less. `--clock cpu` with one thread counts the processor's time instead.
"""

import argparse
import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from _timing import interleaved_samples, machine
from axonlight.models import PathwayNetwork
from axonlight.models.replicas import Replicas
from axonlight.structures import Hierarchy
from edge_linear import CLOCKS, MaskedDense
from pathway_network import random_hierarchy
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, stack_module_state

BATCH = 64
# The network as the design gives it, without dropout, and its bare layers.
VARIANTS = {
    "batch norm, dropout 0.2": {},
    "batch norm": {"dropout": 0.0},
    "neither": {"norm": "none", "dropout": 0.0},
}
Step = Callable[[], object]


def real_hierarchy(folder: Path) -> Hierarchy:
    """Read four levels of Reactome over the proteins of the table."""
    lines = (folder / "test_qm.csv").read_text().splitlines()[1:]
    proteins = [line.split(",")[0].strip('"') for line in lines]
    return Hierarchy.from_reactome(folder / "translation.tsv", folder / "pathways.tsv", features=proteins, levels=4)


def permuted(hierarchy: Hierarchy, seed: int) -> Hierarchy:
    """Permute the targets of every block's edges, and again those of edges that then stand twice."""
    rng = np.random.default_rng(seed)
    edges = []
    for low, high, pairs in hierarchy.edges:
        source, target = pairs[0], rng.permutation(pairs[1])
        while True:
            first = np.unique(np.stack([source, target]), axis=1, return_index=True)[1]
            repeated = np.setdiff1d(np.arange(len(source)), first)
            if not len(repeated):
                break
            for here, there in zip(repeated, rng.integers(0, len(source), len(repeated)), strict=True):
                target[[here, there]] = target[[there, here]]
        edges.append((low, high, np.stack([source, target])))
    return replace(hierarchy, edges=tuple(edges))


def losses_of(outputs: Tensor, target: Tensor) -> Tensor:
    """Return the loss of every network, from logits (..., B, 1)."""
    logits = outputs.squeeze(-1)
    losses = nn.functional.binary_cross_entropy_with_logits(logits, target.expand(logits.shape), reduction="none")
    return losses.mean(-1)


def optimizer_of(parameters: Sequence[Tensor]) -> torch.optim.Optimizer:
    return torch.optim.Adam(parameters, lr=1e-3, fused=True)


def together(replicas: Replicas, seeds: list[int], x: Tensor, target: Tensor) -> Step:
    optimizer = optimizer_of(list(replicas.parameters()))

    def step() -> None:
        optimizer.zero_grad()
        replicas.seed_step(seeds)
        replicas.backward(x, lambda outputs, places: losses_of(outputs, target))
        optimizer.step()

    return step


def loop(networks: list[nn.Module], x: Tensor, target: Tensor) -> Step:
    optimizers = [optimizer_of(list(network.parameters())) for network in networks]

    def step() -> None:
        for network, optimizer in zip(networks, optimizers, strict=True):
            optimizer.zero_grad()
            losses_of(network(x), target).backward()
            optimizer.step()

    return step


def masked(network: nn.Module) -> nn.Module:
    """Return the network with masked dense layers, and with torch's own norm and dropout."""
    network = copy.deepcopy(network)
    device = next(network.parameters()).device
    for layer in network.layers.values():
        layer.linear = MaskedDense(layer.linear)
        if isinstance(layer.norm, nn.BatchNorm1d):
            layer.norm = nn.BatchNorm1d(layer.norm.num_features, device=device)
        if isinstance(layer.dropout, nn.Dropout):
            layer.dropout = nn.Dropout(layer.dropout.p)
    return network


def vectorised(networks: list[nn.Module], x: Tensor, target: Tensor) -> Step:
    values, buffers = stack_module_state(networks)
    optimizer = optimizer_of(list(values.values()))
    skeleton = copy.deepcopy(networks[0]).to("meta")

    def loss(values: dict[str, Tensor], buffers: dict[str, Tensor]) -> Tensor:
        return losses_of(functional_call(skeleton, (values, buffers), (x,)), target)

    def step() -> None:
        gradients, _ = torch.vmap(grad_and_value(loss), randomness="different")(values, buffers)
        for name, value in values.items():
            value.grad = gradients[name]
        optimizer.step()

    return step


def compare(name: str, hierarchies: list[Hierarchy], options: argparse.Namespace) -> None:
    """Time one variant and print its table."""
    width, device = hierarchies[0].sizes[0], options.device
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(BATCH, width, generator=generator).to(device)
    target = torch.randint(0, 2, (BATCH,), generator=generator).float().to(device)

    def factory(inputs: int, outputs: int, hierarchy: Hierarchy) -> nn.Module:
        return PathwayNetwork(inputs, outputs, hierarchy, **VARIANTS[name])

    seeds = {"one seed": [0] * len(hierarchies), "own seeds": list(range(len(hierarchies)))}
    functions: dict[str, Step] = {}
    for kind, own in seeds.items():
        replicas = Replicas(factory, width, 1, hierarchies=hierarchies, seeds=own).to(device)
        functions[kind] = together(replicas, own, x, target)
    networks = [factory(width, 1, hierarchy).to(device) for hierarchy in hierarchies]
    # few of the slow ones, counted for all: a loop's time is that of its networks
    some = networks[: options.slow]
    shares = {"masked dense": len(networks) / len(some), "vmap": len(networks) / len(some)}
    functions["loop"] = loop(networks, x, target)
    functions["masked dense"] = loop([masked(network) for network in some], x, target)
    functions["vmap"] = vectorised([masked(network) for network in some], x, target)
    samples = interleaved_samples(functions, options.rounds, device, 1e-3, CLOCKS[options.clock])
    print(f"\n{len(hierarchies)} networks, {name}")
    print(f"  {'':<14}{'ms':>9}{'median':>9}{'one seed':>10}{'own seeds':>11}   times as fast as this row")
    for kind, values in samples.items():
        share = shares.get(kind, 1.0)
        best, median = share * values[0], share * values[len(values) // 2]
        ratios = [best / samples[ours][0] for ours in seeds]
        print(f"  {kind:<14}{best * 1e3:>9.1f}{median * 1e3:>9.1f}{ratios[0]:>10.2f}{ratios[1]:>11.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of the proteomes")
    parser.add_argument("--threads", type=int, nargs="+", default=[2])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--replicas", type=int, default=100)
    parser.add_argument("--slow", type=int, default=20, help="how many masked-dense networks are really run")
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--quick", action="store_true", help="20 replicas, 3 rounds, the first variant")
    options = parser.parse_args()
    if options.quick:
        options.replicas, options.rounds, options.slow = 20, 3, 5
    hierarchy = real_hierarchy(options.data) if options.data else random_hierarchy()
    hierarchies = [permuted(hierarchy, seed) for seed in range(options.replicas)]
    for threads in options.threads:
        torch.set_num_threads(threads)
        print(f"\n{machine(options.device)}; sizes {hierarchy.sizes}")
        for name in list(VARIANTS)[: 1 if options.quick else None]:
            compare(name, hierarchies, options)


if __name__ == "__main__":
    main()
