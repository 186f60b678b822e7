"""Null models as text: a name, or a name with arguments."""

import ast
from typing import Any

from ...errors import InputError

__all__ = ["parse_null"]


def parse_null(text: str) -> str | dict[str, Any]:
    """Return what `build_null` takes from a name, or from a name with arguments.

    Raises:
        InputError: If the text is something else.

    Example:
        >>> parse_null("ErdosRenyi"), parse_null("Rewire(fraction=0.5)")
        ('ErdosRenyi', {'class_path': 'Rewire', 'init_args': {'fraction': 0.5}})
    """
    if "(" not in text:
        return text
    try:
        call = ast.parse(text, mode="eval").body
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.args:
            raise ValueError("no call by name with keywords")
        values = {str(word.arg): ast.literal_eval(word.value) for word in call.keywords}
    except (SyntaxError, ValueError) as error:
        raise InputError(f'null is {text!r}; write a name, or "Name(argument=value)" in quotes') from error
    return {"class_path": call.func.id, "init_args": values}
