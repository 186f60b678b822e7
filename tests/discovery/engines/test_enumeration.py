"""The complete search space, against every tree there is, evaluated at 60 digits."""

import itertools
import time

import mpmath
import numpy as np
import pytest
import torch
from axonlight.activations import Formula
from axonlight.activations.formula import count_nodes, parse_formula
from axonlight.discovery import enumerate_formulas
from axonlight.discovery.curve_evaluation import evaluate_formulas
from axonlight.discovery.engines import Enumeration
from axonlight.discovery.engines.enumeration.arithmetic import ENUMERABLE
from axonlight.discovery.engines.enumeration.budget import expected_sizes
from axonlight.discovery.engines.enumeration.equality import find_equals, grid
from axonlight.discovery.engines.enumeration.space import Space
from axonlight.errors import InputError

PUBLISHED = ("add", "sub", "mul", "sin", "cos", "abs")
TINY = mpmath.mpf("1e-6")
UNARY = {
    "abs": abs,
    "cos": mpmath.cos,
    "erf": mpmath.erf,
    "exp": lambda a: mpmath.exp(min(a, mpmath.mpf(40))),
    "inv": lambda a: a / (a * a + TINY),
    "log": lambda a: mpmath.log(a * a + TINY) / 2,
    "neg": lambda a: -a,
    "relu": lambda a: max(a, mpmath.mpf(0)),
    "sigmoid": lambda a: 1 / (1 + mpmath.exp(-a)),
    "sin": mpmath.sin,
    "softplus": lambda a: mpmath.log(1 + mpmath.exp(a)) if a <= 20 else a,  # as torch computes it
    "sqrt": lambda a: mpmath.root(a * a + TINY, 4),
    "square": lambda a: a * a,
    "tan": lambda a: mpmath.sin(a) * mpmath.cos(a) / (mpmath.cos(a) ** 2 + TINY),
    "tanh": mpmath.tanh,
}
BINARY = {
    "add": lambda a, b: a + b,
    "div": lambda a, b: a * b / (b * b + TINY),
    "max": max,
    "min": min,
    "mul": lambda a, b: a * b,
    "sub": lambda a, b: a - b,
}


def every_tree(max_nodes, operators):
    """All trees as (operator, place, place), each on trees before it, and how many there are up to each size."""
    trees, levels = [("x", 0, 0)], {1: range(1)}
    for size in range(2, max_nodes + 1):
        start = len(trees)
        for name in operators:
            if name in UNARY:
                trees += [(name, i, 0) for i in levels[size - 1]]
            else:
                for left in range(1, size - 1):
                    trees += [(name, i, j) for i in levels[left] for j in levels[size - 1 - left]]
        levels[size] = range(start, len(trees))
    return trees, [level.stop for level in levels.values()]


def evaluate_all(trees, x):
    values = []
    for name, i, j in trees:
        values.append(
            x if name == "x" else UNARY[name](values[i]) if name in UNARY else BINARY[name](values[i], values[j])
        )
    return values


def count_classes(max_nodes, operators, points):
    """Refine classes point by point: two trees stay together while their values agree to 30 digits behind the point."""
    trees, stops = every_tree(max_nodes, operators)
    classes = [0] * len(trees)
    with mpmath.workdps(60):
        for x in points:
            known = {}
            values = evaluate_all(trees, mpmath.mpf(x))
            for place, value in enumerate(values):
                key = (classes[place], int(mpmath.nint(value * mpmath.mpf(10) ** 30)))
                classes[place] = known.setdefault(key, len(known))
    return [len(set(classes[:stop])) for stop in stops]


def irregular(count, reach):
    return [reach * (2 * ((k * 0.7548776662466927) % 1) - 1) for k in range(1, count + 1)]


def test_published_set_has_as_many_functions_as_trees_have_values():
    expected = count_classes(6, PUBLISHED, irregular(48, 11.0))
    assert expected == [1, 4, 14, 43, 153, 564]
    assert [len(enumerate_formulas(size)) for size in range(1, 7)] == expected


