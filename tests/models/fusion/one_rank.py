"""What one process of test_processes.py does: distributed steps over its own patients, the result in a file.

python one_rank.py RANK PORT FOLDER; the test itself imports `steps` to do all patients in one process.
"""

import importlib.util
import os
import sys
from pathlib import Path

import torch
from torch import distributed as dist
from torch.nn.parallel import DistributedDataParallel

specification = importlib.util.spec_from_file_location("fusion_inputs", Path(__file__).with_name("conftest.py"))
small = importlib.util.module_from_spec(specification)
specification.loader.exec_module(small)

# The first process has patients without any patch, the second one large bags: 0, 0 | 30, 12.
SIZES, PRESENT = (0, 0, 30, 12), ((1, 0, 1), (1, 0, 0), (0, 1, 1), (1, 1, 1))
STEPS = 2


def part(inputs, ranks):
    """Return the inputs of two patients per rank."""
    first, last = 2 * ranks[0], 2 * ranks[-1] + 2
    start, end = inputs.pointers[[first, last]].tolist()
    rows = slice(first, last)
    pointers = inputs.pointers[first : last + 1] - start
    return type(inputs)(inputs.rna[rows], inputs.bags[start:end], pointers, inputs.clinical[rows], inputs.present[rows])


def steps(name, ranks, wrap=lambda module: module):
    """Return the gradients of every step."""
    network = small.network_of(name, dropout=0.0, checkpoint_patches=8) if name in small.SEEING else None
    network = (small.network_of(name, dropout=0.0) if network is None else network).double()
    inputs = part(small.inputs_of(SIZES, PRESENT, dtype=torch.float64), ranks)
    target = torch.linspace(-1, 1, 16, dtype=torch.float64).view(4, 4)[2 * ranks[0] : 2 * ranks[-1] + 2]
    wrapped, optimizer = wrap(network), torch.optim.SGD(network.parameters(), lr=0.05)
    found = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        (wrapped(inputs) - target).square().mean().backward()
        found.append({key: parameter.grad.clone() for key, parameter in network.named_parameters()})
        optimizer.step()
    return found


if __name__ == "__main__":
    rank, port, folder = int(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    dist.init_process_group("gloo", rank=rank, world_size=2)
    torch.save({name: steps(name, [rank], DistributedDataParallel) for name in small.NETWORKS}, folder / f"{rank}.pt")
    dist.barrier()
    # Ending in the ordinary way can deadlock: the group's thread wants the interpreter, which waits for that thread.
    os._exit(0)
