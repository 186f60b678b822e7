"""What one run gave."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

__all__ = ["Result"]


@dataclass(frozen=True)
class Result:
    """What one run gave: its figures, or why it failed.

    Attributes:
        metrics: Test metrics by their names without "test/"; NaN where undefined, empty where the run failed.
        curves: Values per epoch of `train/loss` and of all that is measured on validation rows.
        parameters: Number of trained values.
        seconds: Wall-clock time; of runs that were trained side by side, an equal share.
        error: One sentence where the run failed, else None.
        details: Facts about the run: quality of the null draw, epochs, number of rows.

    Example:
        >>> result = Result({"auroc": 0.9}, {"train/loss": [0.7, 0.5]}, parameters=120, seconds=0.5)
        >>> result.failed, Result.from_dict(result.to_dict()) == result
        (False, True)
        >>> Result.failure("the training loss is nan").error
        'the training loss is nan'
    """

    metrics: Mapping[str, float] = field(default_factory=dict)
    curves: Mapping[str, list[float]] = field(default_factory=dict)
    parameters: int = 0
    seconds: float = 0.0
    error: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def failure(cls, error: BaseException | str, seconds: float = 0.0, **details: Any) -> Self:
        """Return the result of a run that failed."""
        return cls(error=sentence(error), seconds=seconds, details=details)

    @property
    def failed(self) -> bool:
        """Whether there are no figures."""
        return self.error is not None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the result that `to_dict` described."""
        return cls(**values)


def sentence(error: BaseException | str) -> str:
    """Return what an error says on one line, with its class where the package did not word it."""
    text = " ".join(str(error).split())
    if isinstance(error, str) or (text and type(error).__name__ in ("InputError", "RunError")):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
