"""What a stimulus costs a training step: ours off, lit and pulsing, bare hooks, and three other libraries.

    python benchmarks/interventions.py [--quick] [--place units|heads] [--compile] [--rounds 60] [--clock cpu]

A pre-norm transformer (attention with 8 heads, hidden layer of 4 widths), forward and backward on one thread. Everybody
does the same on the same network with the same weights, at every block: half of the hidden units ("units", the widest
tensor) or of the heads ("heads", their outputs before the projection) are set to 0. The parties:

- plain: nothing installed; every other figure is a ratio to it.
- stimulus off, on, pulsing: one `Conductor` with a pulse of period 2 and width 1, `begin` before every step. Off stays
  at a dark step, on at a lit one, pulsing counts the steps.
- bare hook: `torch.where` with a fixed mask in a forward hook; it cannot be switched.
- registered anew: that hook, registered before every step and removed after it: the usual way to switch one.
- TransformerLens: HookPoints at the places, `run_with_hooks`, clone and write a slice.
- nnsight: `trace` of the same network, clone and write a slice.
- pyvene: `IntervenableModel` with a function per block that multiplies by a fixed mask; its call runs one forward.

The three libraries appear where they are installed (pip install transformer-lens nnsight pyvene). Compiled, only what
stays in one graph is compared. In each round every party runs right beside the plain step, in changing order; a ratio
is the median over rounds of those pairs, with its quartiles.
"""

import argparse
import importlib.metadata
import importlib.util
import statistics
import time
from collections.abc import Callable, Mapping

import torch
from _interventions_network import PLACES, Transformer, bare_hook
from _interventions_peers import nnsight_step, pyvene_step, transformer_lens_step
from _timing import machine
from axonlight.stimulation import Clock, Conductor, Protocol
from torch import Tensor, nn

SHAPES = ((32, 5, 64, 2), (8, 32, 128, 4))  # samples, positions, width, layers
AIMS = {
    "eager": {"stimulus off": 1.02, "stimulus on": 1.06, "stimulus pulsing": 1.06},
    "compiled": {"stimulus off": 1.06, "stimulus on": 1.06, "stimulus pulsing": 1.06},
}
LIBRARIES = {"transformer-lens": transformer_lens_step, "nnsight": nnsight_step, "pyvene": pyvene_step}
Step = Callable[[], object]


def train_step(forward: Callable[[Tensor], Tensor], network: nn.Module, x: Tensor) -> Step:
    """Return a forward and backward pass from clean gradients."""
    parameters = list(network.parameters())

    def step() -> None:
        for parameter in parameters:
            parameter.grad = None
        # not Tensor.backward: nnsight replaces it for the whole process
        torch.autograd.backward(forward(x).square().mean())

    return step


