"""Planted links: found where attention follows them, not found beside controls that prefer the same pathways."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch
from axonlight.attribution.fusion import collect_fusion, planted_link_recovery
from axonlight.datamodules.slides.features import read_slide
from axonlight.datamodules.slides.simulate import simulate_slides
from axonlight.errors import InputError
from axonlight.models.bags import MultimodalInputs, pack
from axonlight.models.fusion import ProtoPathway
from axonlight.structures import Hierarchy

pytestmark = pytest.mark.xdist_group("recovery")  # its fixtures are made once

PATIENTS, SETS, PROTOTYPES = 60, 8, 4


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    """Return what was planted, inputs of all patients, names and activities."""
    generator = np.random.default_rng(0)
    genes = [f"G{number:02}" for number in range(5 * SETS)]
    hierarchy = Hierarchy.from_edges([(f"S{place // 5}", gene) for place, gene in enumerate(genes)])
    activity = generator.normal(size=(PATIENTS, SETS))
    values = np.repeat(activity, 5, axis=1) + generator.normal(size=(PATIENTS, 5 * SETS))
    rna = pd.DataFrame(values, index=[f"P{number:02}" for number in range(PATIENTS)], columns=genes)
    folder = tmp_path_factory.mktemp("simulated") / "slides"
    settings = {"num_features": 8, "num_prototypes": PROTOTYPES, "num_links": 2, "patches": [60, 80], "noise": 0.5}
    planted = simulate_slides(rna, folder, hierarchy, settings=settings)
    bags = [torch.tensor(np.float32(read_slide(folder / f"{name}-01Z-00-DX1.h5").features)) for name in rna.index]
    present = torch.tensor([[True, True, False]]).repeat(PATIENTS, 1)
    inputs = MultimodalInputs(torch.tensor(values, dtype=torch.float32), *pack(bags), torch.zeros(PATIENTS, 0), present)
    return planted, inputs, hierarchy, bags, activity


@pytest.fixture(scope="module")
def found(cohort):
    """Return what a network says whose prototypes are centres of the patches, and which has learned nothing else."""
    planted, inputs, hierarchy, bags, _ = cohort
    torch.manual_seed(0)
    network = ProtoPathway(
        5 * SETS, 1, hierarchy, list(hierarchy.features), patch_features=8, num_prototypes=PROTOTYPES, width=16
    )
    assert network.slides is not None
    network.slides.initialize(bags)
    target = torch.ones(PATIENTS, 2)
    inputs = inputs._replace(rna=inputs.rna[:, : 5 * SETS])
    return collect_fusion(network, [(inputs, target)], planted.patients, risk=np.zeros(PATIENTS))


def attending(found, pairs, generator):
    """Return attributions whose attention prefers pairs of prototype and pathway, with noise elsewhere."""
    attention = generator.dirichlet(np.ones(SETS), PROTOTYPES)
    for prototype, pathway in pairs:
        attention[prototype, found.pathways.index(pathway)] += 1
    attention /= attention.sum(axis=1, keepdims=True)
    return dataclasses.replace(found, attention=np.tile(attention, (PATIENTS, 1, 1)))


def test_prototypes_are_matched_to_the_planted_ones_and_the_floor_finds_the_links(cohort, found):
    planted, *_, activity = cohort
    order = [int(name[1:]) for name in found.pathways]
    recovery = planted_link_recovery(found, planted, activity=activity[:, order])
    assert [link.pathway for link in recovery.links] == [name for _, name in planted.links]
    assert len({link.matched for link in recovery.links}) == 2
    assert all(link.agreement > 0.9 for link in recovery.links)
    # shares and expression alone tell the link: no network had to learn it
    assert recovery.mean("floor") == 1


def test_attention_to_the_planted_pathways_is_found_beside_controls(cohort, found):
    planted = cohort[0]
    matched = {
        link.prototype: found.prototypes.index(link.matched) for link in planted_link_recovery(found, planted).links
    }
    generator = np.random.default_rng(0)
    model = attending(found, [(matched[place], name) for place, name in planted.links], generator)
    controls = [attending(found, [], generator) for _ in range(19)]
    recovery = planted_link_recovery(model, planted, controls)
    assert recovery.mean("attention") == recovery.mean("contrast") == 1
    assert recovery.p_value("contrast") <= 0.15
    assert np.mean(recovery.control_means("attention")) == pytest.approx(0.5, abs=0.15)
    table = recovery.table()
    assert len(table) == 20 * 2
    assert table["network"].iloc[-1] == "control 18"


def test_what_every_network_prefers_is_no_recovery(cohort, found):
    planted = cohort[0]
    favoured = [(prototype, name) for prototype in range(PROTOTYPES) for _, name in planted.links]
    generator = np.random.default_rng(0)
    model, *controls = [attending(found, favoured, generator) for _ in range(20)]
    recovery = planted_link_recovery(model, planted, controls)
    assert recovery.mean("attention") > 0.8  # high by itself, and without a control it would be believed
    assert recovery.p_value("attention") > 0.1
    assert recovery.mean("contrast") < 0.95


def test_refusals(cohort, found):
    planted = cohort[0]
    with pytest.raises(InputError, match="0 of the patients"):
        planted_link_recovery(dataclasses.replace(found, patients=tuple("x" * 60)), planted)
    with pytest.raises(InputError, match="reading is 'weight'"):
        planted_link_recovery(found, planted).mean("weight")
    with pytest.raises(InputError, match="hold no attention"):
        planted_link_recovery(dataclasses.replace(found, attention=None), planted)
