"""Tables and the figure of the simulation of verdicts."""

import datetime as dt
import importlib.metadata
import platform
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from _overlapping_folds import ONE_DRAW, Design, Setting
from _verdict_shares import Errors
from axonlight.comparison.statistics.estimate import FREEDOM_OF_OVERLAPPING_SPLITS
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

__all__ = [
    "conditions",
    "draw_figure",
    "equivalence_table",
    "errors_table",
    "one_draw_table",
    "power_table",
    "tests_table",
]

Counts = tuple[int, int, int]  # claims, claims with n - 1 degrees of freedom, data sets
Curve = Sequence[Mapping[str, float]]
COLOURS = {"better": "#0072b2", "equivalent": "#009e73", "inconclusive": "0.55"}


def conditions(datasets: int, minutes: float) -> str:
    """Return the date, the versions, the machine and the time."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("axonlight", "numpy", "scipy"))
    machine = platform.machine().replace("_", "-")
    return (
        f"{dt.date.today()}, {versions},\nPython {platform.python_version()}, {machine} CPU, {minutes:.1f} min of "
        f"processor time on one core. {datasets:,} data sets\nper setting; true differences are added to the scores of "
        "exchangeable arms."
    )


def errors_table(errors: Mapping[Setting, Errors]) -> str:
    """Return false verdicts, a line per learner and number of rows, a column per design."""
    return _by_design(_exchangeable(errors), _false_claims)


def one_draw_table(errors: Mapping[Setting, Errors]) -> str:
    """Return the verdicts better or worse of two draws of one null model, in the same arrangement."""
    own = {setting: found for setting, found in errors.items() if setting.learner == ONE_DRAW}
    return _by_design(own, _false_claims)


def equivalence_table(errors: Mapping[Setting, Errors]) -> str:
    """Return false equivalences on the edge of the region, in the same arrangement."""
    return _by_design(_exchangeable(errors), _false_equivalences)


def _false_claims(found: Errors) -> Counts:
    return found.false, found.with_n_1, found.datasets


def _false_equivalences(found: Errors) -> Counts:
    return found.false_equivalent, found.false_equivalent_with_n_1, found.datasets


def _exchangeable(errors: Mapping[Setting, Errors]) -> dict[Setting, Errors]:
    return {setting: found for setting, found in errors.items() if setting.learner != ONE_DRAW}


def _by_design(errors: Mapping[Setting, Errors], counts: Callable[[Errors], Counts]) -> str:
    designs = list(dict.fromkeys(setting.design for setting in errors))
    lines = [
        f"| learner | rows | {' | '.join(map(str, designs))} |",
        f"|---|---:|{'---|' * len(designs)}",
    ]
    for learner, rows in dict.fromkeys((setting.learner, setting.rows) for setting in errors):
        cells = [_cell(design, counts(errors[Setting(learner, rows, design)])) for design in designs]
        lines.append(f"| {learner} | {rows:,} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(design: Design, counts: Counts) -> str:
    """Return a share, and beside it that with n - 1 degrees of freedom where these are others than the verdict's."""
    count, with_n_1, datasets = counts
    beside = design.splits - 1 > FREEDOM_OF_OVERLAPPING_SPLITS
    return _percent(count, datasets) + (f" ({100 * with_n_1 / datasets:.1f})" if beside else "")


def tests_table(errors: Mapping[Setting, Errors]) -> str:
    """Return what each test rejects, in percent: smallest to largest over the learners and rows of a design."""
    lines = [
        "| design | verdict | n - 1 degrees of freedom | paired t-test, uncorrected | Wilcoxon | random signs |",
        "|---|---|---|---|---|---|",
    ]
    for design in dict.fromkeys(setting.design for setting in errors):
        own = [found for setting, found in _exchangeable(errors).items() if setting.design == design]
        cells = []
        for name in ("false", "with_n_1", "uncorrected", "wilcoxon", "signs"):
            shares = sorted(100 * getattr(found, name) / found.datasets for found in own)
            cells.append(f"{shares[0]:.1f} to {shares[-1]:.1f}")
        lines.append(f"| {design} | {' | '.join(cells)} |")
    return "\n".join(lines)


