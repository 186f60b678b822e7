"""Whole searches: what they find, that they see no test row before the end, and that they can be interrupted."""

import importlib.util
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from axonlight.comparison import Ledger, compare_scores
from axonlight.datamodules import TableDataModule, TabularData
from axonlight.discovery import Candidate, Search
from axonlight.errors import InputError, RunError

_spec = importlib.util.spec_from_file_location("search_helpers", Path(__file__).with_name("conftest.py"))
helpers = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(helpers)

SCORES = "auroc"


def test_every_candidate_is_accounted_for(found):
    stages = {stage.name: stage for stage in found.stages}
    assert list(stages) == [
        "propose",
        "gate",
        "proxies",
        "few_steps",
        "halving 1 epoch",
        "halving 2 epochs",
        "finalists",
        "test",
    ]
    for before, after in zip(found.stages[:-2], found.stages[1:-1], strict=True):
        if after.name != "finalists":
            assert after.entered == before.kept
        reached = [one for one in found.candidates if one.reached == after.name]
        assert len(reached) == after.entered - (after.kept if after.name != "finalists" else 0)
    frame = found.frame()
    assert len(frame) == stages["propose"].entered
    assert frame["halving 2 epochs/auroc"].notna().sum() == stages["halving 2 epochs"].entered


def test_each_stage_keeps_the_best(found):
    frame = found.frame().set_index("formula")
    for score, following, best in (
        ("proxies/lost_decades", "few_steps/loss", "nsmallest"),
        ("few_steps/loss", "halving 1 epoch/auroc", "nsmallest"),
        ("halving 1 epoch/auroc", "halving 2 epochs/auroc", "nlargest"),
    ):
        went_on = frame[frame[following].notna()]
        assert sorted(went_on[score]) == sorted(getattr(frame[score], best)(len(went_on)))


def test_the_winner_is_best_on_validation_rows_and_compared_by_seed(found):
    means = [np.mean(one.scores) for one in found.finalists]
    assert means == sorted(means, reverse=True)
    assert found.tested[0].name == found.winner.name
    assert [one.name for one in found.tested[1:]] == ["relu", "Snake"]
    assert [one.kind for one in found.controls] == ["known", "known", "random"]
    own, relu = found.tested[0].test_scores, found.tested[1].test_scores
    tested, trained = found.data["test"], found.data["train"]
    again = compare_scores(own, relu, test_fraction=tested / (tested + trained), rope=0.01)
    assert found.comparison == again
    assert found.winner.on_front or any(one.estimate.mean >= found.winner.estimate.mean for one in found.front)


def test_inflation_is_what_is_lost(found):
    inflation, own, relu = found.inflation, found.tested[0], found.tested[1]
    assert inflation.selection == np.mean(found.winner.scores)
    assert inflation.by_seeds == pytest.approx(np.mean(found.winner.scores) - np.mean(own.validation_scores))
    beyond = np.mean(own.validation_scores) - np.mean(own.test_scores)
    beyond -= np.mean(relu.validation_scores) - np.mean(relu.test_scores)
    assert inflation.by_rows == pytest.approx(beyond)


def test_a_finalist_can_be_trained_again_by_its_spec(found, csv):
    """The library's ordinary way of training gives the figure by which a finalist was judged."""
    from axonlight.comparison.runs import execute
    from axonlight.discovery.stages.training import stage_seed

    config = helpers.config(csv, val_fraction=0.16)
    config["model"]["init_args"]["network"]["init_args"]["activation"] = found.winner.spec
    config["seed_everything"] = stage_seed(0, "finalists", 1)
    result = execute({"kind": "network", "config": config})
    assert result.curves["val/auroc"][-1] == pytest.approx(found.winner.scores[1], abs=1e-4)


def test_no_test_row_is_seen_before_the_end(csv, found, tmp_path, monkeypatch):
    frame = helpers.table()
    data = TabularData(str(csv), "label", stratify=False, val_fraction=0.16)
    data.setup()
    frame.loc[data.rows.test, list("abcd")] = 1e3 - 7 * frame.loc[data.rows.test, list("abcd")]
    frame.to_csv(tmp_path / "other.csv", index=False)
    loaded, stages = [], []
    original = TableDataModule.test_dataloader

    def watched(self):
        loaded.append(stages[-1] if stages else "before")
        return original(self)

    monkeypatch.setattr(TableDataModule, "test_dataloader", watched)
    search = Search(helpers.settings(tmp_path / "other.csv"), tmp_path / "out")
    result = search.run(lambda stage, *counts: stages.append(stage))
    before, after = helpers.figures(found), helpers.figures(result)
    for key in ("candidates", "stages", "contenders"):
        assert after[key] == before[key]
    # what was learned is the same, too: only the test scores differ
    assert [one[2] for one in after["tested"]] == [one[2] for one in before["tested"]]
    assert [one[1] for one in after["tested"]] != [one[1] for one in before["tested"]]
    assert set(loaded) == {"test"}


# Interruptions -----------------------------------------------------------------------------------------------------


class Interruption(BaseException):
    """Whatever ends a process."""


def test_a_search_that_is_interrupted_often_ends_as_one_that_is_not(csv, found, tmp_path):
    def interrupt(stage, total, done, failed):
        new.append(stage in begun)
        begun.add(stage)
        if sum(new) == 3:
            raise Interruption

    interruptions = 0
    while interruptions < 10:
        new, begun = [], set()
        try:
            result = Search(helpers.settings(csv), tmp_path).run(interrupt)
            break
        except Interruption:
            interruptions += 1
    assert interruptions >= 2
    assert helpers.figures(result) == helpers.figures(found)


@pytest.mark.slow
def test_a_search_that_is_killed_goes_on(csv, found, tmp_path):
    program = f"""
        import importlib.util, os, signal
        spec = importlib.util.spec_from_file_location("helpers", {str(Path(helpers.__file__))!r})
        helpers = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(helpers)
        from axonlight.discovery import Candidate, Search

        def kill(stage, total, done, failed):
            if stage == "finalists" and done:
                os.kill(os.getpid(), signal.SIGKILL)

        Search(helpers.settings({str(csv)!r}), {str(tmp_path)!r}).run(kill)
    """
    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], env=os.environ, check=False)
    assert ended.returncode == -signal.SIGKILL
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        assert 0 < ledger.counts()["done"] < 10
    executed = []
    result = Search(helpers.settings(csv), tmp_path).run(lambda *counts: executed.append(counts))
    assert helpers.figures(result) == helpers.figures(found)
    assert [counts[2] for counts in executed if counts[0] == "halving 1 epoch"] == [6]  # nothing was done again


def test_a_finished_search_trains_nothing_again_unless_it_is_to_begin_anew(csv, found, tmp_path):
    first = Search(helpers.settings(csv), tmp_path).run()
    calls = []
    again = Search(helpers.settings(csv), tmp_path).run(lambda *counts: calls.append(counts))
    assert helpers.figures(again) == helpers.figures(first)
    assert len(calls) == 7  # one per stage: all was there
    assert [stage.seconds for stage in again.stages[1:]] == [stage.seconds for stage in first.stages[1:]]
    with pytest.raises(Interruption):
        Search(helpers.settings(csv), tmp_path).run(lambda *counts: (_ for _ in ()).throw(Interruption), fresh=True)
    assert (tmp_path / "ledger-1.sqlite").is_file()


# What fails, and what cannot be searched -----------------------------------------------------------------------------


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
