"""Simulated slides: the planted shares are in the files, follow the pathways, and vanish where nothing is planted."""

import json

import h5py
import numpy as np
import pandas as pd
import pytest
from axonlight.datamodules import simulate_slides
from axonlight.datamodules.slides import SimulatedSlides
from axonlight.datamodules.slides.features import read_slide
from axonlight.datamodules.slides.links import martingale_residuals
from axonlight.errors import InputError
from axonlight.structures import Hierarchy
from scipy.stats import pearsonr, spearmanr

GENES = [f"G{number:02}" for number in range(40)]
SETS = {f"SET_{number}": GENES[5 * number : 5 * number + 5] for number in range(8)}
HIERARCHY = Hierarchy.from_edges([(name, gene) for name, genes in SETS.items() for gene in genes])
PATIENTS = [f"P{number:03}" for number in range(120)]
SMALL = {"num_features": 12, "num_prototypes": 6, "patches": [40, 60], "links": ["SET_3", "SET_6"]}


def cohort():
    generator = np.random.default_rng(1)
    rna = pd.DataFrame(generator.normal(4, 2, (120, 40)), index=PATIENTS, columns=GENES)
    outcome = pd.DataFrame({"months": generator.exponential(30, 120), "event": generator.integers(0, 2, 120)}, PATIENTS)
    return rna, outcome


def simulated(folder, settings=None, **options):
    rna, outcome = cohort()
    return simulate_slides(rna, folder, HIERARCHY, outcome=outcome, settings={**SMALL, **(settings or {})}, **options)


def observed_shares(planted):
    """Nearest prototype of every patch: nothing but files and centres is used."""
    shares = []
    for name in planted.patients:
        features = read_slide(planted.folder / f"{name}-01Z-00-DX1.h5").features.astype(np.float64)
        distance = ((features[:, None] - planted.prototypes) ** 2).sum(axis=2)
        shares.append(np.bincount(distance.argmin(axis=1), minlength=len(planted.prototypes)) / len(features))
    return np.array(shares)


def test_shares_of_linked_prototypes_follow_their_pathways(tmp_path):
    planted = simulated(tmp_path / "slides", {"relevance": 0.0, "noise": 0.3})
    assert planted.links == ((0, "SET_3"), (1, "SET_6"))
    shares, means = observed_shares(planted), {name: cohort()[0][SETS[name]].mean(axis=1) for name in SETS}
    np.testing.assert_allclose(shares.mean(axis=0), planted.shares.mean(axis=0), atol=0.02)
    found = {(k, name): spearmanr(shares[:, k], means[name]).statistic for k in range(2) for name in SETS}
    for prototype, name in planted.links:
        assert found.pop((prototype, name)) > 0.8
    assert max(map(abs, found.values())) < 0.45


def test_the_model_is_the_documented_one(tmp_path):
    """Log-shares against an unlinked prototype are linear: slope `strength` in the pathway, `relevance` in survival."""
    planted = simulated(tmp_path / "slides", {"strength": 1.2, "relevance": 0.7})
    rna, outcome = cohort()
    residual = martingale_residuals(outcome["months"].to_numpy(), outcome["event"].to_numpy())
    columns = [
        (values - values.mean()) / values.std() for values in (rna[SETS["SET_3"]].mean(axis=1).to_numpy(), residual)
    ]
    design = np.stack([*columns, np.ones(120)], axis=1)
    logs = np.log(planted.shares)
    slopes = np.linalg.lstsq(design, logs[:, 0] - logs[:, 2:].mean(axis=1), rcond=None)[0]
    np.testing.assert_allclose(slopes[:2], [1.2, 0.7], atol=4 * 0.3 * np.sqrt(1.25 / 120))


def test_nothing_is_planted_with_strength_and_relevance_zero(tmp_path):
    planted = simulated(tmp_path / "slides", {"strength": 0.0, "relevance": 0.0})
    rna, _ = cohort()
    for prototype, name in planted.links:
        assert abs(pearsonr(planted.shares[:, prototype], rna[SETS[name]].mean(axis=1)).statistic) < 0.3


def test_martingale_residuals_against_a_loop():
    _, outcome = cohort()
    months, event = outcome["months"].round(-1).to_numpy(), outcome["event"].to_numpy()  # heavily tied
    hazard = [
        sum(event[months == t].sum() / (months >= t).sum() for t in np.unique(months) if t <= own) for own in months
    ]
    np.testing.assert_allclose(martingale_residuals(months, event), event - np.array(hazard), atol=1e-12)
    assert martingale_residuals(months, event).sum() == pytest.approx(0, abs=1e-10)


def test_files_are_those_of_trident(tmp_path):
    planted = simulated(tmp_path / "slides", slides={"P000": ["P000-DX1", "P000-DX2"]})
    names = {path.name for path in planted.folder.glob("*.h5")}
    assert names == {"P000-DX1.h5", "P000-DX2.h5", *(f"{name}-01Z-00-DX1.h5" for name in PATIENTS[1:])}
    with h5py.File(planted.folder / "P000-DX1.h5") as file:
        features, coords = file["features"], file["coords"]
        assert features.dtype == np.float16
        assert features.shape == (len(coords), 12)
        assert 40 <= len(coords) <= 60
        assert len(np.unique(coords[:], axis=0)) == len(coords)
        assert features.maxshape == (None, 12)
        assert coords.dtype == np.int64
        assert coords[:].max() + coords.attrs["patch_size_level0"] <= coords.attrs["level0_width"]
        assert {"patch_size", "level0_magnification", "target_magnification", "overlap", "name"} <= set(coords.attrs)
    batched = simulated(tmp_path / "batched", {"layout": "leading_axis", "dtype": "float32"})
    with h5py.File(batched.folder / "P001-01Z-00-DX1.h5") as file:
        assert file["features"].shape[0] == file["coords"].shape[0] == 1
        assert file["features"].dtype == np.float32


