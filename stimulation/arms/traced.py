"""A function of tensors, written down once as a plain list of operations, and compiled where asked for."""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils import _pytree as pytree

from ...errors import InputError
from .forms import BatchLast

__all__ = ["Traced"]


class Traced:
    """A function of nested tensors of fixed shapes, which may change its arguments in place.

    What Python does between the operations (hooks, modules, transforms) is done while it is traced and never again.

    Args:
        function: The function. It returns nested tensors.
        compiled: Whether TorchInductor compiles the operations; else they run one by one.
        learns: Whether derivatives are taken.

    Example:
        >>> double = Traced(lambda pair: {"sum": pair[0] + pair[1]}, compiled=False)
        >>> double((torch.ones(2), torch.ones(2)))
        {'sum': tensor([2., 2.])}
    """

    def __init__(self, function: Callable[..., Any], compiled: bool = True, learns: bool = True) -> None:
        self.function, self.compiled, self.learns = function, compiled, learns
        self._run: Callable[..., Any] | None = None
        self._given: pytree.TreeSpec | None = None
        self._returned: pytree.TreeSpec | None = None

    @property
    def is_prepared(self) -> bool:
        """Whether it has been traced."""
        return self._run is not None

    def prepare(self, *args: Any) -> None:
        """Trace and compile for arguments of these shapes; nothing is done to them.

        Raises:
            InputError: If the function cannot be traced, with the reason.
        """
        if self._run is not None:
            return
        flat, self._given = pytree.tree_flatten(args)
        copies = [value.clone() for value in flat]
        try:
            with torch.no_grad(), BatchLast(self.learns) if self.compiled else nullcontext():
                graph = make_fx(self._flat)(*copies)
        except InputError:
            raise
        except (RuntimeError, NotImplementedError) as error:
            raise InputError(_reason(error)) from error
        for node in graph.graph.nodes:
            node.meta.clear()  # shapes of the trace, which a compiler finds out for itself
        graph.graph.eliminate_dead_code()
        graph.recompile()
        if not self.compiled:
            self._run = graph
            return
        on_cpu = all(value.device.type == "cpu" for value in copies)
        # one function in C++ that gives up the interpreter's lock, so that packs can run side by side
        self._run = torch._inductor.compile(graph, copies, {"cpp_wrapper": on_cpu})  # type: ignore[assignment]

    def __call__(self, *args: Any) -> Any:
        """Return what the function returns."""
        self.prepare(*args)
        assert self._run is not None  # noqa: S101
        assert self._returned is not None  # noqa: S101
        with torch.no_grad():
            return pytree.tree_unflatten(list(self._run(*pytree.tree_leaves(args))), self._returned)

    def _flat(self, *flat: Any) -> list[Any]:
        assert self._given is not None  # noqa: S101
        found = self.function(*pytree.tree_unflatten(list(flat), self._given))
        leaves, self._returned = pytree.tree_flatten(found)
        return leaves


def _reason(error: Exception) -> str:
    text = str(error).strip()
    if "randomness" in text or "random" in text.split("\n")[0]:
        why = "it draws random numbers (dropout?), and arms that share a pass would not draw what they draw alone"
    elif ".item()" in text or "data-dependent" in text:
        why = "what it computes depends on the values of tensors in Python (an `if`, .item(), a choice of rows)"
    else:
        why = text.split("\n")[0]
    return f"the network cannot be trained as many arms at once: {why}; train its arms one by one"
