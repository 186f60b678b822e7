"""The report of a study: a page for people, verdicts and a card of the null models for programs."""

from ... import __version__ as _version  # noqa: F401  (refuses `import report` from the checkout)
from .progress import ProgressPaths, write_progress_report
from .verdicts import VERDICTS_SCHEMA
from .write import ReportPaths, write_report

__all__ = ["VERDICTS_SCHEMA", "ProgressPaths", "ReportPaths", "write_progress_report", "write_report"]
