"""What a study refuses before any training: one sentence with the reason and the smallest change that helps."""

import json

import numpy as np
import pytest
from axonlight.comparison.design import Arm, StudyFields, preparation, read_study
from axonlight.comparison.study import Study
from axonlight.errors import InputError
from axonlight.structures import NullModel

BASE = "pathways/breast_cancer.yaml"
REAL = {"real": {}}
KEPT = {}


@pytest.fixture(autouse=True)
def built_once(monkeypatch):
    """Keep the parser of each base and what was built without a mistake: most studies here share them."""

    def kept(make):
        def found(*given):
            key = make.__name__ + json.dumps(given, sort_keys=True)
            if key not in KEPT:
                KEPT[key] = make(*given)
            return KEPT[key]

        return found

    for name in ("ConfigResolver", "build_run"):
        monkeypatch.setattr(preparation, name, kept(getattr(preparation, name)))


def fields(**changes):
    return StudyFields(**{"base": BASE, "arms": REAL, "folds": 3, "repeats": 1, **changes})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"folds": 1}, "folds is 1, .* set folds to 2 or more"),
        ({"folds": 2.5}, "folds is 2.5; it must be a whole number"),
        ({"arms": {"real": {"seeds": 3}}}, "would not be paired .* set seeds for the whole study"),
        ({"arms": {"real": {"nul": "Rewire"}}}, "arm 'real' has the unknown key 'nul'; did you mean 'null'"),
        ({"arms": {"real": {"draws": 3}}}, "arm 'real' has draws, but no null model"),
        ({"arms": {"a": {"null": "Rewire", "dense": "nodes"}}}, "both null and dense; make two arms"),
        ({"arms": {"a": {"dense": "node"}}}, "dense is 'node'; did you mean 'nodes'"),
        ({"arms": {"a": {"floor": "forest"}}}, "floor is 'forest'; did you mean 'random_forest'"),
        ({"arms": {}}, "arms is empty"),
        ({"floors": ["rigde"]}, "unknown floor 'rigde'; did you mean 'ridge'"),
        ({"floors": "ridge"}, "it must be a list"),
        ({"reference": "reel"}, "unknown arm 'reel'; did you mean 'real'"),
        ({"comparisons": [["real", "reel"]]}, "comparisons names the unknown arm 'reel'"),
        ({"comparisons": [["real", "real"]]}, "must be two arms"),
        ({"comparisons": [{"weights": {"real": 1, "ridge": -2}}]}, "sum to -1; they must sum to 0"),
        ({"rope": {"auroc": 0}}, "rope.auroc is 0; it must be a positive number"),
        ({"rope": {"auroc": float("nan")}}, "rope.auroc is nan; it must be a positive number"),
        ({"rope": {"accuracy": 5}}, "rope.accuracy is 5, but no two values from 0 to 1 differ by more"),
        ({"rope": 0.1}, "rope is '0.1'; it must be a mapping"),
        ({"overrides": ["trainer.max_epochs"]}, "overrides is .*; it must be a mapping"),
        ({"comparisons": 3}, "comparisons is '3'; it must be a list, such as"),
        ({"comparisons": [["real", "ridge"], ["real", "ridge"]]}, "comparisons holds .* twice"),
        ({"comparisons": [{"weigths": {}}]}, "unknown key 'weigths'; did you mean 'weights'"),
        ({"comparisons": [{"weights": {"real": True, "ridge": -1}}]}, "a number other than 0"),
        ({"comparisons": [{"weights": {"real": float("nan"), "ridge": -1}}]}, "a number other than 0"),
        ({"metrics": "auroc"}, r"metrics is 'auroc'; it must be a list, such as \[auroc, accuracy\]"),
        ({"metrics": ["auroc", "auroc"]}, "metrics holds auroc twice"),
        ({"floors": 3}, "floors is '3'; it must be a list"),
        ({"floors": ["ridge", "ridge"]}, "floors holds ridge twice"),
        ({"reference": {"wiring": "real"}}, "but there are no factors; name an arm"),
        ({"name": ".."}, "name is '..'; .* it must be a file name"),
        ({"name": "a\nb"}, "it must be a file name"),
        ({"question": ["why"]}, "question is .* no text; put it in quotes"),
        ({"workers": -1}, "workers is -1; it must be a whole number, at least 0"),
        ({"correction": "bonferoni"}, "correction is 'bonferoni'; known are holm, bh"),
        ({"executor": "slrm"}, "executor is 'slrm'; did you mean 'slurm'"),
        ({"name": "a/b"}, "it must be a file name"),
        ({"p_floor": 2}, "p_floor is 2; it must be"),
        (
            {"arms": {"real": {}, "rewired": {None: "DegreePreserving", "draws": 10}}, "p_floor": 0.01},
            "p_floor is 0.01, but 10 draws of arm 'rewired' .* set its draws to 99 or p_floor to 0.0909",
        ),
        ({"arms": {}, "factors": {"a": {"x": {}}}}, "reference is missing; .* such as a: x"),
        ({"factors": {"a": {}}}, "factor 'a' has no level"),
        (
            {"factors": {"a": {"x": {"null": "Rewire"}}, "b": {"y": {"null": "ErdosRenyi"}}}, "reference": {"a": "x"}},
            "two factors set null",
        ),
        ({"factors": {"a": {"x": {}}}, "reference": {"a": "z"}}, "unknown level 'z' of a"),
    ],
)
def test_fields(changes, words):
    with pytest.raises(InputError, match=words):
        fields(**changes)


