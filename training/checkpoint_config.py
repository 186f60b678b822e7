"""What a checkpoint contributes to the config: a base that files and flags override.

Lightning 2.6 merges a checkpoint's hyperparameters *over* explicit flags, so that testing another activation on
it silently tests the old one. Here the order is defaults < checkpoint < config files < flags, for the model and
for the data, and a checkpoint alone is enough to rebuild both.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import yaml
from lightning.pytorch import Callback, Trainer
from torch import nn

from ..callbacks import Optogenetics
from ..errors import InputError
from ..structures import Hierarchy
from .config_files import is_text

__all__ = ["check_fit", "check_stimulation", "requested_checkpoint", "resolve_checkpoint", "stored_config"]

# Filled by links from the data; a stored value would contradict data with other columns instead of being checked.
LINKED = ("in_features", "num_classes", "feature_names", "hierarchy", "patch_features", "clinical_features")


def requested_checkpoint(arguments: list[str]) -> tuple[str | None, Path]:
    """Find `ckpt_path` and the folder of the runs among flags and config files, the last mention winning.

    Returns:
        The checkpoint as it was written (a path, "last", "best", or None), and the folder of the runs.

    Raises:
        InputError: If a config file cannot be read or holds no mapping.

    Example:
        >>> arguments = ["test", "--ckpt_path=best", "--trainer.default_root_dir", "trials"]
        >>> checkpoint, root = requested_checkpoint(arguments)
        >>> checkpoint, root.name
        ('best', 'trials')
    """
    checkpoint: str | None = None
    root = "runs"
    for key, value in _settings(arguments):
        if key == "ckpt_path":
            checkpoint = value
        elif key == "trainer.default_root_dir" and value is not None:
            root = value
    return checkpoint, Path(root)


def _settings(arguments: list[str]) -> list[tuple[str, str | None]]:
    found: list[tuple[str, str | None]] = []
    for position, argument in enumerate(arguments):
        option, separator, value = argument.partition("=")
        if not separator:
            if position + 1 == len(arguments):
                break  # the parser says that a value is missing
            value = arguments[position + 1]
        if option in ("--config", "-c"):
            found.extend(_settings_of_config(value))
        elif option in ("--ckpt_path", "--trainer.default_root_dir"):
            found.append((option[2:], None if value == "null" else value))
    return found


def _settings_of_config(config: str) -> list[tuple[str, str | None]]:
    content = _read_config(config)
    trainer = content.get("trainer")
    found = [(key, content[key]) for key in ("ckpt_path",) if key in content]
    if isinstance(trainer, dict) and "default_root_dir" in trainer:
        found.append(("trainer.default_root_dir", trainer["default_root_dir"]))
    return [(key, None if value is None else str(value)) for key, value in found]


def _read_config(config: str) -> dict[str, Any]:
    name = "the config given as text" if is_text(config) else f"config '{config}'"
    try:
        content = yaml.safe_load(config if is_text(config) else Path(config).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{name} cannot be read: {error}") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise InputError(f"{name} is not valid YAML: {where}{error.problem}") from error
    except yaml.YAMLError as error:  # characters that no YAML file can hold
        raise InputError(f"{name} is not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        found = "is empty" if content is None else f"holds {type(content).__name__} {str(content)[:40]!r}"
        raise InputError(f"{name} {found}; it must be a mapping of keys such as model, data and trainer")
    return content


def resolve_checkpoint(requested: str, root: Path) -> Path:
    """Return the file that a request names; "last" and "best" are the newest of that name under `root`.

    Raises:
        InputError: If there is no such file.
    """
    if requested in ("last", "best"):
        # A run folder; that of a logger with a name; and of runs without a logger.
        patterns = ("version_*/checkpoints", "*/version_*/checkpoints", "checkpoints")
        found = [path for folder in patterns for path in root.glob(f"{folder}/{requested}*.ckpt")]
        found.sort(key=lambda path: path.stat().st_mtime_ns)
        if not found:
            raise InputError(f"ckpt_path is '{requested}', but no run under '{root}' has a {requested}.ckpt")
        return found[-1]
    path = Path(requested)
    if not path.is_file():
        raise InputError(f"ckpt_path '{requested}' is not a file; give a checkpoint, 'last' or 'best'")
    return path


def stored_config(path: Path) -> dict[str, Any]:
    """Read the model's and the data's settings from a checkpoint, as a config.

    Raises:
        InputError: If the file is not a checkpoint, or holds more than tensors and plain data.
    """
    checkpoint = _load(path)
    config: dict[str, Any] = {}
    for key, source in [("model", "hyper_parameters"), ("data", "datamodule_hyper_parameters")]:
        stored = checkpoint.get(source) or {}
        if not isinstance(stored, Mapping):
            raise InputError(
                f"checkpoint '{path}' holds no settings in its '{source}' but {_plain(stored, key, path)!r}"
            )
        kept = {name: value for name, value in stored.items() if key == "data" or name not in LINKED}
        arguments = _plain(kept, key, path)
        arguments.pop("_instantiator", None)
        class_path = arguments.pop("_class_path", None)
        if class_path:
            config[key] = {"class_path": class_path, "init_args": arguments}
    return config


def _plain(value: Any, key: str, path: Path) -> Any:
    """Return `value` in the types of a YAML file: other mappings as dict, tuples and sets as lists."""
    if isinstance(value, Mapping):
        return {str(name): _plain(item, f"{key}.{name}", path) for name, item in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [_plain(item, key, path) for item in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    kind = type(value).__name__
    raise InputError(f"checkpoint '{path}' holds a {kind} as {key}; a setting is a number, a text, a list or a mapping")


def check_fit(path: Path, model: nn.Module) -> None:
    """Check that the checkpoint's tensors fit the network that the config describes.

    Raises:
        InputError: Naming the first tensors that are missing, left over or of another shape, or the features
            when the checkpoint was trained on others.
    """
    checkpoint = _load(path)
    settings = checkpoint.get("hyper_parameters")
    settings = settings if isinstance(settings, Mapping) else {}
    stored_names = settings.get("feature_names")
    names = getattr(model, "feature_names", None)
    if stored_names and names and stored_names != names:
        other = next((pair for pair in zip(stored_names, names, strict=False) if pair[0] != pair[1]), None)
        detail = f"the first difference is '{other[0]}' against '{other[1]}'" if other else "their numbers differ"
        raise InputError(
            f"checkpoint '{path}' was trained on {len(stored_names)} features and the data have {len(names)}; {detail}"
        )
    _check_hierarchy(path, settings.get("hierarchy"), getattr(model, "hierarchy", None))
    stored = _shapes(checkpoint["state_dict"])
    wanted = _shapes(model.state_dict())
    differences = [
        f"{name} is {stored.get(name, 'absent')} in the checkpoint and {wanted.get(name, 'absent')} in the network"
        for name in dict.fromkeys([*wanted, *stored])
        if stored.get(name) != wanted.get(name)
    ]
    if differences:
        more = f" (and {len(differences) - 1} more)" if len(differences) > 1 else ""
        raise InputError(
            f"checkpoint '{path}' does not fit the network of the config: {differences[0]}{more}; "
            "leave out the settings that change the network's shape, or train that network first"
        )


def check_stimulation(path: Path, trainer: Trainer) -> None:
    """Check that training does not go on unstimulated where it was stimulated.

    Raises:
        InputError: If the run of the checkpoint had a protocol and this one has none.
    """
    kind = Optogenetics.__qualname__
    stored = [state for key, state in (_load(path).get("callbacks") or {}).items() if key.startswith(kind)]
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
    if stored and not any(isinstance(callback, Optogenetics) for callback in callbacks):
        raise InputError(
            f"checkpoint '{path}' was trained under protocol {stored[0].get('hash')} and the config has no {kind}; add "
            f"the callback with its protocol, or with force: true and another one (the opsin sham leaves all as it is)"
        )


def _check_hierarchy(path: Path, stored: Any, hierarchy: Any) -> None:
    """Refuse another hierarchy than the stored one: networks of equal shape may differ in what their units mean."""
    if not isinstance(stored, Mapping) or not isinstance(hierarchy, Hierarchy):
        return
    trained = Hierarchy.from_dict(stored)
    if trained == hierarchy:
        return
    detail = _first_difference(trained, hierarchy)
    raise InputError(
        f"checkpoint '{path}' was trained on another hierarchy than that of the data: {detail}; give data.hierarchy "
        "the files and choices of the training, or train on this one first"
    )


def _first_difference(trained: Hierarchy, hierarchy: Hierarchy) -> str:
    if trained.sizes != hierarchy.sizes:
        sizes = ["-".join(map(str, known.sizes)) for known in (trained, hierarchy)]
        return f"its layers have {sizes[0]} nodes, those of the data {sizes[1]}"
    for layer, names in enumerate(trained.nodes):
        for name, other in zip(names, hierarchy.nodes[layer], strict=True):
            if name != other:
                return f"layer {trained.layers[layer]} has {name} where that of the data has {other}"
    return f"the nodes are the same, their edges are not ({trained.num_edges:,} and {hierarchy.num_edges:,})"


def _shapes(state: dict[str, Any]) -> dict[str, str]:
    return {
        name: f"of shape {tuple(value.shape)}" if isinstance(value, torch.Tensor) else repr(value)
        for name, value in state.items()
    }


def _load(path: Path) -> dict[str, Any]:
    try:
        # Mapped, not read: a file of another format is refused before anything in it is unpickled.
        checkpoint = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:
        raise InputError(f"checkpoint '{path}' cannot be read: {_reason(str(error))}") from error
    if not isinstance(checkpoint, dict) or not isinstance(checkpoint.get("state_dict"), Mapping):
        raise InputError(f"'{path}' is not a checkpoint of a run: it holds no 'state_dict'")
    return checkpoint


def _reason(message: str) -> str:
    """Say what torch says at length, and without its advice to switch the check off."""
    if named := re.search(r"GLOBAL (\S+)", message):
        return f"it holds more than tensors and plain data (it names {named[1]})"
    if "zip archive" in message or "mmap can only be used" in message:
        return "it is truncated, or not a file that torch saved"
    return message.partition("\n")[0]
