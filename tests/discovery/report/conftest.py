"""A search as it might come out: ten finalists, six known activations, ten random formulas; all of it made up."""

import numpy as np
import pytest
from axonlight.comparison import compare_scores, estimate_mean
from axonlight.discovery import (
    Candidate,
    Contender,
    FinalActivation,
    SearchedCandidate,
    SearchResult,
    SelectionInflation,
    StageOutcome,
    known_as,
)
from axonlight.discovery.report import write_search_report

SEEDS = 10
FINALISTS = [
    "x*cos(x)", "sin(x) + abs(x)", "x*sin(x)", "abs(x)", "x - cos(cos(x))", "sin(x + abs(x))", "cos(sin(x)) - x*x",
    "x*cos(sin(x)) - x", "sin(sin(x)) - abs(x)", "cos(x)*abs(x) - sin(x + x)",
]  # fmt: skip
KNOWN = ["relu", "gelu", "silu", "GrowingCosine", "Snake", "ASH"]
RANDOM = ["cos(x + x)", "x*x", "sin(cos(x))", "abs(x) - cos(x)"]
QUESTION = "Does a formula of up to eight nodes tell cover type 2 from the others better than ReLU?"
HOSTILE = "</script><img src=http://example.org/x.png onerror=alert(1)>"


def made_result(**changes):
    generator = np.random.default_rng(0)

    def scores(level):
        return tuple((level + generator.normal(0, 0.0015, SEEDS)).tolist())

    def contender(name, kind, level, place=0):
        found = scores(level)
        candidate = None
        if kind != "known":
            known = {
                "gate/slope": 0.7 + 0.1 * place,
                "halving 2 epochs/auroc": level - 0.01,
                "cost": 1 + place / 10,
                "roughness": 0.5 * place,
            }
            candidate = Candidate.from_text(name, engine="enumerate", scores=known, normalization=(0.0, 1.1))
        spec = name if kind == "known" else f"formula({name}, normalize=true)"
        told = known_as(name) if kind == "finalist" else None
        failures = ("the loss is nan at step 12",) if name == "Snake" else ()
        return Contender(
            name,
            kind,
            spec,
            found,
            estimate_mean(found, 0.2),
            candidate,
            told,
            on_front=place in (1, 3),
            failures=failures,
        )

    finalists = [contender(name, "finalist", 0.862 - 0.001 * i, i + 1) for i, name in enumerate(FINALISTS)]
    controls = [contender(name, "known", 0.852 - 0.002 * i) for i, name in enumerate(KNOWN)]
    controls += [contender(name, "random", 0.84 - 0.004 * i, 5) for i, name in enumerate(RANDOM)]
    winner = scores(0.858)
    tested = [final("x*cos(x)", "formula(x*cos(x))", winner, scores(0.86))]
    for i, name in enumerate(KNOWN):
        test = scores(0.850 - 0.001 * i)
        against = compare_scores(winner, test, test_fraction=0.2, rope=0.002)
        tested.append(final(name, name, test, scores(0.853), against))
    searched = [SearchedCandidate(one.candidate, "finalists") for one in finalists]
    searched += [
        SearchedCandidate(
            Candidate.from_text(text, engine="enumerate", scores={"halving 2 epochs/auroc": float(score)}),
            "halving 2 epochs",
        )
        for text, score in zip(RANDOM, generator.uniform(0.8, 0.86, len(RANDOM)), strict=True)
    ]
    searched.append(SearchedCandidate(Candidate.from_text("1/x", engine="enumerate"), "gate", "not finite at x = 0"))
    stages = (
        StageOutcome("propose", 7409, 0, 7409, 1.1),
        StageOutcome("gate", 7409, 312, 3511, 14.0, None, {"grows like |x|^4, allowed is |x|^3": 300, "constant": 12}),
        StageOutcome("proxies", 3511, 3, 2000, 21.0, "proxies/score", {}, 0.21),
        StageOutcome("few_steps", 2000, 0, 500, 35.0, "few_steps/loss", {}, 0.55),
        StageOutcome("halving 2 epochs", 500, 0, 100, 70.0, "halving 2 epochs/auroc", {}, 0.8),
        StageOutcome("halving 15 epochs", 100, 0, 10, 120.0, "halving 15 epochs/auroc"),
        StageOutcome("finalists", 10, 0, 10, 200.0, "finalists/auroc"),
        StageOutcome("test", 1, 0, 1, 90.0),
    )
    fields = {
        "name": "covertype",
        "question": QUESTION,
        "metric": "auroc",
        "higher_is_better": True,
        "rope": 0.002,
        "engine": "enumerate",
        "stages": stages,
        "candidates": tuple(searched),
        "finalists": tuple(finalists),
        "controls": tuple(controls),
        "tested": tuple(tested),
        "inflation": SelectionInflation("auroc", 0.862, 0.860, 0.858, 0.002, 0.001, "relu"),
        "settings": {"name": "covertype", "base": HOSTILE, "engine": {"kind": "enumerate", "max_nodes": 8}},
        "data": {"name": "Covertype", "fingerprint": "a1b2", "train": 9600, "validation": 2400, "test": 3000},
        "versions": {"axonlight": "0.1.0", "torch": "2.13.0"},
    }
    return SearchResult(**fields | changes)


def final(name, spec, test, validation, against=None):
    return FinalActivation(
        name, spec, test, validation, estimate_mean(test, 0.2), estimate_mean(validation, 0.2), against
    )


@pytest.fixture(scope="session")
def search_result():
    return made_result()


@pytest.fixture(scope="session")
def search_paths(search_result, tmp_path_factory):
    command = "axonlight discover discovery/covertype.yaml --data.root ../shared/data/tabular"
    return write_search_report(search_result, tmp_path_factory.mktemp("search"), command)
