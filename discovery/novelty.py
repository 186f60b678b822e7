"""Is a formula new, or a known activation in other words?"""

from .candidate import Candidate

__all__ = ["known_as"]


def known_as(formula: Candidate | str) -> str | None:
    """Say which known activation a formula is, scaled, shifted or reflected if need be; None if it is new.

    Example:
        >>> known_as("cos(x)*x")
        'this is the Growing Cosine Unit (GrowingCosine)'
        >>> known_as("cos(x) - cos(cos(x))") is None
        True
    """
    raise NotImplementedError(formula)
