"""How large will a search space be? Told from its small sizes, before the large ones are built."""

import math
from collections.abc import Sequence

from ....errors import InputError
from .settings import SpaceSettings
from .space import Space

__all__ = ["expected_sizes", "fill"]

# So many functions, or so many sizes, show how fast a space grows.
_ENOUGH_FUNCTIONS = 300
_ENOUGH_SIZES = 4


def expected_sizes(counts: Sequence[int], max_nodes: int) -> list[int]:
    """Return how many functions there are up to 1, 2, ... `max_nodes` nodes: counted, then estimated.

    The estimate continues with the growth from the last size but one to the last; where a size is empty (sums and
    products alone have odd sizes), with that of the last two sizes against the two before. Spaces grow a little
    faster with every size, so it is rather too low.

    Example:
        >>> from axonlight.discovery.engines.enumeration.budget import expected_sizes
        >>> expected_sizes([1, 3, 9, 27], max_nodes=6)
        [1, 4, 13, 40, 121, 364]
    """
    counts = list(counts)[:max_nodes]
    if all(counts[-3:]):
        growth = counts[-1] / counts[-2] if len(counts) > 1 else 1.0
    else:
        growth = math.sqrt(sum(counts[-2:]) / max(1, sum(counts[-4:-2])))
    while len(counts) < max_nodes:
        counts.append(round(growth * counts[-1]) if counts[-1] else round(growth**2 * counts[-2]))
    return [sum(counts[: size + 1]) for size in range(max_nodes)]


def fill(space: Space, settings: SpaceSettings) -> None:
    """Extend a space to `max_nodes`, refusing as soon as it is clear that it exceeds the budget.

    Raises:
        InputError: If the space holds more functions than `budget`; says how many, and what would fit.
    """
    while len(space.counts) < settings.max_nodes:
        if len(space) >= _ENOUGH_FUNCTIONS and len(space.counts) >= _ENOUGH_SIZES:
            _check(space, settings)
        space.extend(len(space.counts) + 1)
    _check(space, settings)


def _check(space: Space, settings: SpaceSettings) -> None:
    sizes = expected_sizes(space.counts, settings.max_nodes)
    if sizes[-1] <= settings.budget:
        return
    known = len(space.counts) == settings.max_nodes
    fitting = sum(size <= settings.budget for size in sizes)
    raise InputError(
        f"max_nodes is {settings.max_nodes}, which makes {'' if known else 'about '}{_rounded(sizes[-1], known)} "
        f"distinct formulas, at least {len(space):,}, and the budget is {settings.budget:,}: "
        + (f"max_nodes up to {fitting} fits" if fitting else "a larger budget is needed")
    )


def _rounded(count: int, known: bool) -> str:
    """Return two digits of an estimate, all of what is known."""
    return f"{count if known else round(count, 1 - int(math.log10(count))):,}"
