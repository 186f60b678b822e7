"""Null models by name, as studies, configs and the command line give them."""

import difflib
import inspect
from collections.abc import Iterator, Mapping
from typing import Any

from ...errors import InputError
from ..hierarchy import Hierarchy
from .base import NullModel
from .coexpression import Coexpression
from .degree_preserving import DegreePreserving
from .erdos_renyi import ErdosRenyi
from .gene_sets import RandomGeneSets
from .label_bins import PermuteInputsWithinBins
from .labels import PermuteInputs
from .relabel import RelabelNodes
from .rewire import Rewire
from .shuffle_hierarchy import ShuffleHierarchy
from .shuffles import ColumnShuffle, RowShuffle

__all__ = ["NULL_MODELS", "build_null", "draw_null"]

_OURS: tuple[type[NullModel], ...] = (
    PermuteInputs,
    PermuteInputsWithinBins,
    DegreePreserving,
    RowShuffle,
    ColumnShuffle,
    ErdosRenyi,
    RandomGeneSets,
    Coexpression,
    ShuffleHierarchy,
    Rewire,
    RelabelNodes,
)
NULL_MODELS = {kind.__name__: kind for kind in _OURS}


def build_null(spec: str | Mapping[str, Any] | NullModel) -> NullModel:
    """Return the null model that a name or a mapping states.

    Args:
        spec: `DegreePreserving`, or `{class_path: Rewire, init_args: {fraction: 0.25}}`; a null model is returned as
            it is. A class of your own goes by its full path and must be imported before: nothing is imported here.

    Raises:
        InputError: If there is no such null model or it has no such argument; the nearest name is suggested.

    Example:
        >>> build_null("DegreePreserving")
        DegreePreserving
        >>> null = build_null({"class_path": "DegreePreserving", "init_args": {"trades_per_node": 5}})
        >>> null, null.describe() == build_null(null.describe()).describe()
        (DegreePreserving(trades_per_node=5), True)
    """
    if isinstance(spec, NullModel):
        return spec
    given = {"class_path": spec} if isinstance(spec, str) else spec
    if not isinstance(given, Mapping) or "class_path" not in given or set(given) - {"class_path", "init_args"}:
        raise InputError(f"the null model is {spec!r}; it must be a name or a mapping of class_path and init_args")
    kind = _class(given["class_path"])
    arguments = given.get("init_args") or {}
    if not isinstance(arguments, Mapping):
        raise InputError(f"init_args of {kind.__name__} are {arguments!r}; they must be a mapping")
    known = list(inspect.signature(kind).parameters)
    for key in arguments:
        if key not in known:
            takes = ", ".join(known) or "none"
            raise InputError(f"{kind.__name__} has no argument {key!r}{_nearest(str(key), known)}; it takes {takes}")
    try:
        return kind(**arguments)
    except TypeError as error:
        raise InputError(f"{kind.__name__} cannot be made of {dict(arguments)}: {error}") from error


def draw_null(null: str | Mapping[str, Any] | NullModel, hierarchy: Hierarchy, seed: int) -> Hierarchy:
    """Return one draw of a null model: `build_null(null)(hierarchy, seed)`.

    Raises:
        InputError: As `build_null`, or if the null model cannot change the hierarchy.

    Example:
        >>> real = Hierarchy.from_edges([("a", "x"), ("a", "y"), ("b", "z")])
        >>> draw_null("PermuteInputs", real, seed=1) == PermuteInputs()(real, seed=1)
        True
    """
    return build_null(null)(hierarchy, seed)


def _class(path: Any) -> type[NullModel]:
    name = str(path).removeprefix(__name__.partition(".")[0] + ".structures.").removeprefix("nulls.")
    if name in NULL_MODELS:
        return NULL_MODELS[name]
    for kind in _subclasses(NullModel):
        if path == f"{kind.__module__}.{kind.__qualname__}":
            return kind
    known = ", ".join(NULL_MODELS)
    raise InputError(f"no null model is named {path!r}{_nearest(name, list(NULL_MODELS))}; there are {known}")


def _subclasses(kind: type[NullModel]) -> Iterator[type[NullModel]]:
    for below in kind.__subclasses__():
        yield below
        yield from _subclasses(below)


def _nearest(name: str, known: list[str]) -> str:
    lower = {word.lower(): word for word in known}
    near = difflib.get_close_matches(name.lower(), lower, n=1, cutoff=0.5)
    return f" (did you mean {lower[near[0]]!r}?)" if near else ""
