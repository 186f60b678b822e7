"""Draws that runs of one process share: a null model with the same seed is drawn again at every split and arm."""

import hashlib
from collections import OrderedDict
from typing import Any, NamedTuple

from ...structures import Hierarchy, NullModel, NullReport
from .recipe import NullRecipe, canonical_json

__all__ = ["Draw", "clear_draws", "draw_of", "edges_key"]

# Edges of all kept draws together; 16 bytes each.
_MOST_EDGES = 1 << 22
_kept: "OrderedDict[str, Draw]" = OrderedDict()
_num_edges = 0


class Draw(NamedTuple):
    """A draw of a null model, and what is left in it of the hierarchy.

    Attributes:
        hierarchy: The draw.
        quality: Its row of a `NullReport`, as plain data.
    """

    hierarchy: Hierarchy
    quality: dict[str, Any]


def edges_key(hierarchy: Hierarchy) -> str:
    """Return a hash of names and edges in the order in which they stand, which the order of weights follows.

    Example:
        >>> real = Hierarchy.from_edges([("cell", "TP53"), ("cell", "BRCA1")])
        >>> edges_key(real) == edges_key(Hierarchy.from_edges([("cell", "TP53"), ("cell", "BRCA1")]))
        True
    """
    digest = hashlib.sha256(canonical_json([hierarchy.fingerprint, hierarchy.notes]).encode())
    for source, target, pairs in hierarchy.edges:
        digest.update(f"{source} {target} ".encode() + pairs.tobytes())
    return digest.hexdigest()


def draw_of(hierarchy: Hierarchy, key: str, null: NullRecipe, model: NullModel) -> Draw:
    """Return a draw, which is kept for the next call.

    Args:
        hierarchy: The real hierarchy.
        key: Says what the draw depends on besides the recipe: hierarchy, and rows that the null model is fitted on.
        null: The recipe.
        model: The null model.

    Raises:
        InputError: If the null model does not suit the hierarchy.
    """
    key = f"{key} {canonical_json(null)}"
    found = _kept.get(key)
    if found is None:
        drawn = model(hierarchy, null["seed"])
        report = NullReport(hierarchy, [drawn], null=null["class_path"])
        found = Draw(drawn, report.to_dict()["draws"][0])
        _keep(key, found)
    _kept.move_to_end(key)
    return Draw(found.hierarchy, dict(found.quality))


def _keep(key: str, draw: Draw) -> None:
    """Keep a draw, and forget the ones that were not asked for longest if there are too many edges."""
    global _num_edges
    _kept[key] = draw
    _num_edges += draw.hierarchy.num_edges
    while _num_edges > _MOST_EDGES and len(_kept) > 1:
        _num_edges -= _kept.popitem(last=False)[1].hierarchy.num_edges


def clear_draws() -> None:
    """Forget all draws."""
    global _num_edges
    _kept.clear()
    _num_edges = 0
