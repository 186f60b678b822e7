"""What the tests of stimulated training share: a small network with heads, a task, data, runs and a plain loop."""

import warnings

import lightning.pytorch as pl
import torch
from axonlight.callbacks import Optogenetics
from axonlight.models import Electrode
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

FEATURES, CLASSES, HEADS, WIDTH = 6, 3, 3, 4
ROWS, BATCH = 32, 8
HEAD_SITE = "mixed"
SILENCE = {"target": {"site": HEAD_SITE, "heads": [0]}, "opsin": "silence"}
PULSED = SILENCE | {"light": {"pulse": {"period": 3, "width": 2, "delay": 1}}}


class HeadNetwork(nn.Module):
    """Heads with weights of their own, mixed by two layers: (B, F) to (B, C)."""

    def __init__(self, dropout=0.0):
        super().__init__()
        self.heads = nn.ModuleList(nn.Linear(FEATURES, WIDTH) for _ in range(HEADS))
        self.mixed = Electrode("batch", "head", "unit", sizes={"head": HEADS, "unit": WIDTH})
        self.hidden, self.activation = nn.Linear(HEADS * WIDTH, 8), nn.GELU()
        self.dropout, self.readout = nn.Dropout(dropout), nn.Linear(8, CLASSES)

    def forward(self, x):
        mixed = self.mixed(torch.stack([head(x) for head in self.heads], dim=1))
        return self.readout(self.dropout(self.activation(self.hidden(mixed.flatten(1)))))


def network_of(dropout=0.0, dtype=torch.float32):
    torch.manual_seed(0)
    return HeadNetwork(dropout).to(dtype)


def data_of(dtype=torch.float32, rows=ROWS):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(rows, FEATURES, generator=generator, dtype=torch.float64)
    return x.to(dtype), (x[:, :CLASSES] + x[:, CLASSES:]).argmax(dim=1)


def loader_of(dtype=torch.float32, batch=BATCH, rows=ROWS):
    return DataLoader(TensorDataset(*data_of(dtype, rows)), batch_size=batch)


class LabTask(pl.LightningModule):
    """Classification that keeps what the tests compare: losses of every batch, gradients of every update."""

    def __init__(self, network, optimizer=torch.optim.Adam, lr=0.05, forward=None):
        super().__init__()
        self.network, self.make_optimizer, self.lr = network, optimizer, lr
        # in a tuple: a compiled network shares its parameters with the network
        self.compiled = (forward,)
        self.losses, self.gradients, self.validated, self.fail_at = [], [], [], None

    def forward(self, x):
        forward = self.compiled[0]
        return self.network(x) if forward is None else forward(x)

    def loss(self, batch):
        x, y = batch
        return nn.functional.cross_entropy(self(x), y)

    def training_step(self, batch, batch_idx):
        if self.fail_at is not None and self.global_step == self.fail_at[0]:
            raise self.fail_at[1]
        loss = self.loss(batch)
        self.log("train/loss", loss)
        self.losses.append(loss.item())
        return loss

    def on_before_optimizer_step(self, optimizer):
        self.gradients.append({name: p.grad.clone() for name, p in self.network.named_parameters()})

    def validation_step(self, batch, batch_idx):
        loss = self.loss(batch)
        self.log("val/loss", loss)
        self.validated.append(loss.item())

    def test_step(self, batch, batch_idx):
        self.log("test/loss", self.loss(batch))

    def predict_step(self, batch, batch_idx):
        return self(batch[0])

    def configure_optimizers(self):
        return self.make_optimizer(self.parameters(), lr=self.lr)


def trainer_of(folder, *callbacks, protocol=None, **options):
    """Return a silent trainer, with the protocol's callback before the others."""
    first = [] if protocol is None else [protocol if isinstance(protocol, pl.Callback) else Optogenetics(protocol)]
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "logger": False}
    settings = {"max_epochs": 2, "accelerator": "cpu", "devices": 1, "enable_checkpointing": False, **quiet, **options}
    return pl.Trainer(default_root_dir=folder, callbacks=[*first, *callbacks], **settings)


def fitted(folder, *callbacks, protocol=None, task=None, loader=None, resume=None, **options):
    """Train the task and return it."""
    task = LabTask(network_of()) if task is None else task
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # few workers, short epochs: what a test of seconds is like
        trainer = trainer_of(folder, *callbacks, protocol=protocol, **options)
        trainer.fit(task, loader or loader_of(task.network.readout.weight.dtype), ckpt_path=resume)
    return task


def plain_loop(silent, task=None, steps=8, batch=BATCH, validate=None):
    """Train without any trainer or hook: head 0 is multiplied by 0 in the steps for which `silent(step)` is true."""
    task = LabTask(network_of()) if task is None else task
    optimizer, network = task.configure_optimizers(), task.network
    x, y = data_of(network.readout.weight.dtype)
    for step in range(steps):
        rows = slice(step * batch % len(x), step * batch % len(x) + batch)
        kept = torch.ones(HEADS, 1, dtype=x.dtype)
        kept[0] = 0.0 if silent(step) else 1.0
        mixed = torch.stack([head(x[rows]) for head in network.heads], dim=1) * kept
        logits = network.readout(network.activation(network.hidden(mixed.flatten(1))))
        loss = nn.functional.cross_entropy(logits, y[rows])
        optimizer.zero_grad()
        loss.backward()
        task.losses.append(loss.item())
        task.gradients.append({name: p.grad.clone() for name, p in network.named_parameters()})
        optimizer.step()
    return task


def weights(task):
    return {name: value.clone() for name, value in task.network.state_dict().items()}


def assert_same(left, right, **tolerance):
    """Assert that two mappings of tensors hold the same names and, bit by bit unless a tolerance is given, values."""
    assert list(left) == list(right)
    for name, value in left.items():
        torch.testing.assert_close(value, right[name], msg=lambda text, n=name: f"{n}: {text}", **(tolerance or EXACT))


EXACT = {"rtol": 0.0, "atol": 0.0}
CLOSE = {"rtol": 1e-10, "atol": 1e-12}


def hooks_of(module):
    """Return every hook below a module: {(path, kind): [hook, ...]}."""
    kinds = [name for name in vars(nn.Module()) if name.endswith("_hooks")]
    found = {
        (path, kind): list(getattr(each, kind).values()) for path, each in module.named_modules() for kind in kinds
    }
    return {key: hooks for key, hooks in found.items() if hooks}
