"""What a checkpoint contributes to the config: a base that files and flags override.

Lightning 2.6 merges a checkpoint's hyperparameters *over* explicit flags, so that testing another activation on
it silently tests the old one. Here the order is defaults < checkpoint < config files < flags, for the model and
for the data, and a checkpoint alone is enough to rebuild both.
"""

from pathlib import Path
from typing import Any

import torch
import yaml
from torch import nn

from ..errors import InputError

__all__ = ["check_fit", "requested_checkpoint", "resolve_checkpoint", "stored_config"]

# Filled by links from the data; a stored value would contradict data with other columns instead of being checked.
LINKED = ("in_features", "num_classes", "feature_names")


def requested_checkpoint(arguments: list[str]) -> tuple[str | None, Path]:
    """Find `ckpt_path` and the folder of the runs among flags and config files, the last mention winning.

    Returns:
        The checkpoint as it was written (a path, "last", "best", or None), and the folder of the runs.
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
            value = arguments[position + 1] if position + 1 < len(arguments) else ""
        if option in ("--config", "-c"):
            found.extend(_settings_of_file(Path(value)))
        elif option in ("--ckpt_path", "--trainer.default_root_dir"):
            found.append((option[2:], value))
    return found


def _settings_of_file(path: Path) -> list[tuple[str, str | None]]:
    try:
        content = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return []  # the parser reads the file again and says what is wrong with it
    if not isinstance(content, dict):
        return []
    found = [("ckpt_path", content["ckpt_path"])] if "ckpt_path" in content else []
    trainer = content.get("trainer")
    if isinstance(trainer, dict) and "default_root_dir" in trainer:
        found.append(("trainer.default_root_dir", trainer["default_root_dir"]))
    return found


def resolve_checkpoint(requested: str, root: Path) -> Path:
    """Return the file that a request names; "last" and "best" are those of the newest run that has one.

    Raises:
        InputError: If there is no such file.
    """
    if requested in ("last", "best"):
        found = sorted(root.glob(f"version_*/checkpoints/{requested}*.ckpt"), key=lambda path: path.stat().st_mtime)
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
        arguments = dict(checkpoint.get(source) or {})
        arguments.pop("_instantiator", None)
        class_path = arguments.pop("_class_path", None)
        if class_path:
            kept = {name: value for name, value in arguments.items() if key == "data" or name not in LINKED}
            config[key] = {"class_path": class_path, "init_args": kept}
    return config


def check_fit(path: Path, model: nn.Module) -> None:
    """Check that the checkpoint's tensors fit the network that the config describes.

    Raises:
        InputError: Naming the first tensors that are missing, left over or of another shape, or the features
            when the checkpoint was trained on others.
    """
    checkpoint = _load(path)
    stored_names = (checkpoint.get("hyper_parameters") or {}).get("feature_names")
    names = getattr(model, "feature_names", None)
    if stored_names and names and stored_names != names:
        other = next((pair for pair in zip(stored_names, names, strict=False) if pair[0] != pair[1]), None)
        detail = f"the first difference is '{other[0]}' against '{other[1]}'" if other else "their numbers differ"
        raise InputError(
            f"checkpoint '{path}' was trained on {len(stored_names)} features and the data have {len(names)}; {detail}"
        )
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


def _shapes(state: dict[str, Any]) -> dict[str, str]:
    return {
        name: f"of shape {tuple(value.shape)}" if isinstance(value, torch.Tensor) else repr(value)
        for name, value in state.items()
    }


def _load(path: Path) -> dict[str, Any]:
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"checkpoint '{path}' cannot be read (truncated, or not plain data): {reason}") from error
    if not isinstance(checkpoint, dict) or "state_dict" not in checkpoint:
        raise InputError(f"'{path}' is not a checkpoint of a run: it holds no 'state_dict'")
    return checkpoint
