"""A study from its budget to its report: what executes what `design` describes."""

from ... import __version__ as _version  # noqa: F401  (refuses `import study` from the checkout)
from .budget import Budget
from .study import Study

__all__ = ["Budget", "Study"]
