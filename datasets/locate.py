"""Where data lie: the data root and the files of the named sets in it."""

import os
from pathlib import Path

from ..errors import InputError
from .catalog import NamedSet

__all__ = ["data_root", "find_local", "searched_files", "shipped_folder"]


def data_root(root: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder of the data: `root`, else the variable AXONLIGHT_DATA, else one in the user's cache.

    Raises:
        InputError: If a folder was named, as `root` or in the variable, and does not exist.

    Example:
        >>> data_root(".")
        PosixPath('.')
    """
    named = {"data.root": root, "AXONLIGHT_DATA": os.environ.get("AXONLIGHT_DATA")}
    for key, value in named.items():
        if value:
            path = Path(value).expanduser()
            if not path.is_dir():
                raise InputError(f"{key} is '{path}', which is not an existing folder")
            return path
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "axonlight"


def shipped_folder() -> Path:
    """Return the folder of the tables that come with the package, such as the hierarchy of breast_cancer.

    Example:
        >>> (shipped_folder() / "breast_cancer_measurements.csv").is_file()
        True
    """
    return Path(__file__).parent


def cached_file(named_set: NamedSet, root: Path) -> Path:
    """Return where a fetched set is kept."""
    return root / f"{named_set.name}.parquet"


def searched_files(named_set: NamedSet, root: Path) -> list[Path]:
    """List the files that are looked for, the preferred first: local files, then what was fetched before.

    Example:
        >>> from axonlight.datasets import find_set
        >>> [path.as_posix() for path in searched_files(find_set("higgs"), data_root("."))][:2]
        ['higgs.csv.gz', 'tabular/higgs.csv.gz']
    """
    local = [folder / name for name in named_set.files for folder in (root, root / "tabular")]
    return [*local, cached_file(named_set, root)]


def find_local(named_set: NamedSet, root: Path) -> Path | None:
    """Return the first existing one of `searched_files`, or None.

    Example:
        >>> from axonlight.datasets import find_set
        >>> find_local(find_set("breast_cancer"), data_root("."))
    """
    return next((path for path in searched_files(named_set, root) if path.is_file()), None)
