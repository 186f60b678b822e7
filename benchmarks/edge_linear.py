"""A training step of EdgeLinear beside four other ways to write a layer with few edges, in the same run.

    python benchmarks/edge_linear.py [--threads 1 2] [--rounds 15] [--dtype float64] [--quick]
    python benchmarks/edge_linear.py --grid   # many sizes, densities, batches: automatic choice against masked dense
    python benchmarks/edge_linear.py --device cuda [--grid]   # with the kernels for GPUs; fills models/layers/choice.py

One step is forward and backward with the gradients of the input, the values and the bias; the input is a contiguous
leaf (B, I). "no dx" leaves the input's gradient out, as in the first layer of a network; "inner" reads a feature-major
input that an earlier sparse layer made, as in all others.

    masked dense    linear(x, weight * mask): what pathway packages do
    scatter         the values of the edges written into a dense matrix at every step
    COO, CSR        a sparse tensor of the values at every step, torch's own derivatives
    EdgeLinear      the automatic choice, then its kernels

Beside each layer stand two floors. Arithmetic: three products of 2 operations per edge and sample, at the rate that a
dense product of this run reaches. Traffic: input, output and both gradients read or written once, at the bandwidth of
a plain copy of this run. "MB" is the most memory that a step holds at once on top of what exists before it.

All functions run in turns (see _timing.py). "ms" is the median; "best" is the fastest sample, for a busy machine:
with two threads a neighbour on one core stops both. `--threads 1 --clock cpu` counts the processor's time instead.
"""

import argparse
import itertools
import time
from collections import Counter
from collections.abc import Callable

import torch
from _timing import interleaved_samples, machine, measured_bandwidth
from axonlight.models import EdgeLinear
from torch import Tensor, nn
from torch.profiler import profile

LAYERS = (
    (9229, 1387, 20_000, (10, 64, 512)),
    (1387, 1066, 1_400, (10, 64, 512)),
    (449, 446, 2_609, (10, 64, 512)),
)
QUICK_LAYERS = ((1387, 1066, 1_400, (10,)), (449, 446, 2_609, (10, 64)))
GRID_SIZES = ((28, 1), (116, 28), (285, 116), (446, 285), (449, 446), (1387, 1066), (2000, 500))
GRID_DENSITIES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.2, 0.4, 1.0)
GRID_SIZES_OF_GPUS = ((9229, 1387), (20_000, 2000))
GRID_BATCHES = (1, 10, 64, 512)
SLOWEST_ALLOWED = 1.2
CLOCKS = {"wall": time.perf_counter, "cpu": time.thread_time}
KERNELS = {"cpu": ("bag", "csr", "gather", "dense"), "cuda": ("bag", "csr", "gather", "triton", "dense")}
# Kernels between which the automatic choice has to decide.
GRID_KERNELS = {"cpu": ("bag", "dense"), "cuda": ("csr", "gather", "triton", "dense")}


class MaskedDense(nn.Module):
    """A dense weight, multiplied by its mask at every step."""

    def __init__(self, layer: EdgeLinear) -> None:
        super().__init__()
        self.weight = nn.Parameter(layer.dense_weight().detach())
        self.bias = nn.Parameter(layer.bias.detach().clone())
        self.register_buffer("mask", torch.zeros_like(self.weight))
        self.mask[layer.edges[1], layer.edges[0]] = 1

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, I) to (B, O)."""
        return nn.functional.linear(x, self.weight * self.mask, self.bias)


class FromValues(nn.Module):
    """A matrix made of the edges' values at every step, by torch's own operators."""

    def __init__(self, layer: EdgeLinear, kind: str) -> None:
        super().__init__()
        order = torch.argsort(layer.edges[1] * layer.in_features + layer.edges[0])
        source, target = layer.edges[:, order]
        self.values = nn.Parameter(layer.weight.detach()[order])
        self.bias = nn.Parameter(layer.bias.detach().clone())
        self.kind, self.size = kind, (layer.out_features, layer.in_features)
        self.register_buffer("place", torch.stack([target, source]))
        self.register_buffer("source", source)
        self.register_buffer("pointer", layer.structure.output_pointer.long())

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, I) to (B, O)."""
        if self.kind == "scatter":
            matrix = self.values.new_zeros(self.size).index_put((self.place[0], self.place[1]), self.values)
            return nn.functional.linear(x, matrix, self.bias)
        if self.kind == "COO":
            options = {"check_invariants": False, "is_coalesced": True}
            matrix = torch.sparse_coo_tensor(self.place, self.values, self.size, **options)
        else:
            parts = (self.pointer, self.source, self.values)
            matrix = torch.sparse_csr_tensor(*parts, self.size, check_invariants=False)
        return torch.sparse.mm(matrix, x.t()).t() + self.bias


