"""Stimulate a network while it trains, and while it is evaluated where that is asked for."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor
from torch.optim import Optimizer

from ..errors import InputError
from ..randomness import global_seed
from ..stimulation import Clock, Conductor, Protocol
from ..stimulation.batches import count_tokens, named_batch, number_of_samples, stimulated_network
from ..stimulation.clock import Phase
from ..stimulation.freezing import Freezer

__all__ = ["Optogenetics"]


class Optogenetics(Callback):
    """Let a protocol act on the network of the task.

    Hooks are put on when training or evaluation starts and taken off when it ends, by an error or Ctrl-C too. What is
    lit is decided at the start of every batch (of every micro-batch, where gradients are accumulated) from the number
    of updates that were done, the same on all ranks. Evaluation is untouched unless a stimulus names its phase.

    Args:
        protocol: Path of a YAML file, name of a shipped protocol, a list of stimuli, a mapping, or a `Protocol`.
        force: Whether to go on from a checkpoint that was trained under another protocol, or under none.
        name: Name that tells two of them with the same protocol apart; also the folder of the record.

    Raises:
        InputError: If the protocol cannot be read or does not fit the network, or a resumed run had another one.

    Example:
        >>> from lightning.pytorch import Trainer
        >>> stimulus = {"target": {"site": "hidden_0.post", "units": [0, 3]}, "opsin": "silence"}
        >>> trainer = Trainer(callbacks=[Optogenetics([stimulus])], logger=False, enable_checkpointing=False)
    """

    def __init__(
        self,
        protocol: str | list[dict[str, Any]] | dict[str, Any],
        force: bool = False,
        name: str | None = None,
    ) -> None:
        self.protocol = Protocol.build(protocol)
        self.force = force
        self.name = name
        self.conductor: Conductor | None = None
        self.clock = Clock()
        self._freezer = Freezer()
        self._handles: list[Any] = []
        self._trainer: Trainer | None = None
        self._module: LightningModule | None = None
        self._loss: Tensor | None = None
        self._metrics: dict[str, float] = {}
        self._samples = self._tokens = self._updates = 0
        self._watched: set[str] = set()
        self._state: Mapping[str, Any] | None = None

    @property
    def state_key(self) -> str:
        """Key of its state in checkpoints; two protocols are two keys."""
        return self._generate_state_key(protocol=self.protocol.hash, name=self.name)

    # Starting and ending ---------------------------------------------------------------------------------------

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Put the hooks on."""
        self._start(trainer, pl_module)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Watch the optimizers, where a stimulus asks them to leave parameters alone; offer to be told of updates."""
        if any(stimulus.optimizer == "freeze" for stimulus in self.protocol.stimuli):
            for optimizer in trainer.optimizers:
                self._handles += [
                    optimizer.register_step_pre_hook(self._before_step),
                    optimizer.register_step_post_hook(self._after_step),
                ]
        listeners = getattr(pl_module, "update_listeners", None)
        if isinstance(listeners, list) and self not in listeners:
            listeners.append(self)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Put the hooks on where nothing is trained; else let no light of training in."""
        self._start(trainer, pl_module)
        self._conductor.darken()

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Put the hooks on."""
        self._start(trainer, pl_module)

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Put the hooks on."""
        self._start(trainer, pl_module)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the record; take the hooks off."""
        self._save_record(trainer)
        self._stop()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take the hooks off, unless training goes on."""
        if trainer.state.fn == "validate":
            self.on_fit_end(trainer, pl_module)

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the record; take the hooks off."""
        self.on_fit_end(trainer, pl_module)

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the record; take the hooks off."""
        self.on_fit_end(trainer, pl_module)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Take the hooks off."""
        self._stop()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Take the hooks off, after an error and after Ctrl-C."""
        self._stop()

    @property
    def _conductor(self) -> Conductor:
        assert self.conductor is not None  # noqa: S101
        return self.conductor

    def _start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        network = stimulated_network(pl_module)
        self._trainer, self._module = trainer, pl_module
        if self.conductor is None or self.conductor.network is not network:
            self.conductor = Conductor(self.protocol, network, global_seed(), self._reducer(trainer))
        if self._state is not None:
            self.conductor.load_state_dict(self._state)
            self._state = None
        if self.conductor.is_installed:
            return
        if getattr(pl_module, "_compiler_ctx", None) is not None:
            torch.compiler.reset()  # the whole module is compiled: what was traced does not know the hooks
        self.conductor.install()
        self._watched = set()

    def _reducer(self, trainer: Trainer) -> Callable[[Tensor], Tensor] | None:
        if trainer.world_size == 1:
            return None
        return lambda values: trainer.strategy.reduce(values, reduce_op="mean")  # type: ignore[return-value]

    def _stop(self) -> None:
        if self.conductor is not None:
            self.conductor.remove()
        for handle in self._handles:
            handle.remove()
        self._handles = []
        listeners = getattr(self._module, "update_listeners", None)
        if isinstance(listeners, list) and self in listeners:
            listeners.remove(self)

    # Batches ---------------------------------------------------------------------------------------------------

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Decide what is lit, unless the task tells of every update itself."""
        self._updates = 0
        if not hasattr(pl_module, "update_listeners"):
            self._begin_update(batch, batch_idx)

    def on_update_start(self, batch: Any) -> None:
        """Decide what is lit in one of several updates within a training step; the task calls it."""
        if self._updates:
            self._conductor.end()
        self._begin_update(batch, 0)
        self._updates += 1

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Take up what the batch left behind."""
        self._conductor.end()
        self._check_fired("train")
        if "loss" in self._conductor.wants:
            self._keep_loss(trainer, outputs)

    def _begin_update(self, batch: Any, batch_idx: int) -> None:
        trainer, module = self._trainer, self._module
        assert trainer is not None  # noqa: S101
        assert module is not None  # noqa: S101
        self._watch("train")
        named = named_batch(batch, module)
        first, rank, world, total = _share(trainer, number_of_samples(named), batch_idx)
        self.clock = self._now(trainer, "train")
        shifted = Clock(**{**vars(self.clock), "samples": self.clock.samples + first})
        self._conductor.begin(shifted, named, rank, world)
        self._samples += total
        self._tokens += count_tokens(named) * trainer.world_size

    def _now(self, trainer: Trainer, phase: Phase) -> Clock:
        return Clock(
            step=trainer.global_step,
            epoch=trainer.current_epoch,
            samples=self._samples,
            tokens=self._tokens,
            loss=None if self._loss is None else float(self._loss),
            metrics=self._read_metrics(trainer),
            phase=phase,
        )

    def _read_metrics(self, trainer: Trainer) -> dict[str, float]:
        """Return the wanted metrics as they were last logged, the same on all ranks."""
        names = sorted(text.removeprefix("metric:") for text in self._conductor.wants if text.startswith("metric:"))
        if not names:
            return {}
        logged = trainer.callback_metrics
        fresh = [name for name in names if name in logged]
        if fresh:
            values = torch.stack([logged[name].detach().float().to(self._device) for name in fresh])
            self._metrics.update(zip(fresh, self._conductor.sensing.mean_over_ranks(values).tolist(), strict=True))
        return dict(self._metrics)

    @property
    def _device(self) -> torch.device:
        return self._conductor.scene.step_seed.device

    def _keep_loss(self, trainer: Trainer, outputs: Any) -> None:
        loss = outputs.get("loss") if isinstance(outputs, Mapping) else outputs
        if isinstance(loss, Tensor):
            # Lightning divides the loss by the number of batches whose gradients are added up
            loss = loss.detach() * trainer.accumulate_grad_batches
            self._loss = self._conductor.sensing.mean_over_ranks(loss)

    def on_validation_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Decide what is lit where a stimulus names the phase."""
        self._begin_evaluation(trainer, pl_module, batch, "validate")

    def on_test_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Decide what is lit where a stimulus names the phase."""
        self._begin_evaluation(trainer, pl_module, batch, "test")

    def on_predict_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Decide what is lit where a stimulus names the phase."""
        self._begin_evaluation(trainer, pl_module, batch, "predict")

    def _begin_evaluation(self, trainer: Trainer, pl_module: LightningModule, batch: Any, phase: Phase) -> None:
        if phase not in self._conductor.phases:
            return
        self._watch(phase)
        clock = self._now(trainer, phase)
        if trainer.state.fn != "fit":  # the counts of a training that is over
            clock = Clock(**{**vars(clock), "step": self.clock.step, "epoch": self.clock.epoch})
        self._conductor.begin(clock, named_batch(batch, pl_module), trainer.global_rank, trainer.world_size)

    def on_validation_batch_end(self, trainer: Trainer, *args: Any, **kwargs: Any) -> None:
        """Let the light of this batch out."""
        self._end_evaluation("validate")

    def on_test_batch_end(self, trainer: Trainer, *args: Any, **kwargs: Any) -> None:
        """Let the light of this batch out."""
        self._end_evaluation("test")

    def on_predict_batch_end(self, trainer: Trainer, *args: Any, **kwargs: Any) -> None:
        """Let the light of this batch out."""
        self._end_evaluation("predict")

    def _end_evaluation(self, phase: Phase) -> None:
        if phase in self._conductor.phases:
            self._conductor.end(training=False)
            self._check_fired(phase)
            self._conductor.darken()

    def _watch(self, phase: Phase) -> None:
        if phase not in self._watched:
            self._conductor.forget_passes()

    def _check_fired(self, phase: Phase) -> None:
        if phase not in self._watched:
            self._watched.add(phase)
            self._conductor.check_fired(phase)

    # The optimizer's rule --------------------------------------------------------------------------------------

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:
        """Note what must not move, now that the gradients are complete."""
        if self._conductor.freezes:
            self._freezer.hold(optimizer)

    def _before_step(self, optimizer: Optimizer, args: tuple, kwargs: dict[str, Any]) -> None:
        # with a closure the gradients come later, and Lightning tells when
        if self._conductor.freezes and not any(callable(value) for value in (*args[1:], *kwargs.values())):
            self._freezer.hold(optimizer)

    def _after_step(self, optimizer: Optimizer, args: tuple, kwargs: dict[str, Any]) -> None:
        self._freezer.release(optimizer)
        self._conductor.freezes = False

    # State -----------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return protocol, clock, what lights remember, and the record."""
        if self.conductor is None:
            return {}
        return {
            **self.conductor.state_dict(),
            "samples": self._samples,
            "tokens": self._tokens,
            "step": self._trainer.global_step if self._trainer is not None else self.clock.step,
            "epoch": self.clock.epoch,
            "loss": None if self._loss is None else float(self._loss),
            "metrics": {} if self._trainer is None else self._latest_metrics(),
        }

    def _latest_metrics(self) -> dict[str, float]:
        logged = self._trainer.callback_metrics if self._trainer is not None else {}
        names = [text.removeprefix("metric:") for text in self._conductor.wants if text.startswith("metric:")]
        return {**self._metrics, **{name: float(logged[name]) for name in names if name in logged}}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there, as soon as the network is there."""
        if not state_dict:
            return
        self._state = state_dict
        self._samples, self._tokens = state_dict["samples"], state_dict["tokens"]
        self._loss = None if state_dict["loss"] is None else torch.tensor(state_dict["loss"])
        self._metrics = dict(state_dict["metrics"])
        self.clock = Clock(step=state_dict["step"], epoch=state_dict["epoch"])

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Refuse a checkpoint that was trained under another protocol."""
        states = checkpoint.get("callbacks", {})
        if self.force or self.state_key in states:
            return
        kind = type(self).__qualname__
        here = {callback.state_key for callback in trainer.callbacks}  # type: ignore[attr-defined]
        others = [key for key in states if key.startswith(kind) and key not in here]
        trained = f"protocol {states[others[0]].get('hash')}" if others else "no protocol"
        raise InputError(
            f"the checkpoint was trained under {trained}, this run has protocol {self.protocol.hash}; take the same "
            "protocol, or set force to true to go on under this one"
        )

    def _save_record(self, trainer: Trainer) -> None:
        folder = trainer.log_dir  # asked for on every rank: it is broadcast
        if trainer.is_global_zero and folder and self.conductor is not None:
            self.conductor.record.save(f"{folder}/{self.name}" if self.name else folder)


def _share(trainer: Trainer, rows: int, batch_idx: int) -> tuple[int, int, int, int]:
    """Return how the samples of this rank are numbered within the batch of all ranks.

    Returns:
        The number of the first one, rank and number of ranks as `Conductor.begin` takes them, samples of all ranks.
    """
    rank, world = trainer.global_rank, trainer.world_size
    loader = trainer.train_dataloader
    size, number = getattr(loader, "batch_size", None), getattr(loader, "num_rows", None)
    if world == 1 or size is None or number is None or not hasattr(loader, "world_size"):
        return 0, rank, world, rows * world
    # A loader of global batches: every rank has a consecutive part of them.
    total = max(min(size, number - batch_idx * size), world)
    return total * rank // world, 0, 1, total
