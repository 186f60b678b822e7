"""Where runs are executed: local processes, a Ray cluster, Slurm arrays; the same results either way."""

from ... import __version__ as _version  # noqa: F401  (refuses `import executors` from the checkout)

__all__: list[str] = []
