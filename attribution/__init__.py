"""Attribution: which inputs, genes and pathways made an output what it is."""

from .. import __version__ as _version  # noqa: F401  (refuses `import attribution` from the checkout)
from .attribute import Method, attribute
from .attributions import Attributions
from .graph import Adjustment
from .picture import draw_attributions

__all__ = ["Adjustment", "Attributions", "Method", "attribute", "draw_attributions"]
