"""Sensors: what closed loops read."""

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal, get_args

from ...errors import InputError
from ..clock import Clock

__all__ = ["Sensor", "Statistic", "sensor_of"]

Statistic = Literal["mean", "std", "rate"]
_FORMS = "it must be 'loss', 'metric:NAME' or 'statistic:SITE:mean', with mean, std or rate at the end"


@dataclass(frozen=True)
class Sensor:
    """Something a closed loop reads at the start of every batch: what the batch before left behind.

    Args:
        text: "loss", the training loss; "metric:NAME", the last logged value of that name; "statistic:SITE:mean"
            (or "std", "rate"), the statistic of the activations at a site in the last training batch.

    Raises:
        InputError: If the text is of no such form.

    Example:
        >>> Sensor("statistic:blocks.0.residual:std").site
        'blocks.0.residual'
        >>> Sensor("metric:val/loss").read(Clock(metrics={"val/loss": 0.5}))
        0.5
    """

    text: str

    def __post_init__(self) -> None:
        kind, _, rest = str(self.text).partition(":")
        known = self.text == "loss" or (kind == "metric" and rest)
        site, _, statistic = rest.rpartition(":")
        if not known and not (kind == "statistic" and site and statistic in get_args(Statistic)):
            raise InputError(f"sensor is {self.text!r}; {_FORMS}")

    @cached_property
    def metric(self) -> str | None:
        """Name of the metric, or None where it reads something else."""
        return self.text.removeprefix("metric:") if self.text.startswith("metric:") else None

    @property
    def site(self) -> str | None:
        """Name of the site, or None where it reads something else."""
        if not self.text.startswith("statistic:"):
            return None
        return self.text.removeprefix("statistic:").rpartition(":")[0]

    @property
    def statistic(self) -> Statistic | None:
        """Which statistic of the site, or None where it reads something else."""
        return self.text.rpartition(":")[2] if self.site else None  # type: ignore[return-value]

    def read(self, clock: Clock) -> float | None:
        """Return the value, or None where there is none yet or it is not finite.

        Statistics stand among the metrics of the clock under the sensor's own text.
        """
        value = clock.loss if self.text == "loss" else clock.metrics.get(self.metric or self.text)
        return float(value) if value is not None and math.isfinite(value) else None


@lru_cache(maxsize=256)
def sensor_of(text: str) -> Sensor:
    """Return the sensor of a text; texts are read once, sensors at every batch.

    Example:
        >>> sensor_of("loss") is sensor_of("loss")
        True
    """
    return Sensor(text)
