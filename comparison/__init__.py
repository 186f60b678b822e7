"""Studies: planned, paired comparisons of arms, judged by statistics that say when nothing can be said."""

from .. import __version__ as _version  # noqa: F401  (refuses `import comparison` from the checkout)
