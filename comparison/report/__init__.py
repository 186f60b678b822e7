"""The report of a study: one page for people, one table for machines."""

from ... import __version__ as _version  # noqa: F401  (refuses `import report` from the checkout)
