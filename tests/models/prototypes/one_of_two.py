"""What one process of test_processes.py does: a distributed backward pass over its own bags, the result in a file.

python one_of_two.py RANK PORT FOLDER, or no arguments to do all bags in one process.
"""

import os
import sys
from pathlib import Path

import torch
from axonlight.models import PrototypeEncoder, auxiliary_losses, pack
from torch import distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

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


if __name__ == "__main__":
    rank, port, folder = int(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    dist.init_process_group("gloo", rank=rank, world_size=2)
    mine = slice(2 * rank, 2 * rank + 2)
    torch.save({rule: steps(rule, mine, DistributedDataParallel) for rule in RULES}, folder / f"{rank}.pt")
    dist.barrier()
    # Ending in the ordinary way can deadlock: the group's thread wants the interpreter, which waits for that thread.
    os._exit(0)
