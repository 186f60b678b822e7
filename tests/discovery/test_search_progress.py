"""What a search prints of itself, by a clock of its own."""

import io

from axonlight.discovery.search_plan import SearchPlan
from axonlight.discovery.search_progress import SearchProgress
from axonlight.discovery.search_settings import SearchSettings

CALLS = [  # second, stage, total, done, failed
    (0, "gate", 100, 0, 0),
    (1, "gate", 100, 90, 10),
    (1, "halving 2 epochs", 50, 0, 0),
    (21, "halving 2 epochs", 50, 10, 0),
    (41, "halving 2 epochs", 50, 20, 0),
    (101, "halving 2 epochs", 50, 50, 0),
    (101, "test", 10, 4, 0),
    (161, "test", 10, 10, 3),
]


def printed(costs, calls=CALLS):
    now, stream = [0.0], io.StringIO()
    with SearchProgress(costs, stream, clock=lambda: now[0]) as progress:
        for second, *told in calls:
            now[0] = float(second)
            progress(*told)
    return stream.getvalue().splitlines()


def test_lines_tell_the_time_left_of_all_stages():
    # 10 trainings in 20 seconds after the first: 2 seconds each, 1 second per epoch of one network
    assert printed({"halving 2 epochs": 100.0, "test": 150.0}) == [
        "gate: 100 of 100, 10 failed, 1 s",
        "halving 2 epochs: 10 of 50",
        "halving 2 epochs: 20 of 50, about 3.5 min left",
        "halving 2 epochs: 50 of 50, 1.7 min, about 2.5 min left",
        "test: 10 of 10, 3 failed, 60 s",
    ]


def test_a_stage_that_was_done_before_took_no_time():
    assert printed({}, [(0, "gate", 100, 100, 0)]) == ["gate: 100 of 100"]


def test_the_plan_counts_epochs_and_speaks():
    settings = SearchSettings.from_mapping(
        {
            "base": "demo.yaml",
            "stages": {
                "proxies": None,
                "few_steps": {"steps": 20, "keep": 30},
                "halving": {"epochs": [1, 4], "keep": [8, 4]},
            },
            "finalists": {"count": 4, "seeds": 5},
            "controls": {"known": ["relu", "gelu"], "random": 1},
            "engine": {"kind": "enumerate", "max_nodes": 5},
        }
    )
    plan = SearchPlan(settings, epochs=10, steps_per_epoch=5, proposed=100)
    assert plan.costs == {
        "few_steps": 400.0,
        "halving 1 epoch": 30.0,
        "halving 4 epochs": 32.0,
        "finalists": 350.0,
        "test": 150.0,
    }
    assert plan.lines() == [
        "engine enumerate (max_nodes 5), 100 formulas -> gate -> 20 steps, best 30 -> 1 epoch, best 8 -> 4 epochs, "
        "best 4",
        "4 finalists, 2 known activations and 1 random formula with 5 seeds, 10 epochs each",
        "winner and 2 known activations on the test rows, with 5 fresh seeds",
    ]
