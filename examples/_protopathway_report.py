"""The tables of the survival reproduction as Markdown: scores, comparisons with verdicts, published figures."""

import datetime as dt
import importlib.metadata
import os
import platform
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from _marked_tables import table
from _protopathway_arms import FLOORS, INPUTS
from _protopathway_data import SETTINGS, Setting
from _protopathway_runs import READINGS, Run
from _protopathway_tables import BUDGET_TEXT, PUBLISHED, RERUNS
from axonlight.comparison import Comparison, adjust, compare_scores

__all__ = ["ROPE", "blocks", "comparisons_of", "scores_by_fold"]

ROPE = 0.02
PLACE_ROPE = 0.05
TITLES = {"rna": "RNA alone", "rna+clinical": "RNA and covariates", "rna+slides": "RNA and simulated slides"}
LATE = ", ranks averaged with ridge, clinical"
# What every network is compared with, decided beforehand: the strongest floor of the same inputs in the reference.
AGAINST = {"rna": "ridge, pathway means", "rna+clinical": "rank average", "rna+slides": "rank average with slides"}
# Further questions, decided beforehand.
PAIRS = {
    "rna": (
        ("ProtoPathway, typed", "ProtoPathway, published"),
        ("ProtoPathway, published", "gene MLP"),
        ("ProtoPathway, typed", "gene MLP"),
        ("pathway network", "gene MLP"),
    ),
    "rna+clinical": (("ProtoPathway, typed", "gene MLP"),),
    "rna+slides": (
        ("ProtoPathway, typed", "ProtoPathway, published"),
        *((("ProtoPathway, published"), peer) for peer in ("SurvPath-like", "MMP-like", "ABMIL, slides alone")),
        ("SurvPath-like, pathways untrained", "SurvPath-like"),
        ("MMP-like, pathways untrained", "MMP-like"),
    ),
}
Scores = dict[str, dict[Setting, list[float]]]


def blocks(runs: Sequence[Run], command: str) -> dict[str, str]:
    """Return the text of every block of the page, by its label."""
    fitting = [run for run in runs if run.labels == "true"]
    scores = {inputs: scores_by_fold(fitting, inputs) for inputs in INPUTS}
    found = {"conditions": _conditions(runs, command), "floors": _floors_table(scores)}
    for inputs in INPUTS:
        text = _scores_table(fitting, scores[inputs], inputs)
        compared = _comparison_table(fitting, comparisons_of(fitting, scores[inputs], inputs))
        found[TITLES[inputs]] = "\n\n".join([text, compared] if compared else [text])
    networks = [run for run in fitting if run.curve]
    if networks:
        found["best epoch"] = _best_epoch_table(networks)
        found["planted links"] = _links_table(runs)
        found["published figures"] = _published_table(scores)
    return found


def scores_by_fold(runs: Sequence[Run], inputs: str) -> Scores:
    """Return the C-index of each arm, fold by fold: the mean over its seeds. Averages with the clinical floor too."""
    found: Scores = {}
    for run in runs:
        if run.inputs == inputs:
            found.setdefault(run.arm, {})
        if inputs == "rna+clinical" and run.inputs == "rna" and run.curve:
            found.setdefault(run.arm + LATE, {})
    for arm, settings in found.items():
        late = arm.endswith(LATE)
        name, field = (arm.removesuffix(LATE), "with_clinical") if late else (arm, "c_index")
        where = "rna" if late else inputs
        for setting in SETTINGS:
            own = [run for run in runs if (run.arm, run.inputs, (run.cohort, run.endpoint)) == (name, where, setting)]
            if own:
                settings[setting] = _by_fold(own, lambda run, field=field: getattr(run, field))
    return found


def _by_fold(runs: Sequence[Run], value: Callable[[Run], float]) -> list[float]:
    folds = sorted({run.fold for run in runs})
    return [float(np.mean([value(run) for run in runs if run.fold == fold])) for fold in folds]


