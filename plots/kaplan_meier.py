"""Kaplan-Meier curves of groups of patients: bands, censored patients, numbers at risk, log-rank test."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import blended_transform_factory
from numpy.typing import ArrayLike

from ..errors import InputError
from .rows import LINE_STYLES, PALETTE, SMALL, TEXT, shortened, titled_panel

__all__ = ["draw_kaplan_meier"]

_PANEL = 2.5  # inches, as all below
_TABLE = 0.72  # from the panel to the first group's name: ticks and two lines of text
_LINE = 0.175
_GAP = 0.06
_CHARACTERS = 42


def draw_kaplan_meier(
    groups: Mapping[str, tuple[ArrayLike, ArrayLike]],
    p_value: float | None = None,
    *,
    xlabel: str = "months",
    confidence: float = 0.95,
    title: str = "",
    axes: Axes | None = None,
) -> Figure:
    r"""Draw a survival curve per group with its band, and how many are still at risk beneath.

    A tick on a curve is a censored patient. Bands are pointwise (see `kaplan_meier`) and end where nobody survives.
    The p-value is of equal hazards in all groups (see `log_rank_test`); without two groups there is none.

    Args:
        groups: Time (n,) and event (n,) of the patients of each group: 1 = happened, 0 = censored.
        p_value: What to write instead of the log-rank test of these very patients, such as a stratified one.
        xlabel: Unit of the times.
        confidence: Of the bands.
        title: Title of the figure.
        axes: Axes to draw on, with room beneath for a line and two rows per group; None makes a figure.

    Returns:
        The figure.

    Raises:
        InputError: If there is no group, or a group has no patient, or a time or an event cannot be used.

    Example:
        >>> groups = {"low risk": ([9, 12, 15, 20], [1, 0, 1, 0]), "high risk": ([2, 3, 5, 8], [1, 1, 1, 1])}
        >>> draw_kaplan_meier(groups).axes[0].get_xlabel()
        'months\nlog-rank p = 0.0067; bands: 95 % intervals'
    """
    from ..metrics.survival import kaplan_meier  # imports torch, which no other figure needs

    if not groups:
        raise InputError("groups are empty; give time and event of one group or more")
    curves = {}
    for name, (time, event) in groups.items():
        if not len(np.asarray(time)):
            raise InputError(f"group {name} has no patient; leave it out")
        curves[name] = kaplan_meier(time, event, confidence)
    labels = [
        shortened(
            f"{name}: {int(curve.at_risk[0]):,} patients, {int(curve.events.sum()):,} events; at risk", _CHARACTERS
        )
        for name, curve in curves.items()
    ]
    if axes is None:
        rows = sum(2 + label.count("\n") for label in labels)
        axes = titled_panel(title, _PANEL, left=0.72, foot=_TABLE + _LINE * rows + _GAP * len(labels))
    for place, curve in enumerate(curves.values()):
        _draw_curve(axes, curve, _style(place))
    last = max(float(curve.time[-1]) for curve in curves.values())
    ticks = np.asarray(MaxNLocator(nbins=6).tick_values(0, last or 1.0))
    ticks = ticks[ticks <= (last or 1.0)]
    axes.set_xlim(0, 1.02 * (last or 1.0))
    axes.set_xticks(ticks)
    axes.set_ylim(-0.02, 1.03)
    test = _test_text(groups) if p_value is None and len(groups) > 1 else _p_text(p_value)
    bands = f"band{'s' * (len(curves) > 1)}: {100 * confidence:g} % intervals"
    axes.set_xlabel(f"{xlabel}\n{test}{bands}", fontsize=TEXT, parse_math=False, linespacing=1.3)
    axes.set_ylabel("survival", fontsize=TEXT)
    axes.tick_params(labelsize=SMALL)
    axes.grid(alpha=0.3)
    for side in ("right", "top"):
        axes.spines[side].set_visible(False)
    _write_table(axes, labels, list(curves.values()), ticks)
    return axes.get_figure(root=True)  # type: ignore[return-value]


def _style(place: int) -> dict[str, Any]:
    return {"color": PALETTE[place % len(PALETTE)], "linestyle": LINE_STYLES[place % len(LINE_STYLES)]}


def _draw_curve(axes: Axes, curve: Any, style: dict[str, Any]) -> None:
    time = np.concatenate([[0.0], curve.time.numpy()])
    survival, low, high = (np.concatenate([[1.0], part.numpy()]) for part in (curve.survival, curve.low, curve.high))
    axes.fill_between(time, low, high, step="post", color=style["color"], alpha=0.15, linewidth=0)
    axes.step(time, survival, where="post", linewidth=1.8, **style)
    is_censored = curve.censored.numpy() > 0
    axes.plot(time[1:][is_censored], survival[1:][is_censored], "|", color=style["color"], markersize=6)


def _test_text(groups: Mapping[str, tuple[ArrayLike, ArrayLike]]) -> str:
    from ..metrics.survival import log_rank_test

    columns = [(np.asarray(time, float), np.asarray(event, float)) for time, event in groups.values()]
    member = np.repeat(np.arange(len(columns)), [len(time) for time, _ in columns])
    time, event = (np.concatenate(parts) for parts in zip(*columns, strict=True))
    return _p_text(float(log_rank_test(time, event, member).p_value))


def _p_text(p_value: float | None) -> str:
    if p_value is None:
        return ""
    if np.isnan(p_value):
        return "log-rank test undefined; "
    return f"log-rank p {'< 0.0001' if p_value < 1e-4 else f'= {p_value:.2g}'}; "


def _write_table(axes: Axes, labels: list[str], curves: list[Any], ticks: Any) -> None:
    height = axes.get_window_extent().height / axes.get_figure(root=True).dpi  # type: ignore[union-attr]
    beneath = blended_transform_factory(axes.transData, axes.transAxes)
    depth = _TABLE
    for place, (label, curve) in enumerate(zip(labels, curves, strict=True)):
        middle = -(depth + _LINE / 2) / height
        axes.plot([0, 0.07], [middle] * 2, transform=axes.transAxes, clip_on=False, linewidth=1.8, **_style(place))
        axes.text(
            0.09, -depth / height, label, transform=axes.transAxes, va="top", fontsize=SMALL, parse_math=False,
            linespacing=1.15,
        )  # fmt: skip
        depth += _LINE * (1 + label.count("\n"))
        for tick in ticks:
            # those whose time is the tick itself are still at risk
            number = int(curve.at_risk[0] - (curve.events + curve.censored)[curve.time < tick].sum())
            axes.text(
                tick, -depth / height, f"{number:,}", transform=beneath, ha="center", va="top", fontsize=SMALL,
            )  # fmt: skip
        depth += _LINE + _GAP
