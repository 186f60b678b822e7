"""The report of a search: a page for people, a library for networks, a table of all candidates."""

from ... import __version__ as _version  # noqa: F401  (refuses `import report` from the checkout)
from .entries import library_of
from .write import SearchPaths, write_search_report

__all__ = ["SearchPaths", "library_of", "write_search_report"]
