"""Read annotated matrices (.h5ad): samples x genes with a table of the samples (`obs`), sparse or dense.

The format is a published one, and h5py reads it without anndata, whose releases hold back pandas and NumPy:
https://anndata.readthedocs.io/en/stable/fileformat-prose.html. Files of anndata 0.7 (2020) and later are read.

Shapes: N samples, G genes.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import InputError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["annotated_names", "read_annotated_matrix", "read_annotated_samples"]


def annotated_names(path: Path) -> tuple[list[str], list[str]]:
    """Return the names of samples and genes; no value is read.

    Raises:
        InputError: If the file is no .h5ad file, or its names do not have the shape of its matrix.
    """
    with _opened(path) as file:
        return _index(file, "obs", path), _index(file, "var", path)


def read_annotated_samples(path: Path) -> "pd.DataFrame":
    """Read the table of the samples, `obs`, with the samples' names as its index.

    Raises:
        InputError: If the file is no .h5ad file, or a column is of an unknown form or of another length.
    """
    import pandas as pd

    with _opened(path) as file:
        group = file["obs"]
        names = [_text(name) for name in group.attrs["column-order"]]
        columns = {name: _column(group, name, path) for name in names}
        samples = _index(file, "obs", path)
    for name, column in columns.items():
        if len(column) != len(samples):
            raise InputError(
                f"column '{name}' of {path} has {len(column)} values for {len(samples)} samples; write it anew"
            )
    return pd.DataFrame(columns, index=samples)


def read_annotated_matrix(path: Path, layer: str | None = None) -> np.ndarray:
    """Return the matrix, or one of its layers, as a dense float array (N, G).

    Raises:
        InputError: If there is no such layer, or the matrix has another shape than the names.
    """
    with _opened(path) as file:
        layers = list(file["layers"]) if "layers" in file else []
        if layer is not None and layer not in layers:
            raise InputError(f"layer is '{layer}', but {path} has {_listed(layers)}")
        values = _dense(file["X"] if layer is None else file["layers"][layer], path)
        shape = (len(_index(file, "obs", path)), len(_index(file, "var", path)))
    if values.shape != shape:
        raise InputError(
            f"the matrix of {path} is {values.shape}, but its samples and genes are {shape}; write it anew"
        )
    return values


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        import h5py
    except ImportError as error:
        raise InputError(f"h5py is needed to read {path}; install it (pip install h5py)") from error
    if not path.is_file():
        raise InputError(f"there is no file {path}; give the path of an existing file")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise InputError(f"{path} is no readable .h5ad file ({str(error).splitlines()[0]})") from error
    with file:
        lacking = [name for name in ("X", "obs", "var") if name not in file]
        if lacking:
            raise InputError(f"{path} has no {lacking[0]}; an .h5ad file holds X, obs and var")
        tables = [name for name in ("obs", "var") if "column-order" not in file[name].attrs]
        if tables:
            raise InputError(
                f"{tables[0]} of {path} is not stored as a table; write the file with anndata 0.7 or later"
            )
        try:
            yield file
        except (OSError, KeyError) as error:
            raise InputError(f"{path} is damaged or incomplete ({str(error).splitlines()[0]}); get it again") from error


def _index(file: Any, table: str, path: Path) -> list[str]:
    group = file[table]
    return [_text(name) for name in _column(group, group.attrs["_index"], path)]


def _column(group: Any, name: str, path: Path) -> Any:
    """Return a column as a list or array; text as str, missing cells as None or NaN."""
    import h5py

    item = group[name]
    if isinstance(item, h5py.Dataset):
        # Before 0.8 categories stood in a group of their own, and the codes referred to it.
        if "categories" in item.attrs:
            return _decoded(item[:], _values(group.file[item.attrs["categories"]]))
        return _values(item)
    kind = _text(item.attrs.get("encoding-type", "unknown"))
    if kind == "categorical":
        return _decoded(item["codes"][:], _column(item, "categories", path))
    if kind.startswith("nullable-"):
        values, mask = _values(item["values"]), item["mask"][:]
        return [None if gone else value for value, gone in zip(list(values), mask, strict=True)]
    raise InputError(
        f"column '{name}' of {path} is stored as '{kind}', which cannot be read; store it as text or numbers"
    )


def _values(item: Any) -> Any:
    return item.asstr()[:] if item.dtype.kind in "OS" else item[:]


def _decoded(codes: np.ndarray, categories: Any) -> list[Any]:
    known = list(categories)
    return [known[code] if code >= 0 else None for code in codes.tolist()]


def _dense(item: Any, path: Path) -> np.ndarray:
    import h5py
    from scipy import sparse

    default = "array" if isinstance(item, h5py.Dataset) else "a group"
    kind = _text(item.attrs.get("encoding-type", default))
    if kind in ("csr_matrix", "csc_matrix"):
        make: Any = sparse.csr_array if kind == "csr_matrix" else sparse.csc_array
        parts = (item["data"][:], item["indices"][:], item["indptr"][:])
        return make(parts, shape=tuple(np.asarray(item.attrs["shape"]).tolist())).toarray()
    if kind != "array":
        raise InputError(f"the matrix of {path} is stored as '{kind}'; it must be dense, CSR or CSC")
    return item[:]


def _text(name: Any) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)


def _listed(layers: list[str]) -> str:
    return f"layers {', '.join(layers)}" if layers else "no layers"
