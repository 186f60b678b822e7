"""Read a search from a YAML file, with settings from the command line on top."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..comparison.design.yaml_file import bases_beside, read_yaml, set_key
from ..errors import InputError
from ..training.config_files import find_file

__all__ = ["read_search"]

# A key that begins so is one of the base config's: --data.root FOLDER is short for --overrides.data.root FOLDER.
_OF_THE_BASE = ("data", "model", "trainer", "seed_everything")


def read_search(path: str | Path, settings: Sequence[tuple[str, Any]] = ()) -> dict[str, Any]:
    r"""Return what a search file says, with some of its keys set anew.

    Args:
        path: The file, or the name of a shipped search.
        settings: Keys and values; a key may be dotted, such as finalists.seeds or data.root.

    Raises:
        InputError: If the file cannot be read, or a setting reaches into what is no mapping.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "waves.yaml"
        >>> _ = path.write_text("base: demo.yaml\nfinalists: {count: 10}\n")
        >>> read_search(path, [("finalists.seeds", 3), ("data.root", "here")])["finalists"]
        {'count': 10, 'seeds': 3}
    """
    path = find_file("search", str(path))
    content = {"name": path.stem, **read_yaml(path, f"search '{path}'")}
    if "arms" in content:
        raise InputError(f"search '{path}' has the key arms, so it is a study; give it to axonlight compare")
    for key, value in settings:
        parts = key.split(".")
        set_key(content, ["overrides", *parts] if parts[0] in _OF_THE_BASE else parts, value, key)
    if content.get("base") is not None:
        content["base"] = bases_beside(content["base"], path.parent)
    return content
