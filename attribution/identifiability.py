"""Whether a network that has learnt a teacher's outputs has learnt its insides.

Legend of shapes: N rows, F columns, U units of a layer, E edges into a layer.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import mse_loss

from ..errors import InputError
from ..models import PathwayNetwork, combined
from ..models.pathways.layer import PathwayLayer
from ..randomness import derive_seed
from ..structures import Hierarchy
from .fitting import FitOptions, fit_network

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Identifiability", "compare_insides", "teacher_student_test"]

Floats: TypeAlias = NDArray[np.float64]
Builder: TypeAlias = Callable[..., PathwayNetwork]
_PLAIN: Builder = partial(PathwayNetwork, norm="none", dropout=0.0)
_OPTIONS = FitOptions()


@dataclass(frozen=True, eq=False)
class Identifiability:
    """How like the teacher its students are, outside and inside.

    Args:
        table: One row per student, trained or not, and layer: student (its seed), trained, layer, r2 (of the outputs on
            rows that nobody trained on), weights (correlation over the edges into the layer), activations (mean over
            the units of the size of the correlation over the rows), identified (share of units with 0.95 or more),
            constant (units that do not vary over the rows in one of the two: they have no correlation, and count as
            not identified); units as `compare_insides` matches them.

    Example:
        >>> hierarchy = Hierarchy.from_edges([("cell", "repair"), ("cell", "death"), ("repair", "A"), ("death", "B")])
        >>> found = teacher_student_test(hierarchy, students=[1], rows=64, options=FitOptions(epochs=1))
        >>> found.table[["student", "trained", "layer"]].values.tolist()
        [[1, False, 'level_2'], [1, False, 'level_1'], [1, True, 'level_2'], [1, True, 'level_1']]
    """

    table: "pd.DataFrame"

    @property
    def summary(self) -> "pd.DataFrame":
        """Means over the students, per layer, before and after training."""
        figures: Any = self.table.drop(columns="student")
        return figures.groupby(["trained", "layer"], sort=False, as_index=False).mean()

    def __str__(self) -> str:
        """Return the means as text."""
        return self.summary.to_string(index=False, float_format=lambda value: f"{value:.3f}")


def teacher_student_test(
    hierarchy: Hierarchy,
    *,
    network: Builder = _PLAIN,
    students: Sequence[int] = (1, 2, 3),
    teacher: int = 0,
    gain: float = 2.0,
    rows: int = 2000,
    test_rows: int = 1000,
    options: FitOptions = _OPTIONS,
) -> Identifiability:
    """Train students of a teacher's wiring on its noiseless outputs, and look whether they agree inside.

    The teacher is a network with random weights, the rows are normal, its output is standardised. Students know the
    wiring and everything but the weights. A high r2 with low correlations means: the outputs do not decide what the
    nodes do, so what a node of a network trained on data does need not be what it stands for. After "The illusion of
    interpretability in biologically informed neural networks", bioRxiv 2026.05.07.723544 (its abstract).

    Args:
        hierarchy: The wiring.
        network: Called as `PathwayNetwork`; by default tanh without normalisation, in which a unit is known up to its
            sign. With batch normalisation weights are free in scale, too, and only the activations say something.
        students: Seeds of the students.
        teacher: Seed of the teacher's weights and of the rows.
        gain: Factor of the teacher's weights: above 1, its units are less linear.
        rows: Training rows.
        test_rows: Rows for r2 and activations.
        options: How students are trained.

    Raises:
        InputError: If the teacher's output does not vary, a student has the teacher's seed, or rows are too few.

    Example:
        >>> hierarchy = Hierarchy.from_edges([("cell", "A"), ("cell", "B")])
        >>> found = teacher_student_test(hierarchy, students=[1], rows=500, options=FitOptions(epochs=60))
        >>> last = found.summary.iloc[-1]  # one unit: nothing to mistake it for
        >>> bool(last["trained"]), bool(last["r2"] > 0.99), bool(last["activations"] > 0.99)
        (True, True, True)
    """
    import pandas as pd

    if teacher in students:
        raise InputError(f"students has the seed {teacher}, which is the teacher's; give others")
    if min(rows, test_rows) < 4:
        raise InputError(f"rows is {rows} and test_rows {test_rows}; both must be at least 4")
    known = _built(network, hierarchy, teacher)
    with torch.no_grad():
        for layer in known.pathway_layers:
            layer.linear.weight.mul_(gain)
    generator = torch.Generator().manual_seed(derive_seed(teacher, "rows"))
    x = torch.randn(rows + test_rows, len(hierarchy.features), generator=generator)
    y = _outputs(known, x)
    if not float(y.std()) > 1e-6:
        raise InputError("the output of the teacher does not vary; take another seed or a larger gain")
    y = (y - y[:rows].mean()) / y[:rows].std()
    tables = []
    for seed in students:
        student = _built(network, hierarchy, seed)
        tables.append(_table(known, student, x[rows:], y[rows:]).assign(student=seed, trained=False))
        fit_network(student, x[:rows], y[:rows], mse_loss, options, seed)
        tables.append(_table(known, student, x[rows:], y[rows:]).assign(student=seed, trained=True))
    order = ["student", "trained", "layer", "r2", "weights", "activations", "identified", "constant"]
    return Identifiability(pd.concat(tables, ignore_index=True).loc[:, order])


def compare_insides(teacher: PathwayNetwork, student: PathwayNetwork, x: Tensor) -> "pd.DataFrame":
    """Compare two networks of one wiring: their weights and the activations of their units.

    A unit may have the other sign (of an odd activation such as tanh, the outputs are then the same), and the units of
    a node may change places. So the student's units are first matched with the teacher's: within each node in the order
    that has the largest sum of sizes of correlations, and with the sign of the correlation, in the weights into and out
    of them. That alone makes random weights agree a little: compare with untrained students.

    Args:
        teacher: One network.
        student: Another of the same layers and edges.
        x: (N, F) rows.

    Returns:
        Per layer: layer, weights, activations, identified; see `Identifiability`. NaN where something does not vary.

    Raises:
        InputError: If the wirings differ.

    Example:
        >>> hierarchy = Hierarchy.from_edges([("cell", "A"), ("cell", "B")])
        >>> network = PathwayNetwork(2, 1, hierarchy, norm="none")
        >>> compare_insides(network, network, torch.randn(8, 2)).round(6).values.tolist()
        [['level_1', 1.0, 1.0, 1.0, 0]]
    """
    import pandas as pd

    pairs = list(zip(teacher.pathway_layers, student.pathway_layers, strict=False))
    if teacher.layer_names != student.layer_names or any(not a.linear.edges.equal(b.linear.edges) for a, b in pairs):
        raise InputError("teacher and student are wired differently; take two networks of one hierarchy and design")
    matches = _matches(teacher, student, x)
    rows = []
    for name, (one, two) in zip(teacher.layer_names, pairs, strict=True):
        size = np.abs(matches[name].correlations)
        there = _matrix(two, _sources(student, two, matches), matches[name])
        low, high = one.linear.edges.numpy()
        weights = _correlation(_array(one.linear.weight)[:, None], there[high, low][:, None])[0]
        known = size[~np.isnan(size)]
        figures = {
            "weights": weights,
            "activations": known.mean() if known.size else np.nan,
            "identified": (known >= 0.95).sum() / size.size,
            "constant": size.size - known.size,
        }
        rows.append({"layer": name, **figures})
    return pd.DataFrame(rows)


class _Match(NamedTuple):
    """Per unit of the teacher (U,): the place of the student's, and the correlation of the two."""

    order: NDArray[np.int64]
    correlations: Floats

    @property
    def signs(self) -> Floats:
        return np.where(self.correlations < 0, -1.0, 1.0)


