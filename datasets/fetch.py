"""Download a named set once, whoever asks: one process at a time, and never a half-written file."""

import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from .catalog import NamedSet
from .locate import cached_file, data_root, find_local, searched_files
from .read import column_names, read_table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["fetch_set", "load_set"]

_TIMEOUT_SECONDS = 60.0  # of one answer of the server, not of the whole download


def load_set(
    named_set: NamedSet, root: str | os.PathLike[str] | None = None, limit_rows: int | None = None
) -> "pd.DataFrame":
    """Read a named set from its local file: the features under their published names, then the target.

    Args:
        named_set: From `find_set`.
        root: Folder of the data; None takes the default of `data_root`.
        limit_rows: Number of rows to read from the start; None reads all.

    Raises:
        InputError: If there is no local file (it names those looked for), or the file holds something else.

    Example:
        >>> from axonlight.datasets import find_set
        >>> load_set(find_set("breast_cancer")).shape
        (569, 31)
    """
    if named_set.fetcher == "embedded":
        return _ordered(_fetch_embedded(named_set), named_set).iloc[:limit_rows]
    folder = data_root(root)
    path = find_local(named_set, folder)
    if path is None:
        raise InputError(f"{_nothing_found(named_set, folder)}; `axonlight data get {named_set.name}` fetches it")
    header = "auto" if named_set.header is None else named_set.header
    if path == cached_file(named_set, folder):
        header = "auto"
    names = column_names(path, header)
    if len(names) != named_set.num_features + 1:
        raise InputError(
            f"{path} has {len(names)} columns; {named_set.name} has {named_set.num_features} features and one target"
        )
    # `column_0` is what a file without a header gets.
    if names[0] != "column_0" and names[-1] != named_set.target:
        raise InputError(f"the last column of {path} is '{names[-1]}'; for {named_set.name} it is '{named_set.target}'")
    frame = read_table(path, header, limit_rows)
    return frame.set_axis([*named_set.feature_names, named_set.target], axis="columns")


def fetch_set(named_set: NamedSet, root: str | os.PathLike[str] | None = None) -> Path | None:
    """Make a named set available locally and return its file; download it only if no local file is there.

    The download is written beside its destination and renamed when complete. Processes that ask at the same
    time wait for the first one.

    Args:
        named_set: From `find_set`.
        root: Folder of the data; None takes the default of `data_root`.

    Returns:
        The file, or None for a set that ships inside scikit-learn.

    Raises:
        InputError: If there is neither a local file nor a download.

    Example:
        >>> from axonlight.datasets import find_set
        >>> fetch_set(find_set("breast_cancer"))
    """
    if named_set.fetcher == "embedded":
        return None
    folder = data_root(root)
    found = find_local(named_set, folder)
    return found if found is not None else _download_once(named_set, folder)


def _download_once(named_set: NamedSet, folder: Path) -> Path:
    from filelock import FileLock

    destination = cached_file(named_set, folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f".{named_set.name}.lock"):
            if not destination.is_file():
                _download(named_set, destination)
    except OSError as error:
        # URLError and the time-out are OSErrors, as is a full disk.
        raise InputError(
            f"{_nothing_found(named_set, folder)}, and the download failed ({error}); put one of them there, "
            f"or run `axonlight data get {named_set.name}` where there is a network"
        ) from error
    return destination


def _download(named_set: NamedSet, destination: Path) -> None:
    with (
        tempfile.TemporaryDirectory(dir=destination.parent, prefix=f".{named_set.name}-") as scratch,
        _impatient(),
    ):
        if named_set.fetcher == "covtype":
            frame = _fetch_covtype(scratch)
        else:
            frame = _fetch_openml(int(named_set.fetcher.removeprefix("openml:")), scratch)
        written = Path(scratch) / destination.name
        _ordered(frame, named_set).to_parquet(written, index=False)
        os.replace(written, destination)


@contextmanager
def _impatient() -> Iterator[None]:
    """Let a silent server fail instead of hanging; scikit-learn's fetchers set no time-out."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_TIMEOUT_SECONDS)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _fetch_embedded(named_set: NamedSet) -> "pd.DataFrame":
    from sklearn import datasets

    load = {"breast_cancer": datasets.load_breast_cancer, "digits": datasets.load_digits}[named_set.name]
    bunch: Any = load(as_frame=True)
    return bunch.frame


def _fetch_covtype(scratch: str) -> "pd.DataFrame":
    from sklearn.datasets import fetch_covtype

    bunch: Any = fetch_covtype(data_home=scratch, as_frame=True, shuffle=False)
    return bunch.frame


def _fetch_openml(data_id: int, scratch: str) -> "pd.DataFrame":
    import pandas as pd
    from sklearn.datasets import fetch_openml

    bunch: Any = fetch_openml(data_id=data_id, data_home=scratch, as_frame=True, parser="auto")
    return pd.concat([bunch.data, bunch.target], axis="columns").dropna()


def _ordered(frame: "pd.DataFrame", named_set: NamedSet) -> "pd.DataFrame":
    """Rename the columns (target last) to the published names, as numbers."""
    if frame.shape[1] != named_set.num_features + 1:
        raise InputError(
            f"{named_set.fetcher} delivered {frame.shape[1]} columns for {named_set.name}, "
            f"not {named_set.num_features} features and a target"
        )
    frame = frame.set_axis([*named_set.feature_names, named_set.target], axis="columns")
    return frame.reset_index(drop=True).astype({named_set.target: "int64"})


def _nothing_found(named_set: NamedSet, folder: Path) -> str:
    names = ", ".join(dict.fromkeys(path.name for path in searched_files(named_set, folder)))
    return f"no file of {named_set.name} ({names}) in {folder} or {folder / 'tabular'}"
