"""Floors against direct calls of scikit-learn, and what is undefined or refused."""

import math

import numpy as np
import pytest
from axonlight.baselines import RidgeLogistic, classification, classification_floors, regression, regression_floors
from axonlight.errors import InputError
from axonlight.models import ClassificationTask, DenseNetwork, RegressionTask
from scipy.optimize import minimize
from scipy.special import expit
from sklearn import metrics
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import LeaveOneOut, StratifiedKFold


def draw(rows, features, classes=2, seed=0, signal=1.5):
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(rows, features))
    logits = signal * x[:, :classes] + generator.gumbel(size=(rows, classes))
    return x, logits.argmax(axis=1)


def chosen_penalty(x, y, seed, folds=5):
    """The penalty that scikit-learn's plain model has the smallest inner log-loss with."""
    length = np.mean(np.sum((x - x.mean(axis=0)) ** 2, axis=1))
    losses = {}
    for scaled in np.logspace(-3, 5, 17):
        model = LogisticRegression(C=scaled / length, tol=1e-8, max_iter=20_000)
        losses[scaled / length] = np.mean(
            [
                metrics.log_loss(y[test], model.fit(x[train], y[train]).predict_proba(x[test]))
                for train, test in StratifiedKFold(folds, shuffle=True, random_state=seed).split(x, y)
            ]
        )
    return min(losses, key=losses.get)


@pytest.mark.parametrize(("rows", "features", "classes"), [(60, 5, 2), (40, 150, 2), (60, 5, 3), (45, 80, 3)])
def test_ridge_logistic_is_scikit_learns_at_the_penalty_of_the_inner_folds(rows, features, classes):
    x, y = draw(rows, features, classes)
    scored = draw(50, features, classes, seed=1)[0]
    model = RidgeLogistic(seed=3).fit(x, y)
    penalty = chosen_penalty(x, y, seed=3)
    assert model.inverse_penalty == pytest.approx(penalty, rel=1e-9)
    plain = LogisticRegression(C=penalty, tol=1e-10, max_iter=50_000).fit(x, y)
    np.testing.assert_allclose(model.probabilities(scored), plain.predict_proba(scored), atol=1e-5)
    np.testing.assert_allclose(model.coefficients, plain.coef_, atol=1e-4)


@pytest.mark.parametrize("features", [4, 60])
def test_ridge_logistic_minimises_its_own_loss(features):
    x, y = draw(30, features)
    model = RidgeLogistic().fit(x, y)

    def loss(parameters):
        weights, bias = parameters[:-1], parameters[-1]
        logits = x @ weights + bias
        return model.inverse_penalty * np.sum(np.logaddexp(0, logits) - y * logits) + weights @ weights / 2

    best = minimize(loss, np.zeros(features + 1), method="BFGS", options={"gtol": 1e-7}).x
    np.testing.assert_allclose(model.probabilities(x)[:, 1], expit(x @ best[:-1] + best[-1]), atol=1e-4)
    np.testing.assert_allclose(model.coefficients[0], best[:-1], atol=1e-3)


def test_ridge_logistic_does_not_depend_on_the_unit():
    x, y = draw(40, 60)
    small, large = RidgeLogistic().fit(x / 1000, y), RidgeLogistic().fit(1000 * x, y)
    np.testing.assert_allclose(small.probabilities(x / 1000), large.probabilities(1000 * x), atol=1e-6)


def test_ridge_logistic_converges_on_separable_rows():
    x = np.repeat([[0.0, 1.0], [1.0, 0.0]], 20, axis=0)
    y = np.repeat([0, 1], 20)
    assert (RidgeLogistic().fit(x, y).probabilities(x).argmax(axis=1) == y).all()


