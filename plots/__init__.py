"""Figures from plain arrays and tables."""

from .. import __version__ as _version  # noqa: F401  (refuses `import plots` from the checkout)
