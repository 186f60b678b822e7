"""What `ActivationDoctor` adds to a training step.

    python benchmarks/activation_doctor.py [--quick] [--rounds 15] [--threads 1]

The same fit with and without it, held between steps and continued in turns, 100 steps at a time, so that every turn
holds one examination at the default setting. Times are those of the processor, of all threads; the median over rounds
of the ratio to the fit without it. Kinds:

    none       the fit alone
    idle       with a callback that does nothing: what Lightning takes for calling one
    watch      the default: an examination every 100 steps
    every 10   an examination every 10 steps
    skip       the default, and losses and gradients looked at before every update
"""

import argparse
import statistics
import time
from functools import partial

import torch
from _held_fit import HeldFit
from _timing import machine
from axonlight.callbacks import ActivationDoctor
from axonlight.datamodules import InMemoryLoader
from axonlight.models import ClassificationTask, DenseNetwork
from lightning.pytorch import Callback, LightningDataModule
from torch import nn

STEPS = 100


class RandomRows(LightningDataModule):
    """Rows of noise, in memory."""

    def __init__(self, *shape: int, batch: int) -> None:
        super().__init__()
        self.shape, self.batch = shape, batch

    def train_dataloader(self) -> InMemoryLoader:
        """Return ten batches of two classes."""
        x = torch.randn(10 * self.batch, *self.shape)
        return InMemoryLoader([x, (x.flatten(1)[:, 0] > 0).long()], self.batch, shuffle=True)


def convolutional(in_features: int, out_features: int) -> nn.Module:
    """Return three convolutions with batch normalisation."""
    layers: list[nn.Module] = []
    for before, after in [(3, 32), (32, 64), (64, 64)]:
        layers += [nn.Conv2d(before, after, 3, stride=2, padding=1), nn.BatchNorm2d(after), nn.SiLU()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(1024, out_features))


def networks(quick: bool) -> dict[str, tuple[partial, RandomRows]]:
    light = partial(DenseNetwork, hidden=[64, 32], dropout=0.3)
    found = {
        "54-64-32-1 ReLU, batch 1024": (partial(light, activation="relu"), RandomRows(54, batch=1024)),
        "54-64-32-1 ASH, z and alpha per unit, batch 1024": (
            partial(light, activation="ash", activation_parameters="unit"),
            RandomRows(54, batch=1024),
        ),
        "1000-1000-1000-1 SiLU, batch 256": (
            partial(DenseNetwork, hidden=[1000, 1000], activation="silu"),
            RandomRows(1000, batch=256),
        ),
        "three convolutions, 3 x 32 x 32, batch 64": (partial(convolutional), RandomRows(3, 32, 32, batch=64)),
    }
    return dict(list(found.items())[:2]) if quick else found


def kinds() -> dict[str, list[Callback]]:
    return {
        "none": [],
        "idle": [Callback()],
        "watch": [ActivationDoctor()],
        "every 10": [ActivationDoctor(every_n_steps=10)],
        "skip": [ActivationDoctor(non_finite="skip")],
    }


def measure(network: partial, data: RandomRows, rounds: int, threads: int) -> dict[str, list[float]]:
    """Return the seconds of a step of each kind, one per round."""
    fits = {}
    for name, callbacks in kinds().items():
        torch.manual_seed(0)
        fits[name] = HeldFit(ClassificationTask(network, in_features=data.shape[0]), data, threads, callbacks)
    seconds: dict[str, list[float]] = {name: [] for name in fits}
    for fit in fits.values():
        fit.steps(STEPS)
    for turn in range(rounds):
        order = list(fits.items())
        for name, fit in order[turn % len(order) :] + order[: turn % len(order)]:
            started = time.process_time()
            fit.steps(STEPS)
            seconds[name].append((time.process_time() - started) / STEPS)
    for fit in fits.values():
        fit.end()
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two networks, few rounds")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(machine())
    for title, (network, data) in networks(options.quick).items():
        seconds = measure(network, data, 5 if options.quick else options.rounds, options.threads)
        bare = seconds["none"]
        print(f"\n{title}: {1e3 * statistics.median(bare):.3f} ms a step")
        for name, values in seconds.items():
            extra = sorted(100 * (value / alone - 1) for value, alone in zip(values, bare, strict=True))
            low, high = extra[len(extra) // 4], extra[-1 - len(extra) // 4]
            print(f"  {name:<9} {statistics.median(extra):+6.2f} % of the step (quartiles {low:+.2f} to {high:+.2f})")


if __name__ == "__main__":
    main()
