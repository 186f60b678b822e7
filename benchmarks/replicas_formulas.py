"""A training step of 100 networks with an activation of their own each, side by side and in a loop, in the same run.

    python benchmarks/replicas_formulas.py [--sizes 54-64-32-1 57-64-32-1] [--threads 2] [--rounds 5] [--quick]

Every network is linear map, batch norm, formula, dropout 0.3 for each hidden layer, and another formula: drawn from all
short ones of {x, add, sub, mul, sin, cos, abs} that pass the gate, normalised. Batch 1024, Adam; one step is forward,
loss, backward and optimizer.

    one seed     `Replicas`, all of one seed, as candidates of a search have: they share dropout masks
    own seeds    `Replicas`, each with its own seed and masks
    loop         the same networks one after the other, an optimizer each
    plain loop   the same with torch's own dropout

All run in turns (see _timing.py). "ms" is the fastest of the rounds and "median" their median, per network and step.
The last rows say what the parts cost by themselves, in the shapes of a block, by one thread: what no arrangement of
torch's operators goes below, halved where two threads share it. `--clock cpu` counts one thread's time instead.
"""

import argparse
import itertools
import statistics
from collections.abc import Callable

import torch
from _timing import interleaved_samples, machine
from axonlight.activations import Formula, build_activation
from axonlight.activations.formula.slopes import compile_slopes
from axonlight.discovery import enumerate_formulas
from axonlight.errors import InputError
from axonlight.models import DenseNetwork
from axonlight.models.layers.dropout import draw_mask
from axonlight.models.replicas import Replicas
from edge_linear import CLOCKS
from torch import Tensor, nn

__all__ = ["draw_specs", "measure"]

BATCH = 1024
DROPOUT = 0.3
Step = Callable[[], object]


def draw_specs(count: int, max_nodes: int = 7, seed: int = 0) -> list[dict[str, object]]:
    """Return specs of that many different formulas that pass the gate, normalised."""
    texts = enumerate_formulas(max_nodes)
    order = torch.randperm(len(texts), generator=torch.Generator().manual_seed(seed)).tolist()
    specs: list[dict[str, object]] = []
    for place in order:
        text = texts[place]
        spec = {"formula": text, "normalize": True}
        try:
            passed = build_activation(spec).gate().passed
        except InputError:  # the same everywhere
            continue
        specs += [spec] if passed else []
        if len(specs) == count:
            break
    return specs


def losses_of(outputs: Tensor, target: Tensor) -> Tensor:
    """Return the loss of every network, from logits (..., B, 1)."""
    logits = outputs.squeeze(-1)
    losses = nn.functional.binary_cross_entropy_with_logits(logits, target.expand(logits.shape), reduction="none")
    return losses.mean(-1)


def together(networks: list[nn.Module], seeds: list[int], x: Tensor, target: Tensor) -> Step:
    """Return a step of all side by side."""
    replicas = Replicas(networks)
    optimizer = torch.optim.Adam(replicas.parameters(), lr=1e-3)

    def step() -> None:
        optimizer.zero_grad()
        replicas.seed_step(seeds)
        replicas.backward(x, lambda outputs, places: losses_of(outputs, target))
        optimizer.step()

    return step


def loop(networks: list[nn.Module], x: Tensor, target: Tensor) -> Step:
    """Return a step of one after the other."""
    optimizers = [torch.optim.Adam(network.parameters(), lr=1e-3) for network in networks]

    def step() -> None:
        for network, optimizer in zip(networks, optimizers, strict=True):
            optimizer.zero_grad()
            losses_of(network(x), target).backward()
            optimizer.step()

    return step


def build(specs: list[dict[str, object]], sizes: list[int]) -> list[nn.Module]:
    """Return a network per spec, all of one seed."""
    networks = []
    for spec in specs:
        torch.manual_seed(0)
        networks.append(DenseNetwork(sizes[0], sizes[-1], hidden=sizes[1:-1], activation=spec, dropout=DROPOUT))
    return networks


def with_plain_dropout(networks: list[nn.Module]) -> list[nn.Module]:
    """Put torch's own dropout in place of ours."""
    for network in networks:
        for place, layer in enumerate(network.layers):
            if isinstance(layer, nn.Dropout):
                network.layers[place] = nn.Dropout(layer.p)
    return networks