@pytest.mark.parametrize(
    ("operators", "max_nodes"),
    [
        (("mul", "exp", "tanh", "neg"), 5),
        (("sigmoid", "erf", "max", "min"), 5),
        (("relu", "softplus", "square", "sub"), 5),
        (("add", "sqrt", "log"), 5),
        (("add", "div", "inv"), 5),
    ],
)
def test_other_operators(operators, max_nodes):
    # more points than for smooth functions: protected divisions differ near their zeros only
    points = [*irregular(60, 11.0), *irregular(20, 1.0)]
    expected = count_classes(max_nodes, operators, points)
    assert [len(enumerate_formulas(size, operators)) for size in range(1, max_nodes + 1)] == expected


def test_interval_is_what_two_smaller_counts_left_out():
    # On [-3, 3] |sin x| and sin|x| are one function, and with them 38 of 564 up to 6 nodes; not on the line.
    assert count_classes(6, PUBLISHED, irregular(48, 3.0)) == [1, 4, 13, 41, 145, 526]
    formulas = enumerate_formulas(4)
    assert {"sin(abs(x))", "abs(sin(x))"} <= set(formulas)


def test_nine_nodes_in_less_than_five_seconds():
    start = time.process_time()
    space = Space(PUBLISHED, ())
    space.extend(9)
    assert list(itertools.accumulate(space.counts)) == [1, 4, 14, 43, 153, 564, 2102, 8055, 31581]
    assert space.unresolved == 0
    assert time.process_time() - start < 5


def test_texts_are_formulas_shortest_first():
    formulas = enumerate_formulas(7)
    sizes = [count_nodes(parse_formula(text)) for text in formulas]
    assert sizes == sorted(sizes)
    assert len(set(formulas)) == len(formulas)
    assert all(str(parse_formula(text)) == text for text in formulas)
    for text in formulas[::97]:
        assert torch.isfinite(Formula(text)(torch.linspace(-3, 3, 7))).all()


def test_published_formulas_are_among_them():
    formulas = enumerate_formulas(7)
    points = np.linspace(-6, 6, 400) + 0.0123
    table = evaluate_formulas(formulas, points)
    for text in ("mul(cos(X0), X0)", "cos(x) - cos(cos(x))", "x + x*x + x*x"):
        value = evaluate_formulas([text], points)[0]
        assert np.abs(table - value).max(1).min() < 1e-12


def test_no_two_functions_agree_on_points_that_the_enumeration_never_saw():
    formulas = enumerate_formulas(6)
    values = evaluate_formulas(formulas, np.array(irregular(400, 11.5)))
    nearest = [np.abs(values[i + 1 :] - values[i]).max(1).min() for i in range(len(values) - 1)]
    assert min(nearest) > 1e-3


def random_text(generator, nodes, operators, numbers):
    if nodes == 1:
        return "x"
    names = [name for name in operators if nodes > 2 or name in UNARY]
    name = names[generator.integers(len(names))]
    if name in UNARY:
        return f"{name}({random_text(generator, nodes - 1, operators, numbers)})"
    left = int(generator.integers(1, nodes - 1))
    parts = [random_text(generator, size, operators, numbers) for size in (left, nodes - 1 - left)]
    if numbers and nodes - 1 - left == 1:
        parts[1] = str(numbers[generator.integers(len(numbers))])
    return f"{name}({parts[0]}, {parts[1]})"


def test_whatever_can_be_built_is_in_the_list():
    generator = np.random.default_rng(0)
    operators, numbers = ("add", "sub", "mul", "div", "max", "exp", "tanh", "cos"), (0.5, 2.0)
    formulas = enumerate_formulas(5, operators, numbers)
    points = np.array(irregular(150, 1.2))
    table = evaluate_formulas(formulas, points)
    for _ in range(150):
        text = random_text(generator, int(generator.integers(1, 6)), operators, numbers)
        value = evaluate_formulas([text], points)[0]
        if np.abs(value).max() < 1e6:
            gap = (np.abs(table - value) / (1 + np.abs(value))).max(1)
            found = int(gap.argmin())
            assert gap[found] < 1e-7, text
            assert count_nodes(parse_formula(formulas[found])) <= count_nodes(parse_formula(text))


