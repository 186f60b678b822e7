"""Watch the health of a network's activations while it trains."""

from collections.abc import Sequence
from typing import Any, Literal, get_args

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.strategies import DDPStrategy, SingleDeviceStrategy
from torch import Tensor
from torch.optim import Optimizer

from ..errors import InputError
from ..models import ReplicaTask
from ..stimulation.batches import stimulated_network
from ..stimulation.conducting.installation import guard_hooks
from .doctor.complaints import Complaints
from .doctor.examination import Examination
from .doctor.guard import StepGuard
from .doctor.listening import Listeners, find_activations
from .doctor.records import Records
from .doctor.schedule import due_step, logged_numbers

__all__ = ["ActivationDoctor"]

NonFinite = Literal["watch", "raise", "skip"]


class ActivationDoctor(Callback):
    """Examine every activation of a network in some steps, write what was found, and guard the others.

    Works on any network whose activations are modules. Between examined steps there are no hooks, and nothing waits for
    the device. Examined are the steps 0, 1, 2, 4, 8, ... below `every_n_steps`, and every `every_n_steps`-th.

    Per activation: mean and standard deviation of input and output, the gain (their ratio), the share of entries that
    are saturated (|slope| < 0.01), the share of dead units (saturated in every row that was looked at), shares that are
    not finite; for ASH the percentage that passes its threshold, and what a normal sample would give; all trained
    values; the curve on a grid. Activations whose entries depend on one another have no curve of their own: theirs is
    the mean output by input, and an entry counts as saturated that lets through less than 1 % of its input.

    Args:
        every_n_steps: Optimizer updates from one examination to the next.
        non_finite: "watch": say so where an examined step holds values that are not finite. "raise": look at losses and
            gradients before every update, and end the run, naming the layer, before the weights are spoilt. "skip":
            leave the update out and go on. The two look at the device once an update.
        max_skipped: Updates left out in a row at which the run ends.
        std_range: Standard deviations of outputs outside of it are warned of.
        max_dead: Share of dead units above which is warned.
        grid: First and last argument of the curves.
        max_entries: Entries of a tensor that are looked at, whole rows of the batch from the first.
        log: Whether to give the loggers the main numbers, as ``doctor/NAME/...``.
        filename: Name of the files in the run folder, without suffix.

    Raises:
        InputError: If an option is unusable; when training starts, if the network has no activation module, is trained
            as replicas, or is divided over devices.

    Example:
        >>> doctor = ActivationDoctor(every_n_steps=50, non_finite="skip")
        >>> doctor.leaves_steps_out
        True
        >>> ActivationDoctor(non_finite="ignore")
        Traceback (most recent call last):
            ...
        axonlight.errors.InputError: non_finite is 'ignore'; it must be one of watch, raise, skip
    """

    def __init__(
        self,
        every_n_steps: int = 100,
        non_finite: NonFinite = "watch",
        max_skipped: int = 10,
        std_range: Sequence[float] = (0.1, 10.0),
        max_dead: float = 0.5,
        grid: Sequence[float] = (-5.0, 5.0),
        max_entries: int = 1_000_000,
        log: bool = True,
        filename: str = "activation_doctor",
    ) -> None:
        for key, number in [
            ("every_n_steps", every_n_steps),
            ("max_skipped", max_skipped),
            ("max_entries", max_entries),
        ]:
            if number < 1:
                raise InputError(f"{key} is {number}; it must be a positive integer")
        if non_finite not in get_args(NonFinite):
            raise InputError(f"non_finite is {non_finite!r}; it must be one of {', '.join(get_args(NonFinite))}")
        for key, pair in [("std_range", std_range), ("grid", grid)]:
            if len(pair) != 2 or not pair[0] < pair[1]:
                raise InputError(f"{key} is {list(pair)}; it must be two numbers, the smaller one first")
        if not 0 <= max_dead <= 1:
            raise InputError(f"max_dead is {max_dead}; it must be a share between 0 and 1")
        self.every_n_steps = every_n_steps
        self.non_finite: NonFinite = non_finite
        self.max_entries = max_entries
        self.log = log
        self.filename = filename
        self.grid = torch.linspace(grid[0], grid[1], 101)
        self.records = Records(self.grid)
        self._complaints = Complaints(tuple(std_range), max_dead)
        self._guard = None if non_finite == "watch" else StepGuard(non_finite == "skip", max_skipped)
        self._listeners: Listeners | None = None
        self._examined: Examination | None = None
        self._activations: dict[str, torch.nn.Module] = {}
        self._next = 0

    @property
    def leaves_steps_out(self) -> bool:
        """Whether steps whose loss or gradient is no number are left out; `FiniteLoss` then lets them pass."""
        return self.non_finite == "skip"

    @property
    def state_key(self) -> str:
        """Return what tells the state of one doctor from that of another."""
        return f"{type(self).__name__}(filename={self.filename!r})"

    def state_dict(self) -> dict[str, Any]:
        """Keep what was found, so that a resumed run tells all of its story."""
        return {"records": self.records.state_dict(), "left_out": [] if self._guard is None else self._guard.left_out}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on behind what was found when the checkpoint was saved."""
        self.records.load_state_dict(state_dict["records"])
        if self._guard is not None:
            self._guard.left_out = [(step, reason) for step, reason in state_dict["left_out"]]

    # The run ---------------------------------------------------------------------------------------------------

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Refuse what cannot be examined, before time is spent; forget another run, unless it goes on."""
        if stage != "fit":
            return
        if trainer.global_step == 0:
            self.records = Records(self.grid)
            self._complaints.forget()
            if self._guard is not None:
                self._guard.left_out = []
        if isinstance(pl_module, ReplicaTask):
            raise InputError("ActivationDoctor examines one network, and this run trains replicas; leave it out")
        if not isinstance(trainer.strategy, (SingleDeviceStrategy, DDPStrategy)):
            raise InputError(
                f"ActivationDoctor needs whole weights on every device, but {type(trainer.strategy).__name__} divides "
                "them; leave the callback out"
            )
        if self._guard is not None and not pl_module.automatic_optimization:
            raise InputError(
                f"non_finite is {self.non_finite!r}, which cannot guard updates that a task makes by itself "
                f"({type(pl_module).__name__}); take 'watch'"
            )
        find_activations(stimulated_network(pl_module))

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Find the activations; compilers are told to look at hooks."""
        guard_hooks()
        network = stimulated_network(pl_module)
        self._activations = find_activations(network)
        self._listeners = Listeners(network, self._activations, lambda heard: self._examination.take(heard))
        self._next = due_step(trainer.global_step, self.every_n_steps)

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Begin or go on with an examination where one is due."""
        if self._guard is not None:
            self._guard.begin(trainer, pl_module, batch)
        if trainer.global_step < self._next:
            return
        if self._examined is None:
            self._examined = Examination(
                trainer.global_step, trainer.current_epoch, self._activations, self.grid, self.max_entries
            )
        assert self._listeners is not None  # noqa: S101
        self._listeners.install()

    def on_before_backward(self, trainer: Trainer, pl_module: LightningModule, loss: Tensor) -> None:
        """Note whether the loss is a number; nothing waits for the answer."""
        if self._guard is not None:
            self._guard.note(loss)

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:
        """Take up what compiled graphs left while values are what they were; keep what is no number out of them."""
        if self._examined is not None and self._listeners is not None:
            self._listeners.release()
        if self._guard is not None:
            self._deafen()  # the batch may be run once more
            self._guard.decide(trainer, pl_module, optimizer)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Close the examination if the optimizer has made its step."""
        if self._examined is None:
            return
        self._deafen()
        if trainer.global_step > self._examined.step:
            self._conclude(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Read values and curves once more, as they are at the end."""
        self._forsake()
        last = Examination(trainer.global_step, trainer.current_epoch, self._activations, self.grid, self.max_entries)
        last.read()
        self.records.add(last)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write, and say where."""
        written = self._write(trainer)
        if written:
            print(written)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Take the hooks off and write what was found so far: an unhealthy run is the one to look at."""
        self._forsake()
        if trainer.world_size == 1 and trainer.state.fn == "fit":
            self._write(trainer)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Take the hooks off, whatever happened."""
        self._forsake()

    # What these share ------------------------------------------------------------------------------------------

    @property
    def _examination(self) -> Examination:
        assert self._examined is not None  # noqa: S101
        return self._examined

    def _deafen(self) -> None:
        if self._listeners is not None:
            self._listeners.remove()

    def _forsake(self) -> None:
        self._deafen()
        self._examined = None

    def _conclude(self, trainer: Trainer) -> None:
        examined, self._examined = self._examination, None
        self._next = due_step(trainer.global_step, self.every_n_steps)
        examined.read(trainer)
        self.records.add(examined)
        rows = examined.rows()
        if not trainer.is_global_zero:
            return
        self._complaints.look_at(rows)
        if self.log:
            for logger in trainer.loggers:
                logger.log_metrics(logged_numbers(rows), step=examined.step)

    def _write(self, trainer: Trainer) -> str:
        folder = trainer.log_dir if trainer.loggers else None  # asked for on every rank: it is broadcast
        if not trainer.is_global_zero or not folder or not self.records.rows:
            return ""
        left_out = [] if self._guard is None else self._guard.left_out
        table = self.records.write(folder, self.filename, left_out)
        skipped = f"; {len(left_out)} steps were left out" if left_out else ""
        return f"activations: {table}, {self.filename}.png{skipped}"
