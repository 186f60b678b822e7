"""The protocols of stimulated arms and of their controls, resolved against the networks that they act on."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from typing import Protocol as TypedAs

from lightning.pytorch import LightningDataModule, LightningModule
from torch import nn

from ...callbacks.training_clock import logged_metrics
from ...datamodules import TableDataModule
from ...errors import InputError
from ...randomness import derive_seed
from ...stimulation import Protocol
from ...stimulation.batches import stimulated_network
from ...stimulation.controls import complement, controls_of, random_units
from .arms import Arm
from .controls import control_arm_name

__all__ = ["Stimulation", "resolve_stimulation"]

# Choices of random units are few where a site has few units: how often a new one is looked for.
_ATTEMPTS_PER_DRAW = 20


class Built(TypedAs):
    """What an arm was built as: its task and data on the first split, and its config."""

    @property
    def config(self) -> Mapping[str, Any]: ...
    @property
    def task(self) -> LightningModule: ...
    @property
    def data(self) -> LightningDataModule: ...


@dataclass(frozen=True)
class Stimulation:
    """What stimulates which arm.

    Attributes:
        protocols: Per arm, its protocol as plain data; several where every draw has its own.
        without: Control arms that do not exist, and why.
    """

    protocols: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    without: dict[str, str] = field(default_factory=dict)


def resolve_stimulation(arms: Sequence[Arm], built: Callable[[Arm], Built], seed: int) -> Stimulation:
    """Return the protocols of all stimulated arms and of the controls that exist.

    Args:
        arms: All arms of a study.
        built: Returns what an arm was built as.
        seed: Seed of the study, from which random units derive.

    Raises:
        InputError: If a protocol does not fit its network, or a control that was asked for by name does not exist; the
            message begins with the arm.
    """
    found = Stimulation()
    for arm in arms:
        if arm.protocol is not None and arm.control is None:
            try:
                _resolve(arm, built(arm), seed, found)
            except InputError as error:
                raise InputError(f"arm '{arm.name}': {error}") from error
    return found


def _resolve(arm: Arm, built: Built, seed: int, found: Stimulation) -> None:
    network = stimulated_network(built.task)
    protocol = Protocol.build(arm.protocol)
    if arm.act_on == "rest":
        protocol = complement(protocol, network)
    named = isinstance(built.data, TableDataModule) and not hasattr(built.task, "stimulation_batch")
    protocol.check(
        network,
        totals=_length_of(built),  # type: ignore[arg-type]
        metrics=logged_metrics(built.task),
        batch=("input", "target") if named else None,
    )
    found.protocols[arm.name] = [protocol.to_dict()]
    asked = arm.asked_controls
    controls = controls_of(protocol, network, seed, release=asked.get("release", {}).get("step"))
    for name, options in asked.items():
        place = control_arm_name(arm.name, name)
        if name in controls.omitted:
            if arm.controls is not None:
                raise InputError(f"controls names {name}, but {controls.omitted[name]}; leave it out")
            found.without[place] = controls.omitted[name]
        elif "draws" in options:
            found.protocols[place] = _random_units(protocol, network, seed, options["draws"])
        else:
            found.protocols[place] = [controls.protocols[name].to_dict()]


def _random_units(protocol: Protocol, network: nn.Module, seed: int, draws: int) -> list[dict[str, Any]]:
    """Return so many different choices of random units."""
    found: dict[str, Protocol] = {}
    bound = protocol.bind(network)
    for attempt in range(_ATTEMPTS_PER_DRAW * draws):
        one = random_units(protocol, bound, derive_seed(seed, "random_units", attempt))
        found.setdefault(one.hash, one)
        if len(found) == draws:
            return [one.to_dict() for one in found.values()]
    raise InputError(
        f"controls.random_units.draws is {draws}, but only {len(found)} different choices of units were found; set it "
        f"to {len(found)}"
    )


def _length_of(built: Built) -> dict[str, float]:
    """Return how long a run lasts, as far as its config tells."""
    trainer = built.config["trainer"]
    epochs, steps = trainer.get("max_epochs"), trainer.get("max_steps", -1)
    limits = [float(steps)] if steps and steps > 0 else []
    known: dict[str, float] = {}
    if epochs and epochs > 0:
        known["epochs"] = float(epochs)
        limited = trainer.get("limit_train_batches")
        if isinstance(built.data, TableDataModule) and (limited is None or limited == 1.0):
            batches = len(built.data.train_dataloader())
            limits.append(float(epochs * math.ceil(batches / (trainer.get("accumulate_grad_batches") or 1))))
    return known | ({"steps": min(limits)} if limits else {})
