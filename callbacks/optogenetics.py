"""Stimulate a network while it trains, and while it is evaluated where that is asked for."""

from collections.abc import Mapping
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor
from torch.optim import Optimizer

from ..randomness import global_seed
from ..stimulation import Conductor, Protocol
from ..stimulation.batches import named_batch, stimulated_network
from ..stimulation.clock import Phase
from ..stimulation.freezing import Freezer
from .optogenetics_run import compare_protocols, length_of_run, mean_over_ranks, print_table, save_record
from .training_clock import TrainingClock, logged_metrics

__all__ = ["Optogenetics"]


class Optogenetics(Callback):
    """Let a protocol act on the network of the task.

    Hooks are put on when training or evaluation starts and taken off when it ends, by an error or Ctrl-C too. What is
    lit is decided at the start of every batch (of every micro-batch, where gradients are accumulated) from the number
    of updates that were done, the same on all ranks. Evaluation is untouched unless a stimulus names its phase; the
    clock then stands where training stands, or where the training of the checkpoint ended.

    The record of what was done is part of every checkpoint, and is written into the run folder.

    Args:
        protocol: Path of a YAML file, name of a shipped protocol, a list of stimuli, a mapping, or a `Protocol`.
        force: Whether to go on from a checkpoint that was trained under another protocol, or under none.
        name: Name that tells two of them with the same protocol apart; also the folder of the record.
        show: Whether to print the lab table when training starts.

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
        show: bool = True,
    ) -> None:
        self.protocol = Protocol.build(protocol)
        self.force = force
        self.name = name
        self.show = show
        self.conductor: Conductor | None = None
        self._clock: TrainingClock | None = None
        self._freezer = Freezer()
        self._handles: list[Any] = []
        self._trainer: Trainer | None = None
        self._module: LightningModule | None = None
        self._several_updates = False
        self._watched: set[str] = set()
        self._state: Mapping[str, Any] = {}

    @property
    def state_key(self) -> str:
        """Key of its state in checkpoints; two protocols are two keys."""
        return self._generate_state_key(protocol=self.protocol.hash, name=self.name)

    # Starting and ending ---------------------------------------------------------------------------------------

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Check the protocol against network and run, and put the hooks on."""
        self._start(trainer, pl_module)
        self.protocol.check(
            self._conductor.network, totals=length_of_run(trainer, loaded=False), metrics=logged_metrics(pl_module)
        )
        if trainer.is_global_zero:
            for logger in trainer.loggers:
                logger.log_hyperparams({"protocol": self.protocol.hash})
            if self.show:
                print_table(self.protocol.table(self._conductor.network))

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Watch the optimizers, where a stimulus asks them to leave parameters alone; ask to be told of updates."""
        self.protocol.check(self._conductor.network, totals=length_of_run(trainer, loaded=True))
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
        self._end(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the record and take the hooks off, unless training goes on."""
        if trainer.state.fn == "validate":
            self._end(trainer)

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the record; take the hooks off."""
        self._end(trainer)

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the record; take the hooks off."""
        self._end(trainer)

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

    @property
    def clock(self) -> TrainingClock:
        """How far training has come."""
        assert self._clock is not None  # noqa: S101
        return self._clock

    def _start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        network = stimulated_network(pl_module)
        self._trainer, self._module = trainer, pl_module
        if self.conductor is None or self.conductor.network is not network:
            self.conductor = Conductor(self.protocol, network, global_seed(), mean_over_ranks(trainer))
            self._clock = TrainingClock(self.conductor.wants, self.conductor.sensing.mean_over_ranks)
        self._take_up_state()
        if self.conductor.is_installed:
            return
        self.conductor.install()
        self._watched = set()

    def _end(self, trainer: Trainer) -> None:
        save_record(self._conductor.record, trainer, self.name)
        self._stop()

    def _stop(self) -> None:
        if self.conductor is not None:
            self.conductor.remove()
        for handle in self._handles:
            handle.remove()
        self._handles = []
        listeners = getattr(self._module, "update_listeners", None)
        if isinstance(listeners, list) and self in listeners:
            listeners.remove(self)
        self._trainer = self._module = None

    # Training --------------------------------------------------------------------------------------------------

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Check, once there was a validation, that what lights go by is logged."""
        self._check_metrics(trainer)

    def _check_metrics(self, trainer: Trainer) -> None:
        interval = trainer.check_val_every_n_epoch
        if interval is not None and trainer.current_epoch >= interval:
            self.clock.check_metrics(trainer)

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Decide what is lit, unless the task tells of every update itself."""
        self._several_updates = False
        if not hasattr(pl_module, "update_listeners"):
            self._begin(batch, batch_idx)

    def on_update_start(self, batch: Any) -> None:
        """Decide what is lit in one of several updates within a training step; the task calls it."""
        if self._several_updates:
            self._conductor.end()
        self._several_updates = True
        self._begin(batch, None)

    def on_update_end(self, loss: Tensor) -> None:
        """Take up the loss of one of several updates; the task calls it."""
        self.clock.keep_loss(loss)

    def _begin(self, batch: Any, batch_idx: int | None) -> None:
        assert self._trainer is not None  # noqa: S101
        named = named_batch(batch, self._module)
        if "train" not in self._watched:
            self.protocol.check(self._conductor.network, batch=named)
            self._conductor.watch()
        clock, rank, world = self.clock.begin(self._trainer, named, batch_idx)
        self._conductor.begin(clock, named, rank, world)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Take up what the batch left behind."""
        self._conductor.end()
        self._check_first_pass("train")
        self.clock.end(trainer, outputs)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Check what lights went by, also of a run of one epoch; stand where training ended."""
        self._check_metrics(trainer)
        self.clock.stand_at(trainer.global_step, trainer.current_epoch)

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:
        """Note what must not move, now that the gradients are complete."""
        if self._conductor.freezes:
            self._freezer.hold(optimizer)

    def _before_step(self, optimizer: Optimizer, args: tuple, kwargs: dict[str, Any]) -> None:
        # with a closure the gradients come later, and Lightning tells when
        if self._conductor.freezes and not any(callable(value) for value in (*args, *kwargs.values())):
            self._freezer.hold(optimizer)

    def _after_step(self, optimizer: Optimizer, args: tuple, kwargs: dict[str, Any]) -> None:
        self._freezer.release(optimizer)
        self._conductor.freezes = False

    # Evaluation ------------------------------------------------------------------------------------------------

    def on_validation_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Decide what is lit, where a stimulus names the phase."""
        self._begin_evaluation(trainer, batch, "validate", batch_idx)

    def on_test_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Decide what is lit, where a stimulus names the phase."""
        self._begin_evaluation(trainer, batch, "test", batch_idx)

    def on_predict_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Decide what is lit, where a stimulus names the phase."""
        self._begin_evaluation(trainer, batch, "predict", batch_idx)

    def on_validation_batch_end(self, trainer: Trainer, *args: Any, **kwargs: Any) -> None:
        """Put the light out."""
        self._end_evaluation("validate")

    def on_test_batch_end(self, trainer: Trainer, *args: Any, **kwargs: Any) -> None:
        """Put the light out."""
        self._end_evaluation("test")

    def on_predict_batch_end(self, trainer: Trainer, *args: Any, **kwargs: Any) -> None:
        """Put the light out."""
        self._end_evaluation("predict")

    def _begin_evaluation(self, trainer: Trainer, batch: Any, phase: Phase, batch_idx: int) -> None:
        if phase in self._conductor.phases:
            if phase not in self._watched:
                self._conductor.watch()
            named = named_batch(batch, self._module)
            clock, rank, world = self.clock.standing(trainer, phase, named, batch_idx)
            self._conductor.begin(clock, named, rank, world)

    def _end_evaluation(self, phase: Phase) -> None:
        if phase in self._conductor.phases:
            self._conductor.end(training=False)
            self._check_first_pass(phase)
            self._conductor.darken()

    def _check_first_pass(self, phase: Phase) -> None:
        if phase not in self._watched:
            self._watched.add(phase)
            self._conductor.check_first_pass(phase)

    # State -----------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return protocol, counts, what lights remember, and the record."""
        if self.conductor is None:
            return dict(self._state)
        return {**self.conductor.state_dict(), "clock": self.clock.state_dict(self._trainer)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there, as soon as the network is there."""
        self._state = {**self._state, **state_dict}

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Refuse to train on from a checkpoint that was trained under another protocol, or under none."""
        self._state = {"stands_at": (checkpoint.get("global_step", 0), checkpoint.get("epoch", 0))}
        if trainer.state.fn == "fit":
            compare_protocols(self, trainer, checkpoint.get("callbacks", {}), force=self.force)

    def _take_up_state(self) -> None:
        state, self._state = self._state, {}
        if "stands_at" in state:
            self.clock.stand_at(*state["stands_at"])
        if "hash" in state:
            self._conductor.load_state_dict(state)
            self.clock.load_state_dict(state["clock"])
