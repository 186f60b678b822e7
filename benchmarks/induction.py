"""What an update of the induction-head network costs: in loops, under Lightning, and as one of many arms at once.

    python benchmarks/induction.py [--threads 1 2] [--arms 1 8 32 64] [--per-pass 8] [--rounds 12] [--quick]

The network of the study (2 layers of 8 heads, 66.6 k parameters), batches of 32 sequences of 5 tokens, each class
embedded once per update, Adam. One update is data, forward, loss, backward and optimizer. Milliseconds per update and
arm; a loop trains arms one after another, so its figure holds for any number of arms. With two threads, compiled arms
train in packs side by side, a thread each.

    eager loop        a bare loop over the network, torch.optim.Adam(fused=True)
    compiled loop     the same loop over torch.compile(network)
    Lightning         a LightningModule with nothing but a training_step, stock Trainer
    task, K = 1       InContextTask, network compiled, stock Trainer
    task, K = 16      the same with 16 updates per training step
    arms, eager       `Arms`, operations one by one
    arms, compiled    `Arms`
    arms, clamped     `Arms`, compiled, under the six protocols of the study: one union of stimuli for all arms; their
                      number is rounded up to a multiple of six
    floor             the products of an update alone, at the rate of the largest of them for 32 arms

All run in turns, a sample each per round; the fastest sample counts, the median is in brackets. Compilation (minutes
in all) is not counted.
"""

import argparse
import logging
import statistics
import time
from collections.abc import Callable, Mapping
from functools import partial
from importlib.resources import files
from typing import Any

import lightning.pytorch as pl
import torch
import yaml
from _held_fit import HeldFit
from _timing import machine, measured_bandwidth
from axonlight.datamodules import FewShotSequences
from axonlight.models import AttentionOnlyTransformer, InContextTask
from axonlight.stimulation.arms import Arms
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

RATE = 1e-4
STEP = 16  # updates of a training step with K = 16
CLAMPS = ("none", "clamp_attention", "clamp_match", "clamp_layer_1", "clamp_copy", "clamp_layer_1_and_copy")
# Makes so many updates of so many arms.
Updates = Callable[[int], object]


def bare_loop(data: FewShotSequences, compiled: bool) -> Updates:
    """Return a loop over one network."""
    network = AttentionOnlyTransformer()
    called = torch.compile(network) if compiled else network
    optimizer = torch.optim.Adam(network.parameters(), lr=RATE, fused=True)
    stream, features, size = data.stream(0), data.train_features, data.batch_size
    done = 0

    def updates(number: int) -> None:
        nonlocal done
        for update in range(done, done + number):
            exemplars, labels, target = stream.read(update * size, (update + 1) * size)
            optimizer.zero_grad()
            F.cross_entropy(called(exemplars, labels, features), target).backward()
            optimizer.step()
        done += number

    return updates


class BareModule(pl.LightningModule):
    """A network and a loss."""

    def __init__(self, features: torch.Tensor) -> None:
        super().__init__()
        self.network, self.features = AttentionOnlyTransformer(), features

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        """Return the loss."""
        exemplars, labels, target = batch
        return F.cross_entropy(self.network(exemplars, labels, self.features), target)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return the optimizer of the loops."""
        return torch.optim.Adam(self.parameters(), lr=RATE, fused=True)


def task_of(updates_per_step: int) -> InContextTask:
    """Return the task, its network compiled."""
    optimizer = partial(torch.optim.Adam, lr=RATE, fused=True)
    return InContextTask(
        lambda inputs, outputs: AttentionOnlyTransformer(inputs, outputs),
        in_features=512,
        optimizer=optimizer,
        updates_per_step=updates_per_step,
        compile_network=True,
    )


def many_arms(data: FewShotSequences, number: int, compiled: bool, per_pass: int, clamped: bool) -> Updates:
    """Return arms that train on, without evaluations."""
    names = CLAMPS if clamped else ("free",)
    protocols = {name: protocol_of(name) if clamped else None for name in names}
    seeds = range(-(-number // len(names)))
    arms = Arms(AttentionOnlyTransformer, protocols, seeds, compiled=compiled, runs_per_pass=per_pass)

    def updates(number: int) -> None:
        arms.train(data, arms.updates + number, RATE, evaluate_every={})

    return updates


def protocol_of(config: str) -> list[Any]:
    """Return the protocol of a shipped config."""
    content = yaml.safe_load((files("axonlight.configs") / "induction" / f"{config}.yaml").read_text())
    stimulators = [item for item in content["trainer"]["callbacks"] if item["class_path"] == "Optogenetics"]
    return stimulators[0]["init_args"]["protocol"]


def arithmetic(data: FewShotSequences) -> int:
    """Return the floating-point operations of the products of one update."""
    batch = data.stream(0).read(0, data.batch_size)
    network = AttentionOnlyTransformer()
    with FlopCounterMode(display=False) as counter:
        F.cross_entropy(network(batch.exemplars, batch.labels, data.train_features), batch.target).backward()
    return counter.get_total_flops()


def floor(operations: int) -> Updates:
    """Return products of the shape of the first layer's queries, keys and values, the work of 32 arms."""
    x, weight, out = torch.randn(32, 160, 64), torch.randn(32, 64, 192), torch.empty(32, 160, 192)
    repeats = max(1, round(operations / (2 * 160 * 64 * 192)))

    def updates(number: int) -> None:
        for _ in range(number * repeats):
            torch.bmm(x, weight, out=out)

    return updates


