"""What fails in a search is recorded with its reason; what cannot be searched is refused in one sentence."""

import importlib.util
from pathlib import Path

import pytest
from axonlight.discovery import Candidate, Search
from axonlight.errors import InputError, RunError

pytestmark = pytest.mark.xdist_group("search")  # its fixtures are made once

_spec = importlib.util.spec_from_file_location("search_helpers", Path(__file__).with_name("conftest.py"))
helpers = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(helpers)


class OwnEngine:
    """Proposes formulas of which one explodes in training, and one before it."""

    name, needs_rows = "own", False

    def propose(self, rows, seed):
        return [Candidate.from_text(text, engine=self.name) for text in ("x", "sin(x)", "x**3", "exp(exp(exp(x)))")]


def test_candidates_that_fail_are_recorded_with_the_reason(csv, tmp_path):
    base = helpers.config(csv)
    base["model"]["init_args"]["network"]["init_args"] |= {"norm": "none", "hidden": [8, 8, 8]}
    given = helpers.settings(
        csv,
        base=base,
        overrides={"model.optimizer.lr": 100.0},
        gate={"normalize": False},
        stages={"proxies": None, "few_steps": None, "halving": {"epochs": [2], "keep": [3]}},
    )
    result = Search(given, tmp_path, engine=OwnEngine()).run()
    told = {one.candidate.formula: (one.reached, one.failure) for one in result.candidates}
    assert told["sin(x)"] == ("finalists", None)
    assert told["x**3"][0] == "halving 2 epochs"
    assert "loss is" in told["x**3"][1]
    assert told["exp(exp(exp(x)))"][0] == "gate"
    assert "its slope reaches" in told["exp(exp(exp(x)))"][1]
    assert {one.name for one in result.finalists} == {"x", "sin(x)"}
    assert [stage.failed for stage in result.stages][1:3] == [1, 1]


def test_no_candidate_passes_the_gate(csv, tmp_path):
    given = helpers.settings(csv, engine={"kind": "enumerate", "max_nodes": 1}, gate={"max_growth": 0.5})
    with pytest.raises(InputError, match=r"none of the 1 candidates of engine enumerate passes the gate: grows like"):
        Search(given, tmp_path).run()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"metric": "aurok"}, "metric is 'aurok', which ClassificationTask does not have; did you mean 'auroc'?"),
        ({"metric": "loss"}, "rope is missing, and loss has a unit of its own"),
        ({"controls": {"known": ["rellu"]}}, "rellu"),
        ({"overrides": {"data.test_fraction": 0.0}}, "data.test_fraction is 0"),
        ({"overrides": {"trainer.limit_test_batches": 1}}, "trainer.limit_test_batches is 1"),
        ({"overrides": {"model.network.class_path": "NoActivation"}}, "NoActivation"),
    ],
)
def test_what_cannot_be_searched(csv, tmp_path, changes, sentence):
    with pytest.raises(InputError, match=sentence):
        Search(helpers.settings(csv, **changes), tmp_path).run()
    assert not (tmp_path / "ledger.sqlite").exists()


MODULES = """
import torch
from lightning.pytorch import LightningDataModule
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

class Unlabelled(LightningDataModule):
    num_features = 3
    num_classes = 2
    def __init__(self, val_fraction: float = 0.1, test_fraction: float = 0.2):
        super().__init__()
    def train_dataloader(self):
        return DataLoader(torch.zeros(8, 3), 4)

class WithoutValidation(LightningDataModule):
    num_features = 3
    num_classes = 2
    def train_dataloader(self):
        return DataLoader(TensorDataset(torch.zeros(8, 3), torch.zeros(8, dtype=torch.int64)), 4)

class Rigid(nn.Module):
    def __init__(self, in_features: int, out_features: int):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)
    def forward(self, x):
        return self.linear(x)
"""


@pytest.mark.parametrize(
    ("data", "network", "sentence"),
    [
        ("Unlabelled", None, r"Unlabelled gives batches without labels, so no activation could be judged"),
        ("WithoutValidation", None, r"WithoutValidation has no validation rows and no option val_fraction"),
        (None, "Rigid", r"Rigid has no argument activation, so there is nothing to search for"),
    ],
)
def test_modules_that_cannot_be_searched(csv, tmp_path, monkeypatch, data, network, sentence):
    (tmp_path / "odd_modules.py").write_text(MODULES)
    monkeypatch.syspath_prepend(str(tmp_path))
    base = helpers.config(csv)
    if data is not None:
        base["data"] = {"class_path": f"odd_modules.{data}"}
    if network is not None:
        base["model"]["init_args"]["network"] = {"class_path": f"odd_modules.{network}"}
    search = Search(helpers.settings(csv, base=base), tmp_path / "out", allow_imports=["odd_modules"])
    with pytest.raises(InputError, match=sentence):
        search.run()


def test_nothing_survives(csv, tmp_path):
    given = helpers.settings(csv, overrides={"model.optimizer.lr": 1e30}, stages={**helpers.STAGES, "proxies": None})
    with pytest.raises(RunError, match="no candidate survives the stage few_steps"):
        Search(given, tmp_path).run()
