"""Every opsin with a scene to act in and a reference of its own: NumPy in float64, often entry by entry.

B samples, T = 5 tokens x_a y_a x_b y_b x_q, H heads, L labels, D units.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from axonlight.models import Site
from axonlight.stimulation import Place, Scene
from axonlight.stimulation.counter_random import normal, permutation, stream_of
from axonlight.stimulation.opsins import Opsin, build_opsin

B, T, H, L, D = 4, 5, 2, 6, 3
STREAM = ("batch", "position", "unit")
PATTERN = ("batch", "head", "query", "key")
LOGITS = ("batch", "unit")
SHAPES = {STREAM: (B, T, D), PATTERN: (B, H, T, T), LOGITS: (B, L)}
LOWEST = {torch.float16: np.finfo(np.float16).min / 2}


def _numbers(name: str, shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(list(name.encode())).normal(size=shape)


def the_scene(dtype: torch.dtype = torch.float64) -> Scene:
    """A batch of two context classes; in the last sample both context labels are equal."""
    exemplars = torch.tensor([[7, 4, 4], [1, 2, 1], [5, 3, 3], [6, 8, 6]])
    labels = torch.tensor([[3, 1], [0, 2], [4, 5], [2, 2]])
    target = torch.tensor([1, 0, 5, 2])
    as_tensor = lambda name, shape: torch.from_numpy(_numbers(name, shape)).to(dtype)  # noqa: E731
    elsewhere = {
        "stream": as_tensor("other stream", SHAPES[STREAM]),
        "scores": as_tensor("scores", SHAPES[PATTERN]),
    }
    sources = {(name, "here"): as_tensor(name, SHAPES[STREAM]) for name in ("first", "batch", "checkpoint:a.ckpt")}
    sources["mean", "here"] = as_tensor("mean", SHAPES[STREAM][1:]).float()
    batch = {"exemplars": exemplars, "labels": labels, "target": target}
    return Scene(batch, torch.tensor(987654321), elsewhere, sources)


def the_place(axes: tuple[str, ...], dtype: torch.dtype = torch.float64) -> Place:
    return Place(Site("here", "here", axes=axes), axes, the_scene(dtype), number=2)


# references: (x, intensity, dtype) -> new value

Reference = Callable[[np.ndarray, np.ndarray, torch.dtype], np.ndarray]


def moved(goal: Callable[[np.ndarray, torch.dtype], np.ndarray]) -> Reference:
    """(1 - s) x + s goal, entry by entry."""

    def reference(x: np.ndarray, intensity: np.ndarray, dtype: torch.dtype) -> np.ndarray:
        y, goals = x.copy(), np.broadcast_to(goal(x, dtype), x.shape)
        for place in np.ndindex(x.shape):
            if not np.isnan(goals[place]):  # NaN: not written
                y[place] = (1 - intensity[place]) * x[place] + intensity[place] * goals[place]
        return y

    return reference


def constant(value: float) -> Reference:
    return moved(lambda x, dtype: np.full(x.shape, value))


def elsewhere(kind: str, name: object) -> Reference:
    return moved(lambda x, dtype: getattr(the_scene(), kind)[name].double().numpy())


def shifted(x: np.ndarray, dtype: torch.dtype) -> np.ndarray:
    other = the_scene().captured["stream"].numpy()
    return np.stack([other[:, 0], other[:, 0], other[:, 1], other[:, 2], other[:, 3]], axis=1)


def previous(strength: float, rows: list[int]) -> Reference:
    def goal(x: np.ndarray, dtype: torch.dtype) -> np.ndarray:
        pattern = np.full(x.shape, np.nan)
        for row in rows:
            pattern[:, :, row] = 0
            pattern[:, :, row, max(row - 1, 0)] += strength
            pattern[:, :, row, row] += 1 - strength
        return pattern

    return moved(goal)


def query_row(weights: Callable[[dict[str, np.ndarray], int], list[float]]) -> Reference:
    def goal(x: np.ndarray, dtype: torch.dtype) -> np.ndarray:
        batch = {name: value.numpy() for name, value in the_scene().batch.items()}
        pattern = np.full(x.shape, np.nan)
        for sample in range(B):
            first, second = weights(batch, sample)
            pattern[sample, :, -1] = [0, first, 0, second, 0]
        return pattern

    return moved(goal)


def induction_weights(strength: float) -> Callable:
    def weights(batch: dict[str, np.ndarray], sample: int) -> list[float]:
        first, second = batch["labels"][sample] == batch["target"][sample]
        return [0.5, 0.5] if first == second else [strength if right else 1 - strength for right in (first, second)]

    return weights


def match_weights(batch: dict[str, np.ndarray], sample: int) -> list[float]:
    first, _, query = batch["exemplars"][sample]
    return [float(first == query), float(first != query)]


def embedded_weights(temperature: float) -> Callable:
    stream = the_scene().captured["stream"].numpy()

    def weights(batch: dict[str, np.ndarray], sample: int) -> list[float]:
        unit = stream[sample] / np.linalg.norm(stream[sample], axis=1, keepdims=True)
        raised = np.exp(np.array([unit[0] @ unit[4], unit[2] @ unit[4]]) / temperature)
        return list(raised / raised.sum())

    return weights


def forbidden_entries(entries: list[tuple[int, int]]) -> Reference:
    def goal(x: np.ndarray, dtype: torch.dtype) -> np.ndarray:
        scores = np.full(x.shape, np.nan)
        for query, key in entries:
            scores[:, :, query, key] = LOWEST.get(dtype, -1e9)
        return scores

    return moved(goal)


def copied_scores(x: np.ndarray, dtype: torch.dtype) -> np.ndarray:
    scene = the_scene()
    logits = np.full(x.shape, LOWEST.get(dtype, -1e9))
    for sample, pair in enumerate(scene.batch["labels"].tolist()):
        for place, label in enumerate(pair):
            score = float(scene.captured["scores"][sample, 1, -1, 2 * place + 1])
            logits[sample, label] = max(logits[sample, label], score)
    return logits


def added(amount: Callable[[np.ndarray], np.ndarray | float]) -> Reference:
    return lambda x, intensity, dtype: x + intensity * amount(x)


def steered(x: np.ndarray, intensity: np.ndarray, dtype: torch.dtype) -> np.ndarray:
    y = x.copy()
    for place in np.ndindex(x.shape[:-1]):
        on = intensity[place] > 0
        new = x[place] + intensity[place] * np.array([1.0, -2.0, 0.5])
        if on.any():
            y[place][on] = new[on] * np.linalg.norm(x[place][on]) / np.linalg.norm(new[on])
    return y


def resampled(number: int) -> np.ndarray:
    return permutation(the_scene().step_seed, B, stream_of("resample", number)).numpy()


BASIS = [[1.0, 1.0, 0.0], [0.0, 1.0, 2.0]]


def projected(source: Callable[[np.ndarray], np.ndarray]) -> Reference:
    basis = np.array(BASIS)
    projection = basis.T @ np.linalg.inv(basis @ basis.T) @ basis  # normal equations; the opsin uses a QR decomposition
    return lambda x, intensity, dtype: x + intensity * ((source(x) - x) @ projection)


def with_coordinates(x: np.ndarray) -> np.ndarray:
    """A point with inner products 0.5 and -1 with the normalised vectors of the basis."""
    units = np.array(BASIS) / np.sqrt([[2.0], [5.0]])
    return units.T @ np.linalg.solve(units @ units.T, [0.5, -1.0])


def noise_numbers(name: str) -> np.ndarray:
    return normal(the_scene().step_seed, SHAPES[STREAM], stream_of("noise", 2, name)).double().numpy()


# cases


@dataclass(frozen=True)
class Case:
    """An opsin, the axes it acts on, and what it must do there."""

    name: str
    spec: dict
    axes: tuple[str, ...]
    reference: Reference
    constant_parts: bool = False  # whether a part of the value counts as a constant although it depends on x
    opsin: Opsin = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "opsin", build_opsin(self.spec))

    @property
    def shape(self) -> tuple[int, ...]:
        return SHAPES[self.axes]

    def activation(self, dtype: torch.dtype = torch.float64) -> torch.Tensor:
        return torch.from_numpy(_numbers(f"x of {self.name}", self.shape)).to(dtype)

    def intensity(self, dtype: torch.dtype = torch.float64) -> torch.Tensor:
        """Dark, partly lit and fully lit entries."""
        levels = np.random.default_rng(5).choice([0.0, 0.25, 0.5, 1.0], size=self.shape)
        return torch.from_numpy(levels).to(dtype)

    def place(self, dtype: torch.dtype = torch.float64) -> Place:
        return the_place(self.axes, dtype)

    def with_scene(self, **changes: object) -> Place:
        place = self.place()
        return replace(place, scene=replace(place.scene, **changes))


def _case(name: str, axes: tuple[str, ...], reference: Reference, constant_parts: bool = False, **spec) -> Case:
    return Case(name, {"kind": name.split(":")[0], **spec}, axes, reference, constant_parts)


EXEMPLARS_SEEN = [(query, key) for query in range(1, T) for key in range(0, query + 1, 2)]

CASES = [
    _case("silence", STREAM, constant(0.0)),
    _case("lesion", STREAM, constant(0.0)),
    _case("clamp", STREAM, constant(0.75), value=0.75),
    _case("clamp:list", STREAM, moved(lambda x, dtype: np.array([1.0, 2.0, -3.0])), value=[1, 2, -3]),
    _case("clamp:mean", STREAM, elsewhere("sources", ("mean", "here")), value="mean"),
    _case("drive", STREAM, added(lambda x: -1.5), amount=-1.5),
    _case("drive:sigma", STREAM, added(lambda x: 2 * x.std()), constant_parts=True, amount=2, unit="sigma"),
    _case("shunt", STREAM, moved(lambda x, dtype: 1.75 * x), gain=1.75),
    _case("shunt:off", STREAM, constant(0.0), gain=0),
    _case("sham", STREAM, added(lambda x: 0.0)),
    _case("noise", STREAM, added(lambda x: 0.5 * noise_numbers("here")), sigma=0.5),
    _case(
        "noise:sigma",
        STREAM,
        added(lambda x: 0.5 * x.std() * noise_numbers("here")),
        constant_parts=True,
        sigma=0.5,
        unit="sigma",
    ),
    _case("resample", STREAM, moved(lambda x, dtype: x[resampled(2)]), constant_parts=True),
    _case("steer", STREAM, added(lambda x: np.array([1.0, -2.0, 0.5])), vector=[1.0, -2.0, 0.5]),
    _case("steer:keep_norm", STREAM, steered, vector=[1.0, -2.0, 0.5], keep_norm=True),
    _case("subspace", STREAM, projected(lambda x: x[resampled(2)]), constant_parts=True, basis=BASIS),
    _case("subspace:out", STREAM, projected(lambda x: 0.0 * x), basis=BASIS, coordinates=[0, 0]),
    _case("subspace:point", STREAM, projected(with_coordinates), basis=BASIS, coordinates=[0.5, -1.0]),
    _case(
        "subspace:first",
        STREAM,
        projected(lambda x: the_scene().sources["first", "here"].numpy()),
        basis=BASIS,
        source="first",
    ),
    _case("patch", STREAM, elsewhere("sources", ("first", "here")), source={"pass": "first"}),
    _case("patch:batch", STREAM, elsewhere("sources", ("batch", "here")), source="batch"),
    _case("patch:graft", STREAM, elsewhere("sources", ("checkpoint:a.ckpt", "here")), source={"checkpoint": "a.ckpt"}),
    _case("copy", STREAM, elsewhere("captured", "stream"), site="stream"),
    _case("copy:shifted", STREAM, moved(shifted), site="stream", shift=1),
    _case("previous_token", PATTERN, previous(1.0, list(range(T)))),
    _case("previous_token:labels", PATTERN, previous(0.75, [1, 3]), strength=0.75, labels_only=True),
    _case("induction", PATTERN, query_row(induction_weights(1.0))),
    _case("induction:weak", PATTERN, query_row(induction_weights(0.25)), strength=0.25),
    _case("match", PATTERN, query_row(match_weights)),
    _case("match:site", PATTERN, query_row(embedded_weights(0.5)), site="stream", temperature=0.5),
    _case("forbid", PATTERN, forbidden_entries([(row, row - 1) for row in range(1, T)])),
    _case("only_labels", PATTERN, forbidden_entries(EXEMPLARS_SEEN)),
    _case("copy_scores", LOGITS, moved(copied_scores), site="scores", head=1),
]
