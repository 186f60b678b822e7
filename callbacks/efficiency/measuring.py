"""What a network costs: parameters, operations, time, memory.

Shapes: B rows of a batch.
"""

import statistics
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from ...errors import InputError
from ...models import EdgeLinear, HeadOutputs
from ..doctor.buffers import Buffers

__all__ = ["Latency", "NetworkCost", "measure_network"]


@dataclass(frozen=True)
class Latency:
    """Seconds of a forward pass: median and quartiles of the repeats.

    Example:
        >>> Latency(1, 2e-4, 1.9e-4, 2.2e-4).text
        '0.200 ms (0.190 to 0.220)'
    """

    rows: int
    median: float
    lower: float
    upper: float

    @property
    def text(self) -> str:
        """In milliseconds."""
        return f"{1e3 * self.median:.3f} ms ({1e3 * self.lower:.3f} to {1e3 * self.upper:.3f})"


@dataclass(frozen=True)
class NetworkCost:
    """What a network costs.

    Attributes:
        network: Name of its class.
        parameters: Number of parameters; a sparse layer has as many as it has edges.
        trainable: Those of them that are trained.
        flops_per_row: Floating-point operations of a forward pass per row, in matrix products, convolutions and
            attention (a multiplication and an addition are two), as torch counts them; a sparse layer is counted by its
            edges, whichever kernel runs. Elementwise operations, activations among them, are not counted.
        latencies: Of a single row and of a batch, in evaluation mode, without gradients.
        inference_bytes: Largest memory of tensors that a forward pass allocates on a batch, beside weights and input.
        training_bytes: The same of a forward and backward pass in training mode, gradients included; no optimizer.
        device: What it was measured on.

    Example:
        >>> cost = measure_network(nn.Linear(54, 1), [torch.zeros(8, 54)], repeats=1)
        >>> cost.parameters, cost.flops_per_row, [latency.rows for latency in cost.latencies]
        (55, 108.0, [1, 8])
    """

    network: str
    parameters: int
    trainable: int
    flops_per_row: float
    latencies: tuple[Latency, ...]
    inference_bytes: int
    training_bytes: int
    device: str


def measure_network(
    network: nn.Module, inputs: Sequence[Any], *, warmup: int = 10, repeats: int = 50, precision: Any = None
) -> NetworkCost:
    """Measure a network where it is; weights, gradients, buffers and random numbers stay as they were.

    Args:
        network: The network.
        inputs: What it is called with, rows in dimension 0 of every tensor.
        warmup: Passes before the clock starts; a compiled network compiles in them.
        repeats: Passes that are timed, one by one.
        precision: Makes the context of each pass, such as autocast; None: none.

    Raises:
        InputError: If `repeats` is not positive, or the inputs hold no row.

    Example:
        >>> measure_network(nn.Linear(3, 2), [torch.zeros(4, 3)], repeats=1).inference_bytes
        32
    """
    if repeats < 1 or warmup < 0:
        raise InputError(f"warmup is {warmup} and repeats is {repeats}; at least 0 and 1 are needed")
    inputs = [value.detach().clone() if isinstance(value, Tensor) else value for value in inputs]
    rows = next((len(value) for value in inputs if isinstance(value, Tensor) and value.dim()), 0)
    if not rows:
        raise InputError("the inputs of the network hold no row; give a batch")
    buffers, was_training = Buffers(), network.training
    buffers.save(network)
    device = next((value.device for value in inputs if isinstance(value, Tensor)), torch.device("cpu"))
    context = precision or _nothing
    try:
        with torch.random.fork_rng(), torch.no_grad():
            network.eval()
            flops = _flops(network, inputs, context) / rows
            latencies = tuple(
                _latency(network, _first(inputs, count), count, device, warmup, repeats, context)
                for count in sorted({1, rows})
            )
            inference = _peak(lambda: network(*inputs), device, context)
            network.train()
            training = _peak(lambda: _gradients(network, inputs), device, context) if rows > 1 else 0
    finally:
        network.train(was_training)
        buffers.restore()
    values = list(network.parameters())
    return NetworkCost(
        network=type(network).__name__,
        parameters=sum(value.numel() for value in values),
        trainable=sum(value.numel() for value in values if value.requires_grad),
        flops_per_row=flops,
        latencies=latencies,
        inference_bytes=inference,
        training_bytes=training,
        device=_device_name(device),
    )


