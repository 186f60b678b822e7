"""Whether well connected nodes collect the importance.

Legend of shapes: N nodes of a layer.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError
from .attributions import Attributions
from .graph import Adjustment, node_degrees

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["HubBias", "Response", "hub_bias"]

Floats: TypeAlias = NDArray[np.float64]
Response: TypeAlias = Literal["log", "rank"]
_USUAL: tuple[Adjustment, ...] = ("none", "degree", "subgraph")


@dataclass(frozen=True, eq=False)
class HubBias:
    """Regressions of importance on the logarithm of the degree.

    Args:
        table: One row per layer and adjustment: layer, adjust, nodes (in the regression), left_out, slope, low, high
            (95 %), r2, p. All of a regression are NaN where fewer than three nodes, or one degree alone, are left.
        response: "log" or "rank" of the importance.

    Example:
        >>> found = hub_bias([1.0, 2.0, 4.0, 8.0, 15.0], degrees=[1, 2, 4, 8, 16])
        >>> found.table[["adjust", "slope"]].round(2).values.tolist()
        [['none', 0.98], ['degree', -0.02]]
    """

    table: "pd.DataFrame"
    response: Response

    def __str__(self) -> str:
        """Return the table as text."""
        return self.table.to_string(index=False, float_format=lambda value: f"{value:.3g}")


def hub_bias(
    scores: Attributions | Mapping[str, Mapping[str, ArrayLike]] | ArrayLike,
    degrees: Mapping[str, ArrayLike] | ArrayLike | None = None,
    *,
    response: Response = "log",
) -> HubBias:
    """Regress the importance of nodes on the logarithm of their number of edges, before and after adjustments.

    Ordinary least squares of log(score), or of the score's rank over the number of nodes, on log(degree); intervals
    and p by the heteroscedasticity-consistent covariance HC3 (J. MacKinnon and H. White, J Econometrics 29:305, 1985)
    and Student's t with N - 2 degrees, since few hubs have much leverage. A slope of 1 of the logarithms means that a
    node with twice the edges scores twice as much. That importance goes with the degree is the finding of C.
    Esser-Skala and N. Fortelny, npj Syst Biol Appl 9:50, 2023. Nodes of one hierarchy depend on each other: take the
    intervals as a description.

    Args:
        scores: `Attributions` of a network with a hierarchy (adjustments none, degree and subgraph); one array (N,)
            (none and degree); or per adjustment arrays by layer.
        degrees: (N,) edges in and out, or arrays by layer; of attributions they are known.
        response: "log": nodes whose score or degree is not above 0 are left out and counted; "rank": only those whose
            score is NaN or degree is 0.

    Raises:
        InputError: If degrees are missing or their number is not that of the scores.

    Example:
        >>> hub_bias([3.0, 1.0, 2.0], degrees=[9, 1, 3], response="rank").table.loc[0, "r2"].round(6)
        np.float64(1.0)
    """
    import pandas as pd

    if response not in get_args(Response):
        raise InputError(f"response is {response!r}; it must be one of {', '.join(get_args(Response))}")
    by_adjustment, known = _by_adjustment(scores, degrees)
    rows = [
        {"layer": layer, "adjust": adjust, **_regression(np.asarray(values, float), known[layer], response, layer)}
        for layer in known
        for adjust, layers in by_adjustment.items()
        for values in [layers[layer]]
    ]
    return HubBias(pd.DataFrame(rows), response)


def _by_adjustment(scores: Any, degrees: Any) -> tuple[dict[str, dict[str, Floats]], dict[str, Floats]]:
    if isinstance(scores, Attributions):
        if scores.hierarchy is None:
            raise InputError("the network has no hierarchy, so its nodes have no degrees; give scores and degrees")
        known = {name: many.astype(float) for name, many in node_degrees(scores.hierarchy).items()}
        known = {layer: known[layer] for layer in scores.scores if layer in known}
        return {adjust: {layer: scores.adjusted_scores(layer, adjust) for layer in known} for adjust in _USUAL}, known
    if degrees is None:
        raise InputError("degrees are missing; give the number of edges of every node")
    if isinstance(scores, Mapping):
        return dict(scores), {layer: np.asarray(many, float) for layer, many in degrees.items()}
    values, many = np.asarray(scores, float), np.asarray(degrees, float)
    if values.shape != many.shape:
        raise InputError(f"scores have the shape {values.shape} and degrees {many.shape}; give one of each per node")
    return {"none": {"nodes": values}, "degree": {"nodes": values / np.maximum(many, 1)}}, {"nodes": many}


def _regression(scores: Floats, degrees: Floats, response: Response, layer: str) -> dict[str, float]:
    if scores.shape != degrees.shape:
        raise InputError(f"layer {layer} has {len(scores)} scores and {len(degrees)} degrees; give one per node")
    if np.isnan(degrees).all():
        raise InputError(f"the degrees of layer {layer} are unknown; take scores of a network with a hierarchy")
    kept = np.isfinite(scores) & (degrees > 0) & ((scores > 0) | (response == "rank"))
    found = {"nodes": int(kept.sum()), "left_out": int((~kept).sum())}
    x = np.log(degrees[kept])
    if found["nodes"] < 3 or np.ptp(x) == 0:
        return {**found, **dict.fromkeys(("slope", "low", "high", "r2", "p"), np.nan)}
    return {**found, **_fit(_response(scores[kept], response), x)}


def _response(scores: Floats, response: Response) -> Floats:
    from scipy.stats import rankdata

    return np.log(scores) if response == "log" else rankdata(scores) / len(scores)


def _fit(y: Floats, x: Floats) -> dict[str, float]:
    # A heavy import, needed here alone.
    from statsmodels.api import OLS, add_constant

    # HC3 divides by 1 - leverage, which is 0 where one node alone has another degree.
    with np.errstate(divide="ignore", invalid="ignore"):
        fitted = OLS(y, add_constant(x)).fit(cov_type="HC3", use_t=True)
        low, high = fitted.conf_int()[1]
        r2 = float(fitted.rsquared) if np.ptp(y) > 0 else np.nan
        return {"slope": fitted.params[1], "low": low, "high": high, "r2": r2, "p": fitted.pvalues[1]}
