"""Studies of small networks in this process: pairing, keys, resuming, the report."""

import copy
import json
import sqlite3

import numpy as np
import pytest
from axonlight.comparison import Ledger
from axonlight.comparison.design import read_study
from axonlight.comparison.runs import Result
from axonlight.comparison.study import Study
from axonlight.comparison.study.study import RunWork
from axonlight.datamodules import BreastCancer
from axonlight.errors import InputError

pytestmark = pytest.mark.xdist_group("study")  # its fixtures are made once

SMALL = {
    "base": "pathways/breast_cancer.yaml",
    "overrides": {"trainer.max_epochs": 1},
    "arms": {
        "real": {},
        "same": {"overrides": {"model.network.design": "binn"}},
        "random": {"null": "ErdosRenyi", "draws": 2},
        "random_again": {"null": {"class_path": "ErdosRenyi"}, "draws": 1},
        "ash": {"overrides": {"model.network.activation": "ash"}},
    },
    "floors": ["constant"],
    "folds": 2,
    "repeats": 2,
    "seeds": 2,
    "workers": 0,
}


@pytest.fixture(scope="module")
def small():
    """A study whose arms are built once for all tests."""
    found = Study(**SMALL)
    assert found.plan
    return found


@pytest.fixture(scope="module")
def plan(small):
    return small.plan


@pytest.fixture
def study(small, tmp_path):
    """The same study with a folder of its own."""
    found = copy.copy(small)
    found.output = tmp_path
    return found


def test_every_arm_is_on_every_split_with_the_same_rows_and_seeds(plan):
    counts = {arm: len(plan.of_arm(arm)) for arm in plan.arms}
    assert counts == {"real": 8, "same": 8, "random": 16, "random_again": 8, "ash": 8, "constant": 4}
    settings = {}
    for run in plan.runs:
        config = run.recipe["config"]
        data = config["data"]["init_args"]
        assert (data["fold"], data["num_folds"]) == (run.fold, 2)
        found = settings.setdefault((run.repeat, run.fold, run.seed), (data["split_seed"], config["seed_everything"]))
        assert found == (data["split_seed"], config["seed_everything"])
    assert len({seed for _, seed in settings.values()}) == 8
    assert len({split for split, _ in settings.values()}) == 2


def test_equal_recipes_are_one_run_whichever_arm_asks(plan):
    keys = {arm: {run.cell[1:]: run.key for run in plan.of_arm(arm)} for arm in plan.arms}
    assert keys["real"] == keys["same"]
    assert set(keys["random_again"].items()) < set(keys["random"].items())
    assert not set(keys["ash"].values()) & set(keys["real"].values())
    assert len(plan.distinct) == 8 + 16 + 8 + 4


def test_a_draw_is_the_same_at_every_split(plan):
    seeds = {}
    for run in plan.of_arm("random"):
        seeds.setdefault(run.draw, set()).add(run.recipe["null"]["seed"])
    assert [len(found) for found in seeds.values()] == [1, 1]
    assert seeds[0] != seeds[1]


def test_the_folds_of_a_repeat_test_every_row_once(plan):
    tested = []
    for run in plan.of_arm("constant"):
        if run.repeat == 0:
            data = BreastCancer(**{**run.recipe["config"]["data"]["init_args"], "hierarchy": None})
            tested.append(data.rows.test)
    assert np.array_equal(np.sort(np.concatenate(tested)), np.arange(569))


def test_keys_depend_on_what_decides_a_run_alone(plan):
    def keys(**changes):
        return set(Study(**{**SMALL, "arms": {"real": {}}, "floors": ["constant"], **changes}).plan.distinct)

    real = {run.key for arm in ("real", "constant") for run in plan.of_arm(arm)}
    curves = {"trainer.max_epochs": 1, "trainer.callbacks": [{"class_path": "TrainingCurves"}]}
    judged = {"question": "Why?", "metrics": ["accuracy"], "workers": 3, "executor": "ray", "name": "other"}
    assert keys(**judged, overrides={**curves, "trainer.default_root_dir": "elsewhere"}) == real
    assert not keys(overrides={"trainer.max_epochs": 2}) & real
    assert not keys(seed=1) & real
    assert keys(repeats=3) > real