@contextmanager
def _nothing() -> Iterator[None]:
    yield


def _first(inputs: Sequence[Any], rows: int) -> list[Any]:
    return [value[:rows] if isinstance(value, Tensor) and value.dim() else value for value in inputs]


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type}, {torch.get_num_threads()} threads"


def _flops(network: nn.Module, inputs: Sequence[Any], context: Any) -> float:
    """Return the operations of a pass; those of sparse layers by their edges."""
    counter, before, corrections = FlopCounterMode(display=False), [0], [0]

    def enter(module: nn.Module, arguments: Any) -> None:
        before[0] = counter.get_total_flops()

    def leave(module: Any, arguments: Any, y: Tensor) -> None:
        outputs = module.out_features * (module.channels or 1)
        corrections[0] += 2 * module.weight.numel() * y.numel() // outputs - (counter.get_total_flops() - before[0])

    sparse = [module for module in network.modules() if isinstance(module, EdgeLinear)]
    handles = [handle for module in sparse for handle in _around(module, enter, leave)]
    try:
        with torch.compiler.set_stance("force_eager"), context(), counter:
            network(*inputs)
    finally:
        for handle in handles:
            handle.remove()
    return counter.get_total_flops() + corrections[0]


def _around(module: nn.Module, enter: Callable, leave: Callable) -> list[Any]:
    return [module.register_forward_pre_hook(enter), module.register_forward_hook(leave)]


def _latency(
    network: nn.Module,
    inputs: Sequence[Any],
    rows: int,
    device: torch.device,
    warmup: int,
    repeats: int,
    context: Any,
) -> Latency:
    seconds = []
    for repeat in range(-warmup, repeats):
        _wait(device)
        started = time.perf_counter()
        with context():
            network(*inputs)
        _wait(device)
        if repeat >= 0:
            seconds.append(time.perf_counter() - started)
    lower, middle, upper = statistics.quantiles(seconds, n=4, method="inclusive") if repeats > 1 else seconds * 3
    return Latency(rows, middle, lower, upper)


def _wait(device: torch.device) -> None:
    if device.type != "cpu":
        torch.accelerator.synchronize(device)


def _gradients(network: nn.Module, inputs: Sequence[Any]) -> Any:
    with torch.enable_grad():
        outputs = network(*inputs)
        heads = outputs.outputs if isinstance(outputs, HeadOutputs) else [outputs]
        total = torch.stack([head.float().sum() for head in heads]).sum()
        trained = [value for value in network.parameters() if value.requires_grad]
        return torch.autograd.grad(total, trained, allow_unused=True) if trained else None


def _peak(run: Callable[[], Any], device: torch.device, context: Any) -> int:
    """Return the most memory that tensors take at a time, less what was taken before."""
    if device.type == "cuda":
        _wait(device)
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        with context():
            run()
        _wait(device)
        return torch.cuda.max_memory_allocated(device) - before
    with torch.compiler.set_stance("force_eager"), context(), _Allocations() as allocations:
        run()
    return allocations.peak


class _Allocations(TorchDispatchMode):
    """Counts the bytes of tensors that operators make, until they are freed."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._known: weakref.WeakSet[Any] = weakref.WeakSet()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = set(_storages((args, kwargs)))
        out = func(*args, **(kwargs or {}))
        for storage in _storages(out):
            if storage not in given and storage not in self._known:
                self._take(storage)
        return out

    def _take(self, storage: Any) -> None:
        size = storage.nbytes()
        self.now += size
        self.peak = max(self.peak, self.now)
        self._known.add(storage)
        weakref.finalize(storage, self._free, size)

    def _free(self, size: int) -> None:
        self.now -= size


def _storages(values: Any) -> Iterator[Any]:
    for value in tree_leaves(values):
        if not isinstance(value, Tensor):
            continue
        if value.layout == torch.strided:
            yield value.untyped_storage()
        elif value.layout == torch.sparse_csr:
            yield from (part.untyped_storage() for part in (value.crow_indices(), value.col_indices(), value.values()))
