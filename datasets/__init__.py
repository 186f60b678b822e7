"""Named data sets: what they are, where they come from, how their files are read. Imports no torch."""

from .. import __version__ as _version  # noqa: F401  (refuses `import datasets` from the checkout)
