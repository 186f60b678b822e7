"""Vectors along the units of a site, as numbers or from a file whose content is part of the protocol."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...errors import InputError
from ...models import Site
from .checks import is_number

__all__ = ["Constant", "check_width", "read_rows", "rows_of"]

READERS = (".npy", ".json", ".pt")


def rows_of(key: str, value: Any) -> Any:
    """Return a vector or a list of vectors as tuples; a path as it is.

    Raises:
        InputError: If it is neither, is empty, or its vectors differ in length.

    Example:
        >>> rows_of("basis of opsin subspace", [[1, 0], [0, 1]])
        ((1, 0), (0, 1))
        >>> rows_of("vector of opsin steer", [1.0, 0.0])
        (1.0, 0.0)
    """
    if isinstance(value, str | Path):
        return str(value)
    rows = value if isinstance(value, list | tuple) else []
    if rows and all(map(is_number, rows)):
        return tuple(rows)
    lists = [row for row in rows if isinstance(row, list | tuple) and row and all(map(is_number, row))]
    if not rows or len(lists) != len(rows) or len({len(row) for row in lists}) != 1:
        raise InputError(
            f"{key} is {_short(value)}; it must be a list of finite numbers, or of such lists of one length, or the "
            f"path of a file ({', '.join(READERS)})"
        )
    return tuple(tuple(row) for row in lists)


def read_rows(key: str, value: Any, sha256: str | None) -> tuple[Tensor, str | None]:
    """Return the vectors (N, D) in float64, and the hash of the file that they come from.

    Args:
        key: What they are for, for messages.
        value: As `rows_of` gives it.
        sha256: The hash that the file must have; None: any.

    Raises:
        InputError: If the file is absent, of another content than its hash says, or holds something else; if a vector
            is 0.

    Example:
        >>> read_rows("vector of opsin steer", (3.0, 4.0), None)
        (tensor([[3., 4.]], dtype=torch.float64), None)
    """
    if isinstance(value, str):
        rows, found = _from_file(key, Path(value))
        if sha256 not in (None, found):
            raise InputError(f"{key} is {value}, which has changed: its sha256 is {found}, not {sha256}")
    else:
        if sha256 is not None:
            raise InputError(f"{key} is a list of numbers and has sha256 {sha256!r}; only a file has one")
        rows, found = torch.tensor(value, dtype=torch.float64), None
    rows = rows.unsqueeze(0) if rows.dim() == 1 else rows
    if rows.dim() != 2 or not rows.numel() or not bool(rows.isfinite().all()):
        raise InputError(f"{key} has shape {tuple(rows.shape)}; it must hold vectors of finite numbers")
    if bool((rows == 0).all(dim=1).any()):
        raise InputError(f"{key} has a vector of zeros, which has no direction")
    return rows, found


class Constant:
    """Numbers that are brought to a device, and to a dtype, once: a copy at every pass would make the device wait.

    Args:
        values: The numbers, in float64.

    Example:
        >>> Constant(torch.tensor([1.0, 2.0], dtype=torch.float64)).like(torch.zeros(3, dtype=torch.float16))
        tensor([1., 2.], dtype=torch.float16)
    """

    def __init__(self, values: Tensor) -> None:
        self.values = values
        self._copies: dict[tuple[torch.dtype, torch.device], Tensor] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        return Constant, (self.values,)

    def like(self, x: Tensor) -> Tensor:
        """Return the numbers in the dtype and on the device of a tensor."""
        key = (x.dtype, x.device)
        if torch.compiler.is_compiling() or key not in self._copies:
            self._prepare(*key)
        return self._copies[key]

    # Run while a graph is traced; the graph reads the tensor that it left behind.
    @torch.compiler.assume_constant_result
    def _prepare(self, dtype: torch.dtype, device: torch.device) -> bool:
        if (dtype, device) not in self._copies:
            # validation may come first, and its tensors could not be used in training
            with torch.inference_mode(False):
                self._copies[dtype, device] = self.values.to(dtype).to(device)
        return True


def check_width(kind: str, width: int, site: Site, found: int | None) -> None:
    """Refuse vectors of another length than a site has units.

    Example:
        >>> check_width("steer", 3, Site("hidden_0.post", "layers.0"), 2)
        Traceback (most recent call last):
            ...
        axonlight.errors.InputError: opsin steer has vectors of 3 numbers; site hidden_0.post has 2 units
    """
    if found is not None and found != width:
        raise InputError(f"opsin {kind} has vectors of {width} numbers; site {site.name} has {found} units")


def _from_file(key: str, path: Path) -> tuple[Tensor, str]:
    if not path.is_file() or path.suffix not in READERS:
        raise InputError(f"{key} is {str(path)!r}; it must be an existing file ({', '.join(READERS)})")
    try:
        if path.suffix == ".npy":
            rows = torch.from_numpy(np.load(path, allow_pickle=False)).to(torch.float64)
        elif path.suffix == ".json":
            rows = torch.tensor(json.loads(path.read_text(encoding="utf-8")), dtype=torch.float64)
        else:
            rows = torch.load(path, weights_only=True, map_location="cpu").to(torch.float64)
    except Exception as error:  # each reader has errors of its own
        raise InputError(f"{key} is {str(path)!r}, which holds no table of numbers ({type(error).__name__})") from None
    return rows, hashlib.sha256(path.read_bytes()).hexdigest()


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