def reference_scores(probabilities, target):
    """The metrics of the tasks, by scikit-learn, for two classes."""
    scores = probabilities[:, 1]
    bins = np.minimum((scores * 15).astype(int), 14)
    gaps = [
        (bins == each).mean() * abs(scores[bins == each].mean() - target[bins == each].mean())
        for each in np.unique(bins)
    ]
    return {
        "accuracy": metrics.accuracy_score(target, scores > 0.5),
        "auroc": metrics.roc_auc_score(target, scores),
        "average_precision": metrics.average_precision_score(target, scores),
        "f1": metrics.f1_score(target, scores > 0.5),
        "calibration_error": sum(gaps),
    }


def test_two_classes_against_scikit_learn():
    x, y = draw(60, 6)
    x_test, y_test = draw(200, 6, seed=1)
    found = classification_floors(x, y, x_test, y_test, seed=4)
    assert list(found) == ["constant", "ridge_logistic", "random_forest"]
    logistic = LogisticRegression(C=chosen_penalty(x, y, seed=4), tol=1e-10, max_iter=50_000).fit(x, y)
    forest = RandomForestClassifier(500, random_state=4).fit(x, y)
    share = np.full((200, 2), [1 - y.mean(), y.mean()])
    for name, probabilities in [
        ("constant", share),
        ("ridge_logistic", logistic.predict_proba(x_test)),
        ("random_forest", forest.predict_proba(x_test)),
    ]:
        assert found[name] == pytest.approx(reference_scores(probabilities, y_test), abs=2e-4), name


def test_three_classes_against_scikit_learn():
    x, y = draw(80, 5, classes=3)
    x_test, y_test = draw(300, 5, classes=3, seed=1)
    found = classification_floors(x, y, x_test, y_test)["random_forest"]
    probabilities = RandomForestClassifier(500, random_state=0).fit(x, y).predict_proba(x_test)
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(y_test, probabilities.argmax(axis=1)), abs=0.01)
    assert found["auroc"] == pytest.approx(metrics.roc_auc_score(y_test, probabilities, multi_class="ovr"), abs=1e-5)
    one_against_rest = np.eye(3)[y_test]
    expected = metrics.average_precision_score(one_against_rest, probabilities)
    assert found["average_precision"] == pytest.approx(expected, abs=1e-5)


