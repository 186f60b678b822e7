"""``axonlight --print_completion``: shell completion scripts, and the JSON schema of configs.

jsonargparse can make both from the command line's own parser, but it walks every class that any type could name and
takes minutes and gigabytes. Here a light parser, never used to parse, lists the options of the classes of this package.
"""

import argparse
import difflib
import json
from collections.abc import Iterator, Sequence
from typing import Any

from ..datasets import NAMED_SETS
from ..errors import InputError
from ..training.config_files import shipped_configs, shipped_files

__all__ = ["KINDS", "PrintCompletion", "completion_script"]

KINDS = ("jsonschema", "shtab-bash", "shtab-zsh", "shtab-tcsh")
_TRAINING_VERBS = ("fit", "validate", "test", "predict")

# Words beside files, which takes a function of the shell; tcsh has none and offers files alone.
_FUNCTIONS = {
    "bash": '_axonlight_{name}() {{\n  compgen -f -- "$1"\n  compgen -W "{words}" -- "$1"\n}}',
    "zsh": "_axonlight_{name}() {{\n  _alternative 'words:{name}:({words})' 'files:file:_files'\n}}",
}


class PrintCompletion(argparse.Action):
    """Print a completion script or the JSON schema, and leave.

    Raises:
        InputError: If there is no such kind, or shtab is not installed.

    Example:
        >>> parser = argparse.ArgumentParser(prog="axonlight")
        >>> action = parser.add_argument("--print_completion", action=PrintCompletion)
        >>> parser.parse_args(["--print_completion=bash"])
        Traceback (most recent call last):
            ...
        axonlight.errors.InputError: --print_completion is 'bash'; it must be jsonschema, shtab-bash, shtab-zsh or \
shtab-tcsh
    """

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Print and leave with exit code 0."""
        kind = str(values)
        if kind not in KINDS:
            near = difflib.get_close_matches(kind, KINDS, n=1, cutoff=0.7)
            hint = f"; did you mean {near[0]}?" if near else ""
            known = f"{', '.join(KINDS[:-1])} or {KINDS[-1]}"
            raise InputError(f"--print_completion is '{kind}'; it must be {known}{hint}")
        if kind == "jsonschema":
            from ..training.schema import config_schema

            print(json.dumps(config_schema(), indent=2))
        else:
            print(completion_script(kind.removeprefix("shtab-"), parser))
        parser.exit()


def completion_script(shell: str, parser: argparse.ArgumentParser) -> str:
    """Return the completion script of a shell.

    Args:
        shell: bash, zsh or tcsh.
        parser: The parser of the whole command; the options of the verbs that train are added to it.

    Raises:
        InputError: If shtab is not installed.
    """
    try:
        import shtab
    except ImportError as error:
        raise InputError("shell completion needs shtab, which is not installed; run: pip install shtab") from error
    from ..activations.specs import activation_names
    from ..structures.nulls.read import NULL_MODELS
    from ..training.completion_options import add_training_options

    for name, verb_parser in _subparsers(parser):
        if name in _TRAINING_VERBS:
            add_training_options(verb_parser, name)
    beside_files = {
        "config": shipped_configs(),
        "study": shipped_files("study"),
        "search": shipped_files("search"),
        "ckpt_path": ["last", "best"],
        "table": NAMED_SETS,
    }
    words = {"name": NAMED_SETS, "null": list(NULL_MODELS), "spec": activation_names(), "print_completion": KINDS}
    for action in _actions(parser):
        last = action.dest.rpartition(".")[2]
        completion = _word_function(last) if last in beside_files else _path_completion(last, shtab)
        if completion:
            action.complete, action.choices = completion, None  # type: ignore[attr-defined]
        elif action.dest in words:
            action.choices = list(words[action.dest])
    preamble = {
        kind: "\n".join(text.format(name=name, words=" ".join(values)) for name, values in beside_files.items())
        for kind, text in _FUNCTIONS.items()
    }
    return shtab.complete(parser, shell, preamble=preamble)  # pyright: ignore[reportArgumentType]


def _word_function(name: str) -> dict[str, str]:
    return {"bash": f"_axonlight_{name}", "zsh": f"_axonlight_{name}", "tcsh": "f"}


def _subparsers(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield from action.choices.items()


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    yield from parser._actions
    for _, child in _subparsers(parser):
        yield from _actions(child)


def _path_completion(name: str, shtab: Any) -> dict[str, Any] | None:
    if name.endswith(("root", "dir")):
        return shtab.DIRECTORY
    return shtab.FILE if name in ("output", "path") or name.endswith("_path") else None