def test_a_study_file_with_settings_of_the_command_line(tmp_path):
    (tmp_path / "mine.yaml").write_text("trainer: {max_epochs: 1}\n")
    arms = "arms: {real: {}, random: {null: PermuteInputs, draws: 4}}\n"
    (tmp_path / "study.yaml").write_text(f"base: [pathways/breast_cancer.yaml, mine.yaml]\n{arms}")
    settings = [("folds", 2), ("repeats", 1), ("arms.random.draws", 2), ("floors", []), ("rope.auroc", 0.03)]
    study = Study(read_study(tmp_path / "study.yaml", settings))
    assert [run.cell for run in study.plan.of_arm("random")] == [("random", 0, f, 0, d) for f in (0, 1) for d in (0, 1)]
    assert study.plan.runs[0].recipe["config"]["trainer"]["max_epochs"] == 1
    assert (study.fields.name, study.fields.rope_of("auroc")) == ("study", 0.03)


def test_factors_make_the_product_and_compare_within_it():
    factors = {
        "network": {"binn": {}, "pnet": {"overrides": {"model.network.design": "pnet"}}},
        "wiring": {"real": {}, "random": {"null": "ErdosRenyi", "draws": 1}, "inputs": {"null": "PermuteInputs"}},
    }
    shared = {key: SMALL[key] for key in ("base", "overrides", "folds")}
    study = Study(**shared, factors=factors, reference={"wiring": "real"}, floors=[], repeats=1)
    assert study.fields.contrasts == [
        ["binn / real", "binn / random"],
        ["binn / real", "binn / inputs"],
        ["pnet / real", "pnet / random"],
        ["pnet / real", "pnet / inputs"],
    ]
    drawn = {run.arm: run.recipe["null"]["seed"] for run in study.plan.runs if run.arm.endswith("random")}
    assert drawn["binn / random"] == drawn["pnet / random"]


class CountingWork:
    """Stand for training: a score per recipe, and the number of recipes executed."""

    def __init__(self):
        self.executed = 0
        self.broken = False

    def __call__(self, recipes):
        self.executed += len(recipes)
        seeds = [recipe["config"]["seed_everything"] for recipe in recipes]
        return [
            Result.failure("no luck")
            if self.broken and recipe["null"]
            else Result({"auroc": seed % 997 / 1000}, {"train/loss": [1.0]}, 5, 0.1)
            for recipe, seed in zip(recipes, seeds, strict=True)
        ]


@pytest.fixture
def work(monkeypatch):
    found = CountingWork()
    monkeypatch.setattr(RunWork, "__call__", lambda self, recipes: found(recipes))
    return found


def test_resuming_executes_what_is_missing_and_no_more(study, tmp_path, work, capsys):
    study.run().close()
    assert work.executed == len(study.plan.distinct) == 36
    assert "36 of 36 runs done" in capsys.readouterr().out
    study.run().close()
    assert work.executed == 36
    larger = Study(**{**SMALL, "seeds": 3}, output=tmp_path)
    budget = larger.budget(timed=False)
    assert (budget.left, budget.done) == (16, 36)
    larger.run(progress=False).close()
    assert work.executed == 36 + 16
    connection = sqlite3.connect(tmp_path / "ledger.sqlite")
    assert connection.execute("SELECT COUNT(*), COUNT(DISTINCT key) FROM runs").fetchone() == (52, 52)
    connection.close()


