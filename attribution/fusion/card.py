"""One page about one patient: risk, prototypes, pathways, genes, and where they lie on the slides.

The page is one file: it asks nobody for anything and runs no script.
"""

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import __version__
from ...plots.inline_svg import inline_svg
from ...plots.page_style import STYLE
from .attributions import FusionAttributions
from .maps import PatchPlaces, draw_patient_map

__all__ = ["patient_card", "write_patient_card"]

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
# Names of prototypes are short: five columns fit on a phone.
_NARROW = ".scroll tbody th { min-width: 6.5rem; }"
_LIMITS = (
    "This page describes what the network did with this patient. Attention and gates are no causes, and expression was "
    "measured in the whole sample: a tile that attends to a pathway need not express it."
)
_Rows = list[tuple[str, ...]]


def write_patient_card(
    found: FusionAttributions,
    patient: str,
    path: str | Path,
    *,
    places: PatchPlaces | None = None,
    thumbnails: Sequence[NDArray[Any] | None] = (),
    top: int = 8,
) -> Path:
    """Write the card of a patient; see `patient_card`.

    Returns:
        The path.

    Example:
        >>> import tempfile
        >>> found = FusionAttributions(
        ...     ("ann",), (), ("repair",), ("ATM",), np.zeros((2, 1), dtype=np.int64), np.ones((1, 1)),
        ...     np.ones((1, 1)), np.array([0.5]), np.array([[3.0, 1.0]]))
        >>> write_patient_card(found, "ann", Path(tempfile.mkdtemp()) / "ann.html").name
        'ann.html'
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(patient_card(found, patient, places=places, thumbnails=thumbnails, top=top), encoding="utf-8")
    return path


def patient_card(
    found: FusionAttributions,
    patient: str,
    *,
    places: PatchPlaces | None = None,
    thumbnails: Sequence[NDArray[Any] | None] = (),
    top: int = 8,
) -> str:
    """Return a self-contained HTML page about a patient.

    Args:
        found: Attributions of the part that the patient is of; others of it are what he is compared with.
        patient: Name.
        places: Where the patches lie, for maps: `data.slides.patches(patient)`; None draws none.
        thumbnails: Pictures of the slides.
        top: Rows of each table.

    Raises:
        InputError: If there is no such patient, or the places are those of other patches.

    Example:
        >>> found = FusionAttributions(
        ...     ("ann", "bob"), (), ("repair", "death"), ("ATM", "TP53"), np.array([[0, 1, 1], [0, 0, 1]]),
        ...     pathway_gates=np.array([[0.5, 0.5], [0.9, 0.1]]), gene_weights=np.array([[0.2, 0.8, 1.0]] * 2),
        ...     risk=np.array([1.0, 2.0]), target=np.array([[7.0, 1.0], [9.0, 0.0]]))
        >>> page = patient_card(found, "ann")
        >>> "Event at 7 months" in page, "<script" in page
        (True, False)
    """
    row = found.row(patient)
    sections = "".join(
        f"<section><h2>{escape(title)}</h2>{body}</section>\n"
        for title, body in (*_maps(found, row, places, thumbnails), *_tables(found, row, top))
    )
    time, event = found.target[row]
    happened = "Event" if event > 0 else "Censored: followed without the event"
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<title>{escape(patient)}</title>
<style>{STYLE}{_NARROW}</style>
</head>
<body>
<main>
<header>
<p class="name">Patient, fold {found.fold}</p>
<h1>{escape(patient)}</h1>
<p class="summary">{escape(_standing(found, row))}</p>
<p class="scale">{happened} at {time:.3g} months</p>
<p class="warning">{escape(_LIMITS)}</p>
</header>
{sections}<footer>axonlight {escape(__version__)}</footer>
</main>
</body>
</html>
"""


def _standing(found: FusionAttributions, row: int) -> str:
    others = np.delete(found.risk, row)
    below = int((others < found.risk[row]).sum())
    return f"Predicted risk {found.risk[row]:.3g}, higher than that of {below} of the {len(others)} other patients"


def _maps(
    found: FusionAttributions, row: int, places: PatchPlaces | None, thumbnails: Sequence[NDArray[Any] | None]
) -> Iterator[tuple[str, str]]:
    if places is None or found.shares is None or not len(found.shares.of(row)):
        return
    patient, figures = found.patients[row], []
    figure = draw_patient_map(found, patient, places, thumbnails=thumbnails)
    figures.append(_figure(figure, "prototypes", "Each patch in the colour of the prototype that takes most of it."))
    if found.attention is not None and not np.isnan(found.attention[row]).any():
        pathway = found.pathways[int(_attended(found, row).argmax())]
        figure = draw_patient_map(found, patient, places, pathway=pathway, thumbnails=thumbnails)
        caption = f"How much each patch attends, through its prototypes, to {found.title(pathway)}."
        figures.append(_figure(figure, "pathway", caption))
    yield "Where it lies", f'<div class="drawings">{"".join(figures)}</div>'


