"""Keep what was read lately, up to a number of bytes."""

from collections import OrderedDict

import numpy as np

from ...errors import InputError

__all__ = ["RecentArrays"]


class RecentArrays:
    """Arrays by name; when they grow beyond a number of bytes, those that were asked for longest ago go first.

    A copy for another process (pickled) starts empty.

    Args:
        max_bytes: How much is kept; an array larger than this is not kept at all. 0 keeps nothing.

    Raises:
        InputError: If `max_bytes` is negative.

    Example:
        >>> recent = RecentArrays(max_bytes=160)
        >>> for name in "abc":
        ...     recent.put(name, np.zeros(10))
        >>> recent.get("a") is None, recent.get("c").shape, recent.num_bytes
        (True, (10,), 160)
    """

    def __init__(self, max_bytes: int) -> None:
        if max_bytes < 0:
            raise InputError(f"max_bytes is {max_bytes}; it must be 0 or more")
        self.max_bytes = max_bytes
        self.num_bytes = 0
        self._kept: OrderedDict[str, np.ndarray] = OrderedDict()

    def get(self, name: str) -> np.ndarray | None:
        """Return an array that is kept, or None."""
        found = self._kept.get(name)
        if found is not None:
            self._kept.move_to_end(name)
        return found

    def put(self, name: str, array: np.ndarray) -> None:
        """Keep an array, and let go of others until all fit."""
        before = self._kept.pop(name, None)
        self.num_bytes -= 0 if before is None else before.nbytes
        if array.nbytes > self.max_bytes:
            return
        self._kept[name] = array
        self.num_bytes += array.nbytes
        while self.num_bytes > self.max_bytes:
            _, oldest = self._kept.popitem(last=False)
            self.num_bytes -= oldest.nbytes

    def __getstate__(self) -> dict[str, int]:
        return {"max_bytes": self.max_bytes}

    def __setstate__(self, state: dict[str, int]) -> None:
        self.__init__(state["max_bytes"])