@torch.no_grad()
def _matches(teacher: PathwayNetwork, student: PathwayNetwork, x: Tensor) -> dict[str, _Match]:
    known, learnt = (network.eval().node_activations(x) for network in (teacher, student))
    return {name: _match(_array(values), _array(learnt[name])) for name, values in known.items()}


def _match(one: Floats, two: Floats) -> _Match:
    """Match the units of every node of (N, nodes, k) activations."""
    from scipy.optimize import linear_sum_assignment

    units = one.shape[2]
    # per node (teacher's unit, student's unit)
    found = np.stack([[_correlation(one[:, :, a], two[:, :, b]) for b in range(units)] for a in range(units)])
    order = [linear_sum_assignment(-np.abs(np.nan_to_num(found[:, :, node])))[1] for node in range(one.shape[1])]
    chosen = np.stack(order)
    correlations = np.take_along_axis(np.moveaxis(found, 2, 0), chosen[:, :, None], axis=2)
    places = chosen + units * np.arange(len(chosen))[:, None]
    return _Match(places.ravel(), correlations.ravel())


def _sources(network: PathwayNetwork, layer: PathwayLayer, matches: dict[str, _Match]) -> _Match:
    """Return the match of a layer's inputs: units of the layers below, or columns, which stay where they are."""
    orders, signs, offset = [], [], 0
    for place, width in zip(layer.sources, layer.widths, strict=True):
        of_units = matches.get(network.hierarchy.layers[place]) if place != layer.place else None
        orders.append(offset + (np.arange(width) if of_units is None else of_units.order))
        signs.append(np.ones(width) if of_units is None else of_units.signs)
        offset += width
    return _Match(np.concatenate(orders), np.concatenate(signs))


def _matrix(layer: PathwayLayer, sources: _Match, targets: _Match) -> Floats:
    """Return the weights of the student's layer (outputs, inputs) as the teacher counts its units."""
    low, high = layer.linear.edges.numpy()
    dense = np.zeros((layer.linear.out_features, layer.linear.in_features))
    dense[high, low] = _array(layer.linear.weight)
    return dense[np.ix_(targets.order, sources.order)] * targets.signs[:, None] * sources.signs


def _built(network: Builder, hierarchy: Hierarchy, seed: int) -> PathwayNetwork:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "initial weights"))
        return network(len(hierarchy.features), 1, hierarchy=hierarchy).eval()


@torch.no_grad()
def _outputs(network: PathwayNetwork, x: Tensor) -> Tensor:
    return combined(network.eval()(x)).flatten()


def _table(teacher: PathwayNetwork, student: PathwayNetwork, x: Tensor, y: Tensor) -> "pd.DataFrame":
    errors = (_outputs(student, x) - y).square().mean() / y.var(correction=0)
    return compare_insides(teacher, student, x).assign(r2=float(1 - errors))


def _correlation(one: Floats, two: Floats) -> Floats:
    """Return the correlations of the columns of (N, U) arrays, NaN where one does not vary."""
    a, b = one - one.mean(axis=0), two - two.mean(axis=0)
    scale = np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))
    varies = scale > 1e-12 * len(one)
    return np.divide((a * b).sum(axis=0), scale, out=np.full(len(scale), np.nan), where=varies)


def _array(values: Tensor) -> Floats:
    return values.detach().double().cpu().numpy()
