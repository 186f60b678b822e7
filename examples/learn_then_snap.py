"""Learn, then snap: train a flexible curve per layer, exchange it for a short formula, and count what that costs.

    python examples/learn_then_snap.py --data.root ../shared/data --output docs

The curve, the formula in its place, the formula after more training of its constants and the curve after as much more
training stand beside ReLU, which is trained for all those epochs. Every seed decides split and initialisation. What is
chosen is chosen on training rows; validation and test rows are scored at the end. A finished run is a row of
OUTPUT/reproductions/learn_then_snap.csv and is not repeated; tables go into OUTPUT/snapping.md, between two marks,
figures beside the runs.
"""

import argparse
import json
import os
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

# Before numpy is imported: these networks are too small to share.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pandas as pd
import torch
from _marked_tables import table, write_block
from _process import start_process
from axonlight import __version__
from axonlight.comparison import compare_scores, estimate_mean
from axonlight.comparison.design.overrides import ConfigResolver
from axonlight.comparison.runs import execute
from axonlight.discovery.snapping import LearnedThenSnapped, learn_then_snap
from axonlight.discovery.snapping.writing import shortened
from axonlight.plots import draw_snapped_curves

# Config, folder of the data below the root, settings; the test rows of a split are a fifth of all.
SETS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "spambase": ("neuro_symbolic/spambase_light.yaml", "tabular", {"data.val_fraction": 0.1}),
    "covertype": (
        "neuro_symbolic/forest_cover_light.yaml",
        "tabular",
        {"data.val_fraction": 0.1, "data.limit_rows": 60_000, "data.limit_seed": 0},
    ),
    "proteomics": (
        "pathways/proteomics.yaml",
        "proteomics",
        {"data.test_fraction": 0.2, "trainer.max_epochs": 40, "data.hierarchy.levels": 3},
    ),
}
STEPS = ("relu", "curve", "snapped", "retrained", "curve, trained on")
METRICS = ("auroc", "accuracy")
TEST_FRACTION, ROPE = 0.2, 0.005


def config_of(name: str, activation: str, seed: int, options: argparse.Namespace, more_epochs: int = 0) -> Any:
    """Return the config of a set with this activation; one seed serves split, initialisation and order."""
    base, folder, settings = SETS[name]
    root = options.root and str(Path(options.root, folder))
    common = {**settings, "trainer.accelerator": "cpu", **({} if root is None else {"data.root": root})}
    if options.epochs is not None:
        common["trainer.max_epochs"] = options.epochs
    own = {"model.network.activation": activation, "seed_everything": seed, "data.split_seed": seed}
    config = ConfigResolver([base], common).resolve(own, name)
    config["trainer"]["max_epochs"] += more_epochs
    return config


def run_seed(name: str, seed: int, options: argparse.Namespace) -> tuple[list[dict[str, Any]], LearnedThenSnapped]:
    """Return a row per step and what was learned."""
    started = time.perf_counter()
    found = learn_then_snap(
        config_of(name, options.curve, seed, options),
        options.retrain_epochs,
        options.retrain,
        test=True,
        constants=options.constants,
    )
    relu = execute({"kind": "network", "config": config_of(name, "relu", seed, options, options.retrain_epochs)})
    if relu.failed:
        raise SystemExit(f"{name}, relu, seed {seed}: {relu.error}")
    validation = {metric: values[-1] for metric in METRICS if (values := relu.curves.get(f"val/{metric}"))}
    scores = {"relu": (validation, relu.metrics, relu.parameters)}
    scores |= {step: (each.validation, each.test, each.parameters) for step, each in found.scores.items()}
    formulas = json.dumps({curve.path: shortened(curve.readable) for curve in found.report.snapped})
    errors = [curve.error for curve in found.report.snapped]
    shared = {**shared_settings(name, options), "seed": seed, "formulas": formulas, "error": max(errors)}
    shared["seconds"] = round(time.perf_counter() - started, 1)
    rows = [
        {
            **shared,
            "step": step,
            "parameters": size,
            **{f"validation_{metric}": on_validation.get(metric, float("nan")) for metric in METRICS},
            **{f"test_{metric}": on_test[metric] for metric in METRICS},
        }
        for step, (on_validation, on_test, size) in scores.items()
    ]
    return rows, found