def test_numbers_stand_in_formulas_but_not_alone():
    formulas = enumerate_formulas(5, ("add", "div", "relu"), (0, -1.5))
    assert "-1.5 + relu(x)" in formulas
    assert all("x" in text for text in formulas)
    assert not any(text.endswith("/ 0") for text in formulas)
    assert all(parse_formula(text) for text in formulas)


@pytest.mark.parametrize("name", ENUMERABLE)
def test_bound_of_the_rounding_error_holds_and_is_no_excuse(name):
    """Chains of operations, in double precision against 60 digits, from the bounds that the space itself keeps."""
    space = Space((name, "sin", "add"), ())
    space.extend(4)
    trees = [(made, *operands, 0, 0)[:3] for made, operands in space._made]
    with mpmath.workdps(60):
        for column in range(0, len(grid()), 16):
            exact = evaluate_all(trees, mpmath.mpf(grid()[column].item()))
            for place, value in enumerate(exact):
                bound = space._curves.errors[place, column].item()
                wrong = abs(value - mpmath.mpf(space._curves.values[place, column].item()))
                assert bound == float("inf") or wrong <= bound * 1.000001
    known = space._curves.errors[torch.isfinite(space._curves.errors)]
    assert known.median() < 1e-12


def test_equal_is_what_rounding_cannot_tell_apart():
    x = grid()
    far = torch.where(x > 11, x + 1, x)
    values = torch.stack([x, 1.5 * x, x + 1e-14, far, far, 1.5 * x + 1e-9])
    errors = torch.full_like(values, 1e-14)
    assert find_equals(values, errors).tolist() == [0, 1, 0, 3, 3, 5]
    errors[3:, x > 11] = torch.inf  # not known there, so it cannot tell
    assert find_equals(values, errors).tolist() == [0, 1, 0, 0, 0, 5]


def test_engine_proposes_all_with_provenance():
    engine = Enumeration(max_nodes=6)
    candidates = engine.propose(None, seed=3)
    assert [candidate.formula for candidate in candidates] == enumerate_formulas(6)
    assert [candidate.nodes for candidate in candidates] == [count_nodes(parse_formula(c.formula)) for c in candidates]
    first = candidates[0]
    assert (first.engine, first.seed, first.data_hash, engine.needs_rows) == ("enumerate", None, None, False)
    assert first.cost["evaluations"] == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_nodes": 14}, r"max_nodes is 14, which makes about 2.,000,000 distinct .* up to 10 fits"),
        (
            {"max_nodes": 8, "budget": 3000},
            r"about [678],\d00 distinct formulas, at least 564, .* 3,000: .* up to 7 fits",
        ),
        ({"max_nodes": 3, "budget": 5}, r"makes 14 distinct formulas, .* up to 2 fits"),
        ({"max_nodes": 0}, "max_nodes is 0; it must be a whole number from 1 to 60"),
        ({"max_nodes": 3, "operators": ["cosine"]}, "'cosine', which cannot be enumerated; nearest are sin, cos"),
        ({"max_nodes": 3, "operators": "sin"}, "operators is 'sin'; it must be a list of abs, add"),
        ({"max_nodes": 3, "numbers": [1e9]}, "numbers holds 1000000000.0"),
        ({"max_nodes": 3, "budget": 0}, "budget is 0"),
    ],
)
def test_refused_in_one_sentence(options, message):
    start = time.process_time()
    with pytest.raises(InputError, match=message) as refusal:
        enumerate_formulas(**options)
    assert "\n" not in str(refusal.value)
    assert time.process_time() - start < 2  # long before the work


def test_estimate_is_near_the_count():
    counts = [1, 3, 10, 29, 110, 411, 1538, 5953, 23526]
    for known in (5, 6, 7):
        assert expected_sizes(counts[:known], 9)[-1] == pytest.approx(31581, rel=0.25)
    assert expected_sizes([1, 0, 2, 0, 6, 0], 8)[-1] > 20  # sums and products have odd sizes alone