def comparisons_of(
    runs: Sequence[Run], scores: Scores, inputs: str
) -> dict[tuple[str, str], dict[Setting, Comparison]]:
    """Return every planned comparison; of one setting those of a table are corrected together (Holm)."""
    floor = AGAINST[inputs]
    pairs = [(arm, floor) for arm in scores if arm not in FLOORS[inputs]]
    pairs += [pair for pair in PAIRS[inputs] if pair[0] in scores and pair[1] in scores]
    found: dict[tuple[str, str], dict[Setting, Comparison]] = {pair: {} for pair in pairs}
    for setting in SETTINGS:
        there = [pair for pair in pairs if all(setting in scores.get(arm, {}) for arm in pair)]
        alone = [_compared(runs, setting, scores[first][setting], scores[other][setting]) for first, other in there]
        for pair, comparison in zip(there, adjust(alone) if alone else [], strict=True):
            found[pair][setting] = comparison
    return {pair: compared for pair, compared in found.items() if compared}


def _compared(
    runs: Sequence[Run], setting: Setting, first: Sequence[float], other: Sequence[float], rope: float = ROPE
) -> Comparison:
    own = [run for run in runs if (run.cohort, run.endpoint) == setting]
    ratio = float(np.mean([run.test_rows / run.train_rows for run in own]))
    return compare_scores(first, other, test_fraction=ratio / (1 + ratio), rope=rope)


def _conditions(runs: Sequence[Run], command: str) -> str:
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("axonlight", "torch", "lightning"))
    machine = platform.machine().replace("_", "-")
    failed = sorted({run.failure for run in runs if run.failure})
    failures = f" Failed: {'; '.join(failed)}." if failed else ""
    seconds: dict[str, list[float]] = {}
    for run in runs:
        if run.curve:
            seconds.setdefault(f"{run.arm} ({run.inputs})", []).append(run.seconds)
    cost = [[name, len(values), f"{np.mean(values):.1f}"] for name, values in seconds.items()]
    rows = {(run.cohort, run.endpoint, run.fold): (run.test_rows, run.test_events) for run in runs}
    sizes = [
        f"{name(setting)} {sum(rows[key][0] for key in keys)} patients, {sum(rows[key][1] for key in keys)} events"
        for setting in SETTINGS
        if (keys := [key for key in rows if key[:2] == setting])
    ]
    parts = [
        f"```\n{command}\n```",
        f"{dt.date.today()}, {versions}, Python {platform.python_version()}, {os.cpu_count()}-core {machine} CPU, one "
        f"thread per run. {len(runs):,} runs took {sum(run.seconds for run in runs) / 60:.0f} min of processor time."
        f"{failures} Tested: {'; '.join(sizes)}. {BUDGET_TEXT}",
    ]
    return "\n\n".join([*parts, table(["network", "runs", "seconds each"], cost)] if cost else parts)


def name(setting: Setting) -> str:
    """Return the title of a setting."""
    return f"{setting[0].upper()} {setting[1].upper()}"


def _mean(values: Sequence[float]) -> str:
    deviation = f" ± {np.std(values, ddof=1):.3f}" if len(values) > 1 else ""
    return f"{np.mean(values):.3f}{deviation}"


def _scores_table(runs: Sequence[Run], scores: Scores, inputs: str) -> str:
    parameters = {run.arm: run.parameters for run in runs if run.inputs == inputs and run.parameters}
    rows = [
        [arm, f"{parameters[arm]:,}" if arm in parameters else "", *_cells(own)]
        for arm, own in sorted(scores.items(), key=lambda item: item[0] not in FLOORS[inputs])
    ]
    return table(["model", "trained parameters", *map(name, SETTINGS), "mean"], rows)


def _cells(own: Mapping[Setting, Sequence[float]]) -> list[str]:
    cells = [_mean(own[setting]) if setting in own else "" for setting in SETTINGS]
    whole = len(own) == len(SETTINGS)
    return [*cells, f"{np.mean([np.mean(values) for values in own.values()]):.3f}" if whole else ""]


def _comparison_table(runs: Sequence[Run], found: Mapping[tuple[str, str], Mapping[Setting, Comparison]]) -> str:
    if not found:
        return ""
    rows = [
        [first, other, *(_verdict(own[setting]) if setting in own else "" for setting in SETTINGS)]
        for (first, other), own in found.items()
    ]
    return table(["first", "against", *map(name, SETTINGS)], rows)


