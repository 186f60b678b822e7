"""Can 5,825 parameters match 31,801 on Covertype, by activations that are found on training rows, or adapt?

    python examples/headline.py --data.root ../shared/data/tabular --output docs/reproductions

Every seed is a split and an initialisation, as in "Neuro-Symbolic Activation Discovery" (arXiv 2601.10740): 80 % of the
rows train. On these rows alone a search chooses a formula, per split; then all networks are trained on them and scored
once on the others. A finished network is a row of OUTPUT/headline.csv and is not repeated, a finished search is kept in
--runs; the tables go into OUTPUT/neuro_symbolic.md, between two marks.
"""

import argparse
import json
import os
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import pandas as pd
import torch
from _headline_report import report
from _marked_tables import write_block
from _process import start_process
from axonlight import __version__
from axonlight.comparison.design.overrides import ConfigResolver
from axonlight.comparison.runs import execute, execute_batch, group_runs
from axonlight.comparison.runs.recipe import canonical_json
from axonlight.discovery import Search

__all__ = ["ALLOWED", "ARMS", "SEARCHES", "Arm", "main", "recipe_of", "search_settings", "spec_on"]

# Parameters of the light network, and of none beside the heavy one.
ALLOWED = 5_825
LIGHT, HEAVY = "neuro_symbolic/forest_cover_light.yaml", "neuro_symbolic/forest_cover_heavy.yaml"
# Published epochs, and as many as make the published number of steps (1,188 for 1,185) with 12,000 training rows.
EPOCHS = (15, 99)
# With the cheap stages before training, and with every candidate trained.
SEARCHES = ("staged", "full")


@dataclass(frozen=True)
class Arm:
    """A network.

    Attributes:
        activation: Its spec; {staged} and {full} stand for what that search of the split found.
        hidden: Widths; narrower where the activation has parameters of its own.
        per: Whether those are one set per "layer" or per "unit".
    """

    activation: str
    hidden: tuple[int, int] = (64, 32)
    per: str = "layer"

    @property
    def searches(self) -> list[str]:
        """The searches that it needs."""
        return [kind for kind in SEARCHES if f"{{{kind}}}" in self.activation]


ARMS = {
    "heavy": Arm("relu", (200, 100)),
    "relu": Arm("relu"),
    "found": Arm("formula({staged}, normalize=true)"),
    "found, all trained": Arm("formula({full}, normalize=true)"),
    "found, a constant per unit": Arm("formula(c*({staged}) + relu(x), c=1.0, normalize=true)", (64, 30), "unit"),
    "published formula": Arm("formula(cos(x) - cos(cos(x)))"),
    "ash": Arm("ash(z=0.0, alpha=1.0)", (64, 31)),
    "ash, per unit": Arm("ash(z=0.0, alpha=1.0)", (64, 29), "unit"),
}
FLOOR = "logistic regression"


def search_settings(seed: int, kind: str, options: argparse.Namespace) -> dict[str, Any]:
    """Return the settings of the search on the training rows of a split.

    Args:
        seed: Of the split.
        kind: "staged" judges most candidates by proxies and few steps; "full" trains every one for five epochs.
        options: Of the command.
    """
    trial = options.trial_rows is not None
    stages: dict[str, Any] = {
        "proxies": {"keep": 4 if trial else 120},
        "few_steps": {"steps": 4 if trial else 12, "keep": 3 if trial else 40},
    }
    if kind == "full":
        stages = dict.fromkeys(stages)
    return {
        "name": f"headline_{seed}",
        "base": LIGHT,
        "overrides": shared_settings(seed, options),
        "engine": {"kind": "enumerate", "max_nodes": 3 if trial else 6},
        "metric": "auroc",
        "validation_fraction": 0.2,
        "stages": {
            **stages,
            "halving": {"epochs": [1], "keep": [2]} if trial else {"epochs": [5, 15], "keep": [12, 4]},
        },
        "finalists": {"count": 2 if trial else 4, "seeds": 2 if trial else 5},
        "controls": {"known": ["relu"], "random": 0},
        "seed": seed,
        "workers": 0,
    }