def test_the_smallest_number_of_draws_that_a_p_floor_allows():
    for p_floor, needed in [(0.05, 19), (0.01, 99), (0.1, 9), (1 / 3, 2), (0.3, 3)]:
        arms = {"real": {}, "random": {"null": "ErdosRenyi", "draws": needed}}
        assert fields(arms=arms, p_floor=p_floor).p_floor == p_floor
        with pytest.raises(InputError, match=f"set its draws to {needed} "):
            fields(arms={"real": {}, "random": {"null": "ErdosRenyi", "draws": needed - 1}}, p_floor=p_floor)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("base: demo.yaml\narms: {a: {}}\nfold: 3", "unknown key 'fold'; did you mean 'folds'"),
        ("arms: {a: {}}", "has no base, .*add one, such as base: demo.yaml"),
        ("", "has no base"),
        ("base: demo.yaml\narms: {a: {}}\nseeds: 1\nseeds: 2", "line 4, column 1: the key 'seeds' is there twice"),
        ("base: demo.yaml\narms: {on: {}, b: {}}", "arms has the key True, which YAML reads from on, .* quotes"),
        ("base: 3\narms: {a: {}}", "base is '3'; it must be the name of a config"),
        ("base: [", "not valid YAML: line 1, column 8"),
        ("- base", "must be a mapping"),
    ],
)
def test_study_files(tmp_path, text, words):
    (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises(InputError, match=words):
        read_study(tmp_path / "bad.yaml")


def test_a_missing_study_is_answered_with_the_shipped_ones():
    with pytest.raises(InputError, match=r"study 'studies/quikstart.yaml' is not a file; .*quickstart.yaml"):
        read_study("studies/quikstart.yaml")


def test_a_study_in_another_encoding(tmp_path):
    (tmp_path / "bad.yaml").write_bytes("base: demo.yaml\nquestion: très\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"is not UTF-8 text, see line 2; save it as UTF-8"):
        read_study(tmp_path / "bad.yaml")


def test_null_models_as_text():
    arm = Arm.from_mapping("half", {"null": "Rewire(fraction=0.5)"})
    assert arm.null == {"class_path": "Rewire", "init_args": {"fraction": 0.5}}
    with pytest.raises(InputError, match=r"arm 'half': null is 'Rewire.half.'; write a name"):
        Arm.from_mapping("half", {"null": "Rewire(half)"})


def test_arms_may_have_numbers_for_names():
    assert fields(arms={1: {}, 2: {}}, reference=2, floors=[]).contrasts == [["2", "1"]]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"base": "demo.yml"}, "config 'demo.yml' is not a file; .*demo.yaml"),
        ({"overrides": {"trainer.max_epoch": 3}}, "overrides.*trainer.max_epoch.*did you mean"),
        ({"overrides": {"data.fold": 1}}, "the study sets for every split; set folds instead"),
        ({"overrides": {"seed_everything": 1}}, "set seed instead"),
        ({"overrides": {"epochs": 3}}, "epochs is no key of a config"),
        (
            {"arms": {"real": {}, "a": {"overrides": {"model.network.activaton": "relu"}}}},
            r"arm 'a' \(model.network.activaton: relu\): .*did you mean model.network.activation",
        ),
        (
            {"arms": {"real": {}, "a": {"overrides": {"model.network.activation": "rellu"}}}},
            "arm 'a' .*rellu.*did you mean ReLU",
        ),
        ({"arms": {"real": {}, "a": {"overrides": {"trainer.max_epochs": "ten"}}}}, "arm 'a' .*'ten'.*an integer"),
        (
            {"arms": {"real": {}, "a": {"overrides": {"data.num_folds": 4}}}},
            "arm 'a' sets data.num_folds, which changes the data split, .*leave it out",
        ),
        (
            {"arms": {"real": {}, "a": {"overrides": {"data.init_args.val_fraction": 0.1}}}},
            "changes the data split.*move data.init_args.val_fraction to the overrides of the study",
        ),
        ({"arms": {"real": {}, "a": {"overrides": {"seed_everything": 1}}}}, "no score would be paired"),
        (
            {"arms": {"real": {}, "a": {"overrides": {"data": {"class_path": "BreastCancer", "init_args": {
                "limit_rows": 300, "hierarchy": {"reader": "edges", "path": "breast_cancer_measurements.csv"}}}}}}},
            "arm 'a' has other training or test rows.* by data: move that",
        ),
        ({"overrides": {"trainer.devices": 2}}, "trainer.devices is 2, but a run is one process on one device"),
        ({"overrides": {"trainer.max_epochs": -1}}, "trainer.max_epochs is -1, so no run would end"),
        ({"overrides": {"trainer.limit_test_batches": 1}}, "tested on other rows than floors; .*data.limit_rows"),
        ({"arms": {"real": {}, "a": {"overrides": {"trainer.fast_dev_run": True}}}}, "arm 'a' .*fast_dev_run is True"),
        ({"base": "studies/quickstart.yaml"}, "config 'studies/quickstart.yaml' is not a file"),
        ({"base": []}, "base is an empty list"),
        ({"arms": {"real": {}, "a": {"overrides": {"model.class_path": "RegressionTask"}}}},
         "metrics names 'auroc', which RegressionTask of arm 'a' does not have"),
        ({"metrics": ["test/AUROC"]}, "metrics names 'test/AUROC', .*did you mean 'auroc'"),
        ({"metrics": ["auroc", "acuracy"]}, "metrics names 'acuracy', which .*did you mean 'accuracy'"),
        ({"metrics": ["loss"]}, "rope has no entry for loss"),
        ({"rope": {"f1": 0.1}}, "rope has an entry for f1, which metrics does not name"),
        ({"arms": {"real": {}, "a": {"null": "ErdosRenyy"}}}, "arm 'a': .*ErdosRenyy.*ErdosRenyi"),
        (
            {"base": "demo.yaml", "arms": {"real": {}, "a": {"null": "ErdosRenyi"}}},
            "arm 'a': null is ErdosRenyi, but the data have no hierarchy",
        ),
        (
            {"arms": {"real": {}, "a": {"null": "ErdosRenyi", "overrides": {"model.network": "DenseNetwork"}}}},
            "DenseNetwork takes no hierarchy, so every draw would be the same network",
        ),
        ({"base": "demo.yaml", "arms": {"real": {}, "a": {"dense": "nodes"}}}, "arm 'a': .*DenseNetwork"),
        ({"base": {"model": "ClassificationTask"}}, "base: model: network must be given"),
        ({"base": {"data": "BreastCancer"}}, "base: model must be given"),
    ],
)  # fmt: skip
def test_arms_that_cannot_be_used(tmp_path, monkeypatch, changes, words):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=words) as refused:
        _ = Study(fields(**changes)).plan
    assert "\n" not in str(refused.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("data: [", "base: config 'own.yaml' is not valid YAML"),
        ("base: demo.yaml", "has the key base, so it is a study"),
    ],
)
def test_base_configs(tmp_path, monkeypatch, text, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.yaml").write_text(text)
    with pytest.raises(InputError, match=words):
        _ = Study(fields(base="own.yaml")).plan


class Disconnect(NullModel):
    """Let all features end in two nodes that lead nowhere."""

    def redraw(self, hierarchy, seed):
        features, _, tops = hierarchy.sizes
        low = np.stack([np.repeat(np.arange(features), 2), np.tile([0, 1], features)])
        rest = np.arange(hierarchy.edges[1].pairs.shape[1])
        return [low, np.stack([2 + rest // tops, rest % tops])]


def test_a_null_that_leaves_no_live_path():
    arms = {"real": {}, "cut": {"null": f"{Disconnect.__module__}.Disconnect", "draws": 2}}
    with pytest.raises(InputError, match=r"arm 'cut': draw 0 of .*leaves no live path .* DegreePreserving"):
        _ = Study(fields(arms=arms)).plan
