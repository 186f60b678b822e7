r"""Slides that are not there: patch features in real file formats, with planted links to pathways of real RNA.

The model, for patient i with expression x_i, prototypes k = 1..K, links j = 1..J from prototype k_j to pathway P_j:

- z_ij: the mean of patient i over the genes of P_j, standardised over the patients.
- r_i: how much earlier than expected the event came, the martingale residual (event - cumulative hazard) of the
  observed outcome, standardised; 0 where no outcome is given.
- Shares of the prototypes: pi_i = softmax(b + e_i + a_i), with b ~ N(0, 0.5^2) common to all patients,
  e_ik ~ N(0, 0.3^2), and a_ik = strength * z_ij + relevance * r_i for k = k_j, else 0.
- Patches: prototype c_n ~ Categorical(pi_i); features = mu_c + N(0, noise^2), with mu_k ~ N(0, 1) in each of the D
  features. Neighbouring patches tend to be of one prototype.

So the share of prototype k_j tells the activity of pathway P_j (the planted link), and beside it something about
survival that RNA does not tell. Where `relevance` is above 0 the features are made from the outcome: they test
methods, and say nothing about cancer.

Shapes: N patches of a slide, D features, K prototypes, J links, M patients.
"""

import json
import os
import shutil
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import InputError
from ...randomness import derive_seed
from ...structures import Hierarchy
from .links import choose_links, martingale_residuals, pathway_scores
from .settings import SimulationSettings, SlideSimulation, checked_settings, simulation_digest
from .writing import write_slide

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SimulatedSlides", "simulate_slides"]

_TRUTH, _ARRAYS = "simulation.json", "simulation.npz"
_PATCH, _PATCH_LEVEL0 = 256, 512


@dataclass(frozen=True)
class SimulatedSlides:
    """What was planted.

    Args:
        folder: Folder of the slides.
        links: Prototype and name of its pathway, J of them.
        patients: The M patients who have slides.
        shares: (M, K) expected share of each prototype among a patient's patches.
        prototypes: (K, D) centres of the prototypes.
        settings: What it was made with.

    Example:
        >>> import tempfile
        >>> planted = SimulatedSlides(
        ...     Path("slides"), ((0, "REPAIR"),), ("P1",), np.full((1, 2), 0.5), np.eye(2), {"strength": 1.5}
        ... )
        >>> folder = Path(tempfile.mkdtemp())
        >>> planted.save(folder)
        >>> SimulatedSlides.load(folder).links
        ((0, 'REPAIR'),)
    """

    folder: Path
    links: tuple[tuple[int, str], ...]
    patients: tuple[str, ...]
    shares: np.ndarray
    prototypes: np.ndarray
    settings: dict[str, Any]

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> "SimulatedSlides":
        """Read what was planted from a folder that `simulate_slides` wrote.

        Raises:
            InputError: If it wrote no such folder.
        """
        folder = Path(folder).expanduser()
        try:
            truth = json.loads((folder / _TRUTH).read_text())
            with np.load(folder / _ARRAYS, allow_pickle=False) as arrays:
                shares, prototypes = arrays["shares"], arrays["prototypes"]
            links = tuple((int(place), str(name)) for place, name in truth["links"])
            return cls(folder, links, tuple(truth["patients"]), shares, prototypes, truth["settings"])
        except (OSError, ValueError, KeyError) as error:
            raise InputError(
                f"{folder} holds no simulated slides ({error}); simulate_slides writes such a folder"
            ) from error

    def save(self, folder: Path) -> None:
        """Write it beside the slides."""
        truth = {"links": self.links, "patients": self.patients, "settings": self.settings}
        (folder / _TRUTH).write_text(json.dumps(truth, indent=1))
        np.savez(folder / _ARRAYS, shares=self.shares, prototypes=self.prototypes)


def simulate_slides(
    rna: "pd.DataFrame",
    folder: str | os.PathLike[str],
    hierarchy: Hierarchy,
    *,
    outcome: "pd.DataFrame | None" = None,
    slides: Mapping[str, Sequence[str]] | None = None,
    settings: SlideSimulation | None = None,
) -> SimulatedSlides:
    """Write the slides of patients as HDF5 files of patch features, with planted links to pathways.

    A folder that was written from the same input is left as it is; so a second call costs nothing. The folder appears
    when it is complete. The module's docstring states the model.

    Args:
        rna: (M, G) expression, patients in the index, genes in the columns.
        folder: Where the files go: a folder that does not exist, is empty, or holds the same simulation.
        hierarchy: Whose nodes of the first layer above the genes are the pathways.
        outcome: Columns `months` and `event` (1 = happened), patients in the index; None plants no relevance.
        slides: Names of the slides of each patient; others have one slide, PATIENT-01Z-00-DX1.
        settings: See `SlideSimulation`.

    Raises:
        InputError: If a setting is out of range, a pathway is unknown, or the folder holds something else.

    Example:
        >>> import tempfile
        >>> import pandas as pd
        >>> from axonlight.datamodules.slides.features import slide_header
        >>> genes = [f"G{number}" for number in range(12)]
        >>> hierarchy = Hierarchy.from_edges([(f"SET_{row % 3}", gene) for row, gene in enumerate(genes)])
        >>> values = np.random.default_rng(0).normal(size=(4, 12))
        >>> rna = pd.DataFrame(values, index=[f"P{row}" for row in range(4)], columns=genes)
        >>> folder = Path(tempfile.mkdtemp()) / "slides"
        >>> planted = simulate_slides(rna, folder, hierarchy, settings={"links": ["SET_1"], "num_features": 8})
        >>> planted.links, planted.shares.shape, slide_header(folder / "P0-01Z-00-DX1.h5").num_features
        (((0, 'SET_1'),), (4, 16), 8)
    """
    chosen = checked_settings(settings or {})
    folder = Path(folder).expanduser()
    names = {str(patient): list((slides or {}).get(str(patient), [f"{patient}-01Z-00-DX1"])) for patient in rna.index}
    digest = simulation_digest(settings or {}, rna, hierarchy, outcome, slides or {})
    if (folder / _TRUTH).is_file():
        return _same(folder, digest)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"the folder of simulated slides, {folder}, holds other files; give one that does not exist")
    scores = pathway_scores(rna, hierarchy)
    links = choose_links(scores, chosen)
    drift = scores.values[:, [place for place, _ in links]] * chosen.strength
    drift += chosen.relevance * _residuals(rna, outcome)[:, None]
    truth = SimulatedSlides(
        folder,
        tuple((prototype, name) for prototype, (_, name) in enumerate(links)),
        tuple(names),
        _shares(drift, tuple(names), chosen),
        _generator(chosen, "prototypes").normal(size=(chosen.num_prototypes, chosen.num_features)),
        {"digest": digest, **asdict(chosen)},
    )
    _write_once(truth, names, chosen)
    return truth


