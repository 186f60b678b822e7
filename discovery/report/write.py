"""The files of a search: each whole, or as it was before."""

from dataclasses import dataclass
from pathlib import Path

from ... import __version__
from ...comparison.report.files import replace_file, replace_text
from ...comparison.report.html_page import html_page
from ...comparison.report.markdown import markdown_page
from ..result import SearchResult
from .answer import answer_of
from .drawings import curves_figure
from .entries import library_of
from .sections import sections_of

__all__ = ["SearchPaths", "write_search_report"]


@dataclass(frozen=True)
class SearchPaths:
    """Where the files of a search are.

    Attributes:
        html: The page for people; needs no other file.
        markdown: The same words and tables.
        library: The finalists, for `library:NAME`.
        table: One row per candidate, with its scores by stage.
        curves: Finalists and known activations as curves.

    Example:
        >>> SearchPaths.within("results").library.name
        'activations.yaml'
    """

    html: Path
    markdown: Path
    library: Path
    table: Path
    curves: Path

    @classmethod
    def within(cls, folder: str | Path) -> "SearchPaths":
        """Return the paths in a folder."""
        names = ("report.html", "report.md", "activations.yaml", "results.parquet", "curves.png")
        return cls(*(Path(folder) / name for name in names))


def write_search_report(result: SearchResult, folder: str | Path, command: str = "") -> SearchPaths:
    """Write report, library, table and curves of a search; each file replaces its former self at once.

    Args:
        result: What `Search.run` found.
        folder: Where to write; it is made where it is missing.
        command: The command that leads to the same figures, for the report.

    Returns:
        The paths of the files.

    Example:
        >>> import tempfile
        >>> from axonlight.discovery import ActivationLibrary, Search
        >>> folder = tempfile.mkdtemp()
        >>> base = {
        ...     "model": {"class_path": "ClassificationTask", "init_args": {"network": "DenseNetwork"}},
        ...     "data": "BreastCancer",
        ...     "trainer": {"max_epochs": 1},
        ... }
        >>> stages = {"proxies": None, "few_steps": None, "halving": {"epochs": [1], "keep": [1]}}
        >>> result = Search(
        ...     {"base": base, "engine": {"kind": "enumerate", "max_nodes": 2, "operators": ["sin"]}, "stages": stages,
        ...      "finalists": {"count": 1, "seeds": 2}, "controls": {"known": ["relu"], "random": 0}, "workers": 0},
        ...     folder,
        ... ).run()
        >>> paths = write_search_report(result, folder)
        >>> "winner against relu" in paths.markdown.read_text(), len(ActivationLibrary.load(paths.library))
        (True, 1)
    """
    paths = SearchPaths.within(folder)
    Path(folder).mkdir(parents=True, exist_ok=True)
    answer, sections, footer = answer_of(result), sections_of(result, command), f"Written by axonlight {__version__}."
    library, table, curves = library_of(result), result.frame(), curves_figure(result)
    library.save(paths.library)
    replace_file(paths.table, lambda path: table.to_parquet(path, index=False))
    replace_file(paths.curves, lambda path: curves.savefig(path, dpi=150))
    replace_text(paths.markdown, markdown_page(answer, sections, footer))
    replace_text(paths.html, html_page(answer, sections, footer))
    return paths
