"""Prototype callbacks under the trainer: what is logged, k-means starts, resumed runs, refusals."""

import logging

import pytest
import torch
from axonlight.batches import MultimodalInputs
from axonlight.callbacks import KMeansPrototypes, PrototypeWatch
from axonlight.errors import InputError
from axonlight.models import PrototypeEncoder, pack
from axonlight.models.prototypes import kmeans_prototypes
from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from torch import nn
from torch.utils.data import DataLoader

CENTRES = torch.eye(4)[:3] * 5


def bags_of(seed, num_bags=4):
    generator = torch.Generator().manual_seed(seed)
    return [CENTRES.repeat(10, 1) + 0.1 * torch.randn(30, 4, generator=generator) for _ in range(num_bags)]


class Bags(LightningDataModule):
    """Two batches of two patients; validation patients look different."""

    def __init__(self, multimodal=False):
        super().__init__()
        self.multimodal = multimodal

    def batches(self, bags):
        for first in (0, 2):
            packed = pack([*bags[first : first + 2], torch.zeros(0, 4)])
            inputs = MultimodalInputs(torch.zeros(3, 1), *packed, torch.zeros(3, 0), torch.ones(3, 3, dtype=torch.bool))
            yield (inputs if self.multimodal else packed), torch.zeros(3)

    def train_dataloader(self):
        return DataLoader(list(self.batches(bags_of(0))), batch_size=None)

    def val_dataloader(self):
        return DataLoader(list(self.batches([100 + bag for bag in bags_of(1)])), batch_size=None)


class Task(LightningModule):
    def __init__(self, network=None, lr=0.0):
        super().__init__()
        self.network = network or nn.ModuleDict({"slides": PrototypeEncoder(4, 6, 3)})
        self.lr = lr
        self.masses = []

    def tokens(self, inputs):
        packed = inputs if len(inputs) == 2 else pack(list(inputs.bags.split(inputs.pointers.diff().tolist())))
        reading = self.network["slides"].read(packed)
        if self.training:
            self.masses += [mass / mass.sum() for mass in reading.mass.detach() if mass.sum() > 0]
        return reading.tokens

    def training_step(self, batch, batch_idx):
        return self.tokens(batch[0]).square().mean()

    def validation_step(self, batch, batch_idx):
        self.tokens(batch[0])

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.lr)


def fitted(task, folder, *callbacks, data=None, epochs=1, **options):
    trainer = Trainer(
        max_epochs=epochs, accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False,
        default_root_dir=folder, callbacks=list(callbacks), enable_checkpointing=False,
    )  # fmt: skip
    trainer.fit(task, datamodule=data or Bags(), **options)
    return trainer


def test_the_figures_of_an_epoch_are_logged(tmp_path):
    task = Task()
    logged = fitted(task, tmp_path, PrototypeWatch()).callback_metrics
    usage = torch.stack(task.masses).mean(0).double()
    entropy = torch.special.entr(usage).sum() / torch.tensor(3.0).log()
    assert len(task.masses) == 4
    assert logged["prototypes/usage_entropy"] == pytest.approx(entropy.item(), rel=1e-5)
    assert logged["prototypes/drift"] == pytest.approx(0, abs=1e-6)
    health = task.network["slides"].health(usage)
    assert logged["prototypes/max_cosine"] == pytest.approx(health.max_cosine, rel=1e-5)
    assert logged["prototypes/dead"] == health.dead


def test_drift_grows_and_every_epoch_counts_anew(tmp_path):
    task = Task(lr=0.5)
    logged = fitted(task, tmp_path, PrototypeWatch(), epochs=3).callback_metrics
    usage = torch.stack(task.masses[-4:]).mean(0).double()
    entropy = torch.special.entr(usage).sum() / torch.tensor(3.0).log()
    assert logged["prototypes/usage_entropy"] == pytest.approx(entropy.item(), rel=1e-5)
    assert logged["prototypes/drift"] > 1e-6


def test_dead_prototypes_are_reported_at_the_end(tmp_path, caplog):
    task = Task()
    with torch.no_grad():  # two prototypes that point away from everything
        encoder = task.network["slides"]
        encoder.projection.weight.copy_(torch.eye(6, 4))
        encoder.projection.bias.zero_()
        encoder.prototypes.copy_(torch.tensor([[1.0, 1, 1, 0], [-1, -1, -1, 0], [-1, -2, -1, 0]]))
    with caplog.at_level(logging.WARNING):
        fitted(task, tmp_path, PrototypeWatch())
    assert "2 of 3 prototypes of slides are hardly used" in caplog.text


@pytest.mark.parametrize("multimodal", [False, True])
def test_prototypes_start_at_the_centres_of_training_patches(tmp_path, multimodal):
    task = Task()
    fitted(task, tmp_path, KMeansPrototypes(seed=3), data=Bags(multimodal))
    expected = kmeans_prototypes([*bags_of(0)[:2], torch.zeros(0, 4), *bags_of(0)[2:]], 3, seed=3).prototypes
    torch.testing.assert_close(task.network["slides"].prototypes.detach(), expected)
    order = torch.cdist(CENTRES, expected).argmin(1)  # validation patches lie elsewhere
    torch.testing.assert_close(expected[order], CENTRES, rtol=0, atol=0.1)


def test_a_resumed_run_keeps_its_prototypes(tmp_path):
    task = Task(lr=0.1)
    trainer = fitted(task, tmp_path, KMeansPrototypes())
    trainer.save_checkpoint(tmp_path / "last.ckpt", weights_only=False)
    learned = task.network["slides"].prototypes.detach().clone()
    again = Task()
    fitted(again, tmp_path, KMeansPrototypes(), epochs=2, ckpt_path=tmp_path / "last.ckpt")
    assert not torch.equal(learned, kmeans_prototypes(bags_of(0), 3).prototypes)
    # one more epoch at the checkpoint's rate, from what was learned
    assert (again.network["slides"].prototypes - learned).abs().max() < 0.1


@pytest.mark.parametrize("callback", [PrototypeWatch, KMeansPrototypes])
def test_networks_without_prototypes_are_refused(tmp_path, callback):
    with pytest.raises(InputError, match=f"{callback.__name__} needs a network with a PrototypeEncoder"):
        fitted(Task(nn.ModuleDict({"slides": nn.Linear(4, 1)})), tmp_path, callback())


def test_training_batches_without_bags_are_refused(tmp_path):
    class Rows(Bags):
        def train_dataloader(self):
            return DataLoader([(torch.zeros(3, 4), torch.zeros(3))], batch_size=None)

    with pytest.raises(InputError, match="a training batch holds a Tensor"):
        fitted(Task(), tmp_path, KMeansPrototypes(), data=Rows())


def test_too_few_patches_are_refused_with_the_path(tmp_path):
    task = Task(nn.ModuleDict({"slides": PrototypeEncoder(4, 6, 500)}))
    with pytest.raises(InputError, match="prototypes of slides cannot be initialised: num_prototypes is 500"):
        fitted(task, tmp_path, KMeansPrototypes())


@pytest.mark.parametrize(("options", "words"), [({"max_patches": 0}, "max_patches is 0"), ({"scale": "x"}, "scale is")])
def test_bad_options_are_refused(options, words):
    with pytest.raises(InputError, match=words):
        KMeansPrototypes(**options)
