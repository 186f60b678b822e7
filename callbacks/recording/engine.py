"""When a recorder reads, and when it writes what it read."""

from dataclasses import dataclass, field

from lightning.pytorch import Trainer
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from ...errors import InputError
from ...models import Site, find_sites
from ...stimulation.conducting.installation import explain_silence, guard_hooks
from ...stimulation.conducting.stimulator import Stimulator
from ...stimulation.scene import Scene
from .collection import Collection, Reading
from .probe import Gate, Moment, Probe
from .ranks import anywhere, over_ranks
from .tables import Session
from .writing import Choice, Store, open_store

__all__ = ["Engine", "Options"]


@dataclass(frozen=True)
class Options:
    """What a recorder was asked for; see `ActivationRecorder`."""

    sites: tuple[str, ...]
    statistics: tuple[str, ...]
    every_n_steps: int
    per: tuple[str, ...]
    moment: Moment
    destination: str
    max_bytes: int
    threshold: float
    filename: str

    @property
    def tensors(self) -> bool:
        """Whether activations themselves are kept."""
        return self.statistics == ("tensors",)


@dataclass
class Engine:
    """Hooks, running sessions and the store of a recorder.

    Args:
        options: What was asked for.
        records: Number of sessions that were begun.
    """

    options: Options
    records: int = 0
    _gate: Gate = field(init=False)
    _probes: list[Probe] = field(default_factory=list)
    _handles: list[RemovableHandle] = field(default_factory=list)
    _collection: Collection = field(init=False)
    _running: dict[str, Reading] = field(default_factory=dict)
    _now: Reading | None = None
    _store: Store | None = None
    _network: nn.Module = field(default_factory=nn.Identity)
    _checked: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        options = self.options
        self._gate = Gate(self._take)
        self._collection = Collection(options.per, options.threshold, options.tensors)

    # Hooks and store -------------------------------------------------------------------------------------------

    def open(self, trainer: Trainer, forget: Choice) -> None:
        """Open the store; a rank forgets what it wrote itself."""
        self._store = open_store(self.options.destination, trainer, self.options.filename)
        if self._store is not None and (trainer.is_global_zero or self.options.tensors):
            self._store.forget(forget)
        trainer.strategy.barrier("activations are forgotten")

    def install(self, network: nn.Module) -> None:
        """Put the hooks in, behind or in front of all that are there; nothing where they are in."""
        if self._handles:
            return
        self._network, self._checked = network, set()
        guard_hooks()  # compilers look at hooks once, unless they are told to
        self._probes = [Probe(site, self._gate) for site in find_sites(network, self.options.sites)]
        self._handles = [probe.install(network, self.options.moment) for probe in self._probes]
        self._handles += self._gate.around(network)

    def remove(self) -> None:
        """Take the hooks out; nothing where they are out."""
        self._gate.lit = self._gate.muted = False
        for handle in self._handles:
            handle.remove()
        self._handles, self._probes = [], []

    # Sessions --------------------------------------------------------------------------------------------------

    def begin(self, trainer: Trainer, phase: str) -> None:
        """Begin a step of training or a pass over evaluation data, unless it is running."""
        if phase not in self._running:
            session = Session(self.records, phase, trainer.global_step, trainer.current_epoch)
            self._running[phase] = Reading(session, trainer.global_rank)
            self.records += 1

    def step_of(self, phase: str) -> int | None:
        """Return the step of the running session of a phase, if there is one."""
        running = self._running.get(phase)
        return None if running is None else running.session.step

    def light(self, phase: str, dataloader: int, batch: int) -> None:
        """Read in the batch that begins."""
        self._now = self._running[phase]
        self._now.dataloader, self._now.batch = dataloader, batch
        self._gate.lit, self._gate.muted = True, False

    def darken(self, trainer: Trainer) -> None:
        """Read no more; let go of what compiled graphs have left."""
        for probe in self._probes:
            probe.release()
        if self._gate.lit:
            self._check_seen()
        self._gate.lit, self._now = False, None
        # tensors of a long pass must not wait for its end; every rank writes its own
        if self.options.tensors and self._full():
            self.flush(trainer)

    def close(self, trainer: Trainer, phase: str) -> None:
        """Close the running session of a phase, and write if much is waiting."""
        running = self._running.pop(phase, None)
        if running is not None:
            self._collection.finish(running.session)
            # each flush of statistics is one of all ranks, and so is the decision
            if not self.options.tensors and anywhere(trainer, self._full()):
                self.flush(trainer)

    def forsake(self) -> None:
        """Drop sessions that were cut off."""
        self._collection.forsake()
        self._running, self._now = {}, None

    def flush(self, trainer: Trainer) -> None:
        """Write what is waiting; statistics of all ranks together, so that all come here."""
        entries = self._collection.taken()
        if not self.options.tensors:
            entries = over_ranks(trainer, entries)
        if entries and self._store is not None:
            self._store.write(entries, self.options.statistics)

    def _full(self) -> bool:
        return self._collection.bytes >= self.options.max_bytes or self.options.destination == "logger"

    def _take(self, site: Site, x: Tensor) -> None:
        if self._now is not None:
            self._collection.add(self._now, site, x)

    def _check_seen(self) -> None:
        """Refuse sites at which nothing came by in the first recorded batch of a phase."""
        if self._now is None or self._now.session.phase in self._checked:
            return
        self._checked.add(self._now.session.phase)
        seen = self._collection.seen(self._now.session)
        for site in (probe.site for probe in self._probes if probe.site.name not in seen):
            why = explain_silence(self._network, Stimulator(site.path, site.side, Scene()))
            raise InputError(f"nothing came by at site {site.name} in a recorded batch: {why}")
