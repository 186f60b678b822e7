"""Turn constructor arguments into plain data, so that every checkpoint loads with ``weights_only=True``.

The command line hands Lightning the parsed config, which is plain already. In Python a task is given classes and
partial functions; those become the same ``{class_path, init_args}`` that a config would hold.
"""

import functools
from collections.abc import Mapping
from typing import Any

__all__ = ["describe", "plain_hyperparameters", "with_activation"]

_SCALARS = (bool, int, float, str, type(None))


def describe(value: Any) -> Any:
    """Return `value` as plain data; classes and partials of classes become ``{class_path, init_args}``.

    Raises:
        TypeError: If the value holds a live object, a lambda or a local function.

    Example:
        >>> import functools, torch
        >>> describe(functools.partial(torch.optim.Adam, lr=0.01))["init_args"]
        {'lr': 0.01}
    """
    if isinstance(value, _SCALARS):
        return value
    if isinstance(value, (list, tuple)):
        return [describe(item) for item in value]
    if isinstance(value, dict):
        return {str(key): describe(item) for key, item in value.items()}
    if isinstance(value, functools.partial) and (cls := _class_of(value)) is not None:
        return {"class_path": _path(cls), "init_args": describe(value.keywords)}
    if isinstance(value, type):
        return {"class_path": _path(value)}
    raise TypeError(f"{value!r} is a live object; give a class, a functools.partial of a class, or plain data")


def _class_of(factory: functools.partial) -> type | None:
    """Return the class that a partial makes: its function, or, as jsonargparse writes factories, an argument."""
    classes = [item for item in (factory.func, *factory.args) if isinstance(item, type)]
    plain = isinstance(factory.func, type) and not factory.args
    return classes[0] if len(classes) == 1 and (plain or factory.func.__module__.startswith("jsonargparse")) else None


def _path(cls: type) -> str:
    if "<locals>" in cls.__qualname__:
        raise TypeError(f"{cls.__qualname__} is local to a function and cannot be imported again")
    return f"{cls.__module__}.{cls.__qualname__}"


def plain_hyperparameters(arguments: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Split arguments into those with a plain description and the names of those without one."""
    plain: dict[str, Any] = {}
    left_out: list[str] = []
    for name, value in arguments.items():
        try:
            plain[name] = describe(value)
        except TypeError:
            left_out.append(name)
    return plain, left_out


def with_activation(hyperparameters: Mapping[str, Any], activation: Any) -> dict[str, Any]:
    """Return a task's hyperparameters with another activation of its network; without the network if it is alive.

    Example:
        >>> with_activation({"network": {"class_path": "DenseNetwork"}}, "relu")["network"]
        {'class_path': 'DenseNetwork', 'init_args': {'activation': 'relu'}}
    """
    network = hyperparameters.get("network")
    described = dict(network) if isinstance(network, Mapping) else {"class_path": network}
    try:
        described["init_args"] = {**(described.get("init_args") or {}), "activation": describe(activation)}
    except TypeError:
        network = None
    if network is None:
        return {name: value for name, value in hyperparameters.items() if name != "network"}
    return {**hyperparameters, "network": described}
