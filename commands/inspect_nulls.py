"""`axonlight inspect nulls`: draw null models of a hierarchy and show what they leave of it."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..plots.null_quality import draw_null_quality
from ..structures import Hierarchy, NullModel, NullReport, build_null, null_seed
from ..structures.nulls.report import aligned
from ..structures.nulls.text import parse_null
from .inspect_hierarchy import check_writable, checked_image, compile_hierarchy, report_printed_once

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["comparison_table", "show_nulls"]

_COLUMNS = {
    "live_inputs": "live inputs",
    "live_nodes": "live nodes",
    "live_edges": "live edges",
    "paths": "paths, log10",
    "effective_depth": "depth",
    "edge_overlap": "edge overlap",
}
_DRAWN = ("live_inputs", "live_nodes", "live_edges", "edge_overlap")
_BLOCK = "edge_overlap "


def show_nulls(arguments: argparse.Namespace) -> Path:
    r"""Draw null models of the hierarchy that the arguments describe; print and draw what is left of it.

    Args:
        arguments: What `axonlight inspect nulls` was given.

    Returns:
        The image file.

    Raises:
        InputError: If files or choices cannot be used, a null model is unknown, or one needs training rows.

    Example:
        >>> import tempfile
        >>> from axonlight.cli import main
        >>> path = Path(tempfile.mkdtemp()) / "edges.csv"
        >>> _ = path.write_text("parent,child\ncell,a\ncell,b\na,TP53\na,ATM\nb,EGFR\n")
        >>> image = str(path.parent / "nulls.png")
        >>> main(["inspect", "nulls", "--edges", str(path), "--null", "PermuteInputs", "--output", image])
        means of 20 draws ...
        0
    """
    output = checked_image(arguments.output)
    if arguments.csv is not None:
        check_writable("csv", arguments.csv)
    if arguments.draws < 1:
        raise InputError(f"draws is {arguments.draws}; it must be a positive integer")
    if arguments.seed < 0:
        raise InputError(f"seed is {arguments.seed}; it must be an integer of 0 or more")
    nulls = _drawable(arguments.null)
    with report_printed_once():
        hierarchy = compile_hierarchy(arguments)
    reports = [_report(hierarchy, null, arguments.draws, arguments.seed) for null in nulls]
    print(comparison_table(hierarchy, reports))
    if arguments.csv is not None:
        arguments.csv.parent.mkdir(parents=True, exist_ok=True)
        _all_draws(reports).to_csv(arguments.csv, index=False)
        print(arguments.csv)
    return _draw(hierarchy, reports, output)


def comparison_table(hierarchy: Hierarchy, reports: Sequence[NullReport]) -> str:
    """Return the means of several null models beside the real hierarchy, overlap per block, and what is kept.

    Args:
        hierarchy: The real hierarchy.
        reports: One per null model.

    Example:
        >>> real = Hierarchy.from_edges([("cell", "a"), ("a", "TP53")])
        >>> print(comparison_table(real, [NullReport(real, [real], "same")]).splitlines()[0])
        means of 1 draw of a hierarchy 1-1-1 with 2 edges
    """
    plain = [report.to_dict() for report in reports]
    real, means = plain[0]["real"], [_means(each) for each in plain]
    names = ["real", *(report.name for report in reports)]
    sizes = "-".join(map(str, hierarchy.sizes))
    lines = [f"means of {_draws(reports)} of a hierarchy {sizes} with {hierarchy.num_edges:,} edges", ""]
    rows = [
        [name, *(_number(row[column]) for column in _COLUMNS)] for name, row in zip(names, [real, *means], strict=True)
    ]
    lines += [aligned([["", *_COLUMNS.values()], *rows]), ""]
    blocks = [column for column in real if column.startswith(_BLOCK)]
    rows = [[name, *(_number(row[block]) for block in blocks)] for name, row in zip(names[1:], means, strict=True)]
    heads = [block.removeprefix(_BLOCK) for block in blocks]
    lines += [aligned([["edge overlap from -> to", *heads], *rows]), ""]
    lines += [f"every draw of {report.name} keeps: {', '.join(report.kept)}" for report in reports]
    dead = [report for report in reports if report.num_dead]
    lines += [f"{report.num_dead} of the draws of {report.name} leave no path to the highest layer" for report in dead]
    return "\n".join(lines)


def _drawable(texts: Sequence[str]) -> list[NullModel]:
    nulls = {null.name: null for null in (build_null(parse_null(text)) for text in texts)}
    waiting = [name for name, null in nulls.items() if null.needs_data]
    if waiting:
        raise InputError(
            f"null is {waiting[0]}, which needs training rows before it can draw; inspect nulls has none: name it in a "
            "study, which fits it to the training rows of each fold and reports its draws"
        )
    return list(nulls.values())


def _report(hierarchy: Hierarchy, null: NullModel, draws: int, seed: int) -> NullReport:
    return NullReport(hierarchy, [null(hierarchy, null_seed(seed, null, draw)) for draw in range(draws)], null)


def _draws(reports: Sequence[NullReport]) -> str:
    number = reports[0].num_draws
    return "1 draw" if number == 1 else f"{number:,} draws"


def _means(plain: dict[str, Any]) -> dict[str, float | None]:
    return {name: spread["mean"] for name, spread in plain["summary"].items()}


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"


def _all_draws(reports: Sequence[NullReport]) -> "pd.DataFrame":
    import pandas as pd

    tables = {report.name: report.draws for report in reports}
    return pd.concat(tables, names=["null", "draw"]).reset_index()


def _draw(hierarchy: Hierarchy, reports: Sequence[NullReport], output: Path) -> Path:
    spreads = [report.to_dict()["summary"] for report in reports]
    means, lows, highs = (
        [[spread[name][value] for name in _DRAWN] for spread in spreads] for value in ("mean", "min", "max")
    )
    sizes = "-".join(map(str, hierarchy.sizes))
    figure = draw_null_quality(
        [report.name for report in reports],
        [_COLUMNS[name] for name in _DRAWN],
        means,
        lows,
        highs,
        title=f"{sizes}: mean and range of {_draws(reports)}",
    )
    output.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(output, dpi=150)
    return output