def _verdict(found: Comparison) -> str:
    low, high = found.interval
    return f"{found.difference:+.3f} [{low:+.3f}, {high:+.3f}] {found.verdict}"


# The floors of the reference that led to this page: released files, 3 inner folds; mean and deviation over the folds.
REFERENCE_FLOORS = {
    "ridge, pathway means": (".655 ± .064", ".666 ± .055", ".623 ± .060", ".590 ± .063"),
    "ridge, clinical": (".645 ± .044", ".630 ± .053", ".593 ± .035", ".594 ± .057"),
    "rank average": (".686 ± .052", ".685 ± .046", ".645 ± .032", ".627 ± .055"),
    "ridge, genes": ("", ".649 ± .046", "", ""),
}


def _floors_table(scores: Mapping[str, Scores]) -> str:
    ours = {arm: own for inputs in ("rna", "rna+clinical") for arm, own in scores[inputs].items()}
    rows = []
    for floor, reference in REFERENCE_FLOORS.items():
        rows.append([floor, "reference", *reference])
        if floor in ours:
            rows.append([floor, "here", *_cells(ours[floor])[:-1]])
    return table(["floor", "", *map(name, SETTINGS)], rows)


def _best_epoch_table(runs: Sequence[Run]) -> str:
    rows = []
    for inputs in INPUTS:
        for arm in dict.fromkeys(run.arm for run in runs if run.inputs == inputs):
            own = [run for run in runs if (run.arm, run.inputs) == (arm, inputs)]
            gain = [max(run.looks) - run.looks[-1] for run in own]
            cells = []
            for setting in SETTINGS:
                at = [run for run in own if (run.cohort, run.endpoint) == setting]
                if at:
                    best = _by_fold(at, lambda run: max(run.looks))
                    found = _compared(at, setting, best, _by_fold(at, lambda run: run.looks[-1]))
                    cells.append(f"{found.difference:+.3f} [{found.interval[0]:+.3f}, {found.interval[1]:+.3f}]")
                else:
                    cells.append("")
            rows.append([arm, inputs, len(own[0].looks), *cells, f"{np.mean(gain):+.3f}"])
    return table(["network", "inputs", "epochs", *map(name, SETTINGS), "mean"], rows)


def _links_table(runs: Sequence[Run]) -> str:
    rows = []
    own = [run for run in runs if not np.isnan(run.link_attention)]
    for arm in dict.fromkeys(run.arm for run in own):
        labels = [[run for run in own if (run.arm, run.labels) == (arm, which)] for which in ("true", "permuted")]
        rows += [[arm, reading, *_link_cells(labels[0], labels[1], reading)] for reading in READINGS]
    head = ["network", "reading", "before training", "true labels", "permuted labels", *map(name, SETTINGS)]
    return table(head, rows)


def _link_cells(true: Sequence[Run], permuted: Sequence[Run], reading: str) -> list[str]:
    """Return mean places, and per setting true less permuted labels, of the seed that both have."""
    field = f"link_{reading}"
    means = [np.mean([getattr(run, f"start_{reading}") for run in true])]
    means += [np.mean([getattr(run, field) for run in labels]) if labels else np.nan for labels in (true, permuted)]
    seeds = {run.seed for run in permuted}
    cells = []
    for setting in SETTINGS:
        pair = [
            [run for run in labels if (run.cohort, run.endpoint) == setting and run.seed in seeds]
            for labels in (true, permuted)
        ]
        if not all(pair):
            cells.append("")
            continue
        values = [_by_fold(each, lambda run: getattr(run, field)) for each in pair]
        cells.append(_verdict(_compared(pair[0], setting, values[0], values[1], PLACE_ROPE)))
    return [*(f"{value:.2f}" for value in means), *cells]


def _published_table(scores: Mapping[str, Scores]) -> str:
    rows = [["published", *row] for row in PUBLISHED] + [["re-run by others", *row] for row in RERUNS]
    for inputs in INPUTS:
        rows += [
            ["here", f"{arm}, {TITLES[inputs]}", *_cells(own)[:-1]]
            for arm, own in scores[inputs].items()
            if arm.startswith("ProtoPathway") or arm == AGAINST[inputs]
        ]
    return table(["", "model", *map(name, SETTINGS)], rows)
