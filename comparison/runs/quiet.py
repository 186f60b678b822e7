"""Keep a thousand runs from writing a thousand times the same lines."""

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from lightning.pytorch.utilities.seed import isolate_rng

from ...training.run_defaults import quieten_libraries

__all__ = ["nothing_left_behind", "quiet"]

_LOGGERS = ("lightning.pytorch", "lightning.fabric", "axonlight")


@contextmanager
def quiet() -> Iterator[None]:
    """Let errors alone be logged, and no warning be shown, while a run is built and trained."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        quieten_libraries()
        warnings.simplefilter("ignore")
        try:
            for logger in loggers:
                logger.setLevel(logging.ERROR)
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


@contextmanager
def nothing_left_behind() -> Iterator[None]:
    """Give random states and the seed in the environment back: building a run seeds the process."""
    before = os.environ.get("PL_GLOBAL_SEED")
    with isolate_rng(), quiet():
        try:
            yield
        finally:
            if before is None:
                os.environ.pop("PL_GLOBAL_SEED", None)
            else:
                os.environ["PL_GLOBAL_SEED"] = before
