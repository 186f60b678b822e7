"""Read a study from a YAML file, with settings from the command line on top."""

import difflib
import os
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from ...errors import InputError
from ...training.config_files import shipped_studies
from .checks import check_keys
from .fields import StudyFields
from .yaml_file import bases_beside, beside, read_yaml, set_key

__all__ = ["STUDY_KEYS", "find_study", "read_study"]

STUDY_KEYS = tuple(item.name for item in fields(StudyFields) if not item.metadata.get("found"))


def find_study(name: str) -> Path:
    """Return the file of a study: one of the working directory, else a shipped one.

    Raises:
        InputError: If there is no such file, naming the nearest shipped ones.

    Example:
        >>> find_study("studies/quickstart.yaml").name, find_study("configs/studies/quickstart.yaml").name
        ('quickstart.yaml', 'quickstart.yaml')
    """
    if os.path.isfile(name):
        return Path(name)
    shipped, below = shipped_studies(), name.removeprefix("configs/")
    for candidate in (below, f"studies/{below}", f"studies/{below}.yaml"):
        if candidate in shipped:
            return Path(shipped[candidate])
    near = difflib.get_close_matches(below, shipped, n=3, cutoff=0.4) or list(shipped)
    raise InputError(f"study '{name}' is not a file; shipped studies: {', '.join(near)}")


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
    path = find_study(str(path))
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
