"""The tables of the induction-head reproduction, as heads and rows of text."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd
from _induction_figure import PARTS, PUBLISHED_TRENDS, TRENDS, Found
from _induction_measures import CLAMPS, crossing
from _induction_parts import ALL_OF_LAYER_1, BASE
from _induction_statistics import (
    ORDER,
    PUBLISHED,
    Interval,
    Ratio,
    geometric_mean,
    mean,
    plateau_word,
    ratio,
    ratios_of,
    times_of,
)

__all__ = ["order_line", "tables_of", "verdicts_of"]

Table = tuple[Sequence[str], list[list[str]]]
KEEPS = {"attention", "none", "all heads", ALL_OF_LAYER_1}  # the plateau, as published
# Published: seed 5, 1e6 sequences at rate 1e-5; means over all 78,400 sequences.
HEADS = {
    "strength": (0.42, 0.74, 0.71, 0.85, 0.29, 0.55, 0.10, 0.57),
    "alone": (0.40, 0.77, 0.75, 0.98, 0.43, 0.65, 0.29, 0.59),
    "alone_matched": (0.50, 0.83, 0.83, 0.999, 0.62, 0.76, 0.28, 0.71),
}


def tables_of(found: Found) -> dict[str, Table]:
    """Return every table by its title."""
    return {
        "When the arms learn": _arms(found),
        "The plateau": _plateaus(found),
        "Learning times in pairs": _pairs(found),
        "How the runs end": _ends(found),
        "Heads without a clamp": _heads(found),
        "Clamps as progress measures": _progress(found),
        "More labels, more classes": _trends(found),
        "A trained first layer": _grafts(found),
    }


def order_line(found: Found) -> str:
    """Say in which order the arms of the published order learned here, by geometric mean; ~ where it is undecided."""
    seeds = sorted(found.main["seed"].unique())
    times = {arm: geometric_mean(times_of(found.main, arm, seeds)[0]).mean for arm in ORDER}
    order = sorted(times, key=lambda arm: times[arm])
    earlier = {(one.first, one.second) for one in verdicts_of(found) if one.word == "earlier"}
    earlier |= {(one.second, one.first) for one in verdicts_of(found) if one.word == "later"}
    signs = ["<" if pair in earlier else "~" for pair in pairwise(order)]
    return " ".join(word for both in zip(order, [*signs, ""], strict=True) for word in both).strip()


def verdicts_of(found: Found) -> list[Ratio]:
    """Return the paired comparisons."""
    return ratios_of(found.main)


def _arms(found: Found) -> Table:
    head = ["arm", "published", "found", "published / none", "found / none", "learned"]
    seeds, rows = sorted(found.main["seed"].unique()), []
    for arm in sorted(PUBLISHED, key=lambda arm: PUBLISHED[arm]):
        times, never = times_of(found.main, arm, seeds)
        bound = "at least " if never else ""
        logs, _ = ratio(found.main, arm, "none")
        rule = found.main.loc[found.main["arm"] == arm, "learned"]
        rows.append(
            [
                arm,
                f"{PUBLISHED[arm]:,.0f}",
                bound + _interval(geometric_mean(times), "{:,.0f}"),
                f"{PUBLISHED[arm] / PUBLISHED['none']:.2f}",
                "1" if arm == "none" else _interval(geometric_mean(np.exp(logs)), "{:.3f}"),
                f"{rule.notna().sum()} of {len(rule)}: {_span(rule)}",
            ]
        )
    return head, rows


def _plateaus(found: Found) -> Table:
    head = ["arm", "part of the time within 10 % of ln 2", "plateau", "published", "sequences there"]
    head.append("loss at the start")
    rows = []
    for arm in sorted(PUBLISHED, key=lambda arm: PUBLISHED[arm]):
        own = found.main[found.main["arm"] == arm]
        share = mean(own["plateau_share"])
        published = "keeps it" if arm in KEEPS else "loses it"
        start = f"{own['first_loss'].mean():.2f}"
        there = mean(own["plateau_share"] * own["learned"].fillna(own["sequences"]))
        length = _interval(there, "{:,.0f}")
        rows.append([arm, _interval(share, "{:.2f}"), plateau_word(share), published, length, start])
    return head, rows


def _pairs(found: Found) -> Table:
    head = ["pair", "time of the first / second", "p (Holm)", "the first learns", "published ratio"]
    rows = []
    for one in verdicts_of(found):
        bound = f" (bounds: {one.censored})" if one.censored else ""
        published = f"{PUBLISHED[one.first] / PUBLISHED[one.second]:.2f}"
        p = "<0.001" if one.p_value < 0.001 else f"{one.p_value:.3f}"
        rows.append([f"{one.first} / {one.second}", _interval(one.interval, "{:.2f}") + bound, p, one.word, published])
    return head, rows


def _ends(found: Found) -> Table:
    kinds = ("train", "relabel", "new_classes")
    head = ["arm", "sequences", "loss", "accuracy: train", "held-out label pairs", "new classes"]
    rows = []
    for arm in sorted(PUBLISHED, key=lambda arm: PUBLISHED[arm]):
        own = found.main[found.main["arm"] == arm]
        scores = [_accuracy(own[f"accuracy_{kind}"], "{:.3f}") for kind in kinds]
        rows.append([arm, _span(own["sequences"]), f"{own['last_loss'].mean():.3f}", *scores])
    return head, rows


def _heads(found: Found) -> Table:
    """Heads have no names that seeds share: they are ranked by strength, in each seed and in the publication."""
    head = ["heads by strength"]
    head += ["strength, published", "found", "alone, published", "found", "alone and matched, published", "found"]
    place = found.heads.groupby("seed")["strength"].rank(ascending=False, method="first").astype(int)
    order = np.argsort(HEADS["strength"])[::-1]
    rows = []
    for number in range(8):
        own = found.heads[place == number + 1]
        cells = [f"{number + 1} (published 1.{order[number]})"]
        for name, published in HEADS.items():
            cells += [f"{published[order[number]]:.2f}", _accuracy(own[name], "{:.2f}")]
        rows.append(cells)
    return head, rows


def _progress(found: Found) -> Table:
    head = ["clamp", "through training: learned", "at evaluation: learned", "evaluation / training"]
    rows = []
    for clamp in CLAMPS:
        own = found.progress[found.progress["clamp"] == clamp]
        late = {seed: crossing(t["sequences"].to_numpy(), t["loss"].to_numpy()) for seed, t in own.groupby("seed")}
        early, _ = times_of(found.main, clamp, list(late))
        times = np.array(list(late.values()))
        never = int(np.isnan(times).sum())
        note = f" ({never} never)" if never else ""
        known = ~np.isnan(times)
        rows.append(
            [
                clamp,
                _interval(geometric_mean(early), "{:,.0f}"),
                _interval(geometric_mean(times[known]), "{:,.0f}") + note,
                _interval(geometric_mean(times[known] / early[known]), "{:.1f}"),
            ]
        )
    return head, rows


def _trends(found: Found) -> Table:
    head = ["", "published, all heads", *PARTS.values()]
    rows = []
    for kind, conditions in TRENDS.items():
        for number, condition in conditions.items():
            rows.append([f"{number} {kind}", f"{PUBLISHED_TRENDS[kind][number]:,.0f}", *_times_in(found, condition)])
    return head, rows


def _times_in(found: Found, condition: str) -> Iterator[str]:
    runs = found.runs[found.runs["condition"] == condition]
    seeds = sorted(found.runs.loc[found.runs["condition"] != BASE, "seed"].unique())
    for arm in PARTS:
        times, never = times_of(runs, arm, seeds)
        yield ("at least " if never else "") + _interval(geometric_mean(times), "{:,.0f}")


def _grafts(found: Found) -> Table:
    head = ["first layer", "runs", "loss at the start", "loss at 16,384 sequences", "learned", "below 0.1"]
    rows = []
    table = found.grafts.assign(same=found.grafts["arm"].str.rpartition(" ")[2].astype(int) == found.grafts["seed"])
    for same, name in ((True, "trained, of the same seed"), (False, "trained, of another seed")):
        rows.append([name, *_graft_cells([own for _, own in table[table["same"] == same].groupby(["arm", "seed"])])])
    fresh = found.curves[(found.curves["arm"] == "all heads") & found.curves["seed"].isin(table["seed"].unique())]
    rows.append(["learns too (all heads)", *_graft_cells([own for _, own in fresh.groupby("seed")])])
    return head, rows


def _graft_cells(curves: Sequence[pd.DataFrame]) -> list[str]:
    grids = [(own["samples"].to_numpy(), own["loss"].to_numpy()) for own in curves]
    middle = [loss[min(np.searchsorted(samples, 16_384), len(loss) - 1)] for samples, loss in grids]
    cells = [str(len(grids)), _interval(mean([loss[0] for _, loss in grids]), "{:.2f}")]
    cells.append(_interval(mean(middle), "{:.2f}"))
    for threshold in (0.4 * np.log(2), 0.1):
        times = np.array([crossing(samples, loss, threshold) for samples, loss in grids])
        known = times[~np.isnan(times)]
        never = len(times) - len(known)
        text = _interval(geometric_mean(known), "{:,.0f}") if len(known) else ""
        cells.append(f"{text} ({never} never)".strip() if never else text)
    return cells


def _accuracy(values: pd.Series, form: str) -> str:
    """Return a mean with its interval, which ends at 1."""
    return _interval(Interval(*np.minimum(mean(values), 1.0).tolist()), form)


def _interval(found: Interval, form: str) -> str:
    if np.isnan(found.mean):
        return "-"
    middle = form.format(found.mean)
    return middle if np.isnan(found.low) else f"{middle} [{form.format(found.low)}, {form.format(found.high)}]"


def _span(values: pd.Series) -> str:
    known = values.dropna()
    if not len(known):
        return ""
    low, high = (f"{value:,.0f}" for value in (known.min(), known.max()))
    return low if low == high else f"{low} to {high}"
