"""The stages of a search: gate, proxies, few steps, successive halving, finalists, and one look at the test rows."""

from ... import __version__ as _version  # noqa: F401  (refuses `import stages` from the checkout)
from .base import SearchBase, prepare_base
from .funnel import Entry, Funnel
from .runner import StageResult, StageRunner
from .work import StageWork

__all__ = ["Entry", "Funnel", "SearchBase", "StageResult", "StageRunner", "StageWork", "prepare_base"]
