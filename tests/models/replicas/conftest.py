import numpy as np
import pytest
from axonlight.structures import Hierarchy

SIZES = (12, 9, 6, 3)


def random_hierarchy(seed: int, skip: bool = False) -> Hierarchy:
    """A hierarchy with edges drawn at random; every draw has other numbers of edges."""
    rng = np.random.default_rng(seed)
    blocks = []
    for low, high in [(0, 1), (1, 2), (2, 3), *([(0, 2), (1, 3)] if skip else [])]:
        count = SIZES[high] * 2 + int(rng.integers(0, 5))
        places = rng.choice(SIZES[low] * SIZES[high], count, replace=False)
        blocks.append((low, high, np.stack(np.divmod(places, SIZES[high]))))
    nodes = tuple(tuple(f"{layer}.{node}" for node in range(size)) for layer, size in enumerate(SIZES))
    return Hierarchy(("genes", "low", "middle", "high"), nodes, tuple(sorted(blocks, key=lambda block: block[:2])))


@pytest.fixture
def hierarchies() -> list[Hierarchy]:
    return [random_hierarchy(seed) for seed in range(5)]
