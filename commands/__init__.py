"""Verbs of the command line, one file each; the light ones import neither torch nor lightning."""

from .. import __version__ as _version  # noqa: F401  (refuses `import commands` from the checkout)
