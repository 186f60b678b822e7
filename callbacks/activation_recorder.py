"""Record what happens at the sites of a network, without a say in it."""

from collections.abc import Sequence
from typing import Any, Literal, get_args

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn

from ..errors import InputError
from ..stimulation.batches import stimulated_network
from ..stimulation.clock import PHASES
from .recording.engine import Engine, Options
from .recording.probe import Moment
from .recording.summary import STATISTICS
from .recording.writing import DESTINATIONS
from .recording.zarr_store import import_zarr

__all__ = ["ActivationRecorder"]

Destination = Literal["parquet", "zarr", "logger"]


class ActivationRecorder(Callback):
    """Write statistics of activations, or the activations themselves, into the run folder; `read_activations` reads it.

    A step that is not recorded costs one look at a flag per site and never waits for the device. Statistics stay on
    the device until they are written. A step is recorded once: not again when activation checkpointing computes it a
    second time, nor after a resume, which drops what was written past the checkpoint. In training, the micro-batches
    of a step count together; elsewhere the batches of a pass do.

    Hooks are put in when those of all other callbacks are there, before the first batch of a stage, and taken
    out at its end, after an exception too. See docs/recording.md for compiled networks.

    Args:
        sites: Names of sites, with ``*`` and ``?``; see `axonlight.models.find_sites`.
        statistics: Some of "mean", "std" (of the population), "rms", "rate" (share of values above `threshold`), "min",
            "max"; or "tensors": the activations themselves.
        every_n_steps: Optimizer updates from one recorded step to the next, from step 0. Elsewhere than in training:
            batches, from the first of each pass.
        phases: Some of "train", "validate" (without the sanity check), "test", "predict".
        per: Axes that statistics keep, such as "unit", "head" or ["head", "unit"], where a site has them; "site"
            keeps none.
        moment: "after" stimulation at the same site, as the network goes on with it, or "before".
        destination: "parquet"; "zarr", which needs the package zarr; or "logger", for statistics per site.
        max_bytes: Readings that wait in memory until they are written together. A single activation, or the statistics
            of a single step, may be larger.
        threshold: What a value must exceed to count as active.
        filename: Name of the recording in the run folder; recorders beside each other need different ones.

    Raises:
        InputError: If an option is unusable; when a stage starts, if a site matches nothing; at the end of its first
            recorded step, if nothing came by at a site.

    Example:
        >>> recorder = ActivationRecorder("hidden_*.post", ["mean", "rate"], every_n_steps=10, per="site")
        >>> recorder.state_key
        "ActivationRecorder(filename='activations')"
        >>> ActivationRecorder("hidden_*.post", ["median"])
        Traceback (most recent call last):
            ...
        axonlight.errors.InputError: statistics has 'median'; known are mean, std, rms, rate, min, max, or 'tensors' ...
    """

    def __init__(
        self,
        sites: str | list[str],
        statistics: str | Sequence[str] = ("mean", "std", "rate"),
        every_n_steps: int = 100,
        phases: Sequence[str] = ("train",),
        per: str | list[str] = "unit",
        moment: Moment = "after",
        destination: Destination = "parquet",
        max_bytes: int = 64 * 2**20,
        threshold: float = 0.0,
        filename: str = "activations",
    ) -> None:
        self.options = Options(
            sites=_listed(sites),
            statistics=_listed(statistics),
            every_n_steps=every_n_steps,
            per=tuple(axis for axis in _listed(per) if axis != "site"),
            moment=moment,
            destination=destination,
            max_bytes=max_bytes,
            threshold=threshold,
            filename=filename,
        )
        self.phases = _listed(phases)
        _check(self.options, self.phases)
        self._engine = Engine(self.options)
        self._trainer: Trainer | None = None
        self._told, self._batch = False, 0

    @property
    def state_key(self) -> str:
        """Return what tells the state of one recorder from that of another."""
        return f"{type(self).__name__}(filename={self.options.filename!r})"

    def state_dict(self) -> dict[str, Any]:
        """Keep how much was recorded."""
        return {"records": self._engine.records}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on behind what was recorded when the checkpoint was saved."""
        self._engine.records = state_dict["records"]

    # Stages ----------------------------------------------------------------------------------------------------

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Refuse what cannot work, before time is spent."""
        if self.options.destination == "logger" and not trainer.loggers:
            raise InputError("destination is 'logger', but the trainer has no logger; take 'parquet'")

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Drop what a resumed run records again, or what a former run left in the folder."""
        records = self._engine.records
        self._engine.open(
            trainer,
            lambda rows: (rows["record"] >= records) & (rows["phase"].isin(["train", "validate"]) | (records == 0)),
        )
        # a task that makes several updates within a step says itself when each begins
        listeners = getattr(pl_module, "update_listeners", None)
        self._told = listeners is not None
        if listeners is not None and self not in listeners:
            listeners.append(self)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Put the hooks in."""
        self._trainer = trainer
        self._engine.install(stimulated_network(pl_module))

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Decide whether the batch is recorded."""
        self._batch = batch_idx
        if not self._told:
            self._begin_update(trainer)

    def on_update_start(self, batch: Any) -> None:
        """Decide whether an update is recorded; called by a task that makes several within a step."""
        if self._trainer is not None:
            self._end_update(self._trainer)
            self._begin_update(self._trainer)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Close the step if the optimizer has made it."""
        self._end_update(trainer)

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Write, so that the files hold all that the checkpoint counts."""
        self._engine.flush(trainer)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write and take the hooks out."""
        self._finish(trainer, pl_module)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Take the hooks out and keep what is complete; of several ranks' statistics, what is written."""
        self._leave(pl_module)
        self._engine.forsake()
        if trainer.world_size == 1 or self.options.tensors:
            self._engine.flush(trainer)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Take the hooks out, whatever happened."""
        self._leave(pl_module)

    # Passes over evaluation data -------------------------------------------------------------------------------

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin a pass."""
        self._begin_pass(trainer, pl_module, "validate")

    def on_test_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin a pass."""
        self._begin_pass(trainer, pl_module, "test")

    def on_predict_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin a pass."""
        self._begin_pass(trainer, pl_module, "predict")

    def on_validation_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Decide whether the batch is recorded."""
        self._begin_batch("validate", batch_idx, dataloader_idx)

    def on_test_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Decide whether the batch is recorded."""
        self._begin_batch("test", batch_idx, dataloader_idx)

    def on_predict_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Decide whether the batch is recorded."""
        self._begin_batch("predict", batch_idx, dataloader_idx)

    def on_validation_batch_end(self, trainer: Trainer, *_: Any, **__: Any) -> None:
        """Read no more."""
        self._engine.darken(trainer)

    on_test_batch_end = on_predict_batch_end = on_validation_batch_end

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Close the pass."""
        self._end_pass(trainer, pl_module, "validate")

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Close the pass."""
        self._end_pass(trainer, pl_module, "test")

    def on_predict_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Close the pass."""
        self._end_pass(trainer, pl_module, "predict")

    # What these share ------------------------------------------------------------------------------------------

    def _begin_update(self, trainer: Trainer) -> None:
        if "train" in self.phases and trainer.global_step % self.options.every_n_steps == 0:
            self._engine.begin(trainer, "train")
            self._engine.light("train", 0, self._batch)

    def _end_update(self, trainer: Trainer) -> None:
        self._engine.darken(trainer)
        if self._engine.step_of("train") not in (None, trainer.global_step):
            self._engine.close(trainer, "train")

    def _begin_pass(self, trainer: Trainer, pl_module: LightningModule, phase: str) -> None:
        fitting = trainer.state.fn == TrainerFn.FITTING
        if not fitting and phase in self.phases:
            step = trainer.global_step  # the same pass again replaces what it gave before
            self._engine.open(trainer, lambda rows: (rows["phase"] == phase) & (rows["step"] == step))
        if fitting or phase in self.phases:
            self._engine.install(stimulated_network(pl_module))
        if phase in self.phases and not trainer.sanity_checking:
            self._engine.begin(trainer, phase)

    def _begin_batch(self, phase: str, batch: int, dataloader: int) -> None:
        if self._engine.step_of(phase) is not None and batch % self.options.every_n_steps == 0:
            self._engine.light(phase, dataloader, batch)

    def _end_pass(self, trainer: Trainer, pl_module: LightningModule, phase: str) -> None:
        self._engine.close(trainer, phase)
        if trainer.state.fn != TrainerFn.FITTING:
            self._finish(trainer, pl_module)

    def _finish(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._engine.close(trainer, "train")
        self._engine.flush(trainer)
        self._leave(pl_module)

    def _leave(self, pl_module: LightningModule) -> None:
        self._engine.remove()
        self._trainer = None
        listeners = getattr(pl_module, "update_listeners", None)
        if listeners is not None and self in listeners:
            listeners.remove(self)


def _listed(words: str | Sequence[str]) -> tuple[str, ...]:
    return (words,) if isinstance(words, str) else tuple(words)


def _check(options: Options, phases: Sequence[str]) -> None:
    """Refuse options that are wrong whatever the network is."""
    for key, words, known, also in [
        ("statistics", options.statistics if not options.tensors else (), STATISTICS, ", or 'tensors' alone"),
        ("phases", phases, PHASES, ""),
        ("moment", (options.moment,), get_args(Moment), ""),
        ("destination", (options.destination,), DESTINATIONS, ""),
    ]:
        for word in words:
            if word not in known:
                raise InputError(f"{key} has {word!r}; known are {', '.join(known)}{also}")
    for key, words in [("sites", options.sites), ("statistics", options.statistics), ("phases", phases)]:
        if not words:
            raise InputError(f"{key} is empty; name at least one")
    for key, number in [("every_n_steps", options.every_n_steps), ("max_bytes", options.max_bytes)]:
        if number < 1:
            raise InputError(f"{key} is {number}; it must be a positive integer")
    if options.destination == "logger" and (options.tensors or options.per):
        raise InputError("destination 'logger' takes one number per site; set per: site and name statistics")
    if options.destination == "zarr":
        import_zarr()