def shared_settings(seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """Return what decides the rows of a split, for the search and for all networks."""
    given: dict[str, Any] = {"data.split_seed": seed, "trainer.accelerator": "cpu"}
    if options.root is not None:
        given["data.root"] = os.path.abspath(options.root)
    if options.trial_rows is not None:
        given |= {"data.limit_rows": options.trial_rows, "data.limit_seed": 0}
    return given


def found_on(seed: int, kind: str, options: argparse.Namespace) -> str:
    """Return the formula that a search on the training rows of a split chooses; a finished one is read."""
    settings = search_settings(seed, kind, options)
    path = options.runs / (f"seed_{seed}" if kind == "staged" else f"seed_{seed}_{kind}") / "found.json"
    asked = canonical_json([settings, __version__, torch.__version__])
    if path.exists() and (kept := json.loads(path.read_text()))["asked"] == asked:
        return kept["formula"]
    result = Search(settings, path.parent).run()
    own = {"asked": asked, "formula": result.winner.name, "selection": result.inflation.selection}
    path.write_text(json.dumps({**own, "rows": dict(result.data), "seconds": result.seconds}, indent=1))
    print(f"seed {seed}: {kind} search found {result.winner.name}, {result.seconds:.0f} s", flush=True)
    return result.winner.name


def spec_on(arm: str, formulas: Mapping[str, str]) -> str:
    """Return the spec of an arm on the split whose searches found these formulas."""
    spec = ARMS[arm].activation
    for kind, formula in formulas.items():
        spec = spec.replace(f"{{{kind}}}", formula)
    return spec


def recipe_of(
    arm: str, formulas: Mapping[str, str], seed: int, epochs: int, options: argparse.Namespace
) -> dict[str, Any]:
    """Return a network's training and test, or the floor's."""
    common = {**shared_settings(seed, options), "seed_everything": seed, "trainer.max_epochs": epochs}
    if arm == FLOOR:
        config = ConfigResolver([LIGHT], common).resolve({}, arm)
        return {"kind": "floor", "floor": "ridge", "config": config}
    known = ARMS[arm]
    own = {
        "model.network.activation": spec_on(arm, formulas),
        "model.network.hidden": list(known.hidden),
        "model.network.activation_parameters": known.per,
    }
    base = HEAVY if arm == "heavy" else LIGHT
    return {"kind": "network", "config": ConfigResolver([base], common).resolve(own, arm)}


def missing_runs(
    seed: int, epochs: int, formulas: Mapping[str, str], options: argparse.Namespace
) -> Iterator[dict[str, Any]]:
    """Train what is not in the table yet, networks that differ in their activation alone side by side."""
    settings = conditions_of(seed, epochs, options)
    done = finished(options.output / "headline.csv", settings)
    known = set(zip(done["arm"], done["spec"], strict=True))
    left = [arm for arm in arms_of(options) if (arm, label(arm, formulas)) not in known]
    runs = [SimpleNamespace(arm=arm, recipe=recipe_of(arm, formulas, seed, epochs, options)) for arm in left]
    for group in group_runs(runs, max_batch=len(ARMS)):
        recipes = [run.recipe for run in group]
        results = execute_batch(recipes) if len(recipes) > 1 else [execute(recipes[0])]
        for run, result in zip(group, results, strict=True):
            if result.failed:
                raise SystemExit(f"{run.arm}, seed {seed}: {result.error}")
            scores = {metric: result.metrics[metric] for metric in ("auroc", "accuracy")}
            own = {"arm": run.arm, "spec": label(run.arm, formulas), "parameters": result.parameters or 0}
            yield {**settings, **own, **scores, "seconds": round(result.seconds, 2)}


def arms_of(options: argparse.Namespace) -> list[str]:
    """Return the arms that need no other search than those asked for; the floor is the last."""
    return [*(arm for arm, known in ARMS.items() if set(known.searches) <= set(options.searches)), FLOOR]


def label(arm: str, formulas: Mapping[str, str]) -> str:
    """Return the spec of an arm, as the table of runs has it."""
    return FLOOR if arm == FLOOR else spec_on(arm, formulas)


def conditions_of(seed: int, epochs: int, options: argparse.Namespace) -> dict[str, Any]:
    """Return what the runs of a split and a budget have in common."""
    rows = "all" if options.trial_rows is None else str(options.trial_rows)
    versions = {"axonlight": __version__, "torch": str(torch.__version__)}
    return {"rows": rows, "epochs": epochs, "seed": seed, **versions}


def finished(path: Path, settings: Mapping[str, Any]) -> pd.DataFrame:
    """Return the finished runs with these settings."""
    if not path.exists():
        return pd.DataFrame(columns=["arm", "spec"])
    rows = pd.read_csv(path, dtype={"rows": str})
    for key, value in settings.items():
        rows = rows[rows[key].astype(str) == str(value)]
    return rows


def read_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the parsed command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data.root", dest="root", help="folder of the data; default: AXONLIGHT_DATA, else download")
    parser.add_argument("--output", type=Path, default=Path("docs/reproductions"), help="folder of tables and runs")
    parser.add_argument("--runs", type=Path, default=Path("runs/headline"), help="folder of the searches")
    parser.add_argument("--seeds", nargs="+", type=int, default=list(range(42, 52)))
    parser.add_argument("--epochs", nargs="+", type=int, default=list(EPOCHS))
    parser.add_argument("--searches", nargs="+", choices=SEARCHES, default=list(SEARCHES))
    parser.add_argument("--trial-rows", type=int, help="rows of a trial, which searches little")
    return parser.parse_args(arguments)


def write_table(
    epochs: int, formulas: Mapping[int, Mapping[str, str]], options: argparse.Namespace, command: str
) -> None:
    """Write the block of one budget."""
    settings = conditions_of(0, epochs, options)
    del settings["seed"]
    rows = finished(options.output / "headline.csv", settings)
    own = [
        seed in formulas and arm in arms_of(options) and label(arm, formulas[seed]) == spec
        for arm, seed, spec in zip(rows["arm"], rows["seed"], rows["spec"], strict=True)
    ]
    block = report(rows[own], formulas, arms_of(options)[:-1], command)
    trial = "" if options.trial_rows is None else ", trial"
    write_block(options.output / "neuro_symbolic.md", f"headline, {epochs} epochs{trial}", block, "headline")


def main(arguments: Sequence[str] | None = None) -> None:
    """Search and train what is missing, then write the tables."""
    options = read_arguments(arguments)
    start_process()
    options.output.mkdir(parents=True, exist_ok=True)
    path = options.output / "headline.csv"
    command = shlex.join(["python", "examples/headline.py", *(sys.argv[1:] if arguments is None else arguments)])
    formulas: dict[int, dict[str, str]] = {}
    for epochs in options.epochs:
        for seed in options.seeds:
            formulas[seed] = {kind: found_on(seed, kind, options) for kind in options.searches}
            for row in missing_runs(seed, epochs, formulas[seed], options):
                pd.DataFrame([row]).to_csv(path, mode="a", header=not path.exists(), index=False)
            print(f"{epochs} epochs, seed {seed}: done", flush=True)
        write_table(epochs, formulas, options, command)
    print(f"tables: {options.output / 'neuro_symbolic.md'}")


if __name__ == "__main__":
    main()