def random_layer(inputs: int, outputs: int, count: int, backend: str, options: argparse.Namespace) -> EdgeLinear:
    """Return a layer with edges drawn at random, sorted by output."""
    chosen = torch.randperm(inputs * outputs, generator=torch.Generator().manual_seed(0))[:count].sort().values
    edges = torch.stack([chosen % inputs, chosen // inputs])
    torch.manual_seed(0)
    return EdgeLinear(edges, inputs, outputs, backend=backend, dtype=options.dtype, device=options.device)


def step(module: nn.Module, x: Tensor, g: Tensor) -> Callable[[], None]:
    """Return a forward and backward pass that starts and ends without gradients."""
    parameters = list(module.parameters())

    def run() -> None:
        module(x).backward(g)
        for tensor in (x, *parameters):
            tensor.grad = None

    return run


def inner_step(module: nn.Module, x: Tensor, g: Tensor) -> Callable[[], None]:
    """Return the step of a layer between two sparse ones: input and gradients lie feature-major."""
    inner, gradient = x.detach().t().contiguous().t().requires_grad_(), g.t().contiguous().t()
    wanted = (inner, *module.parameters())
    return lambda: torch.autograd.grad(module(inner), wanted, gradient)


def peak_bytes(run: Callable[[], None], device: str) -> int:
    """Return the most memory that a step holds at once on top of what exists before it."""
    run()
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        run()
        return torch.cuda.max_memory_allocated() - before
    with profile(profile_memory=True) as record:
        run()
    events = [event for event in record.profiler.kineto_results.events() if event.name() == "[memory]"]
    sizes = (event.nbytes() for event in sorted(events, key=lambda event: event.start_ns()))
    return max(itertools.accumulate(sizes, initial=0))


def arithmetic_rate(options: argparse.Namespace) -> float:
    """Return operations per second of a dense product."""
    a = torch.randn(1024, 1024, dtype=options.dtype, device=options.device)
    return 2 * 1024**3 / min(interleaved_samples({"product": lambda: a @ a}, 5, options.device)["product"])


def compare(inputs: int, outputs: int, count: int, batch: int, options: argparse.Namespace) -> None:
    """Time one layer and batch, and print its table."""
    layers: dict[str, nn.Module] = {
        f"EdgeLinear {backend}": random_layer(inputs, outputs, count, backend, options)
        for backend in ("auto", *KERNELS[options.kind])
    }
    ours = layers["EdgeLinear auto"]
    others: dict[str, nn.Module] = {"masked dense": MaskedDense(ours)}
    others |= {kind: FromValues(ours, kind) for kind in ("scatter", "COO", "CSR")}
    x = torch.randn(batch, inputs, dtype=options.dtype, device=options.device, requires_grad=True)
    g = torch.randn(batch, outputs, dtype=options.dtype, device=options.device)
    functions = {name: step(module, x, g) for name, module in (others | layers).items()}
    for name in ("masked dense", "EdgeLinear auto"):
        module = (others | layers)[name]
        functions[f"{name}, no dx"] = step(module, x.detach(), g)
        functions[f"{name}, inner"] = inner_step(module, x, g)
    samples = interleaved_samples(functions, options.rounds, options.device, clock=CLOCKS[options.clock])
    arithmetic = 6 * count * batch / options.rate
    traffic = 2 * (inputs + outputs) * batch * x.element_size() / options.bandwidth
    print(
        f"\n{inputs} -> {outputs}, {count} edges ({count / inputs / outputs:.2%}), batch {batch}; automatic: "
        f"{ours.chosen_backend(batch, options.kind)}; floors: arithmetic {arithmetic * 1e3:.3f} ms, traffic "
        f"{traffic * 1e3:.3f} ms"
    )
    print(f"  {'':<24}{'ms':>9}{'best':>9}{'masked / this':>15}{'best / best':>13}{'MB':>8}")
    for name, run in functions.items():
        masked = "masked dense" + name[name.index(",") :] if "," in name else "masked dense"
        median, best = samples[name][len(samples[name]) // 2], samples[name][0]
        ratio, best_ratio = samples[masked][len(samples[masked]) // 2] / median, samples[masked][0] / best
        megabytes = peak_bytes(run, options.device) / 1e6
        print(f"  {name:<24}{median * 1e3:>9.3f}{best * 1e3:>9.3f}{ratio:>15.2f}{best_ratio:>13.2f}{megabytes:>8.2f}")


def grid(options: argparse.Namespace) -> None:
    """Time the automatic choice, its kernels and masked dense everywhere; print what the choice costs."""
    kernels = GRID_KERNELS[options.kind]
    columns = "".join(f"{name:>9}" for name in kernels)
    print(f"  {'layer':<14}{'edges':>9}{'batch':>6}{'masked ms':>11}{columns}{'auto / masked':>15}{'auto / best':>13}")
    ratios, losses, fastest = [], [], Counter()
    sizes = GRID_SIZES if options.kind == "cpu" else (*GRID_SIZES, *GRID_SIZES_OF_GPUS)
    for (inputs, outputs), density, batch in itertools.product(sizes, GRID_DENSITIES, GRID_BATCHES):
        count = round(inputs * outputs * density)
        if count < outputs / 4:
            continue
        layers = {name: random_layer(inputs, outputs, count, name, options) for name in ("auto", *kernels)}
        chosen = layers["auto"].chosen_backend(batch, options.kind)
        times = grid_times(layers, batch, options)
        best = min(kernels, key=times.__getitem__)
        fastest[best] += 1
        ratios.append(times["auto"] / times["masked"])
        losses.append(times["auto"] / times[best])
        figures = "".join(f"{times[name] * 1e3:>9.3f}" for name in kernels)
        print(
            f"  {f'{inputs} {outputs}':<14}{count:>9}{batch:>6}{times['masked'] * 1e3:>11.3f}{figures}"
            f"{ratios[-1]:>15.2f}{losses[-1]:>13.2f}  {chosen}{'  SLOW' if ratios[-1] > SLOWEST_ALLOWED else ''}",
            flush=True,
        )
    slow = sum(ratio > SLOWEST_ALLOWED for ratio in ratios)
    print(f"{slow} of {len(ratios)} take over {SLOWEST_ALLOWED} times as long as masked dense; worst {max(ratios):.2f}")
    print(f"fastest kernel: {dict(fastest)}; the choice takes up to {max(losses):.2f} times as long as the fastest")


def grid_times(layers: dict[str, EdgeLinear], batch: int, options: argparse.Namespace) -> dict[str, float]:
    """Return seconds per step of each layer and of masked dense: the lower quartile, for a busy machine."""
    some = layers["auto"]
    x = torch.randn(batch, some.in_features, dtype=options.dtype, device=options.device, requires_grad=True)
    g = torch.randn(batch, some.out_features, dtype=options.dtype, device=options.device)
    functions = {name: step(layer, x, g) for name, layer in layers.items()}
    functions["masked"] = step(MaskedDense(some), x, g)
    samples = interleaved_samples(functions, options.rounds, options.device, 4e-3, CLOCKS[options.clock])
    return {name: values[len(values) // 4] for name, values in samples.items()}


def main() -> None:
    """Read the options and print a table per number of threads, layer and batch."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--threads", type=int, nargs="+", default=[1, 2], help="processor threads, one table each (not for GPUs)"
    )
    parser.add_argument("--rounds", type=int, default=15, help="samples per function")
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    parser.add_argument("--quick", action="store_true", help="the small layers only")
    parser.add_argument("--grid", action="store_true", help="check the automatic choice instead")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall", help="cpu: processor time, for one thread")
    options = parser.parse_args()
    if options.clock == "cpu" and (options.threads != [1] or options.device != "cpu"):
        parser.error("--clock cpu counts one thread of a processor: add --threads 1")
    options.dtype = getattr(torch, options.dtype)
    options.kind = torch.device(options.device).type
    for threads in options.threads if options.kind == "cpu" else [torch.get_num_threads()]:
        torch.set_num_threads(threads)
        options.bandwidth, options.rate = measured_bandwidth(options.device), arithmetic_rate(options)
        print(
            f"\n{machine(options.device)}, {options.dtype}, copy {options.bandwidth / 1e9:.1f} GB/s, dense product "
            f"{options.rate / 1e9:.0f} GFLOP/s"
        )
        if options.grid:
            grid(options)
            continue
        for inputs, outputs, count, batches in QUICK_LAYERS if options.quick else LAYERS:
            for batch in batches:
                compare(inputs, outputs, count, batch, options)


if __name__ == "__main__":
    main()