def shared_settings(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Return what all runs of a table have in common."""
    epochs = "config" if options.epochs is None else str(options.epochs)
    return {
        "dataset": name,
        "curve": options.curve,
        "epochs": epochs,
        "retrain_epochs": options.retrain_epochs,
        "retrain": options.retrain,
        "constants": options.constants,
        "axonlight": __version__,
        "torch": str(torch.__version__),
    }


def finished(path: Path, settings: Mapping[str, Any]) -> pd.DataFrame:
    """Return the rows of finished runs with these settings."""
    if not path.exists():
        return pd.DataFrame(columns=["seed", "step"])
    rows = pd.read_csv(path, dtype={"epochs": str})
    for key, value in settings.items():
        rows = rows[rows[key].astype(str) == str(value)]
    return rows


def report(rows: pd.DataFrame, options: argparse.Namespace, command: str) -> str:
    """Return conditions and tables of one set as Markdown."""
    seeds = sorted(rows.seed.unique())
    parts = [
        f"`{command}`; {len(seeds)} seeds, each of which decides split and initialisation; {options.curve} per layer; "
        f"{options.retrain_epochs} epochs more, of {'all weights' if options.retrain == 'all' else 'constants alone'}; "
        f"axonlight {__version__}, torch {torch.__version__}. Differences are paired, their intervals corrected for "
        f"overlapping training rows, the region of equivalence is ±{ROPE}."
    ]
    steps = [step for step in STEPS if step in set(rows.step)]
    by_step = {step: rows[rows.step == step].set_index("seed").loc[seeds] for step in steps}
    lines = [_line(step, by_step) for step in steps]
    head = ["network", "parameters", "validation AUC", "test AUC", "test accuracy", "AUC - ReLU's", "AUC - the curve's"]
    parts.append(table(head, lines))
    snapped = by_step["snapped"]
    parts.append("Formulas by seed, and the largest error of a layer as a share of its curve's spread:")
    found = [[seed, _formulas(row.formulas), f"{row.error:.1%}"] for seed, row in snapped.iterrows()]
    parts.append(table(["seed", "formulas", "error"], found))
    return "\n\n".join(parts)


def _line(step: str, by_step: Mapping[str, pd.DataFrame]) -> list[str]:
    rows = by_step[step]
    columns = ("validation_auroc", "test_auroc", "test_accuracy")
    means = [estimate_mean(rows[column].to_numpy(), TEST_FRACTION) for column in columns]
    shown = [f"{each.mean:.4f} ± {each.half_width:.4f}" for each in means]
    return [
        step,
        f"{int(rows.parameters.iloc[0]):,}",
        *shown,
        *(_against(step, other, by_step) for other in ("relu", "curve")),
    ]


def _against(step: str, other: str, by_step: Mapping[str, pd.DataFrame]) -> str:
    if step == other:
        return ""
    scores = [by_step[name].test_auroc.to_numpy() for name in (step, other)]
    found = compare_scores(*scores, test_fraction=TEST_FRACTION, rope=ROPE)
    low, high = found.interval
    return f"{found.difference:+.4f} [{low:+.4f}, {high:+.4f}] {found.verdict}"


def _formulas(text: str) -> str:
    return "; ".join(f"`{formula}`" for formula in json.loads(text).values())


def read_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the parsed command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data.root", dest="root", help="folder that holds tabular/ and proteomics/; default: downloads"
    )
    parser.add_argument("--output", type=Path, default=Path("docs"), help="folder of page, runs and figures")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--seeds", nargs="+", type=int, default=list(range(10)))
    parser.add_argument("--curve", default="rational(init=silu)", help="spec of the curve that is learned")
    parser.add_argument("--constants", choices=("needed", "all"), default="needed")
    parser.add_argument("--retrain", choices=("constants", "all"), default="constants")
    parser.add_argument("--retrain-epochs", type=int, default=5)
    parser.add_argument("--epochs", type=int, help="epochs of a trial; default: those of the config")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is missing, then write tables and figures."""
    options = read_arguments(arguments)
    start_process()
    path = options.output / "reproductions" / "learn_then_snap.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    command = shlex.join(["python", "examples/learn_then_snap.py", *(sys.argv[1:] if arguments is None else arguments)])
    for name in options.sets:
        settings = shared_settings(name, options)
        for seed in options.seeds:
            if seed in set(finished(path, settings).seed):
                continue
            rows, found = run_seed(name, seed, options)
            pd.DataFrame(rows).to_csv(path, mode="a", header=not path.exists(), index=False)
            print(f"{name}, seed {seed}\n{found.report}", *(f"{row['step']}: {row['test_auroc']:.4f}" for row in rows))
            if seed == options.seeds[0]:
                panels = [curve.panel() for curve in found.report.snapped]
                draw_snapped_curves(panels, path.with_name(f"learn_then_snap_{name}.png"))
        rows = finished(path, settings)
        write_block(
            options.output / "snapping.md",
            name,
            report(rows[rows.seed.isin(options.seeds)], options, command),
            "learn_then_snap",
        )
    print(f"tables: {options.output / 'snapping.md'}")


if __name__ == "__main__":
    main()
