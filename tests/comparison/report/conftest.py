"""A study as it might come out: ten splits, four nulls, doses, floors, a failed run and curves; all of it made up."""

import numpy as np
import pandas as pd
import pytest
from axonlight.comparison.analysis import analyze
from axonlight.comparison.design.fields import StudyFields
from axonlight.comparison.report import write_report

QUESTION = "Does Reactome's hierarchy help to tell subphenotypes apart, or only its sparsity?"
FOLDS, REPEATS = 5, 2


def rewired(share):
    return {"null": {"class_path": "Rewire", "init_args": {"fraction": share}}, "draws": 5}


ARMS = {
    "real": {},
    "degree_preserving": {"null": "DegreePreserving", "draws": 100},
    "erdos_renyi": {"null": "ErdosRenyi", "draws": 40},
    "permuted_inputs": {"null": "PermuteInputs", "draws": 40},
    "rewired_quarter": rewired(0.25),
    "rewired_half": rewired(0.5),
    "rewired_all": rewired(1.0),
    "ash": {"overrides": {"model.network.activation": "ash"}},
    "no_hierarchy": {"dense": "nodes"},
}
LEVELS = {
    "real": 0.941,
    "degree_preserving": 0.936,
    "erdos_renyi": 0.882,
    "permuted_inputs": 0.934,
    "rewired_quarter": 0.939,
    "rewired_half": 0.936,
    "rewired_all": 0.930,
    "ash": 0.9408,
    "no_hierarchy": 0.958,
    "constant": 0.5,
    "ridge": 0.968,
    "random_forest": 0.949,
    "dense": 0.961,
}
QUALITY = {  # live inputs, live nodes, live edges, log10 paths, depth, overlap
    "degree_preserving": (1.0, 1.0, 1.0, 3.72, 4.0, 0.22),
    "erdos_renyi": (0.88, 0.42, 0.61, 3.31, 4.0, 0.02),
    "permuted_inputs": (1.0, 1.0, 1.0, 3.74, 4.0, 0.03),
    "rewired_quarter": (1.0, 0.99, 0.99, 3.73, 4.0, 0.79),
    "rewired_half": (0.99, 0.97, 0.98, 3.71, 4.0, 0.58),
    "rewired_all": (0.99, 0.95, 0.97, 3.70, 4.0, 0.21),
}
MEASURES = ("live_inputs", "live_nodes", "live_edges", "paths", "effective_depth", "edge_overlap")
CONDITIONS = {
    "data": "SepticKidneyInjury: 197 rows (classes '1': 74, '2': 123), 1,108 columns; Reactome, four levels",
    "versions": "axonlight 0.1.0, torch 2.13.0, lightning 2.6.6, Python 3.11",
    "command": "axonlight compare configs/studies/proteomics.yaml",
    "machine": "2-core x86-64 CPU, one thread per run",
    "date": "2026-11-24",
}


def made_study(**changes):
    fields = {
        "base": "pathways/proteomics.yaml",
        "name": "proteomics",
        "question": QUESTION,
        "arms": ARMS,
        "folds": FOLDS,
        "repeats": REPEATS,
        "metrics": ["auroc", "accuracy"],
    }
    return StudyFields(**fields | changes)


def made_runs(study, seed=0):
    """Return the frame of a ledger, curves and details."""
    generator = np.random.default_rng(seed)
    shared = generator.normal(0, 0.02, (REPEATS, FOLDS))
    rows, curves, details = [], {}, {}
    for arm in study.all_arms:
        drawn = generator.normal(0, 0.006, max(1, arm.num_draws))
        for repeat in range(REPEATS):
            for fold in range(FOLDS):
                for draw in range(max(1, arm.num_draws)):
                    key = f"{arm.name}/{repeat}/{fold}/{draw}"
                    noise = 0 if arm.floor == "constant" else shared[repeat, fold] + generator.normal(0, 0.008)
                    auroc = min(1.0, LEVELS[arm.name] + drawn[draw] * (arm.num_draws > 0) + noise)
                    rows.append(
                        {
                            "arm": arm.name,
                            "repeat": repeat,
                            "fold": fold,
                            "seed": 0,
                            "draw": draw if arm.num_draws else None,
                            "key": key,
                            "state": "done",
                            "auroc": auroc,
                            "accuracy": min(1.0, auroc - 0.05 + generator.normal(0, 0.01)),
                            "parameters": None if arm.floor else 8358 if arm.kind != "dense" else 7855,
                            "seconds": 0.1 if arm.floor else 1.4,
                            "error": None,
                        }
                    )
                    details[key] = {"train_rows": 157, "test_rows": 40}
                    if arm.name in QUALITY:
                        spread = generator.uniform(-0.02, 0, len(MEASURES))
                        values = np.array(QUALITY[arm.name]) + spread
                        details[key]["null"] = dict(zip(MEASURES, values.tolist(), strict=True))
                    if not arm.floor and draw < 3:
                        decay = np.exp(-np.arange(40) / generator.uniform(6, 12))
                        curves[key] = {"train/loss": (0.2 + 0.5 * decay + generator.normal(0, 0.01, 40)).tolist()}
    frame = pd.DataFrame(rows)
    lost = frame.index[(frame["arm"] == "erdos_renyi") & (frame["draw"] == 7) & (frame["fold"] == 3)]
    frame.loc[lost, ["state", "error"]] = ["failed", "the training loss is nan at step 212; lower model.optimizer.lr"]
    frame.loc[lost, ["auroc", "accuracy"]] = np.nan
    for name in ("draw", "parameters"):
        frame[name] = frame[name].astype("Int64")
    return frame, curves, details


@pytest.fixture(scope="session")
def report_data():
    study = made_study()
    frame, curves, details = made_runs(study)
    return analyze(study, frame, curves=curves, details=details, conditions=CONDITIONS)


@pytest.fixture(scope="session")
def report_paths(report_data, tmp_path_factory):
    return write_report(report_data, tmp_path_factory.mktemp("report"))
