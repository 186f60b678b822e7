"""Whole searches: what they find, that they see no test row before the end, and that they can be interrupted."""

import importlib.util
import signal
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from axonlight.comparison import Ledger, compare_scores
from axonlight.datamodules import TableDataModule, TabularData
from axonlight.discovery import Search
from axonlight.discovery.engines import GplearnEngine

TESTS = str(Path(__file__).parents[2])
if TESTS not in sys.path:
    sys.path.append(TESTS)
import forked  # noqa: E402  (found beside conftest.py)

pytestmark = pytest.mark.xdist_group("search")  # its fixtures are made once

_spec = importlib.util.spec_from_file_location("search_helpers", Path(__file__).with_name("conftest.py"))
helpers = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(helpers)

HALVING = {"epochs": [1], "keep": [2]}


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
        from axonlight.discovery import Search

        def kill(stage, total, done, failed):
            if stage == "finalists" and done:
                os.kill(os.getpid(), signal.SIGKILL)

        Search(helpers.settings({str(csv)!r}), {str(tmp_path)!r}).run(kill)
    """
    (tmp_path / "killed.py").write_text(textwrap.dedent(program))
    ended = forked.Child(str(tmp_path / "killed.py"), [], tmp_path)
    _, err = ended.communicate()
    assert ended.returncode == -signal.SIGKILL, err
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


def test_an_engine_that_fits_sees_training_rows_alone_and_is_asked_once(csv, tmp_path, monkeypatch):
    seen = []
    original = GplearnEngine.propose

    def watched(self, rows, seed):
        seen.append(rows)
        return original(self, rows, seed)

    monkeypatch.setattr(GplearnEngine, "propose", watched)
    engine = {"kind": "gplearn", "population_size": 40, "generations": 1, "sample": None, "keep": 6}
    given = helpers.settings(csv, engine=engine, stages={"proxies": None, "few_steps": None, "halving": HALVING})
    first = Search(given, tmp_path).run()
    again = Search(given, tmp_path).run()
    assert helpers.figures(again) == helpers.figures(first)
    data = TabularData(str(csv), "label", stratify=False, val_fraction=0.16)
    data.setup()
    train = helpers.table().loc[data.rows.train, list("abcd")].to_numpy()
    (rows,) = seen
    np.testing.assert_allclose(rows.x, (train - train.mean(0)) / train.std(0), atol=1e-5)
    assert again.candidates[0].candidate.data_hash == rows.data_hash