def products(sizes: list[int], count: int, block: int = 16) -> Step:
    """Return the matrix products of a step of that many networks."""
    units = [torch.randn(block, size, BATCH) for size in sizes]
    weights = [torch.randn(block, high, low) for low, high in itertools.pairwise(sizes)]

    def step() -> None:
        for _ in range(count // block):
            for layer, weight in enumerate(weights):
                torch.bmm(weight, units[layer])
                torch.bmm(units[layer + 1], units[layer].mT)
                if layer:
                    torch.bmm(weight.mT, units[layer + 1])

    return step


def waves(specs: list[dict[str, object]], hidden: list[int]) -> Step:
    """Return the sines and cosines that the values and slopes of formulas take."""
    programs = [compile_slopes(Formula(str(spec["formula"])).program) for spec in specs]
    names = [name for program in programs if program for name, *_ in program.steps if name in ("sin", "cos")]
    units = [torch.randn(size, BATCH) for size in hidden]
    out = [torch.empty_like(unit) for unit in units]

    def step() -> None:
        for name in names:
            for unit, target in zip(units, out, strict=True):
                getattr(torch, name)(unit, out=target)

    return step


def masks(count: int, hidden: list[int]) -> Step:
    """Return the dropout masks of that many networks, each its own."""
    generator, out = torch.Generator(), [torch.empty(size, BATCH) for size in hidden]

    def step() -> None:
        for _ in range(count):
            for target in out:
                draw_mask(target, DROPOUT, generator)

    return step


def by_one_thread(step: Step) -> Step:
    """Return a step without threads within operations."""

    def alone() -> None:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        step()
        torch.set_num_threads(threads)

    return alone


def measure(
    sizes: list[int], count: int = 100, rounds: int = 5, clock: str = "wall"
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Return seconds per network and step of the ways to train, and of their parts, the fastest first."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(BATCH, sizes[0], generator=generator)
    target = torch.randint(0, 2, (BATCH,), generator=generator).float()
    specs = draw_specs(count)
    functions = {
        "one seed": together(build(specs, sizes), [0] * count, x, target),
        "own seeds": together(build(specs, sizes), list(range(count)), x, target),
        "loop": loop(build(specs, sizes), x, target),
        "plain loop": loop(with_plain_dropout(build(specs, sizes)), x, target),
    }
    parts = {
        "products": products(sizes, count),
        "sines and cosines": waves(specs, sizes[1:-1]),
        "own masks": masks(count, sizes[1:-1]),
    }
    both = functions | {name: by_one_thread(part) for name, part in parts.items()}
    samples = interleaved_samples(both, rounds, sample_seconds=1e-3, clock=CLOCKS[clock])
    each = {name: [seconds / count for seconds in values] for name, values in samples.items()}
    return {name: each[name] for name in functions}, {name: each[name] for name in parts}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=["54-64-32-1", "57-64-32-1"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--replicas", type=int, default=100)
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    parser.add_argument("--quick", action="store_true", help="32 replicas, 2 rounds, the first size")
    options = parser.parse_args()
    if options.quick:
        options.replicas, options.rounds, options.sizes = 32, 2, options.sizes[:1]
    torch.set_num_threads(options.threads)
    print(machine())
    for text in options.sizes:
        ways, parts = measure([int(size) for size in text.split("-")], options.replicas, options.rounds, options.clock)
        print(f"\n{options.replicas} networks {text}, batch {BATCH}, per network and step")
        print(f"  {'':<20}{'ms':>8}{'median':>8}{'one seed':>10}{'own seeds':>11}   times as fast as this row")
        for name, values in ways.items():
            ratios = [values[0] / ways[ours][0] for ours in ("one seed", "own seeds")]
            print(f"  {name:<20}{values[0] * 1e3:>8.3f}{statistics.median(values) * 1e3:>8.3f}", end="")
            print(f"{ratios[0]:>10.2f}{ratios[1]:>11.2f}")
        print("  by themselves, one thread")
        for name, values in parts.items():
            print(f"  {name:<20}{values[0] * 1e3:>8.3f}{statistics.median(values) * 1e3:>8.3f}")


if __name__ == "__main__":
    main()
