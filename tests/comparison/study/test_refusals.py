"""What a study refuses before any training: one sentence with the reason and the smallest change that helps."""

import numpy as np
import pytest
from axonlight.comparison.study import Study, StudyFields, read_study
from axonlight.errors import InputError
from axonlight.structures import NullModel

BASE = "pathways/breast_cancer.yaml"
REAL = {"real": {}}


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
        ({"correction": "bonferoni"}, "correction is 'bonferoni'; known are holm, bh"),
        ({"executor": "slrm"}, "executor is 'slrm'; did you mean 'slurm'"),
        ({"name": "a/b"}, "it must be a file name"),
        ({"p_floor": 2}, "p_floor is 2; it must be"),
        (
            {"arms": {"real": {}, "rewired": {None: "DegreePreserving", "draws": 10}}, "p_floor": 0.01},
            "p_floor is 0.01, but the 10 draws of arm 'rewired' .* set its draws to 99 or p_floor to 0.0909",
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
        ("arms: {a: {}}", "has no key 'base'"),
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


OTHER = {"overrides": {"model.network.activation": "relu"}}


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