def test_failed_runs_wait_until_they_are_asked_for(study, tmp_path, work):
    work.broken = True
    with study.run(progress=False) as ledger:
        assert ledger.counts() == {"planned": 0, "running": 0, "done": 20, "failed": 16}
        assert set(ledger.frame().query("state == 'failed'")["error"]) == {"no luck"}
    work.broken = False
    assert study.budget(timed=False).left == 0
    assert study.budget(timed=False, retry_failed=True).left == 16
    assert study.budget(timed=False, resume=False).left == 36
    study.run(progress=False).close()
    assert work.executed == 36
    with study.run(progress=False, retry_failed=True) as ledger:
        assert work.executed == 36 + 16
        assert ledger.counts()["done"] == 36
    with study.run(progress=False, resume=False) as ledger:
        assert work.executed == 36 + 16 + 36
        assert ledger.counts()["done"] == 36
    assert (tmp_path / "ledger-1.sqlite").is_file()


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A study that was trained in this process, and what it says before."""
    arms = {arm: SMALL["arms"][arm] for arm in ("real", "random", "ash")}
    options = {"arms": arms, "seeds": 1, "repeats": 1, "overrides": {"trainer.max_epochs": 4}}
    study = Study(**{**SMALL, **options}, output=tmp_path_factory.mktemp("here"))
    with pytest.raises(InputError, match=r"there is no ledger .*; run the study first"):
        study.report()
    study.run(progress=False).close()
    return study


def test_a_trained_study_ends_in_a_report(trained):
    with Ledger(trained.ledger_path) as ledger:
        frame = ledger.frame()
        assert set(frame["state"]) == {"done"}, set(frame["error"])
        assert ledger.facts()["fingerprint"] == trained.plan.runs[0].recipe["data_fingerprint"]
        assert set(ledger.curves()[frame["key"][0]]) >= {"train/loss"}
    constant = frame[frame["arm"] == "constant"]
    assert (constant["auroc"] == 0.5).all()
    assert (frame.loc[frame["arm"] == "real", "auroc"] > 0.9).all()
    paths = trained.report(command="axonlight compare")
    verdicts = json.loads(paths.verdicts.read_text())
    assert verdicts["comparisons"][0]["name"] == "real against random"
    assert "axonlight compare" in paths.html.read_text()


def test_workers_train_what_this_process_trains(trained, tmp_path):
    there = copy.copy(trained)
    there.output = tmp_path
    there.run(workers=2, progress=False).close()
    with Ledger(trained.ledger_path) as first, Ledger(there.ledger_path) as second:
        assert first.frame().drop(columns="seconds").equals(second.frame().drop(columns="seconds"))
        assert first.curves() == second.curves()


def test_the_ledger_of_another_study_is_not_overwritten(study, work):
    study.run(progress=False).close()
    other = Study(**{**SMALL, "name": "other"}, output=study.output)
    other.__dict__["_prepared"] = study._prepared
    for use in (other.check, other.run):
        with pytest.raises(InputError, match=r"belongs to the study 'study', not to 'other'; .*--fresh"):
            use()
    other.run(progress=False, resume=False).close()
    assert work.executed == 2 * 36


def test_a_database_of_another_program_is_refused(tmp_path):
    connection = sqlite3.connect(tmp_path / "ledger.sqlite")
    connection.execute("CREATE TABLE runs (a)")
    connection.close()
    with pytest.raises(InputError, match=r"ledger.sqlite is not a ledger of a study: no such column: key"):
        Ledger(tmp_path / "ledger.sqlite")


@pytest.mark.parametrize("folder", ["file", "file/below"])
def test_a_folder_that_cannot_be_made_is_refused(study, tmp_path, folder):
    (tmp_path / "file").touch()
    study.output = tmp_path / folder
    with pytest.raises(InputError, match=r"but .*file is a file; name another folder by --output"):
        study.check()
    with pytest.raises(InputError, match=r"ledger.sqlite cannot be written: .*; name another folder"):
        study.run()


def test_a_file_that_is_no_ledger_is_refused(tmp_path):
    (tmp_path / "ledger.sqlite").write_text("nothing of the kind")
    with pytest.raises(InputError, match=r"ledger.sqlite is not a ledger of a study"):
        Ledger(tmp_path / "ledger.sqlite")
