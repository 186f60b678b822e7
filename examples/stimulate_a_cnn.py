"""Silence channels of an ordinary convolutional network while it learns to read digits.

    python examples/stimulate_a_cnn.py

The network and the training module know nothing of axonlight: written as for torchvision, `features`, `classifier` and
all. Any module path is a site; what stimulates is the protocol and one callback. Prints the accuracy on test digits of
a network that was left alone, of one whose channels were silent throughout, and of one that only lost them in the test.
"""

import argparse
from collections.abc import Sequence

import torch
from _process import start_process
from axonlight.callbacks import Optogenetics
from lightning.pytorch import LightningModule, Trainer, seed_everything
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

__all__ = ["SILENCE", "Digits", "main"]

# Half of the channels behind the second convolution.
SILENCE = {"target": {"site": "model.features.4", "units": "0:8"}, "opsin": "silence"}


class ImageNetwork(nn.Module):
    """Two convolutions and a linear layer on images (B, 1, 8, 8)."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Conv2d(8, 16, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        self.classifier = nn.Linear(16 * 4 * 4, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (B, 10)."""
        return self.classifier(self.features(x).flatten(1))


class Digits(LightningModule):
    """A training module as anybody writes one."""

    def __init__(self) -> None:
        super().__init__()
        self.model = ImageNetwork()

    def forward(self, x: Tensor) -> Tensor:
        """Return logits."""
        return self.model(x)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        """Return the loss."""
        return nn.functional.cross_entropy(self(batch[0]), batch[1])

    def test_step(self, batch: list[Tensor], batch_idx: int) -> None:
        """Log the accuracy."""
        self.log("test/accuracy", (self(batch[0]).argmax(dim=1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return Adam."""
        return torch.optim.Adam(self.parameters(), lr=0.003)


def loaders() -> tuple[DataLoader, DataLoader]:
    """Return training rows and test rows of the digits that come with scikit-learn."""
    images, target = load_digits(return_X_y=True)
    x = torch.tensor(images, dtype=torch.float32).reshape(-1, 1, 8, 8) / 16
    y = torch.tensor(target)
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    train, test = TensorDataset(x[order[:1400]], y[order[:1400]]), TensorDataset(x[order[1400:]], y[order[1400:]])
    return DataLoader(train, batch_size=50, shuffle=True), DataLoader(test, batch_size=397)


def accuracy(seed: int, epochs: int, phases: Sequence[str]) -> float:
    """Return the accuracy on test digits of a network that was stimulated in these phases."""
    seed_everything(seed, verbose=False)
    callbacks = [Optogenetics([{**SILENCE, "phases": list(phases)}], show=False)] if phases else []
    trainer = Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        callbacks=callbacks,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    digits, (train, test) = Digits(), loaders()
    trainer.fit(digits, train)
    return trainer.test(digits, test, verbose=False)[0]["test/accuracy"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Train and test every arm."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args(arguments)
    start_process()
    arms = {"left alone": [], "silent throughout": ["train", "test"], "silent in the test": ["test"]}
    for name, phases in arms.items():
        found = [accuracy(seed, given.epochs, phases) for seed in range(given.seeds)]
        print(f"{name}: accuracy {' '.join(f'{each:.3f}' for each in found)}")


if __name__ == "__main__":
    main()