def test_a_class_without_training_rows_keeps_its_column():
    x, y = draw(40, 3)
    y = np.where(y == 1, 2, 0)
    found = classification_floors(x, y, x, y, num_classes=4, floors=["ridge_logistic"])["ridge_logistic"]
    assert found["accuracy"] > 0.7
    two = classification_floors(x, y // 2, x, y // 2, floors=["ridge_logistic"])["ridge_logistic"]
    assert found["accuracy"] == two["accuracy"]


def test_undefined_is_nan():
    x, y = draw(30, 3)
    found = classification_floors(x, y, x[:5], np.ones(5, dtype=int), floors=["constant", "ridge_logistic"])
    for scores in found.values():
        assert math.isnan(scores["auroc"])
        assert math.isnan(scores["average_precision"])
        assert 0 <= scores["accuracy"] <= 1


@pytest.mark.parametrize("module", [classification, regression])
def test_other_scored_rows_change_no_prediction(module):
    x, y = draw(40, 60)
    scored = draw(20, 60, seed=1)[0]
    others = np.concatenate([scored[:10], 1e3 * scored[10:] + 5])
    for name, floor in module._FLOORS.items():
        np.testing.assert_array_equal(floor(x, y, scored, 1)[:10], floor(x, y, others, 1)[:10], err_msg=name)


def test_regression_against_scikit_learn():
    generator = np.random.default_rng(0)
    x, x_test = generator.normal(size=(40, 60)), generator.normal(size=(50, 60))
    y, y_test = (rows[:, :3].sum(axis=1) + 0.3 * generator.normal(size=len(rows)) for rows in (x, x_test))
    found = regression_floors(x, y, x_test, y_test, seed=2)
    length = np.mean(np.sum((x - x.mean(axis=0)) ** 2, axis=1))
    losses = {
        scaled: np.mean(
            [
                (Ridge(length * scaled).fit(x[train], y[train]).predict(x[test]) - y[test]) ** 2
                for train, test in LeaveOneOut().split(x)
            ]
        )
        for scaled in np.logspace(-5, 3, 17)
    }
    ridge = Ridge(length * min(losses, key=losses.get)).fit(x, y).predict(x_test)
    forest = RandomForestRegressor(500, max_features=1 / 3, random_state=2).fit(x, y).predict(x_test)
    for name, predictions in [("constant", np.full(50, y.mean())), ("ridge", ridge), ("random_forest", forest)]:
        expected = {
            "rmse": math.sqrt(metrics.mean_squared_error(y_test, predictions)),
            "mae": metrics.mean_absolute_error(y_test, predictions),
            "r2": metrics.r2_score(y_test, predictions),
        }
        assert found[name] == pytest.approx(expected, abs=1e-4), name


def test_regression_of_one_row_has_no_r2():
    x = np.arange(10.0)[:, None]
    assert math.isnan(regression_floors(x, x[:, 0], x[:1], x[:1, 0], floors=["ridge"])["ridge"]["r2"])


ROWS = np.arange(12.0).reshape(6, 2)
CLASSES = [0, 1, 0, 1, 0, 1]


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((ROWS, CLASSES, ROWS, CLASSES), {"floors": ["ridge_logistics"]}, "did you mean 'ridge_logistic'"),
        ((ROWS, [0] * 6, ROWS, CLASSES), {"num_classes": 2}, "all 6 training rows are of class 0"),
        ((ROWS, [0, 1, 0, 0, 0, 0], ROWS, CLASSES), {}, "class 1 has a single training row"),
        ((ROWS, CLASSES, ROWS[:, :1], CLASSES), {}, r"x_test has shape \(6, 1\); .* \(6, 2\)"),
        ((ROWS[:5], CLASSES, ROWS, CLASSES), {}, r"x_train has shape \(5, 2\)"),
        ((ROWS, CLASSES, ROWS, [0, 1, 2, 0, 1, 1]), {}, "y_test holds 2 in row 2; classes are 0 to 1"),
        ((ROWS, [0.5, 1, 0, 1, 0, 1], ROWS, CLASSES), {}, "y_train holds 0.5 in row 0"),
        ((np.where(ROWS == 3, np.nan, ROWS), CLASSES, ROWS, CLASSES), {}, "x_train holds nan in row 1, column 1"),
    ],
)
def test_refused(arguments, options, message):
    with pytest.raises(InputError, match=message):
        classification_floors(*arguments, **options)


def test_refused_regression():
    with pytest.raises(InputError, match="no floor 'lasso', only constant, ridge, random_forest"):
        regression_floors(ROWS, CLASSES, ROWS, CLASSES, floors=["lasso"])
    with pytest.raises(InputError, match="y_test has shape"):
        regression_floors(ROWS, CLASSES, ROWS, [0, 1, 0, 1, 0, np.nan])
    with pytest.raises(InputError, match="inner_folds is 1"):
        RidgeLogistic(inner_folds=1)
    with pytest.raises(InputError, match=r"x has shape \(6, 1\)"):
        RidgeLogistic().fit(ROWS, CLASSES).probabilities(ROWS[:, :1])


@pytest.mark.parametrize("classes", [2, 3])
def test_metrics_of_classification_have_the_names_of_the_task(classes):
    x, y = draw(40, 4, classes)
    task = ClassificationTask(DenseNetwork, in_features=4, num_classes=classes)
    for name, found in classification_floors(x, y, x, y, num_classes=classes).items():
        assert list(found) == list(task.metrics()), name


def test_metrics_of_regression_have_the_names_of_the_task():
    x = np.random.default_rng(0).normal(size=(20, 3))
    task = RegressionTask(DenseNetwork, in_features=3)
    for name, found in regression_floors(x, x[:, 0], x, x[:, 0]).items():
        assert list(found) == list(task.metrics()), name
