"""What stands under the first screen, in order."""

from ..analysis.tables import ReportData
from .blocks import Block, Section, Table
from .drawings import dose_drawings, forest_drawings, learning_drawings, null_drawings, quality_drawings
from .tables import (
    arm_table,
    comparison_table,
    component_table,
    dose_table,
    failure_table,
    plain_table,
    quality_table,
    stimulation_table,
)
from .wording import claim_sentences, counted, metric_label

__all__ = ["sections_of"]

_CORRECTIONS = {"holm": "Holm", "bh": "Benjamini and Hochberg"}

_ARMS = (
    "Mean over splits with the corrected 95 % interval; a split counts the mean over its seeds and draws. An interval "
    "may pass the bounds of a score: it is that of a mean, by the t distribution."
)
_COMPONENTS = (
    "Standard deviation of a single run's score that each part accounts for, and its share of the variance. More draws "
    "average away what lies between draws, more seeds what lies between seeds; more repeats of the same folds help "
    "little, because their training sets overlap."
)
_CLAIMS = (
    "Each claim was stated before the runs, with the comparisons that must speak for it. It is shown where all of them "
    "do; an interval that leaves the question open is not evidence that there is no effect."
)
_STIMULATION = (
    "What light did: a dose is light times expression, summed over lit batches, the mean over the runs of an arm. "
    "Controls keep light and targets but for the one thing that they change. Positive differences are what the "
    "stimulus costs, as the untouched arm or the control stands first."
)
_NEEDED = (
    "For planning another study, if mean and scatter stay as they are. Adding runs to this one until a verdict appears "
    "would make false verdicts more frequent."
)
_READING: tuple[str, ...] = (
    "A difference is the first arm minus the second on the same splits, signed so that positive speaks for the first. "
    "Its interval and p-value have the corrected variance of Nadeau and Bengio, because training sets of different "
    "splits overlap.",
    "Equivalent: both one-sided tests place the difference within the region of practical equivalence. Else better or "
    "worse: the difference from 0 is beyond doubt. Else inconclusive: these runs do not decide, which is not the same "
    "as no difference.",
    "The interval answers whether a difference would hold on other splits of such data. The empirical p answers "
    "another question: how unusual the real structure is among random draws, on these splits; (1 + draws at least as "
    "good) / (1 + draws). It is one-sided and not corrected for several nulls.",
    "“p” and “p equivalent” are corrected for the family and give the verdict; “alone” is before the correction. "
    "Wilcoxon, permutation and uncorrected t ignore that training sets overlap and claim too much: they are there to "
    "compare. P(worse / equal / better) is the posterior of the Bayesian correlated t-test.",
)


def sections_of(data: ReportData) -> tuple[Section, ...]:
    """Return the sections that have something to show."""
    comparisons = comparison_table([*data.comparisons, *data.floors])
    scatter = component_table(data.components)
    conditions = plain_table(("condition", "value"), data.conditions)
    needed = plain_table(
        ("comparison", "what it needs"), {name: " ".join(said) for name, said in data.planning.items()}
    )
    doses = [dose for dose in data.doses if dose.metric == data.metrics[0]]
    sections = (
        ("claims", "Claims", (), _claims(data)),
        ("differences", "Differences", (), (forest_drawings("differences", data.comparisons, data.metrics),)),
        ("nulls", "The real structure among random ones", (), (null_drawings(data), _incomplete(data))),
        ("floors", "Against the floors", (), (forest_drawings("floors", data.floors, data.metrics[:1]),)),
        ("quality", "What the null models keep", (), (quality_drawings(data.nulls), quality_table(data.nulls))),
        ("doses", "Dose and response", (), (dose_drawings(doses), dose_table(data))),
        ("stimulation", "Stimulated arms", (_STIMULATION,), (stimulation_table(data), *data.notes)),
        ("curves", "Learning curves", (), (learning_drawings(data),)),
        ("arms", "All arms", (_ARMS,), (arm_table(data),)),
        ("comparisons", "All comparisons", (_families(data),), (comparisons,)),
        ("scatter", "Where the scatter comes from", (_COMPONENTS,), (scatter,)),
        ("needed", "What a decision still needs", (_NEEDED,), (needed,)),
        ("conditions", "Conditions", (), (conditions,)),
        ("failures", "Failed runs", (), (failure_table(data),)),
        ("reading", "How to read this", (), _READING),
    )
    found = []
    for key, title, notes, blocks in sections:
        shown = [block for block in blocks if _holds(block)]
        if shown:
            found.append(Section(key, title, (*notes, *shown)))
    return tuple(found)


def _claims(data: ReportData) -> tuple[Block, ...]:
    """Return every claim with the comparisons that it rests on."""
    if not data.claims:
        return ()
    seeds = f"; a split counts the mean over its {data.seeds} seeds" if data.seeds > 1 else ""
    return f"{_CLAIMS} Intervals are those over splits{seeds}.", *(claim_sentences(one, data) for one in data.claims)


def _holds(block: Block) -> bool:
    return bool(block.rows if isinstance(block, Table) else block)


def _families(data: ReportData) -> str:
    planned, floors = len(data.comparisons), len(data.floors)
    metrics = ", ".join(map(metric_label, data.metrics))
    correction = _CORRECTIONS.get(data.correction, data.correction)
    return (
        f"Metrics: {metrics}; verdicts rest on the first. p-values are corrected by {correction} over the "
        f"{counted(planned, 'planned comparison')} on all metrics, and over the {counted(floors, 'comparison')} with "
        f"floors as a family of their own; intervals are those of single comparisons."
    )


def _incomplete(data: ReportData) -> str:
    lost = {one.name: one.incomplete_draws for one in data.decisive if one.incomplete_draws}
    if not lost:
        return ""
    counts = "; ".join(f"{name}: {number}" for name, number in lost.items())
    return f"Draws left out of these distributions, because a run of theirs failed or has no score: {counts}."
