"""The ledger of a study: what is planned, running, done and failed, in one SQLite file.

Every change is one transaction in WAL mode, so a process killed at any moment leaves a ledger that is whole. Runs are
rows named by the key of their recipe: however often a study is resumed, a run is there once.
"""

import json
import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

from filelock import FileLock, Timeout

from ..errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from .design.plan import PlannedRun

__all__ = ["Ledger", "RunResult"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (
    key TEXT PRIMARY KEY, recipe TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('planned', 'running', 'done', 'failed')),
    metrics TEXT, curves TEXT, details TEXT, error TEXT, parameters INTEGER, seconds REAL,
    worker TEXT, started REAL, finished REAL
);
CREATE TABLE IF NOT EXISTS plan (
    arm TEXT, repeat INTEGER, fold INTEGER, seed INTEGER, draw INTEGER, key TEXT NOT NULL REFERENCES runs (key),
    PRIMARY KEY (arm, repeat, fold, seed, draw)
);
CREATE TABLE IF NOT EXISTS study (name TEXT PRIMARY KEY, value TEXT);
"""
_COLUMNS = {"runs": "key, recipe, state, metrics, details", "plan": "arm, draw, key", "study": "name, value"}
# SQLite takes two NULLs for different values, so a run without a draw has this one.
_NO_DRAW = -1
_CELL = ("arm", "repeat", "fold", "seed", "draw")


class RunResult(Protocol):
    """What a run leaves: a read-only view of `comparison.runs.Result`."""

    @property
    def metrics(self) -> Mapping[str, float]: ...  # noqa: D102
    @property
    def curves(self) -> Mapping[str, Sequence[float]]: ...  # noqa: D102
    @property
    def parameters(self) -> int: ...  # noqa: D102
    @property
    def seconds(self) -> float: ...  # noqa: D102
    @property
    def error(self) -> str | None: ...  # noqa: D102
    @property
    def details(self) -> Mapping[str, Any]: ...  # noqa: D102


class Ledger:
    """Planned runs and their results in a file; only the process that drives a study writes.

    Args:
        path: The file; it is made where it is missing.
        lock: Whether to keep other processes from driving the study; readers need no lock.

    Raises:
        InputError: If another process holds the ledger, or the file is none.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "ledger.sqlite"
        >>> from axonlight.comparison.design import PlannedRun
        >>> ledger = Ledger(path)
        >>> ledger.add_plan([PlannedRun("real", 0, 0, 0, None, {"fold": 0}, "key 0")])
        >>> ledger.todo(), ledger.counts()
        (['key 0'], {'planned': 1, 'running': 0, 'done': 0, 'failed': 0})
        >>> ledger.frame()[["arm", "fold", "state"]].values.tolist()
        [['real', 0, 'planned']]
        >>> ledger.close()
    """

    def __init__(self, path: str | Path, *, lock: bool = False) -> None:
        self.path = Path(path)
        self._lock = FileLock(f"{self.path}.lock") if lock else None
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if self._lock is not None:
                self._lock.acquire(timeout=0)
        except Timeout as error:
            raise InputError(f"another process is running the study of {self.path}; wait for it or end it") from error
        except OSError as error:
            raise InputError(f"{self.path} cannot be written: {error.strerror}; name another folder") from error
        self._connection = self._connect()

    def _connect(self) -> sqlite3.Connection:
        # Transactions are those that `with self._connection` begins and ends.
        connection = None
        try:
            connection = sqlite3.connect(self.path, timeout=30)
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            with connection:
                for statement in _SCHEMA.split(";"):
                    connection.execute(statement)
            for table, columns in _COLUMNS.items():  # a file of another program may have tables of these names
                connection.execute(f"SELECT {columns} FROM {table} LIMIT 0")  # noqa: S608
        except sqlite3.DatabaseError as error:
            if connection is not None:
                connection.close()
            if self._lock is not None:
                self._lock.release()
            raise InputError(f"{self.path} is not a ledger of a study: {error}") from error
        return connection

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file and let others drive the study."""
        self._connection.close()
        if self._lock is not None:
            self._lock.release()

    # What the driver writes.

    def put_aside(self) -> Path | None:
        """Begin anew; what was there is kept under a number.

        Returns:
            The file that keeps it; None if there was nothing.
        """
        if not self._connection.execute("SELECT 1 FROM runs LIMIT 1").fetchone():
            return None
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._connection.close()
        names = (self.path.with_stem(f"{self.path.stem}-{number}") for number in range(1, 10_000))
        kept = self.path.rename(next(name for name in names if not name.exists()))
        self._connection = self._connect()
        return kept

    def add_plan(self, runs: Iterable["PlannedRun"]) -> None:
        """Take over a plan; runs known by their key keep their results, and what is no longer planned stays unused."""
        runs = list(runs)
        rows = {run.key: (run.key, json.dumps(run.recipe)) for run in runs}
        cells = [(*run.cell[:4], _NO_DRAW if run.draw is None else run.draw, run.key) for run in runs]
        with self._connection:
            self._connection.executemany(
                "INSERT OR IGNORE INTO runs (key, recipe, state) VALUES (?, ?, 'planned')", rows.values()
            )
            self._connection.execute("DELETE FROM plan")
            self._connection.executemany("INSERT INTO plan VALUES (?, ?, ?, ?, ?, ?)", cells)

    def start(self, keys: Sequence[str], worker: str) -> None:
        """Note that a worker has begun some runs."""
        with self._connection:
            self._connection.executemany(
                "UPDATE runs SET state = 'running', worker = ?, started = ?, error = NULL WHERE key = ?",
                [(worker, time.time(), key) for key in keys],
            )

    def finish(self, key: str, result: RunResult) -> None:
        """Record the result of a run; one with an error is a failed run."""
        self.finish_all([(key, result)])

    def finish_all(self, results: Iterable[tuple[str, RunResult]]) -> None:
        """Record the results of a group of runs at once: all of them, or none."""
        now = time.time()
        rows = [
            (
                "failed" if result.error else "done",
                json.dumps(dict(result.metrics)),
                json.dumps({name: list(values) for name, values in result.curves.items()}),
                json.dumps(dict(result.details)),
                result.error,
                result.parameters,
                result.seconds,
                now,
                key,
            )
            for key, result in results
        ]
        with self._connection:
            self._connection.executemany(
                "UPDATE runs SET state = ?, metrics = ?, curves = ?, details = ?, error = ?, parameters = ?, "
                "seconds = ?, finished = ? WHERE key = ?",
                rows,
            )

    def fail(self, keys: Sequence[str], error: str) -> None:
        """Record that some runs failed without a result."""
        with self._connection:
            self._connection.executemany(
                "UPDATE runs SET state = 'failed', error = ?, finished = ? WHERE key = ?",
                [(error, time.time(), key) for key in keys],
            )

    def recover(self, *, failed: bool = False) -> int:
        """Plan again the runs that were in flight when a process ended, and the failed ones where asked for.

        Returns:
            Their number.
        """
        states = ("running", "failed") if failed else ("running", "running")
        with self._connection:
            return self._connection.execute(
                "UPDATE runs SET state = 'planned', worker = NULL, started = NULL, finished = NULL, error = NULL "
                "WHERE state IN (?, ?)",
                states,
            ).rowcount

    def note(self, **values: Any) -> None:
        """Keep facts of the study, as plain data."""
        rows = [(name, json.dumps(value)) for name, value in values.items()]
        with self._connection:
            self._connection.executemany("INSERT OR REPLACE INTO study VALUES (?, ?)", rows)

    # What anybody reads.

    def facts(self) -> dict[str, Any]:
        """Return what `note` kept."""
        return {name: json.loads(value) for name, value in self._connection.execute("SELECT name, value FROM study")}

    def todo(self) -> list[str]:
        """Return the keys of planned runs that have not begun, in the order of the plan."""
        query = (
            "SELECT runs.key FROM plan JOIN runs USING (key) WHERE state = 'planned' GROUP BY runs.key "
            "ORDER BY MIN(plan.rowid)"
        )
        return [key for (key,) in self._connection.execute(query)]

    def counts(self) -> dict[str, int]:
        """Return the number of distinct runs of the plan in each state."""
        query = "SELECT state, COUNT(*) FROM runs WHERE key IN (SELECT key FROM plan) GROUP BY state"
        found = dict(self._connection.execute(query))
        return {state: found.get(state, 0) for state in ("planned", "running", "done", "failed")}

    def seconds(self) -> dict[str, float]:
        """Return the mean seconds of a finished run, per arm."""
        query = "SELECT arm, AVG(seconds) FROM plan JOIN runs USING (key) WHERE state = 'done' GROUP BY arm"
        return dict(self._connection.execute(query))

    def states(self) -> dict[str, str]:
        """Return the state of every run that was ever planned, by its key."""
        return dict(self._connection.execute("SELECT key, state FROM runs"))

    def recipe(self, key: str) -> dict[str, Any]:
        """Return the recipe of a run.

        Raises:
            InputError: If there is no such run.
        """
        found = self._connection.execute("SELECT recipe FROM runs WHERE key = ?", (key,)).fetchone()
        if found is None:
            raise InputError(f"{self.path} has no run with the key {key}")
        return json.loads(found[0])

    def curves(self) -> dict[str, dict[str, list[float]]]:
        """Return the learning curves of every finished run of the plan, by its key."""
        return self._plain("curves")

    def details(self) -> dict[str, dict[str, Any]]:
        """Return what else every finished run of the plan left, by its key."""
        return self._plain("details")

    def _plain(self, column: str) -> dict[str, Any]:
        rows = self._connection.execute(
            f"SELECT key, {column} FROM runs WHERE {column} IS NOT NULL AND key IN (SELECT key FROM plan)"  # noqa: S608
        )
        return {key: json.loads(value) for key, value in rows}

    def frame(self) -> "pd.DataFrame":
        """Return one row per planned run.

        Columns: arm, repeat, fold, seed, draw, key, state, one per metric, parameters, seconds, error.
        `draw` is missing where there is none; the metrics of a run that is not done are missing.
        """
        import pandas as pd

        query = (
            "SELECT arm, repeat, fold, seed, draw, key, state, metrics, parameters, seconds, error "
            "FROM plan JOIN runs USING (key) ORDER BY plan.rowid"
        )
        rows = self._connection.execute(query).fetchall()
        cells = pd.DataFrame([row[:7] for row in rows], columns=[*_CELL, "key", "state"])
        metrics = pd.DataFrame(
            [json.loads(row[7]) if row[7] and row[6] == "done" else {} for row in rows], index=cells.index
        )
        rest = pd.DataFrame([row[8:] for row in rows], columns=["parameters", "seconds", "error"])
        cells["draw"] = cells["draw"].astype("Int64").mask(cells["draw"] == _NO_DRAW)
        rest["parameters"] = rest["parameters"].astype("Int64")
        return pd.concat([cells, metrics.astype("float64"), rest], axis=1)
