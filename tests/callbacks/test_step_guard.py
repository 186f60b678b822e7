"""Updates that are no number are left out: weights, optimizer, running statistics and loss are those without them."""

import sys
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
import torch
from axonlight.callbacks import ActivationDoctor, FiniteLoss
from axonlight.callbacks.doctor import gradients_of
from axonlight.callbacks.doctor.guard import holds_non_finite
from axonlight.errors import RunError
from axonlight.models import ClassificationTask, DenseNetwork
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.plugins import MixedPrecision
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

TESTS = str(Path(__file__).parents[1])
if TESTS not in sys.path:
    sys.path.append(TESTS)
import forked  # noqa: E402  (found beside conftest.py)

ADAM = partial(torch.optim.AdamW, lr=0.01, weight_decay=0.1)


def batches(bad=(), count=8, rows=8):
    """Return x and y of consecutive batches; the input of a bad one holds an infinity."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(count * rows, 5, generator=generator)
    y = (x[:, 0] > 0).long()
    for batch in bad:
        x[batch * rows + 2, 1] = torch.inf
    return x, y


def task():
    torch.manual_seed(1)
    return ClassificationTask(partial(DenseNetwork, hidden=[6], activation="relu"), in_features=5, optimizer=ADAM)


def fit(folder, module, data, *callbacks, rows=8, **options):
    trainer = Trainer(
        **{"max_epochs": 1, "accelerator": "cpu", "enable_checkpointing": False, **options},
        callbacks=list(callbacks),
        logger=CSVLogger(folder, name=None, version="run"),
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, DataLoader(TensorDataset(*data), batch_size=rows))
    return trainer


def plain_loop(network, data, left_out, rows=8, accumulate=1):
    """Train in a loop of PyTorch that never sees the batches that are left out."""
    optimizer, losses = ADAM(list(network.parameters())), []
    x, y = (part.split(rows) for part in data)
    for first in range(0, len(x), accumulate):
        batches = range(first, min(first + accumulate, len(x)))
        if left_out & set(batches):
            continue
        optimizer.zero_grad()
        for batch in batches:
            loss = F.binary_cross_entropy_with_logits(network(x[batch]).squeeze(-1), y[batch].float())
            (loss / accumulate).backward()
            losses.append(float(loss.detach()))
        optimizer.step()
    return sum(losses) / len(losses)


def state(network):
    return torch.cat([value.detach().double().flatten() for value in (*network.parameters(), *network.buffers())])


@pytest.mark.parametrize(("accumulate", "bad"), [(1, {2, 5}), (1, {0}), (2, {4}), (2, {7})])
def test_the_weights_are_those_of_a_loop_without_the_bad_batches(tmp_path, caplog, accumulate, bad):
    data, reference, module = batches(bad), task().network, task()
    loss = plain_loop(reference, data, bad, accumulate=accumulate)
    doctor = ActivationDoctor(non_finite="skip", every_n_steps=3)
    trainer = fit(tmp_path, module, data, doctor, FiniteLoss(), accumulate_grad_batches=accumulate)
    torch.testing.assert_close(state(module.network), state(reference), rtol=1e-6, atol=1e-7)
    assert float(trainer.callback_metrics["train/loss"]) == pytest.approx(loss, rel=1e-5)
    left_out = pd.read_csv(tmp_path / "run" / "activation_doctor_left_out.csv")
    assert left_out["step"].tolist() == sorted(batch // accumulate for batch in bad)
    assert left_out["reason"].tolist() == [
        "the loss is not finite; the input batch already holds values that are not finite"
    ] * len(bad)
    assert f"step {min(bad) // accumulate} is left out" in caplog.text
    assert trainer.global_step == 8 // accumulate  # a step that is left out counts


class Exploding(LightningModule):
    """Its middle layer overflows for one batch; or the loss has a gradient that is NaN where it is 0."""

    def __init__(self, only_the_gradient=False):
        super().__init__()
        torch.manual_seed(0)
        self.network = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 1))
        self.only_the_gradient = only_the_gradient

    def forward(self, x):
        hidden = self.network[1](self.network[0](x)) * (1e38 if not self.only_the_gradient and x[0, 0] > 90 else 1)
        return self.network[2:](hidden)

    def training_step(self, batch, batch_idx=0):
        out = self(batch[0]).square().mean()
        return out + (out * 0).sqrt() if self.only_the_gradient and batch[0][0, 0] > 90 else out

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)


def exploding_data():
    x, y = batches()
    x[16:24, 0] = 100.0
    return x, y


def test_the_layer_is_named(tmp_path):
    module = Exploding()
    with pytest.raises(
        RunError, match=r"^step 2: the loss is not finite; the first layer whose output is not finite is"
    ):
        fit(tmp_path, module, exploding_data(), ActivationDoctor(non_finite="raise"))
    assert torch.isfinite(state(module)).all()
    doctor = ActivationDoctor(non_finite="skip")
    fit(tmp_path / "skip", Exploding(), exploding_data(), doctor)
    ((step, reason),) = doctor.state_dict()["left_out"]
    assert step == 2
    assert reason.startswith(
        "the loss is not finite; the first layer whose output is not finite is 'network.2 (Linear)'"
    )


def test_gradients_are_looked_at_where_the_loss_is_finite(tmp_path):
    doctor = ActivationDoctor(non_finite="skip")
    module = Exploding(only_the_gradient=True)
    fit(tmp_path, module, exploding_data(), doctor)
    assert doctor.state_dict()["left_out"] == [
        (2, "the loss is finite, but gradients are not, from 'network.4.bias' back to the input")
    ]
    assert torch.isfinite(state(module)).all()


def test_too_many_in_a_row_end_the_run(tmp_path):
    doctor = ActivationDoctor(non_finite="skip", max_skipped=3)
    with pytest.raises(
        RunError, match="3 steps in a row had to be left out; the last one because the loss is not finite"
    ):
        fit(tmp_path, task(), batches({1, 3, 4, 5, 6}), doctor)
    assert [step for step, _ in doctor.state_dict()["left_out"]] == [1, 3, 4, 5]


@pytest.mark.parametrize("fused", [False, True])
def test_a_scaler_of_mixed_precision_steps_over_it_too(tmp_path, fused):
    def mixed():
        module = task()
        module.optimizer = partial(torch.optim.Adam, lr=0.01, fused=fused)
        return module

    scaler = torch.amp.GradScaler("cpu", init_scale=64.0)
    module, bad = mixed(), {3}
    doctor = ActivationDoctor(non_finite="skip")
    fit(tmp_path, module, batches(bad), doctor, FiniteLoss(), plugins=MixedPrecision("16-mixed", "cpu", scaler))
    assert [step for step, _ in doctor.state_dict()["left_out"]] == [3]
    assert torch.isfinite(state(module.network)).all()
    norm = next(part for part in module.network.modules() if isinstance(part, nn.BatchNorm1d))
    assert int(norm.num_batches_tracked) == 7
    optimizer = module.trainer.optimizers[0]
    assert {int(entry["step"]) for entry in optimizer.state.values()} == {7}


TWO_RANKS = """
import sys, torch
sys.path.insert(0, {here!r})
from test_step_guard import ActivationDoctor, FiniteLoss, batches, fit, state, task

