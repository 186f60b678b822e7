"""What an examination finds wrong, said once."""

import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

__all__ = ["Complaints"]

log = logging.getLogger(__name__)


class Complaints:
    """Warns of outputs that are too small or too large, of dead units and of values that are not finite.

    Each of an activation once, and again when it comes back after it had gone.

    Args:
        std_range: Standard deviations of outputs that are let pass.
        max_dead: Largest share of dead units that is let pass.

    Example:
        >>> row = {"activation": "hidden_0", "step": 4, "output_std": 20.0, "dead": 0.0, "non_finite_outputs": 0.0}
        >>> Complaints((0.1, 10.0), 0.5).look_at([row])
        ['hidden_0: the standard deviation of its output is 20 in step 4, outside [0.1, 10]']
    """

    def __init__(self, std_range: Sequence[float], max_dead: float) -> None:
        self.std_range, self.max_dead = std_range, max_dead
        self._made: set[tuple[str, str]] = set()

    def forget(self) -> None:
        """Begin anew."""
        self._made.clear()

    def look_at(self, rows: Iterable[Mapping[str, Any]]) -> list[str]:
        """Warn of what is new, and return it."""
        said = []
        for row in rows:
            for kind, sentence in self._of(row).items():
                key = (row["activation"], kind)
                if sentence is None:
                    self._made.discard(key)
                elif key not in self._made:
                    self._made.add(key)
                    said.append(f"{row['activation']}: {sentence}")
        for sentence in said:
            log.warning("%s", sentence)
        return said

    def _of(self, row: Mapping[str, Any]) -> dict[str, str | None]:
        low, high = self.std_range
        std, dead, bad, step = row["output_std"], row["dead"], row["non_finite_outputs"], row["step"]
        outside = math.isfinite(std) and not low <= std <= high
        return {
            "std": f"the standard deviation of its output is {std:.3g} in step {step}, outside [{low:g}, {high:g}]"
            if outside
            else None,
            "dead": f"{dead:.0%} of its units are dead in step {step}: nothing comes through in any row"
            if dead > self.max_dead
            else None,
            "bad": f"{bad:.2%} of its output is not finite in step {step}" if bad > 0 else None,
        }