def test_neighbours_are_alike(tmp_path):
    planted = simulated(tmp_path / "slides", {"noise": 0.1, "patches": [200, 200]})
    same, different = 0, 0
    for name in PATIENTS[:20]:
        slide = read_slide(planted.folder / f"{name}-01Z-00-DX1.h5")
        label = ((slide.features[:, None] - planted.prototypes) ** 2).sum(axis=2).argmin(axis=1)
        beside = np.abs(slide.coordinates[:, None] - slide.coordinates).sum(axis=2) == 512
        equal = label[:, None] == label
        same, different = same + equal[beside].mean() / 20, different + equal[~beside].mean() / 20
    assert same > different + 0.2


def test_the_same_seed_gives_the_same_files(tmp_path):
    first, second, other = (simulated(tmp_path / name, {"seed": seed}) for name, seed in (("a", 0), ("b", 0), ("c", 1)))
    np.testing.assert_array_equal(first.shares, second.shares)
    path = "P007-01Z-00-DX1.h5"
    features = [read_slide(planted.folder / path).features for planted in (first, second, other)]
    np.testing.assert_array_equal(features[0], features[1])
    assert features[0].shape != features[2].shape or not np.array_equal(features[0], features[2])


def test_a_second_call_reads_what_is_there(tmp_path):
    first = simulated(tmp_path / "slides")
    before = {path.name: path.stat().st_mtime_ns for path in first.folder.iterdir()}
    again = simulated(tmp_path / "slides")
    assert {path.name: path.stat().st_mtime_ns for path in first.folder.iterdir()} == before
    np.testing.assert_array_equal(first.shares, again.shares)
    assert (first.links, first.patients, first.settings) == (again.links, again.patients, again.settings)
    for change in ({"seed": 1}, {"strength": 2.0}):
        with pytest.raises(InputError, match="holds slides simulated from other input or with other settings"):
            simulated(tmp_path / "slides", change)
    rna, outcome = cohort()
    with pytest.raises(InputError, match="simulated from other input"):
        simulate_slides(rna + 1, first.folder, HIERARCHY, outcome=outcome, settings=SMALL)


def test_an_interrupted_simulation_leaves_no_folder(tmp_path, monkeypatch):
    def broken(*_, **__):
        raise OSError("no space left")

    monkeypatch.setattr(SimulatedSlides, "save", broken)
    with pytest.raises(InputError, match=r"cannot be written \(no space left\)"):
        simulated(tmp_path / "slides")
    assert list(tmp_path.iterdir()) == []


def test_links_are_drawn_among_pathways_that_differ(tmp_path):
    rna, _ = cohort()
    rna[SETS["SET_1"]] = rna[SETS["SET_0"]].to_numpy()
    rna[SETS["SET_2"]] = 1.0
    planted = simulate_slides(rna, tmp_path / "s", HIERARCHY, settings={**SMALL, "links": None, "num_links": 6})
    names = {name for _, name in planted.links}
    assert len(names) == 6
    assert "SET_2" not in names
    assert not {"SET_0", "SET_1"} <= names
    with pytest.raises(InputError, match="num_links is 7, but only 6 of the 7 pathways"):
        simulate_slides(
            rna, tmp_path / "t", HIERARCHY, settings={**SMALL, "links": None, "num_links": 7, "num_prototypes": 9}
        )


BAD = {
    "key": ({"strenght": 1}, "has the key 'strenght', which is unknown; did you mean 'strength'?"),
    "features": ({"num_features": 0}, "num_features is 0; it must be at least 1"),
    "strength": ({"strength": -1.0}, "strength is -1.0; it must be 0 or more"),
    "layout": ({"layout": "clam"}, "layout is 'clam'; it must be trident or leading_axis"),
    "patches": ({"patches": [5, 3]}, r"patches is \[5, 3\]; it must be two numbers"),
    "prototypes": ({"num_prototypes": 2, "links": ["SET_1"] * 3}, "3 links need as many prototypes"),
    "pathway": ({"links": ["SET_9"]}, "links lists 'SET_9', which is no pathway"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_settings(tmp_path, name):
    settings, message = BAD[name]
    with pytest.raises(InputError, match=message):
        simulated(tmp_path / "slides", settings)
    assert not (tmp_path / "slides").exists()


def test_bad_input(tmp_path):
    rna, _ = cohort()
    rna.iloc[3, 3] = np.nan
    with pytest.raises(InputError, match="the expression has empty cells"):
        simulate_slides(rna, tmp_path / "slides", HIERARCHY, settings=SMALL)
    with pytest.raises(InputError, match="none of the 40 genes"):
        simulate_slides(rna.rename(columns=str.lower), tmp_path / "slides", HIERARCHY, settings=SMALL)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file.txt").touch()
    with pytest.raises(InputError, match="holds other files"):
        simulated(tmp_path / "mine")
    (tmp_path / "mine" / "simulation.json").write_text(json.dumps({}))
    with pytest.raises(InputError, match="holds no simulated slides"):
        simulated(tmp_path / "mine")
