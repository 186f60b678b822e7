"""Resolve the configs of arms with the command line's own parser, so that keys mean what they mean there."""

import copy
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from ...errors import InputError
from ...training.command_line import AxonlightCLI, input_errors
from ...training.config_files import find_config, is_text
from ...training.run_defaults import quieten_libraries
from .checks import check_mapping

__all__ = ["ConfigResolver", "Resolved"]

Resolved = dict[str, Any]

# They write files or a screen and change no figure, so they do not belong to what decides a run.
_WRITERS = frozenset(
    {
        "DeviceStatsMonitor",
        "LearningRateMonitor",
        "ModelCheckpoint",
        "ModelSummary",
        "PathwayReport",
        "PlainProgress",
        "RichModelSummary",
        "RichProgressBar",
        "SaveOnTermination",
        "TQDMProgressBar",
        "TrainingCurves",
    }
)
_SCREEN = {
    "logger": False,
    "enable_checkpointing": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "log_every_n_steps": None,
    "default_root_dir": None,
}


class _Parser(AxonlightCLI):
    """The parser of the command line alone: nothing is seeded or built."""

    def _set_seed(self) -> None:
        pass

    def _add_instantiators(self) -> None:
        pass

    def instantiate_classes(self) -> None:
        """Build nothing."""


class ConfigResolver:
    """The base of a study, with the overrides of its arms on top.

    Args:
        bases: Names of configs, or mappings; a later one is merged over an earlier one.
        common: Overrides of all arms, by dotted keys.

    Raises:
        InputError: If a config is not found or not valid, or a key of `common` is not an option.

    Example:
        >>> resolver = ConfigResolver(["demo.yaml"], {"trainer.max_epochs": 3})
        >>> config = resolver.resolve({"model.network.activation": "gelu"}, "arm 'gelu'")
        >>> config["model"]["init_args"]["network"]["init_args"]["activation"], config["trainer"]["max_epochs"]
        ('gelu', 3)
    """

    def __init__(self, bases: Sequence[str | Mapping[str, Any]], common: Mapping[str, Any]) -> None:
        quieten_libraries()
        if not bases:
            raise InputError("base is an empty list; name the config that all arms share, such as demo.yaml")
        self._base = ["fit", *(f"--config={_config_text(base)}" for base in bases)]
        self._common = _options(common, "overrides")
        try:
            with input_errors():
                self._command = _Parser(self._base)
        except InputError as error:
            names = ", ".join(base for base in bases if isinstance(base, str) and not is_text(base))
            raise InputError(f"base{f' {names}' * bool(names)}: {error}") from error
        if self._common:
            self.resolve({}, "overrides")

    def resolve(self, overrides: Mapping[str, Any], where: str) -> Resolved:
        """Return the config of an arm as plain data, defaults included, without what only writes.

        Args:
            overrides: Settings by dotted keys.
            where: Who has these overrides, for messages.

        Raises:
            InputError: If a key is not an option or a value does not fit, naming `where` and the key.
        """
        arguments = [*self._base, *self._common, *_options(overrides, where)]
        try:
            with input_errors():
                parsed = self._command.parser.parse_args(arguments)
                plain = self._command._parser("fit").dump(parsed["fit"], skip_unset=False)
        except InputError as error:
            raise InputError(f"{where}: {error}") from error
        config = yaml.safe_load(plain)
        if config.pop("ckpt_path", None) is not None:
            raise InputError(f"{where}: ckpt_path is set, but every run of a study starts anew; leave it out")
        return _without_writers(config)


def _config_text(base: str | Mapping[str, Any]) -> str:
    if not isinstance(base, str):
        return yaml.safe_dump(dict(base))
    path = find_config(base)
    if not is_text(path):
        _check_yaml(path)
    return path


def _check_yaml(path: str) -> None:
    """Refuse a file that is no mapping in YAML: the parser of the command line would not tell which file it is."""
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"base: config '{path}' is not valid YAML: {' '.join(str(error).split())}") from error
    for key in check_mapping(f"base: config '{path}'", content):
        if key in ("base", "arms", "factors"):
            raise InputError(
                f"base: config '{path}' has the key {key}, so it is a study; name a config of axonlight fit"
            )


def _options(overrides: Mapping[str, Any], where: str) -> list[str]:
    """Return overrides as arguments of the command line."""
    options = []
    for key, value in overrides.items():
        if key.partition(".")[0] not in ("model", "data", "trainer", "seed_everything"):
            raise InputError(f"{where}: {key} is no key of a config; keys begin with model, data or trainer")
        text = value if isinstance(value, str) else json.dumps(value)
        options.append(f"--{key}={text}")
    return options


def _without_writers(config: Resolved) -> Resolved:
    """Return the config without callbacks and settings that decide no figure, so that they decide no key either."""
    kept = {key: copy.deepcopy(config[key]) for key in ("seed_everything", "model", "data", "trainer")}
    trainer = kept["trainer"]
    callbacks = trainer.get("callbacks") or []
    callbacks = callbacks if isinstance(callbacks, list) else [callbacks]
    trainer["callbacks"] = [item for item in callbacks if item["class_path"].rpartition(".")[2] not in _WRITERS]
    trainer.update(_SCREEN)
    return kept