def timed(parties: Mapping[str, tuple[Updates, int]], rounds: int, seconds: float) -> dict[str, tuple[float, float]]:
    """Return the fastest and the median seconds per update and arm.

    Args:
        parties: What makes updates, and of how many arms at once.
        rounds: Samples.
        seconds: About how long a sample lasts.
    """
    numbers, samples = {}, {name: [] for name in parties}
    for name, (updates, _) in parties.items():
        updates(2 * STEP)
        start = time.perf_counter()
        updates(STEP)
        numbers[name] = STEP * max(1, round(seconds * STEP / (time.perf_counter() - start) / STEP))
    for _ in range(rounds):
        for name, (updates, arms) in parties.items():
            start = time.perf_counter()
            updates(numbers[name])
            samples[name].append((time.perf_counter() - start) / numbers[name] / arms)
    return {name: (min(values), statistics.median(values)) for name, values in samples.items()}


def in_steps(fit: HeldFit, updates_per_step: int) -> Updates:
    """Return a fit as something that makes updates."""
    return lambda number: fit.steps(number // updates_per_step)


def compare(threads: int, options: argparse.Namespace) -> None:
    """Time everything with a number of threads, and print the table."""
    torch.set_num_threads(threads)
    torch.compiler.reset()
    data = FewShotSequences()
    fits = {
        "Lightning": (HeldFit(BareModule(data.train_features), FewShotSequences(), threads), 1),
        "task, K = 1": (HeldFit(task_of(1), FewShotSequences(), threads), 1),
        "task, K = 16": (HeldFit(task_of(16), FewShotSequences(), threads), 16),
    }
    operations = arithmetic(data)
    parties: dict[str, tuple[Updates, int]] = {
        "eager loop": (bare_loop(data, compiled=False), 1),
        "compiled loop": (bare_loop(data, compiled=True), 1),
        **{name: (in_steps(fit, updates), 1) for name, (fit, updates) in fits.items()},
        "floor": (floor(operations), 32),
    }
    rows = {name: [name] * len(options.arms) for name in parties}
    for kind in ("eager", "compiled", "clamped"):
        rows[f"arms, {kind}"] = []
        for number in options.arms:
            name = f"arms, {kind}, {number}"
            rows[f"arms, {kind}"].append(name)
            per_pass = min(number, options.per_pass)
            arms = many_arms(data, number, kind != "eager", per_pass, kind == "clamped")
            whole = -(-number // len(CLAMPS)) * len(CLAMPS) if kind == "clamped" else number
            parties[name] = arms, whole
    found = timed(parties, options.rounds, options.seconds)
    for fit, _ in fits.values():
        fit.end()
    report(found, rows, threads, operations, options)


def report(
    found: Mapping[str, tuple[float, float]],
    rows: Mapping[str, list[str]],
    threads: int,
    operations: int,
    options: argparse.Namespace,
) -> None:
    """Print the table of one number of threads."""
    print(f"\n{machine()}\nmilliseconds per update and arm, by the number of arms; {options.per_pass} arms per pass")
    print(f"  {'':<16}" + "".join(f"{number:>18}" for number in options.arms))
    order = [*(name for name in rows if name != "floor"), "floor"]
    for row in order:
        values = [found[name] for name in rows[row]]
        print(f"  {row:<16}" + "".join(f"{best * 1e3:>10.3f} ({median * 1e3:5.2f})" for best, median in values))
    parameters = sum(parameter.numel() for parameter in AttentionOnlyTransformer().parameters())
    traffic = 7 * 4 * parameters  # parameters and moments are read and written, gradients read
    bandwidth = measured_bandwidth()
    rate = operations / found["floor"][0] / 1e9
    print(f"  floor: {operations / 1e6:.1f} MFLOP per arm and update at {rate:.0f} GFLOP/s")
    print(
        f"  beside it: Adam moves {traffic / 1e6:.2f} MB per arm and update, {traffic / bandwidth * 1e3:.3f} ms at "
        f"{bandwidth / 1e9:.1f} GB/s where no cache holds them"
    )
    print(f"  task, K = 16 over compiled loop: {found['task, K = 16'][0] / found['compiled loop'][0]:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--arms", type=int, nargs="+", default=[1, 8, 32, 64])
    parser.add_argument("--per-pass", type=int, default=8, help="arms that go through the network together")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=0.5, help="about how long a sample lasts")
    parser.add_argument("--quick", action="store_true", help="8 arms, one thread, 3 rounds")
    options = parser.parse_args()
    logging.getLogger("axonlight").setLevel(
        logging.ERROR
    )  # a task with a live network: its checkpoints, not written here
    if options.quick:
        options.arms, options.threads, options.rounds = [8], [1], 3
    for threads in options.threads:
        compare(threads, options)


if __name__ == "__main__":
    main()
