"""Forward and backward of every activation beside torch's ReLU, SiLU and GELU, in the same run.

    python benchmarks/activations.py [--only ash swish] [--compile] [--quick] [--memory fresh] [--device cuda]

The floor of an activation's step is its memory traffic: forward reads x and writes y, backward reads x and the
incoming gradient and writes its own, that is five values per element (20 bytes in float32, 10 in bfloat16). The
column "x floor" is the time over that of the same bytes at the bandwidth of a plain copy measured in this run;
below 1 the tensors stayed in a cache.

On CPU, memory decides as much as arithmetic: --memory fresh returns large tensors to the system after use (as
a network does whose activations exceed what the allocator holds back), --memory kept hands them out again.
With --depth k the activation is applied k times in a row and the time divided by k.
"""

import argparse
import inspect
import time
from collections.abc import Callable

import torch
from _timing import interleaved_medians, machine, measured_bandwidth, set_memory_reuse
from axonlight import activations
from axonlight.activations._ash_function import composed_ash
from axonlight.activations.statistics import sample_statistics
from torch import Tensor, nn

SHAPES = ((64, 64, 32, 32), (1024, 256))
QUICK_SHAPES = ((16, 16, 32, 32), (256, 256))
VALUES_MOVED = 5
REFERENCES = {"ReLU": nn.ReLU, "SiLU": nn.SiLU, "GELU": nn.GELU}


class ComposedASH(activations.ASH):
    """ASH from plain operators: what its analytic gradient saves."""

    def forward(self, x: Tensor, mask: Tensor | None = None, batch: Tensor | None = None) -> Tensor:
        """Gate x by operators that autograd differentiates one by one."""
        mean, std = sample_statistics(x, self.dims, eps=self.eps)
        return composed_ash(x, mean + self.z * std, self.alpha)


def public_activations(width: int) -> dict[str, Callable[[], nn.Module]]:
    """Return a factory for each public activation class."""
    factories: dict[str, Callable[[], nn.Module]] = {}
    for name in activations.__all__:
        kind = getattr(activations, name)
        if not inspect.isclass(kind) or not issubclass(kind, activations.Activation):
            continue
        if kind is activations.Activation:
            continue
        if name == "Formula":
            factories["Formula x*cos(a*x)"] = lambda kind=kind: kind("x*cos(a*x)")
        elif "num_features" in inspect.signature(kind).parameters:
            factories[name] = lambda kind=kind: kind(num_features=width)
        else:
            factories[name] = kind
    factories["ASH composed"] = ComposedASH
    factories["ASH per unit"] = lambda: activations.ASH(num_parameters=width)
    return factories


def step(module: nn.Module, x: Tensor, g: Tensor, depth: int) -> Callable[[], None]:
    """Return a forward and backward pass from clean gradients."""
    parameters = list(module.parameters())

    def run() -> None:
        for tensor in (x, *parameters):
            tensor.grad = None
        y = x
        for _ in range(depth):
            y = module(y)
        y.backward(g)

    return run


def compare(
    shape: tuple[int, ...], dtype: torch.dtype, compiled: bool, options: argparse.Namespace, bandwidth: float
) -> None:
    """Time one shape and type, and print its table."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(shape, generator=generator).to(options.device, dtype).requires_grad_()
    g = torch.randn(shape, generator=generator).to(options.device, dtype)
    functions = {}
    for name, factory in {**REFERENCES, **public_activations(shape[1])}.items():
        wanted = not options.only or any(text.lower() in name.lower() for text in options.only)
        if name not in REFERENCES and not wanted:
            continue
        try:
            module = factory().to(options.device, dtype)
            run = step(torch.compile(module) if compiled else module, x, g, options.depth)
            run()
        except Exception as error:
            print(f"  {name}: left out, {str(error).splitlines()[0]}")
            continue
        functions[name] = run
    if compiled:
        functions["SiLU eager"] = step(nn.SiLU(), x, g, options.depth)
    clock = time.thread_time if options.clock == "cpu" else time.perf_counter
    medians = interleaved_medians(functions, options.rounds, options.device, clock=clock)
    reference = medians["SiLU eager" if compiled else "SiLU"]
    moved = VALUES_MOVED * x.element_size()
    floor = moved * x.numel() / bandwidth
    print(
        f"\n{shape} {str(dtype).removeprefix('torch.')}, {'compiled' if compiled else 'eager'}, depth {options.depth}; "
        f"floor {moved} bytes per element = {floor * 1e3:.2f} ms"
    )
    print(f"  {'activation':<22}{'ms':>9}{'x eager SiLU':>14}{'x floor':>9}")
    for name, seconds in medians.items():
        seconds /= options.depth
        ratio = seconds * options.depth / reference
        print(f"  {name:<22}{seconds * 1e3:>9.3f}{ratio:>14.2f}{seconds / floor:>9.2f}")


def main() -> None:
    """Read the options and print a table per shape, type and way of running."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="activations whose name contains one of these")
    parser.add_argument("--quick", action="store_true", help="small shapes and few rounds")
    parser.add_argument("--compile", action="store_true", help="also compiled (some seconds per activation)")
    parser.add_argument("--memory", choices=("system", "fresh", "kept"), default="system", help="see above")
    parser.add_argument("--depth", type=int, default=1, help="applications in a row")
    parser.add_argument("--rounds", type=int, help="samples per activation (default 15; 5 with --quick)")
    parser.add_argument(
        "--clock", choices=("wall", "cpu"), default="wall", help="cpu: time of one thread, for a busy machine"
    )
    parser.add_argument("--threads", type=int, help="processor threads")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    options = parser.parse_args()
    options.rounds = options.rounds or (5 if options.quick else 15)
    if options.threads or options.clock == "cpu":
        torch.set_num_threads(options.threads if options.clock == "wall" else 1)
    if options.memory != "system":
        set_memory_reuse(options.memory == "kept")
    bandwidth = measured_bandwidth(options.device)
    print(f"{machine(options.device)}, memory {options.memory}, copy {bandwidth / 1e9:.1f} GB/s")
    # Every module here shares a few forward methods, each compiled once per module, shape and type.
    torch._dynamo.config.recompile_limit = 256
    for compiled in (False, True) if options.compile else (False,):
        for shape in QUICK_SHAPES if options.quick else SHAPES:
            for dtype in (torch.float32, torch.bfloat16):
                compare(shape, dtype, compiled, options, bandwidth)


if __name__ == "__main__":
    main()
