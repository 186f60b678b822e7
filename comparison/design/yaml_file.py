"""Read a YAML file that people write: one sentence where it is not one, no key twice, dotted settings on top."""

import os
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import yaml

from ...errors import InputError
from ...training.config_files import is_text
from .checks import check_mapping

__all__ = ["bases_beside", "beside", "read_yaml", "set_key"]


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


def read_yaml(path: Path, where: str) -> dict[str, Any]:
    r"""Return the mapping of a file.

    Args:
        path: The file.
        where: How messages call it, such as "study 'mine.yaml'".

    Raises:
        InputError: If the file cannot be read or is no mapping.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "two.yaml"
        >>> _ = path.write_text("name: two\nfolds: 3\n")
        >>> read_yaml(path, "study 'two.yaml'")
        {'name': 'two', 'folds': 3}
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506  (a safe loader)
    except OSError as error:
        raise InputError(f"{where} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise InputError(f"{where} is not UTF-8 text, see line {line}; save it as UTF-8") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise InputError(f"{where} is not valid YAML: {place}{error.problem}") from error
    except yaml.YAMLError as error:
        raise InputError(f"{where} is not valid YAML: {' '.join(str(error).split())}") from error
    except (RecursionError, ValueError) as error:  # brackets without end; a date or a number that cannot be
        raise InputError(f"{where} is not usable YAML: {str(error).splitlines()[0]}") from error
    return dict(check_mapping(where, content))


def set_key(content: dict[str, Any], parts: list[str], value: Any, key: str) -> None:
    """Set a dotted key; below `overrides`, whose keys are dotted themselves, the rest is one key.

    Raises:
        InputError: If something on the way is no mapping.

    Example:
        >>> content = {"rope": {"auroc": 0.01}}
        >>> set_key(content, ["rope", "f1"], 0.02, "rope.f1")
        >>> set_key(content, ["overrides", "trainer", "max_epochs"], 3, "overrides.trainer.max_epochs")
        >>> content
        {'rope': {'auroc': 0.01, 'f1': 0.02}, 'overrides': {'trainer.max_epochs': 3}}
    """
    head, *rest = parts
    if not rest:
        content[head] = value
    elif head == "overrides":
        content[head] = {**check_mapping(key, content.get(head)), ".".join(rest): value}
    else:
        inner = dict(check_mapping(f"--{key}: {head}", content.get(head)))
        set_key(inner, rest, value, key)
        content[head] = inner


def bases_beside(given: Any, folder: Path) -> list[str | Mapping[str, Any]]:
    """Return the base configs, files of the study's folder by their path.

    Raises:
        InputError: If one of them is neither a name nor a mapping.
    """
    items = given if isinstance(given, list) else [given]
    found: list[str | Mapping[str, Any]] = []
    for item in items:
        if not isinstance(item, (str, Mapping)):
            raise InputError(
                f"base is {str(item)[:60]!r}; it must be the name of a config, a mapping, or a list of them"
            )
        found.append(beside(item, folder))
    return found


def beside(item: Any, folder: Path) -> Any:
    """Return the path of a file of a folder for its name; anything else as it is."""
    named = isinstance(item, str) and not is_text(item) and "\n" not in item
    return str(folder / item) if named and os.path.isfile(folder / item) else item
