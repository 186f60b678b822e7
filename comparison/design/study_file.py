"""Read a study from a YAML file, with settings from the command line on top."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from ...errors import InputError
from ...training.config_files import find_file
from .checks import check_keys
from .fields import StudyFields
from .yaml_file import bases_beside, beside, read_yaml, set_key

__all__ = ["STUDY_KEYS", "read_study"]

STUDY_KEYS = tuple(item.name for item in fields(StudyFields) if not item.metadata.get("found"))


def read_study(path: str | Path, settings: Sequence[tuple[str, Any]] = ()) -> StudyFields:
    r"""Return what a study file says, with some of its keys set anew.

    Args:
        path: The file, or the name of a shipped study.
        settings: Keys and values; a key may be dotted, such as rope.auroc, arms.real.draws or
            overrides.trainer.max_epochs.

    Raises:
        InputError: If the file cannot be read, a key is unknown or a value is not allowed.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "two.yaml"
        >>> _ = path.write_text("base: demo.yaml\narms: {relu: {}, ash: {overrides: {model.network.activation: ash}}}")
        >>> study = read_study(path, [("folds", 3), ("overrides.trainer.max_epochs", 2)])
        >>> study.name, study.folds, study.overrides
        ('two', 3, {'trainer.max_epochs': 2})
    """
    path = find_file("study", str(path))
    content = read_yaml(path, f"study '{path}'")
    for key, value in settings:
        set_key(content, key.split("."), value, key)
    check_keys(f"study '{path}'", content, STUDY_KEYS)
    if content.get("base") is None:
        raise InputError(
            f"study '{path}' has no base, the config that all arms share; add one, such as base: demo.yaml"
        )
    content["base"] = bases_beside(content["base"], path.parent)
    for arm in _arms_in(content):
        arm["protocol"] = beside(arm["protocol"], path.parent)
    return StudyFields(**{"name": path.stem, **{key: value for key, value in content.items() if value is not None}})


def _arms_in(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the arms and the levels of factors that have a protocol, as they stand in the file."""
    factors = content.get("factors")
    levels = [content.get("arms"), *(factors.values() if isinstance(factors, dict) else ())]
    arms = [arm for level in levels if isinstance(level, dict) for arm in level.values()]
    return [arm for arm in arms if isinstance(arm, dict) and "protocol" in arm]