def _same(folder: Path, digest: str) -> SimulatedSlides:
    """Return what a folder holds if it was made from the same."""
    found = SimulatedSlides.load(folder)
    if found.settings.get("digest") != digest:
        raise InputError(
            f"{folder} holds slides simulated from other input or with other settings; give another folder, or remove "
            "this one"
        )
    return found


def _generator(settings: SimulationSettings, *purpose: str) -> np.random.Generator:
    return np.random.default_rng(derive_seed(settings.seed, "slides", *purpose))


def _residuals(rna: "pd.DataFrame", outcome: "pd.DataFrame | None") -> np.ndarray:
    """Return the standardised residual (M,) of each patient; 0 without an outcome."""
    found = np.zeros(len(rna))
    if outcome is None:
        return found
    table = outcome.reindex(rna.index)[["months", "event"]].to_numpy(dtype=np.float64)
    known = ~np.isnan(table).any(axis=1)
    if known.any():
        residuals = martingale_residuals(*table[known].T)
        found[known] = (residuals - residuals.mean()) / max(residuals.std(), 1e-12)
    return found


def _shares(drift: np.ndarray, patients: Sequence[str], settings: SimulationSettings) -> np.ndarray:
    """Return the expected shares (M, K); `drift` (M, J) moves the first J prototypes."""
    common = _generator(settings, "common").normal(scale=0.5, size=settings.num_prototypes)
    own = [_generator(settings, "shares", name).normal(scale=0.3, size=settings.num_prototypes) for name in patients]
    logits = common + np.stack(own)
    logits[:, : drift.shape[1]] += drift
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


def _write_once(truth: SimulatedSlides, names: Mapping[str, Sequence[str]], settings: SimulationSettings) -> None:
    """Write into a folder of another name, then rename it: no reader ever sees a part."""
    scratch = truth.folder.with_name(f".{truth.folder.name}-{uuid.uuid4().hex}")
    scratch.mkdir(parents=True)
    try:
        for patient, shares in zip(truth.patients, truth.shares, strict=True):
            for slide in names[patient]:
                _write_slide(scratch, slide, shares, truth.prototypes, settings)
        truth.save(scratch)
        os.replace(scratch, truth.folder)
    except OSError as error:
        raise InputError(f"the folder of simulated slides, {truth.folder}, cannot be written ({error})") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _write_slide(
    folder: Path, slide: str, shares: np.ndarray, prototypes: np.ndarray, settings: SimulationSettings
) -> None:
    generator = _generator(settings, "slide", slide)
    count = int(generator.integers(settings.patches[0], settings.patches[1] + 1))
    places = _grid(count)
    # Neighbours are alike: prototypes fill the level sets of a smooth random field.
    field = sum(np.cos(places @ generator.normal(scale=2.0 / _side(count), size=2) + phase) for phase in range(4))
    label = np.empty(count, dtype=np.int64)
    label[np.argsort(field, kind="stable")] = np.sort(generator.choice(len(shares), size=count, p=shares))
    features = prototypes[label] + generator.normal(scale=settings.noise, size=(count, prototypes.shape[1]))
    side = _side(count) * _PATCH_LEVEL0
    attributes = {
        "patch_size": _PATCH,
        "patch_size_level0": _PATCH_LEVEL0,
        "level0_magnification": 40,
        "target_magnification": 20,
        "overlap": 0,
        "name": slide,
        "level0_width": side,
        "level0_height": side,
    }
    path = folder / f"{slide}.h5"
    write_slide(path, features.astype(settings.dtype), places * _PATCH_LEVEL0, attributes, settings.layout)


def _side(count: int) -> int:
    return int(np.ceil(np.sqrt(count)))


def _grid(count: int) -> np.ndarray:
    """Return places (N, 2) int64 on a square grid, column after column."""
    return np.stack(np.divmod(np.arange(count), _side(count)), axis=1)
