"""What the two processes of test_processes.py do: every scenario once, its results in files for the tests to read."""

import os
import traceback
from pathlib import Path

import torch
from axonlight.callbacks import Optogenetics
from axonlight.datamodules import InMemoryLoader
from axonlight.stimulation import Clock, Conductor
from lab import BATCH, PULSED, SILENCE, LabTask, data_of, fitted, network_of
from lightning.pytorch import seed_everything
from lightning.pytorch.strategies import DDPStrategy, ModelParallelStrategy
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

__all__ = ["DDP", "SHARDED", "alone", "in_parts", "rank_of_two", "stimulated_shards"]

DRIVE = {"target": "activation", "opsin": {"kind": "drive", "amount": 1.0}}
# Under the trainer, by name.
DDP = {
    "pulsed head": [PULSED],
    "whole layer from the second step on": [{"target": "hidden", "opsin": "silence", "light": {"window": [1, None]}}],
    "drawn for every sample": [SILENCE | {"light": {"probability": 0.5}}, DRIVE | {"light": {"probability": 0.3}}],
    "trigger on the loss": [
        SILENCE | {"light": {"closed_loop": {"kind": "trigger", "sensor": "loss", "below": 1.08, "hold": 2}}}
    ],
    "controller on a site": [
        DRIVE
        | {"light": {"closed_loop": {"kind": "pi", "sensor": "statistic:hidden:mean", "setpoint": 0.3, "kp": 2.0}}}
    ],
    "trigger on a metric": [
        SILENCE
        | {"light": {"closed_loop": {"kind": "trigger", "sensor": "metric:train/loss", "below": 1.08, "hold": 1}}}
    ],
    "frozen head": [SILENCE | {"light": {"window": [2, None]}, "optimizer": "freeze"}],
}
SHARDED = {
    "pulsed head": [PULSED],
    "outputs and inputs of sharded layers": [
        {"target": "hidden", "opsin": "silence", "light": {"pulse": {"period": 2, "width": 1}}},
        {"target": "readout:input", "opsin": {"kind": "drive", "amount": 1.0}, "gradient": "pass"},
    ],
}


def result_of(task, callback):
    return {
        "losses": task.losses,
        "gradients": task.gradients,
        "weights": {name: whole(value) for name, value in task.network.state_dict().items()},
        "silent": [not gradients["heads.0.weight"].any() for gradients in task.gradients],
        "record": callback.conductor.record.to_dict(),
    }


def whole(value):
    return value.full_tensor() if hasattr(value, "full_tensor") else value.clone()


def trained(folder, protocol, task=None, **options):
    """Train under the trainer in double precision; every process sees rows of its own."""
    seed_everything(1, verbose=False)
    callback = Optogenetics(protocol)
    task = task or LabTask(network_of(dtype=torch.float64), torch.optim.AdamW)
    fitted(folder, protocol=callback, task=task, **options)
    return result_of(task, callback)


def alone(folder, protocol, **options):
    """Return what one process finds."""
    return trained(folder, protocol, **options)


def dealt_out(rank):
    """Return a loader of every second row, as samplers deal them out."""
    rows = TensorDataset(*data_of(torch.float64))
    sampler = DistributedSampler(rows, num_replicas=2, rank=rank, shuffle=False)
    return DataLoader(rows, BATCH // 2, sampler=sampler)


def in_parts(rank=0, world_size=1):
    """Return a loader of consecutive parts of global batches."""
    return InMemoryLoader(data_of(torch.float64), BATCH, shuffle=True, rank=rank, world_size=world_size)


class ShardedTask(LabTask):
    """The network is sharded in `configure_model`, which runs after the callbacks' `setup`."""

    def configure_model(self):
        sharded(self.network, self.device_mesh["data_parallel"])

    def on_before_optimizer_step(self, optimizer):
        self.gradients.append({name: whole(p.grad) for name, p in self.network.named_parameters()})


def sharded(network, mesh):
    for layer in (*network.heads, network.hidden, network.readout):
        fully_shard(layer, mesh=mesh)
    fully_shard(network, mesh=mesh)


def stimulated_shards(rank, protocol, hooks_first, steps=6):
    """Train sharded layers by hand; hooks before or after sharding, or without sharding where `hooks_first` is None."""
    network = network_of(dtype=torch.float64)
    conductor = Conductor(protocol, network)
    if hooks_first in (True, None):
        conductor.install()
    if hooks_first is not None:
        sharded(network, init_device_mesh("cpu", (2,)))
    conductor.install()
    optimizer, (x, y) = torch.optim.SGD(network.parameters(), lr=0.1), data_of(torch.float64)
    mine = slice(rank, None, 2) if hooks_first is not None else slice(None)
    losses = []
    for step in range(steps):
        conductor.begin(Clock(step=step), {"input": x[mine], "target": y[mine]})
        loss = torch.nn.functional.cross_entropy(network(x[mine]), y[mine])
        optimizer.zero_grad()
        loss.backward()
        conductor.end()
        optimizer.step()
        losses.append(loss.item())
    conductor.remove()
    return {"losses": losses, "weights": {name: whole(value) for name, value in network.state_dict().items()}}


def scenarios(rank, folder):
    """Yield the name and the function of everything that two processes do."""
    half = {"loader": dealt_out(rank), "devices": 2, "use_distributed_sampler": False}
    for name, protocol in DDP.items():
        yield (
            f"ddp {name}",
            lambda p=protocol: trained(folder, p, strategy=DDPStrategy(process_group_backend="gloo"), **half),
        )
    for name, protocol in SHARDED.items():
        for first in (True, False):
            yield f"shards {name} {first}", lambda p=protocol, f=first: stimulated_shards(rank, p, f)
    parts = half | {"loader": in_parts(rank, 2), "strategy": DDPStrategy(process_group_backend="gloo")}
    yield "parts", lambda: trained(folder, DDP["drawn for every sample"], **parts)
    task = ShardedTask(network_of(dtype=torch.float64), torch.optim.AdamW)
    strategy = ModelParallelStrategy(data_parallel_size=2, tensor_parallel_size=1, process_group_backend="gloo")
    yield "trainer shards", lambda: trained(folder, [PULSED], task, strategy=strategy, **half)


def rank_of_two(rank, folder, port):
    """Do everything as one of two processes."""
    os.environ |= {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": "2",
        "LOCAL_RANK": str(rank),
        "NODE_RANK": "0",
    }
    folder = Path(folder)
    for name, scenario in scenarios(rank, folder):
        try:
            result = scenario()
        except Exception:
            result = {"error": traceback.format_exc()}
        torch.save(result, folder / f"{name}.{rank}.pt")
    # Ending in the ordinary way can deadlock: the group's thread wants the interpreter, which waits for that thread.
    os._exit(0)
