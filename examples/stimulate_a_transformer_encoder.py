"""Stimulate torch's own transformer encoder while it learns to find the number that is nearest to the first.

    python examples/stimulate_a_transformer_encoder.py

What can be reached in `nn.TransformerEncoder`, and what cannot:

- `nn.MultiheadAttention` calls its projections as functions: `self_attn` is a site (what the attention puts out, heads
  already mixed), `self_attn.out_proj` never fires, and asking for it ends the run with that explanation. Heads and
  patterns need a network with electrodes in its attention, such as `axonlight.models.AttentionOnlyTransformer`.
- In evaluation the encoder takes a fused path that runs no module within a layer. Hooks on what lies within make it
  take the ordinary path, so that a stimulus acts in tests, too.

Prints the accuracy on new lists: left alone; without attention, throughout and in the test alone; with hidden units
driven for a while.
"""

import argparse
from collections.abc import Sequence
from typing import Any

import torch
from _process import start_process
from axonlight.callbacks import Optogenetics
from lightning.pytorch import LightningModule, Trainer, seed_everything
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

__all__ = ["DRIVEN", "SILENT", "Nearest", "main"]

# Attention puts out nothing, in all layers: every number goes on alone.
SILENT = [{"target": "model.layers.*.self_attn", "opsin": "silence", "phases": ["train", "test"]}]
# A quarter of the hidden units of the second layer get a current of one standard deviation, from step 20 to 120.
DRIVEN = [
    {
        "target": {"site": "model.layers.1.linear1", "units": "0:16"},
        "opsin": {"kind": "drive", "amount": 1.0, "unit": "sigma"},
        "light": {"window": [20, 120]},
    }
]
NUMBERS, WIDTH = 8, 32


class Nearest(LightningModule):
    """Says which of seven numbers is nearest to the one before them, by two encoder layers."""

    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(WIDTH, nhead=4, dim_feedforward=64, dropout=0.0, batch_first=True)
        self.model = nn.TransformerEncoder(layer, num_layers=2)
        self.embedding, self.readout = nn.Linear(2, WIDTH), nn.Linear(WIDTH, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (B, 7) of numbers (B, 8)."""
        is_first = (torch.arange(x.shape[1], device=x.device) == 0).to(x.dtype).expand_as(x)
        tokens = self.embedding(torch.stack([x, is_first], dim=-1))
        return self.readout(self.model(tokens))[:, 1:, 0]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        """Return the loss."""
        return nn.functional.cross_entropy(self(batch[0]), batch[1])

    def test_step(self, batch: list[Tensor], batch_idx: int) -> None:
        """Log the accuracy."""
        self.log("test/accuracy", (self(batch[0]).argmax(dim=1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return Adam."""
        return torch.optim.Adam(self.parameters(), lr=0.003)


def lists(rows: int, seed: int) -> TensorDataset:
    """Return lists of numbers, and which of them is nearest to the first."""
    x = torch.randn(rows, NUMBERS, generator=torch.Generator().manual_seed(seed))
    return TensorDataset(x, (x[:, 1:] - x[:, :1]).abs().argmin(dim=1))


def accuracy(seed: int, steps: int, protocol: list[dict[str, Any]]) -> float:
    """Return the accuracy on new lists of a network under a protocol."""
    seed_everything(seed, verbose=False)
    trainer = Trainer(
        max_steps=steps,
        accelerator="cpu",
        callbacks=[Optogenetics(protocol, show=False)] if protocol else [],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    module = Nearest()
    trainer.fit(module, DataLoader(lists(64 * steps, seed), batch_size=64))
    return trainer.test(module, DataLoader(lists(1000, -1), batch_size=1000), verbose=False)[0]["test/accuracy"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Train and test every arm."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args(arguments)
    start_process()
    arms = {
        "left alone": [],
        "attention silent": SILENT,
        "attention silent in the test": [{**SILENT[0], "phases": ["test"]}],
        "hidden units driven for a while": DRIVEN,
    }
    for name, protocol in arms.items():
        found = [accuracy(seed, given.steps, protocol) for seed in range(given.seeds)]
        print(f"{name}: accuracy {' '.join(f'{each:.3f}' for each in found)}")


if __name__ == "__main__":
    main()
