"""From a protocol to a network under light: hooks, passes that give values, and the conductor who leads them."""

from .conductor import Conductor

__all__ = ["Conductor"]
