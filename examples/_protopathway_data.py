"""The folds of the survival reproduction: patients, their simulated slides, and what simple models see of them.

Shapes: N training rows, M test rows, K prototypes, D patch features.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from axonlight.attribution.fusion import permuted_outcomes
from axonlight.baselines import survival_risks
from axonlight.datamodules import MultimodalSurvival
from scipy.stats import rankdata
from torch import Tensor

__all__ = ["COVARIATES", "SETTINGS", "SIMULATION", "Fold", "Patients", "Setting", "load_fold", "rank_average"]

Setting = tuple[str, str]
SETTINGS: tuple[Setting, ...] = (("blca", "os"), ("blca", "dss"), ("stad", "os"), ("stad", "dss"))
COVARIATES = ["age", "is_female", "stage"]
# Three prototypes follow a pathway each, and the outcome beside it, as weakly as real slides do; see the page.
SIMULATION: dict[str, Any] = {
    "num_features": 32,
    "num_prototypes": 16,
    "num_links": 3,
    "patches": [80, 160],
    "strength": 1.0,
    "relevance": 0.3,
    "seed": 0,
}
_PATHWAYS = {"reader": "signatures", "path": "xena_signatures.csv"}


class Patients(MultimodalSurvival):
    """A published fold whose test patients are scored after every epoch, as published, to see what that does.

    With `label_seed` the outcomes of the training patients are exchanged among them.
    """

    label_seed: int | None = None

    def train_dataloader(self) -> Any:
        """Return the training batches, whose patients may have each other's outcomes."""
        loader = super().train_dataloader()
        if self.label_seed is not None:
            exchanged = torch.from_numpy(permuted_outcomes(loader.data.target.numpy(), self.label_seed))
            loader.data = replace(loader.data, target=exchanged)
        return loader

    def val_dataloader(self) -> Any:
        """Return the test batches: nothing is selected by them."""
        return self.test_dataloader()


@dataclass(frozen=True)
class Fold:
    """A published fold.

    Args:
        data: Its patients with everything: expression, covariates, simulated slides.
        views: What simple models see: name -> (training rows, test rows).
        clinical_risk: (M,) risk of a ridge Cox regression on the covariates.
    """

    data: Patients
    views: dict[str, tuple[np.ndarray, ...]]
    clinical_risk: np.ndarray

    @property
    def test_target(self) -> Tensor:
        """Time and event (M, 2) of the test patients."""
        return self.data.survival_targets("test")

    def risk(self, views: Sequence[str], seed: int) -> np.ndarray:
        """Return the risk (M,) by a ridge Cox regression on a view, or the mean of the ranks of several.

        Args:
            views: Names of views.
            seed: Seed of the inner folds, which choose the penalty.
        """
        chosen = {name: self.views[name] for name in views}
        training = self.data.survival_targets("train").numpy()
        found = survival_risks(chosen, training, seed=seed, floors=list(views))
        return rank_average(list(found.values())) if len(views) > 1 else found[views[0]]


def rank_average(risks: Sequence[np.ndarray]) -> np.ndarray:
    """Return the mean of the ranks (M,) that several models give to the test patients."""
    return np.mean([rankdata(risk) for risk in risks], axis=0)


@functools.lru_cache(maxsize=1)
def load_fold(cohort: str, endpoint: str, fold: int, root: str | None, runs: str) -> Fold:
    """Return a fold; the last one is kept.

    Args:
        cohort: Name of the cohort.
        endpoint: "os" or "dss".
        fold: Number of the published split.
        root: Folder of the data.
        runs: Folder where slides are simulated.
    """
    told = {"cohort": cohort, "endpoint": endpoint, "fold": fold, "val_fraction": 0.0, "hierarchy": _PATHWAYS}
    data = _patients(root, runs, told, SIMULATION)
    blank = _patients(root, runs, told, {**SIMULATION, "relevance": 0.0})
    shares = dict(zip(data.simulated.patients, np.log(data.simulated.shares), strict=True))
    views = {
        **data.floor_views(),
        "mean_patch": _of_parts(data, lambda name: _mean_patch(data, name)),
        "mean_patch_without_outcome": _of_parts(blank, lambda name: _mean_patch(blank, name)),
        "planted_shares": _of_parts(data, shares.__getitem__),
    }
    clinical = survival_risks({"clinical": views["clinical"]}, data.survival_targets("train").numpy())["clinical"]
    return Fold(data, views, clinical)


def _patients(root: str | None, runs: str, told: dict[str, Any], simulation: dict[str, Any]) -> Patients:
    name = f"{told['cohort']}_{told['endpoint']}_relevance_{simulation['relevance']}"
    folder = str(Path(runs, "slides", name).resolve())
    data = Patients(root, covariates=COVARIATES, slides=folder, simulate=simulation, **told)
    data.prepare_data()
    data.setup()
    return data


def _mean_patch(data: Patients, name: str) -> np.ndarray:
    if data.slides is None:
        raise RuntimeError("the slides were not simulated")
    return data.slides.bag(name).float().mean(dim=0).numpy()


def _of_parts(data: Patients, values: Any) -> tuple[np.ndarray, ...]:
    return tuple(np.stack([values(name) for name in data.patient_names(part)]) for part in ("train", "test"))
