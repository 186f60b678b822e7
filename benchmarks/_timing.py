"""Timings that share a machine fairly: what is compared runs in turns, and medians are reported."""

import ctypes
import statistics
import sys
import time
from collections.abc import Callable, Mapping

import torch

__all__ = ["interleaved_medians", "interleaved_samples", "machine", "measured_bandwidth", "set_memory_reuse"]


def _waiter(device: str) -> Callable[[], None]:
    return torch.cuda.synchronize if device.startswith("cuda") else lambda: None


def set_memory_reuse(kept: bool) -> None:
    """Fix what glibc does with freed tensors of 4 MiB and more; left alone, it depends on what ran before.

    kept: they are handed out again, as in a loop over one operator. Not kept: they go back to the system and the
    next tensor pays for fresh pages, as in a network whose activations are more than the allocator holds back.
    """
    if not sys.platform.startswith("linux"):
        raise SystemExit("--memory needs Linux with glibc; leave it out here")
    trim_threshold, mmap_threshold = -1, -3  # names in malloc.h
    mallopt = ctypes.CDLL(None).mallopt
    mallopt(mmap_threshold, 32 << 20 if kept else 4 << 20)
    mallopt(trim_threshold, 2**31 - 1 if kept else 8 << 20)


def interleaved_medians(
    functions: Mapping[str, Callable[[], object]],
    rounds: int = 15,
    device: str = "cpu",
    sample_seconds: float = 2e-2,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """Return the median seconds per call of each function, see `interleaved_samples`."""
    samples = interleaved_samples(functions, rounds, device, sample_seconds, clock)
    return {name: statistics.median(values) for name, values in samples.items()}


def interleaved_samples(
    functions: Mapping[str, Callable[[], object]],
    rounds: int = 15,
    device: str = "cpu",
    sample_seconds: float = 2e-2,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Return seconds per call of each function, one sample per round, the fastest first.

    Every round calls every function once (so often in a row that a sample lasts `sample_seconds`): what else
    the machine does in the meantime hits all of them alike, and their ratios stay meaningful. With one thread,
    `clock=time.thread_time` counts the processor's time for this thread alone, whoever else is running.
    """
    wait = _waiter(device)
    repeats, samples = {}, {name: [] for name in functions}

    def seconds(function: Callable[[], object], calls: int) -> float:
        wait()
        start = clock()
        for _ in range(calls):
            function()
        wait()
        return (clock() - start) / calls

    for name, function in functions.items():
        function()
        repeats[name] = max(1, round(sample_seconds / max(seconds(function, 2), 1e-7)))
    for _ in range(rounds):
        for name, function in functions.items():
            samples[name].append(seconds(function, repeats[name]))
    return {name: sorted(values) for name, values in samples.items()}


def measured_bandwidth(device: str = "cpu", megabytes: int = 256) -> float:
    """Return bytes per second of a copy that does not fit any cache (one read and one write per byte)."""
    source = torch.zeros(megabytes << 18, device=device)
    target = torch.zeros_like(source)
    seconds = interleaved_medians({"copy": lambda: target.copy_(source)}, rounds=5, device=device)["copy"]
    return 2 * source.numel() * source.element_size() / seconds


def machine(device: str = "cpu") -> str:
    """Say in a line what was measured on."""
    name = torch.cuda.get_device_name() if device.startswith("cuda") else torch.backends.cpu.get_cpu_capability()
    return f"torch {torch.__version__}, {device} ({name}), {torch.get_num_threads()} threads"
