"""From a config to a run: what every verb that trains shares."""

from .. import __version__ as _version  # noqa: F401  (refuses `import training` from the checkout)
