"""Named data sets: what they are, where they come from, how their files are read. Imports no torch."""

from .. import __version__ as _version  # noqa: F401  (refuses `import datasets` from the checkout)
from .catalog import NAMED_SETS, NamedSet, find_set
from .check import TableReport, check_table, find_column
from .cifar10 import CIFAR10_CLASSES, CIFAR10_SHAPE, find_cifar10, read_cifar10
from .fetch import fetch_set, load_set
from .locate import data_root, find_local, searched_files, shipped_folder
from .read import column_names, read_table
from .text_column import read_text_column

__all__ = [
    "CIFAR10_CLASSES",
    "CIFAR10_SHAPE",
    "NAMED_SETS",
    "NamedSet",
    "TableReport",
    "check_table",
    "column_names",
    "data_root",
    "fetch_set",
    "find_cifar10",
    "find_column",
    "find_local",
    "find_set",
    "load_set",
    "read_cifar10",
    "read_table",
    "read_text_column",
    "searched_files",
    "shipped_folder",
]