def stimulated_steps(network: Transformer, place: str, x: Tensor, compiled: bool) -> dict[str, Step]:
    """Return the step in the dark, lit and pulsing: one network, one conductor, one graph."""
    target = {"site": f"blocks.*.{place}", PLACES[place]: list(range(network.count(place) // 2))}
    protocol = Protocol.build([{"target": target, "opsin": "silence", "light": {"pulse": {"period": 2, "width": 1}}}])
    conductor = Conductor(protocol, network, seed=0)
    conductor.install()
    bare = train_step(torch.compile(network) if compiled else network, network, x)
    batch = {"input": x}
    steps = iter(range(2**62))

    def at(clock_of: Callable[[], int]) -> Step:
        def step() -> None:
            conductor.begin(Clock(step=clock_of()), batch)
            bare()
            conductor.end()

        return step

    return {
        "stimulus off": at(lambda: 1),
        "stimulus on": at(lambda: 0),
        "stimulus pulsing": at(lambda: next(steps)),
    }


def hooked_steps(network: Transformer, place: str, x: Tensor, compiled: bool) -> dict[str, Step]:
    """Return the step with a bare hook."""
    hook, modules = bare_hook(network, place), network.places(place)
    for module in modules:
        module.register_forward_hook(hook)
    return {"bare hook": train_step(torch.compile(network) if compiled else network, network, x)}


def rehooked_steps(network: Transformer, place: str, x: Tensor) -> dict[str, Step]:
    """Return the step with hooks that are registered before it and removed after it."""
    hook, modules, bare = bare_hook(network, place), network.places(place), train_step(network, network, x)

    def step() -> None:
        handles = [module.register_forward_hook(hook) for module in modules]
        bare()
        for handle in handles:
            handle.remove()

    return {"registered anew": step}


def parties(shape: tuple[int, ...], place: str, compiled: bool, device: str) -> dict[str, Step]:
    """Return the steps to compare, by name, the plain one first."""
    batch, positions, width, layers = shape
    x = torch.randn(batch, positions, width, generator=torch.Generator().manual_seed(1)).to(device)

    def network(**options: Callable[..., nn.Module]) -> Transformer:
        torch.manual_seed(0)
        return Transformer(width, layers, **options).to(device)

    plain = network()
    steps = {"plain": train_step(torch.compile(plain) if compiled else plain, plain, x)}
    steps |= stimulated_steps(network(), place, x, compiled) | hooked_steps(network(), place, x, compiled)
    if not compiled:
        steps |= rehooked_steps(network(), place, x)
        for name, build in LIBRARIES.items():
            try:
                forward, modules = build(network, place)
            except ImportError as error:
                print(f"  {name} left out: {error}")
                continue
            steps[name] = train_step(forward, modules, x)
    return steps


def paired_ratios(steps: Mapping[str, Step], rounds: int, clock: Callable[[], float], device: str) -> dict[str, list]:
    """Return (seconds of the plain step, seconds of the party) of every round, by party."""
    wait = torch.cuda.synchronize if device.startswith("cuda") else lambda: None
    plain, order = steps["plain"], [name for name in steps if name != "plain"]
    repeats = max(2, round(2e-2 / seconds(plain, 3, clock, wait)) // 2 * 2)
    pairs: dict[str, list] = {name: [] for name in order}
    for number in range(rounds):
        for name in order if number % 2 else reversed(order):
            direction = -1 if number % 4 < 2 else 1
            found = [seconds(step, repeats, clock, wait) for step in (plain, steps[name])[::direction]]
            pairs[name].append(tuple(found[::direction]))
    return pairs


def seconds(step: Step, repeats: int, clock: Callable[[], float], wait: Callable[[], object]) -> float:
    """Return seconds per step."""
    wait()
    start = clock()
    for _ in range(repeats):
        step()
    wait()
    return (clock() - start) / repeats


def report(pairs: Mapping[str, list], aims: Mapping[str, float]) -> None:
    """Print milliseconds and ratios to the plain step."""
    plain = statistics.median(pair[0] for found in pairs.values() for pair in found)
    print(f"  {'':<18}{'ms':>9}{'x plain':>9}  quartiles      aim")
    print(f"  {'plain':<18}{plain * 1e3:>9.3f}{1:>9.3f}")
    for name, found in pairs.items():
        ratios = [party / bare for bare, party in found]
        low, middle, high = statistics.quantiles(ratios, n=4)
        aim = f"<= {aims[name]:.2f} {'reached' if middle <= aims[name] else 'MISSED'}" if name in aims else ""
        milliseconds = statistics.median(party for _, party in found) * 1e3
        print(f"  {name:<18}{milliseconds:>9.3f}{middle:>9.3f}  {low:.3f}-{high:.3f}    {aim}")


def compare(shape: tuple[int, ...], way: str, options: argparse.Namespace) -> None:
    """Time one shape in one way of running, and print its table."""
    batch, positions, width, layers = shape
    print(f"\n{batch} samples x {positions} positions x {width}, {layers} layers, {options.place}, {way}")
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    steps = parties(shape, options.place, way == "compiled", options.device)
    graphs = {}
    for name, step in steps.items():
        before = torch._dynamo.utils.counters["stats"]["unique_graphs"]
        for _ in range(4):
            step()
        graphs[name] = torch._dynamo.utils.counters["stats"]["unique_graphs"] - before
    clock = time.thread_time if options.clock == "cpu" else time.perf_counter
    before = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    report(paired_ratios(steps, options.rounds, clock, options.device), AIMS[way])
    if way == "compiled":
        ours = sum(count for name, count in graphs.items() if name.startswith("stimulus"))
        later = torch._dynamo.utils.counters["stats"]["unique_graphs"] - before
        print(f"  graphs: plain {graphs['plain']}, stimulus off + on + pulsing {ours}, compiled while timing {later}")


def main() -> None:
    """Read the options and print a table per shape and way of running."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the small shape and few rounds")
    parser.add_argument("--place", choices=tuple(PLACES), default="units", help="what is set to 0")
    parser.add_argument("--compile", action="store_true", help="also compiled (a minute or two)")
    parser.add_argument("--rounds", type=int, help="pairs per party (default 60; 10 with --quick)")
    parser.add_argument(
        "--clock", choices=("wall", "cpu"), default="wall", help="cpu: time of one thread, for a busy machine"
    )
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    options = parser.parse_args()
    options.rounds = options.rounds or (10 if options.quick else 60)
    torch.set_num_threads(1)
    installed = [name for name in LIBRARIES if importlib.util.find_spec(name.replace("-", "_"))]
    versions = [f"{name} {importlib.metadata.version(name)}" for name in installed]
    print(", ".join([machine(options.device), *versions]))
    for way in ("eager", "compiled") if options.compile else ("eager",):
        for shape in SHAPES[:1] if options.quick else SHAPES:
            compare(shape, way, options)


if __name__ == "__main__":
    main()
