"""The one place where networks make activations."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NotRequired, TypedDict

from torch import nn

from ...errors import InputError
from .arguments import parameters_of
from .read import ActivationRequest, read_spec

__all__ = ["ActivationSpec", "FormulaMapping", "LayerActivations", "SpecList", "build_activation"]


class FormulaMapping(TypedDict):
    """A formula as a mapping: `{formula: x*cos(a*x), constants: {a: 1.0}}`.

    Example:
        >>> FormulaMapping(formula="x*cos(x)")
        {'formula': 'x*cos(x)'}
    """

    formula: str
    constants: NotRequired[dict[str, float]]
    trainable: NotRequired[bool | str | list[str]]
    protect: NotRequired[str]
    normalize: NotRequired[bool]
    collapse: NotRequired[bool]


# What a network declares for one layer's activation.
ActivationSpec = str | FormulaMapping | Callable[[], nn.Module]


class SpecList(list):
    """One spec per layer, as it comes from a config: texts and mappings.

    Example:
        >>> SpecList(["relu", {"formula": "x*cos(x)"}])[0]
        'relu'
    """


# What a network declares for the activations of all its layers. The order matters: jsonargparse writes a value by the
# first member that takes it, and the factory would take anything and write nonsense, while a plain list would take
# `--activation.z 0.5` for an item. `models.tasks.spec_types` tells it how to read and write a SpecList.
LayerActivations = str | FormulaMapping | SpecList | Callable[[], nn.Module] | list[ActivationSpec]


def build_activation(
    spec: ActivationSpec | type[nn.Module] | Mapping[str, Any],
    width: int | None = None,
    groups: int | Sequence[int | str] | None = None,
) -> nn.Module:
    """Build a fresh activation from a spec; two calls never share a module.

    A class that declares `num_features` receives `width`. One that declares `num_parameters` receives, unless
    the spec sets it: the number of groups if `groups` is an integer (1: one value for the whole layer), the
    labels if `groups` holds one label per unit and the class takes labels, else `width`. A size that equals
    its default cannot be told from one not set when a factory comes from the command line; in text it can.

    Args:
        spec: Text, mapping, class or factory (see `read_spec`).
        width: Number of units (features, channels) of the layer.
        groups: Number of parameter groups, or one label per unit.

    Returns:
        The module, with `built_from_spec = True` and the spec as plain data in `spec`.

    Raises:
        InputError: If the spec cannot be read, or its values or the width do not suit the activation.

    Example:
        >>> build_activation("leaky_relu(0.2)")
        LeakyReLU(negative_slope=0.2)
        >>> build_activation("swish", width=4).beta.shape
        torch.Size([4])
        >>> build_activation("swish", width=3, groups=["immune", "tumour", "immune"]).group_names
        ('immune', 'tumour')
    """
    request = read_spec(spec)
    keywords = {**request.arguments, **_sizes(request, width, groups)}
    module = _construct(request, keywords)
    # Attributes that checkpoints do not hold: marks for reports and for finding parameters.
    module.built_from_spec = True  # pyright: ignore[reportArgumentType]
    module.spec = request.source  # pyright: ignore[reportArgumentType]
    return module


def _sizes(request: ActivationRequest, width: int | None, groups: int | Sequence[int | str] | None) -> dict[str, Any]:
    """Return what the place adds to the spec's own arguments."""
    parameters, given = parameters_of(request.factory), request.arguments
    if isinstance(groups, str):
        raise InputError(f"groups is the text {groups!r}; it must be a number or one label per unit")
    labels = None if groups is None or isinstance(groups, int) else list(groups)
    if labels is not None and width is not None and len(labels) != width:
        raise InputError(f"groups holds {len(labels)} labels for {width} units; it must hold one per unit")
    sizes: dict[str, Any] = {}
    if "num_features" in parameters and "num_features" not in given:
        if width is None:
            raise InputError(f"activation {request.name} needs num_features, and the width is not known here")
        sizes["num_features"] = width
    if labels is not None and "groups" in parameters and not {"groups", "num_parameters"} & set(given):
        sizes["groups"] = labels
    elif "num_parameters" in parameters and not {"groups", "num_parameters"} & set(given):
        number = groups if isinstance(groups, int) else (len(labels) if labels is not None else width)
        if number is not None:
            sizes["num_parameters"] = number
    return sizes


def _construct(request: ActivationRequest, keywords: dict[str, Any]) -> nn.Module:
    try:
        module = request.factory(**keywords)
    except (TypeError, ValueError, RuntimeError) as error:
        values = ", ".join(f"{name}={value!r}" for name, value in keywords.items())
        reason = str(error).partition("\n")[0]
        raise InputError(f"activation {request.name}({values}) cannot be built: {reason}") from error
    if not isinstance(module, nn.Module):
        raise InputError(f"the factory {request.name} returned {module!r}; it must return a module")
    if getattr(module, "built_from_spec", False):
        raise InputError(f"the factory {request.name} returned the same module twice; layers must not share one")
    return module