def _figure(figure: Any, key: str, caption: str) -> str:
    return f"<figure>{inline_svg(figure, key, caption)}<figcaption>{escape(caption)}</figcaption></figure>"


def _attended(found: FusionAttributions, row: int) -> NDArray[Any]:
    """Return (P,): attention to each pathway, prototypes weighted by their gates."""
    return found.needed("prototype_gates")[row] @ found.needed("attention")[row]


def _tables(found: FusionAttributions, row: int, top: int) -> Iterator[tuple[str, str]]:
    if found.mass is None or not found.mass[row].sum() > 0:
        yield "Prototypes", "<p>This patient has no slides.</p>"
    else:
        yield "Prototypes", _prototypes(found, row, top)
    if np.isnan(found.pathway_gates[row]).any():
        yield "Pathways", "<p>This patient has no expression.</p>"
        return
    yield "Pathways", _pathways(found, row, top)
    if found.attention is not None and not np.isnan(found.attention[row]).any():
        yield "Prototypes and pathways", _pairs(found, row, top)
    yield "Genes", _genes(found, row, top)


def _prototypes(found: FusionAttributions, row: int, top: int) -> str:
    shares = found.prototype_shares()
    gates = found.needed("slide_gates")[row]
    after = None if found.prototype_gates is None else found.prototype_gates[row]
    order = np.argsort(-(gates if after is None or np.isnan(after).any() else after), kind="stable")[:top]
    head = ["prototype", "share", "usual", "gate", "after"]
    note = "<p>Share of the patches, and its mean over patients; gate before and after attending to pathways.</p>"
    usual = np.nanmean(shares, axis=0)
    rows = [
        (
            found.prototypes[place],
            f"{shares[row, place]:.0%}",
            f"{usual[place]:.0%}",
            f"{gates[place]:.2f}",
            "" if after is None or np.isnan(after[place]) else f"{after[place]:.2f}",
        )
        for place in order
    ]
    return note + _table(head, rows)


def _pathways(found: FusionAttributions, row: int, top: int) -> str:
    gates = found.pathway_gates
    order = np.argsort(-gates[row], kind="stable")[:top]
    usual = np.nanmean(gates, axis=0)
    rows = [(found.title(found.pathways[at]), f"{gates[row, at]:.4f}", f"{usual[at]:.4f}") for at in order]
    note = f"<p>Equal gates would be {1 / len(found.pathways):.4f} each.</p>"
    return note + _table(["pathway", "gate", "mean of all"], rows)


def _pairs(found: FusionAttributions, row: int, top: int) -> str:
    attention = found.needed("attention")
    weighted = found.needed("prototype_gates")[row][:, None] * attention[row]
    order = np.argsort(-weighted, axis=None, kind="stable")[:top]
    usual = np.nanmean(attention, axis=0)
    rows: _Rows = []
    for prototype, pathway in zip(*np.unravel_index(order, weighted.shape), strict=True):
        figures = attention[row, prototype, pathway], usual[prototype, pathway]
        title = f"{found.prototypes[prototype]} to {found.title(found.pathways[pathway])}"
        rows.append((title, *(f"{value:.4f}" for value in figures)))
    return _table(["pair, by gate times attention", "attention", "mean of all"], rows)


def _genes(found: FusionAttributions, row: int, top: int) -> str:
    scores = found.gene_scores()
    usual = np.nanmean(scores, axis=0)
    carried = found.gene_weights[row] * found.pathway_gates[row, found.memberships[1]]
    rows: _Rows = []
    for gene in np.argsort(-scores[row], kind="stable")[:top]:
        members = np.flatnonzero(found.memberships[0] == gene)
        through = found.memberships[1][members[carried[members].argmax()]] if len(members) else None
        title = "" if through is None else f", most through {found.title(found.pathways[through])}"
        rows.append((f"{found.genes[gene]}{title}", f"{scores[row, gene]:.4f}", f"{usual[gene]:.4f}"))
    return _table(["gene", "score", "mean of all"], rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    heads = f'<th scope="col">{escape(head[0])}</th>'
    heads += "".join(f'<th scope="col" class="number">{escape(text)}</th>' for text in head[1:])
    body = "".join(
        f'<tr><th scope="row">{escape(cells[0])}</th>'
        + "".join(f'<td class="number">{escape(text)}</td>' for text in cells[1:])
        + "</tr>"
        for cells in rows
    )
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(head[0])}">'
        f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>"
    )
