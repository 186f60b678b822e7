"""One rule for random numbers: they derive from a seed and from what they are for, never from what ran before.

A generator seeded this way draws the same numbers after a resume, in another process and beside other networks.
"""

import hashlib
import os

__all__ = ["derive_seed", "global_seed"]


def derive_seed(seed: int, *purpose: int | str) -> int:
    """Return a 63-bit seed that depends on `seed` and on every item of `purpose`.

    Args:
        seed: The run's seed.
        purpose: What the numbers are for, e.g. ``"dropout", step, rank``.

    Example:
        >>> derive_seed(0, "shuffle", 3) == derive_seed(0, "shuffle", 3)
        True
        >>> derive_seed(0, "shuffle", 3) == derive_seed(0, "shuffle", 4)
        False
    """
    text = repr((int(seed), *purpose)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest()) >> 1


def global_seed() -> int:
    """Return the seed that `lightning.seed_everything` set for this process, or 0 where none was set.

    Example:
        >>> from lightning.pytorch import seed_everything
        >>> seed_everything(7, verbose=False) == global_seed() == 7
        True
    """
    return int(os.environ.get("PL_GLOBAL_SEED", "0"))
