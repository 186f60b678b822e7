"""Read a study from a YAML file, with settings from the command line on top."""

import difflib
import os
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import yaml

from ...errors import InputError
from ...training.config_files import is_text, shipped_studies
from .checks import check_keys, check_mapping
from .fields import StudyFields

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
    content = _content(path)
    for key, value in settings:
        _set(content, key.split("."), value, key)
    check_keys(f"study '{path}'", content, STUDY_KEYS)
    if content.get("base") is None:
        raise InputError(
            f"study '{path}' has no base, the config that all arms share; add one, such as base: demo.yaml"
        )
    content["base"] = _bases(content["base"], path.parent)
    for arm in _arms_in(content):
        arm["protocol"] = _beside(arm["protocol"], path.parent)
    return StudyFields(**{"name": path.stem, **{key: value for key, value in content.items() if value is not None}})


class _Loader(yaml.SafeLoader):
    """YAML's safe loader, but a key that is there twice is refused: the first would be lost without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Return the mapping of a node."""
        seen = set()
        for key, _ in node.value:
            if key.tag != "tag:yaml.org,2002:merge" and isinstance(key.value, str):
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key '{key.value}' is there twice; rename one or take it out", key.start_mark
                    )
                seen.add(key.value)
        return super().construct_mapping(node, deep)


def _content(path: Path) -> dict[str, Any]:
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506  (a safe loader)
    except OSError as error:
        raise InputError(f"study '{path}' cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise InputError(f"study '{path}' is not UTF-8 text, see line {line}; save it as UTF-8") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise InputError(f"study '{path}' is not valid YAML: {where}{error.problem}") from error
    except yaml.YAMLError as error:
        raise InputError(f"study '{path}' is not valid YAML: {' '.join(str(error).split())}") from error
    return dict(check_mapping(f"study '{path}'", content))


def _set(content: dict[str, Any], parts: list[str], value: Any, key: str) -> None:
    """Set a dotted key; below `overrides`, whose keys are dotted themselves, the rest is one key."""
    head, *rest = parts
    if not rest:
        content[head] = value
    elif head == "overrides":
        content[head] = {**check_mapping(key, content.get(head)), ".".join(rest): value}
    else:
        inner = dict(check_mapping(f"--{key}: {head}", content.get(head)))
        _set(inner, rest, value, key)
        content[head] = inner


def _bases(given: Any, folder: Path) -> list[str | Mapping[str, Any]]:
    """Return the base configs, files of the study's folder by their path."""
    items = given if isinstance(given, list) else [given]
    found: list[str | Mapping[str, Any]] = []
    for item in items:
        if not isinstance(item, (str, Mapping)):
            raise InputError(
                f"base is {str(item)[:60]!r}; it must be the name of a config, a mapping, or a list of them"
            )
        found.append(_beside(item, folder))
    return found


def _beside(item: Any, folder: Path) -> Any:
    """Return the path of a file of the study's folder for its name; anything else as it is."""
    named = isinstance(item, str) and not is_text(item) and "\n" not in item
    return str(folder / item) if named and os.path.isfile(folder / item) else item


def _arms_in(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the arms and the levels of factors that have a protocol, as they stand in the file."""
    factors = content.get("factors")
    levels = [content.get("arms"), *(factors.values() if isinstance(factors, dict) else ())]
    arms = [arm for level in levels if isinstance(level, dict) for arm in level.values()]
    return [arm for arm in arms if isinstance(arm, dict) and "protocol" in arm]
