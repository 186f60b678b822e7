"""Activations in biologically structured networks: train, discover, swap, clamp and compare them.

The root holds the version and imports nothing, so that ``axonlight --help`` answers at once; the public
names live in the sub-packages (``axonlight.activations``, ``axonlight.models``, ...).
"""

__version__ = "0.1.0"