if __name__ == "__main__":
    module, doctor = task(), ActivationDoctor(every_n_steps=2, non_finite="skip")
    trainer = fit({out!r}, module, batches({{3}}), doctor, FiniteLoss(), devices=2, strategy="ddp")
    found = {{"state": state(module.network), "left_out": doctor.state_dict()["left_out"]}}
    torch.save(found, {out!r} + f"/rank{{trainer.global_rank}}.pt")
"""


@pytest.mark.slow
def test_all_ranks_leave_it_out_together(tmp_path):
    script = tmp_path / "two_ranks.py"
    script.write_text(TWO_RANKS.format(here=str(Path(__file__).parent), out=str(tmp_path)))
    forked.run_ranks(script, tmp_path)
    first, second = (torch.load(tmp_path / f"rank{rank}.pt") for rank in (0, 1))
    weights = sum(value.numel() for value in task().network.parameters())
    assert torch.equal(first["state"][:weights], second["state"][:weights])
    assert torch.isfinite(first["state"]).all()
    assert torch.isfinite(second["state"]).all()
    ((step, one),), ((other_step, other),) = first["left_out"], second["left_out"]
    assert step == other_step
    origin, elsewhere = sorted([one, other])
    assert origin == "the loss is not finite; the input batch already holds values that are not finite"
    assert elsewhere.startswith("the loss of this process is finite, but gradients, those of all processes, are not")
    table = pd.read_csv(tmp_path / "run" / "activation_doctor.csv")
    assert table["entries"].tolist() == [2 * 8 * 6] * 3  # both ranks, at the steps 0, 1 and 2


def test_every_kind_of_value_is_looked_at():
    good = [torch.ones(3), torch.ones(2, dtype=torch.bfloat16), torch.tensor(1e300, dtype=torch.float64)]
    assert not holds_non_finite(good)
    assert not holds_non_finite([])
    for kind in (torch.float32, torch.float16, torch.bfloat16, torch.float64):
        for wrong in (torch.nan, torch.inf, -torch.inf):
            assert holds_non_finite([*good, torch.tensor([0.0, wrong], dtype=kind)])
    table = nn.Embedding(4, 2, sparse=True)
    table(torch.tensor([1])).sum().backward()
    assert gradients_of(torch.optim.SGD(table.parameters(), lr=1.0))[0].tolist() == [[1.0, 1.0]]
