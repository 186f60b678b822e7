"""Recipes: everything that decides the outcome of one run, as plain data."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Literal, NotRequired, TypedDict

from ... import __version__

__all__ = ["NullRecipe", "Recipe", "canonical_json", "recipe_key", "software_versions"]


class NullRecipe(TypedDict):
    """One draw of a null model.

    Attributes:
        class_path: Name of the null model.
        init_args: Its arguments.
        seed: Seed of the draw.

    Example:
        >>> null: NullRecipe = {"class_path": "Rewire", "init_args": {"fraction": 0.5}, "seed": 7}
    """

    class_path: str
    init_args: NotRequired[Mapping[str, Any]]
    seed: int


class Recipe(TypedDict):
    """What one run is made of; equal recipes are one run, whichever arms ask for it.

    Attributes:
        kind: Whether a network is trained or a floor is fitted.
        config: A config as `axonlight fit` takes it: seed_everything, model, data (with its fold), trainer.
        null: The draw that takes the place of the hierarchy of the data, or None.
        dense: None, or which dense network takes the place of the network: one with as many "parameters", or one with
            as many "nodes" per layer.
        floor: Name of the floor, or None.
        protocol: What stimulates the network, as `Protocol.to_dict` gives it; absent where nothing does.
        test: Whether the test rows are looked at; absent where they are. Without, validation curves alone tell.
        versions: Of the software that decides the figures.
        data_fingerprint: Checksum of the data, or None.

    Example:
        >>> recipe: Recipe = {"kind": "network", "config": {"seed_everything": 3, "data": "BreastCancer"}}
        >>> recipe_key(recipe)[:8] == recipe_key({**recipe, "kind": "floor"})[:8]
        False
    """

    kind: Literal["network", "floor"]
    config: Mapping[str, Any]
    null: NotRequired[NullRecipe | None]
    dense: NotRequired[Literal["parameters", "nodes"] | None]
    floor: NotRequired[str | None]
    protocol: NotRequired[Mapping[str, Any]]
    test: NotRequired[bool]
    versions: NotRequired[Mapping[str, str]]
    data_fingerprint: NotRequired[str | None]


def canonical_json(value: Any) -> str:
    """Return plain data as text that does not depend on the order of keys.

    Raises:
        TypeError: If the value holds a live object.

    Example:
        >>> canonical_json({"b": 1, "a": [0.5, None]})
        '{"a":[0.5,null],"b":1}'
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def recipe_key(recipe: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a recipe, by which the ledger knows a run.

    Example:
        >>> recipe_key({"kind": "floor", "floor": "constant"}) == recipe_key({"floor": "constant", "kind": "floor"})
        True
    """
    return hashlib.sha256(canonical_json(recipe).encode()).hexdigest()


def software_versions() -> dict[str, str]:
    """Return the versions that a recipe states.

    Example:
        >>> sorted(software_versions())
        ['axonlight', 'torch']
    """
    import torch  # late: planning a study, or reading one, needs no torch

    return {"axonlight": __version__, "torch": str(torch.__version__)}
