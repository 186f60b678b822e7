"""How much of an epoch is the trainer: axonlight's run against a bare PyTorch loop and a stock Lightning run.

    python benchmarks/training_epoch.py [--quick] [--epochs 40]

15,000 rows x 54 features at batch 1,024 through a 64-32 network with batch normalisation and dropout, Adam, one
thread. Epochs are timed one by one, the three kinds of run take turns, and medians are compared. The floor is the bare
loop over the same in-memory loader: forward, backward and optimizer step, nothing else.
"""

import argparse
import logging
import statistics
import tempfile
import time
from functools import partial

import torch
from axonlight.callbacks import FiniteLoss, SaveOnTermination, StepSeed
from axonlight.datamodules import InMemoryLoader
from axonlight.models import ClassificationTask, DenseNetwork
from axonlight.training.run_defaults import quieten_libraries
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.loggers import CSVLogger
from torch.utils.data import DataLoader, TensorDataset

ROWS, FEATURES, BATCH = 15_000, 54, 1_024
network = partial(DenseNetwork, hidden=[64, 32], dropout=0.3)


class EpochTimes(Callback):
    """Note how long each training epoch takes."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.started = 0.0

    def on_train_epoch_start(self, *_arguments: object) -> None:
        """Start the clock."""
        self.started = time.perf_counter()

    def on_train_epoch_end(self, *_arguments: object) -> None:
        """Stop the clock."""
        self.seconds.append(time.perf_counter() - self.started)


def in_memory() -> InMemoryLoader:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(ROWS, FEATURES, generator=generator)
    return InMemoryLoader([x, (x[:, 0] > 0).long()], BATCH, shuffle=True)


def bare_loop(epochs: int) -> list[float]:
    model, loader, seconds = network(FEATURES, 1), in_memory(), []
    optimizer = torch.optim.Adam(model.parameters())
    for epoch in range(epochs):
        started = time.perf_counter()
        loader.set_epoch(epoch)
        for x, y in loader:
            loss = torch.nn.functional.binary_cross_entropy_with_logits(model(x).squeeze(-1), y.float())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        seconds.append(time.perf_counter() - started)
    return seconds


def trained(epochs: int, stock: bool) -> list[float]:
    times = EpochTimes()
    callbacks = [times] if stock else [times, StepSeed(), FiniteLoss(), SaveOnTermination()]
    loader = in_memory()
    if stock:
        loader = DataLoader(TensorDataset(*loader.tensors), batch_size=BATCH, shuffle=True)
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            max_epochs=epochs,
            accelerator="cpu",
            callbacks=callbacks,
            logger=CSVLogger(folder),
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(ClassificationTask(network, FEATURES), loader)
    return times.seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer epochs")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    epochs = 8 if options.quick else options.epochs
    torch.set_num_threads(1)
    quieten_libraries()
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    kinds = {
        "bare PyTorch loop, in-memory loader": bare_loop,
        "axonlight (guards, seeds by step)": partial(trained, stock=False),
        "stock trainer, torch DataLoader": partial(trained, stock=True),
    }
    seconds: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(options.rounds):
        for name, kind in kinds.items():
            seconds[name] += kind(epochs)[1:]  # the first epoch warms up
    floor = statistics.median(seconds["bare PyTorch loop, in-memory loader"])
    print(f"{ROWS:,} x {FEATURES}, batch {BATCH:,}, {torch.get_num_threads()} thread, torch {torch.__version__}")
    for name, values in seconds.items():
        median = statistics.median(values)
        print(f"  {name:<38} {median * 1e3:8.1f} ms an epoch   {median / floor:5.2f} x bare")


if __name__ == "__main__":
    main()
