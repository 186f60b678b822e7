"""The complete search space of short formulas: every distinct function of x up to a number of nodes."""

from .engine import Enumeration, enumerate_formulas

__all__ = ["Enumeration", "enumerate_formulas"]
