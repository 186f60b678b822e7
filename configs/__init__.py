"""Ready-to-run YAML files, shipped as package data."""

from .. import __version__ as _version  # noqa: F401  (refuses `import configs` from the checkout)
