"""What many arms are between two updates: tensors, light, tables; and how they are written to a file."""

import copy
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from ...errors import InputError, shown
from ..protocol import PhotostimulationRecord, Protocol
from .group import Group
from .preparation import initial_stack
from .program import Stack

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ArmsState"]

_VERSION = 1
_EVALUATED = ("arm", "seed", "samples", "evaluator", "loss", "accuracy")
_MEASURED = ("arm", "seed", "samples", "measure", "value")


class ArmsState:
    """The runs of several arms and seeds: where they are, what was found, to be written and read.

    Args:
        network_factory: Returns a new network, initialised from torch's random numbers.
        protocols: Protocol of every arm by name, or what `Protocol.build` takes; None for an arm without one.
        seeds: The seeds of every arm.

    Attributes:
        protocols: The protocols.
        seeds: The seeds.
        updates: Updates that were made.
    """

    def __init__(
        self, network_factory: Callable[[], nn.Module], protocols: Mapping[str, Any], seeds: Sequence[int]
    ) -> None:
        self.seeds = tuple(seeds)
        if not protocols or not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise InputError(f"{len(protocols)} arms and seeds {list(seeds)}; there must be some, every seed once")
        self.protocols = {name: None if value is None else Protocol.build(value) for name, value in protocols.items()}
        self._network, stack = initial_stack(network_factory, self.seeds)
        self._stacks = {arm: stack.rows(slice(None)) for arm in self.protocols}
        self._states: dict[tuple[str, int], dict[str, Any]] = {}
        self.updates = 0
        self._rows: list[tuple[Any, ...]] = []
        self._measured: list[tuple[Any, ...]] = []
        self._groups: list[Group] = []
        self._kept = -1  # number of updates after which tensors were taken up

    @property
    def table(self) -> "pd.DataFrame":
        """All evaluations so far."""
        import pandas as pd

        return pd.DataFrame(self._rows, columns=list(_EVALUATED))

    @property
    def measured(self) -> "pd.DataFrame":
        """All measurements so far: arm, seed, samples, measure, value."""
        import pandas as pd

        return pd.DataFrame(self._measured, columns=list(_MEASURED))

    def network(self, arm: str, seed: int) -> nn.Module:
        """Return the network of a run as it is now, an ordinary one in evaluation mode, without hooks.

        Raises:
            InputError: If there is no such run.
        """
        self._check_run(arm, seed)
        self._take_up()
        row = self._stacks[arm].rows(slice(self.seeds.index(seed), self.seeds.index(seed) + 1))
        network = copy.deepcopy(self._network)
        places = {**dict(network.named_parameters()), **dict(network.named_buffers())}
        with torch.no_grad():
            for name, value in {**row.values, **row.buffers}.items():
                places[name].copy_(value[0])
        return network.eval()

    def record(self, arm: str, seed: int) -> PhotostimulationRecord | None:
        """Return what light did in a run since training began here; None where its arm has no protocol.

        Raises:
            InputError: If there is no such run.
        """
        self._check_run(arm, seed)
        runs = (run for group in self._groups for run in group.runs if (run.arm, run.seed) == (arm, seed))
        conductor = next((run.light.conductor for run in runs), None)
        return None if conductor is None else conductor.record

    def save(self, path: str | Path) -> None:
        """Write everything that training goes on from: tensors, light, tables. It holds no code."""
        self._take_up()
        runs = [{"arm": arm, "seed": seed, **state} for (arm, seed), state in self._states.items()]
        stacks = {arm: [dict(part) for part in stack.parts] for arm, stack in self._stacks.items()}
        content = {"version": _VERSION, **self._identity(), "updates": self.updates, "runs": runs, "stacks": stacks}
        torch.save({**content, "rows": self._rows, "measured": self._measured}, path)

    def load(self, path: str | Path) -> None:
        """Go on from a file that `save` wrote for the same arms and seeds.

        Raises:
            InputError: If it is that of other arms, seeds or protocols.
        """
        content = torch.load(path, weights_only=True)
        for name, own in self._identity().items():
            if content.get(name) != own:
                raise InputError(f"{path} was written for other {name}: {content.get(name)}; these are {own}")
        self._groups, self._kept = [], content["updates"]
        self._states = {(state["arm"], state["seed"]): state for state in content["runs"]}
        self._stacks = {arm: Stack(*parts) for arm, parts in content["stacks"].items()}
        self.updates = content["updates"]
        self._rows = [tuple(row) for row in content["rows"]]
        self._measured = [tuple(row) for row in content["measured"]]

    def _take_up(self) -> None:
        """Keep what the runs are now, whatever trains them next."""
        if self._kept == self.updates:
            return
        self._kept = self.updates
        for group in self._groups:
            group.collect()
            for first in range(0, len(group.runs), len(self.seeds)):
                rows = slice(first, first + len(self.seeds))
                self._stacks[group.runs[first].arm].take(group.stack.rows(rows))
            self._states |= {(run.arm, run.seed): run.state_dict() for run in group.runs}

    def _check_run(self, arm: str, seed: int) -> None:
        if arm not in self.protocols or seed not in self.seeds:
            raise InputError(
                f"there is no arm {arm!r} with seed {seed}; arms are {shown(list(self.protocols), 9)}, seeds "
                f"{shown([str(seed) for seed in self.seeds], 9)}"
            )

    def _identity(self) -> dict[str, Any]:
        hashes = {name: None if value is None else value.hash for name, value in self.protocols.items()}
        return {"protocols": hashes, "seeds": list(self.seeds)}