def power_table(power: Mapping[Setting, Curve], shown: Sequence[float]) -> str:
    """Return how often ridge regression is called better and equivalent, for some true differences."""
    lines = [
        f"| rows | design | verdict | {' | '.join(f'{shift:g}' for shift in shown)} |",
        f"|---:|---|---|{'---:|' * len(shown)}",
    ]
    for setting, curve in power.items():
        points = {round(line["difference"], 6): line for line in curve}
        for verdict in ("better", "equivalent"):
            cells = [f"{100 * points[shift][verdict]:.1f}" for shift in shown]
            lines.append(f"| {setting.rows:,} | {setting.design} | {verdict} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _percent(count: int, total: int) -> str:
    low, high = stats.binomtest(count, total).proportion_ci(0.95)
    return f"{100 * count / total:.1f} [{100 * low:.1f}, {100 * high:.1f}]"


def draw_figure(errors: Mapping[Setting, Errors], power: Mapping[Setting, Curve], rope: float, path: Path) -> Path:
    """Draw false verdicts beside those of the uncorrected test, and one panel of curves per number of rows."""
    sizes = list(dict.fromkeys(setting.rows for setting in power))
    figure = Figure(figsize=(4.6 * (1 + len(sizes)), 4.4), layout="constrained")
    axes = figure.subplots(1, 1 + len(sizes))
    _draw_errors(axes[0], _exchangeable(errors))
    for panel, rows in zip(axes[1:], sizes, strict=True):
        _draw_power(panel, {s.design: curve for s, curve in power.items() if s.rows == rows}, rope)
        panel.set_title(f"ridge regression, {rows:,} rows", fontsize=10)
    axes[-1].legend(frameon=False, fontsize=8, loc="center right")
    # No date and fixed names of elements: the same numbers give the same file.
    with rc_context({"svg.hashsalt": "verdicts", "svg.fonttype": "none"}):
        figure.savefig(path, metadata={"Date": None})
    return path


def _draw_errors(panel: Axes, errors: Mapping[Setting, Errors]) -> None:
    designs = list(dict.fromkeys(setting.design for setting in errors))
    for name, colour, label, aside in (
        ("false", "#0072b2", "verdict: corrected, at most 10 degrees of freedom", -0.18),
        ("with_n_1", "#cc79a7", "corrected, n - 1 degrees of freedom", 0.0),
        ("uncorrected", "#d55e00", "uncorrected t-test", 0.18),
    ):
        places = [designs.index(setting.design) + aside for setting in errors]
        shares = [100 * getattr(found, name) / found.datasets for found in errors.values()]
        panel.scatter(places, shares, s=18, color=colour, alpha=0.7, label=label)
    panel.axhline(5, color="0.3", linewidth=0.9, linestyle="--")
    panel.set_xticks(range(len(designs)), [str(design) for design in designs], fontsize=8)
    # linear where the level lies, logarithmic where the uncorrected test does
    panel.set_yscale("symlog", linthresh=10, linscale=2)
    panel.set_yticks((0, 2.5, 5, 7.5, 10, 20, 50), ("0", "2.5", "5", "7.5", "10", "20", "50"))
    panel.set_yticks((), minor=True)
    panel.set(ylabel="false claims, %", ylim=(-0.5, 600))
    panel.set_title("arms that do not differ, a point per setting", fontsize=10)
    panel.legend(frameon=False, fontsize=8, loc="upper left")


def _draw_power(panel: Axes, curves: Mapping[Design, Curve], rope: float) -> None:
    for style, (design, curve) in zip(("-", "--", ":"), curves.items(), strict=False):
        x = [line["difference"] for line in curve]
        for verdict in ("better", "equivalent", "inconclusive"):
            panel.plot(
                x,
                [100 * line[verdict] for line in curve],
                style,
                color=COLOURS[verdict],
                linewidth=1.5,
                label=f"{verdict}, {design}",
            )
    panel.axvspan(0, rope, color="0.92", zorder=0)
    panel.axhline(5, color="0.3", linewidth=0.7, linestyle="--")
    panel.set(xlabel="true difference in AUROC (grey: region of equivalence)", ylabel="verdicts, %", ylim=(-1, 101))
