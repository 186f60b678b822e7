"""What one process of test_processes.py does: a distributed backward pass over its own bags, the result in a file.

python one_of_two.py RANK PORT FOLDER; the test itself imports `steps` and `by_trainer` to do all bags in one process.
"""

import os
import sys
from pathlib import Path

import torch
from axonlight.callbacks import KMeansPrototypes, PrototypeWatch
from axonlight.models import PrototypeEncoder, auxiliary_losses, pack
from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from lightning.pytorch.strategies import DDPStrategy
from torch import distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader

RULES = ("cosine", "sinkhorn", "gaussian_mixture", "slot", "student_t")
SIZES = (9, 2, 0, 30)  # the first two belong to rank 0
STEPS = 3


class Regression(nn.Module):
    """Tokens to one number per patient; the loss is the mean over patients plus all penalties."""

    def __init__(self, rule):
        super().__init__()
        self.slides = PrototypeEncoder(6, 5, 3, rule, diversity=0.3, usage=0.2, sharpening=0.1, checkpoint_patches=8)
        self.head = nn.Linear(15, 1)

    def forward(self, bags, target):
        loss = (self.head(self.slides(bags).flatten(1))[:, 0] - target).square().mean()
        return loss + sum(auxiliary_losses(self).values())


def steps(rule, mine, wrap=lambda module: module):
    """Return gradients of every step and the usage counted in all."""
    torch.manual_seed(5)
    module = Regression(rule).double()
    bags = [torch.randn(size, 6, dtype=torch.float64) for size in SIZES]
    target = torch.randn(len(SIZES), dtype=torch.float64)
    wrapped, optimizer = wrap(module), torch.optim.SGD(module.parameters(), lr=0.05)
    found = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        wrapped(pack(bags[mine]), target[mine]).backward()
        found.append({name: parameter.grad.clone() for name, parameter in module.named_parameters()})
        optimizer.step()
    return {"gradients": found, "usage": module.slides.take_usage()}


class Task(LightningModule):
    """The same network under the trainer, whose weights stay as they start."""

    def __init__(self):
        super().__init__()
        self.network = Regression("cosine").double()

    def training_step(self, batch, batch_idx):
        return self.network(*batch)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.0)


class Bags(LightningDataModule):
    """One batch: the patients of this process."""

    def __init__(self, mine):
        super().__init__()
        self.mine = mine

    def train_dataloader(self):
        torch.manual_seed(7)
        bags = [torch.randn(size, 6, dtype=torch.float64) for size in SIZES]
        target = torch.zeros(len(SIZES), dtype=torch.float64)
        return DataLoader([(pack(bags[self.mine]), target[self.mine])], batch_size=None)


def trained(mine, folder, *callbacks, **options):
    """Return prototypes and logged figures of an epoch."""
    torch.manual_seed(5)
    task = Task()
    trainer = Trainer(
        max_epochs=1, accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False,
        enable_checkpointing=False, callbacks=list(callbacks), default_root_dir=folder, **options,
    )  # fmt: skip
    trainer.fit(task, datamodule=Bags(mine))
    figures = {name: value.item() for name, value in trainer.callback_metrics.items()}
    return {"prototypes": task.network.slides.prototypes.detach().clone(), "figures": figures}


def by_trainer(mine, folder, options=dict):
    """Return what both callbacks make of a run; `options` are called for every trainer."""
    started = trained(mine, folder, KMeansPrototypes(seed=2), **options())
    watched = trained(mine, folder, PrototypeWatch(), **options())
    return {"started": started["prototypes"], "figures": watched["figures"]}


def distributed():
    strategy = DDPStrategy(process_group_backend="gloo")
    return {"devices": 2, "strategy": strategy, "use_distributed_sampler": False}


if __name__ == "__main__":
    rank, port, folder = int(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    places = {"WORLD_SIZE": "2", "LOCAL_RANK": str(rank), "NODE_RANK": "0"}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, **places}
    dist.init_process_group("gloo", rank=rank, world_size=2)
    mine = slice(2 * rank, 2 * rank + 2)
    results = {rule: steps(rule, mine, DistributedDataParallel) for rule in RULES}
    results["trainer"] = by_trainer(mine, folder, distributed)
    torch.save(results, folder / f"{rank}.pt")
    dist.barrier()
    # Ending in the ordinary way can deadlock: the group's thread wants the interpreter, which waits for that thread.
    os._exit(0)
