"""Opsins from plain data: what is refused, files of vectors, kinetics, and what a site must have."""

import json

import numpy as np
import pytest
import torch
from axonlight.errors import InputError
from axonlight.models import Site
from axonlight.stimulation import Kinetics, Place, Scene
from axonlight.stimulation.opsins import OPSINS, Clamp, Patch, Steer, Subspace, build_opsin

UNITS = Site("hidden_0.post", "layers.1", axes=("batch", "unit"), sizes={"unit": 3})
HEADS = Site("pattern", "pattern", axes=("batch", "head", "query", "key"), sizes={"head": 8})

BAD = [
    ("silense", "opsin 'silense' is unknown; the nearest are silence"),
    ("graft", r"opsin 'graft' is unknown; here it is called patch \(source: {checkpoint: PATH}\)"),
    ("ablate", "opsin 'ablate' is unknown; here it is called silence"),
    ("xyzzy", "opsin 'xyzzy' is unknown; the opsins are clamp, copy, "),
    (3, "opsin is 3; it must be a name or a mapping with the key kind"),
    ({"amount": 3}, "it must be a name or a mapping with the key kind"),
    ("drive", "opsin drive has no 'amount'; it needs it"),
    ({"kind": "drive", "amont": 3}, r"opsin drive has no key 'amont' \(did you mean 'amount'\?\)"),
    ({"kind": "drive", "amount": float("inf")}, "amount of opsin drive is inf; it must be a finite number"),
    ({"kind": "drive", "amount": 1, "unit": "sigmas"}, "unit of opsin drive is 'sigmas'"),
    ({"kind": "shunt", "gain": "half"}, "gain of opsin shunt is 'half'"),
    ({"kind": "noise", "sigma": -1}, "sigma of opsin noise is -1; it must be a finite number, at least 0"),
    ({"kind": "clamp", "value": "median"}, "value of opsin clamp is 'median'; it must be a finite number, a list"),
    ({"kind": "clamp", "value": [1, "a"]}, "value of opsin clamp is"),
    ({"kind": "clamp", "value": []}, "value of opsin clamp is"),
    ({"kind": "clamp", "value": True}, "value of opsin clamp is True"),
    ({"kind": "previous_token", "strength": 1.2}, "strength of opsin previous_token is 1.2; .* at least 0, at most 1"),
    (
        {"kind": "previous_token", "labels_only": 1},
        "labels_only of opsin previous_token is 1; it must be true or false",
    ),
    ({"kind": "induction", "strength": -0.1}, "strength of opsin induction is -0.1"),
    ({"kind": "match", "temperature": -1}, "temperature of opsin match is -1"),
    ({"kind": "match", "site": "*.k"}, "site of opsin match is .* without wild-cards"),
    ({"kind": "copy", "site": ""}, "site of opsin copy is ''; it must be the name of one site"),
    ({"kind": "copy", "site": "k", "shift": -1}, "shift of opsin copy is -1; it must be a whole number, at least 0"),
    ({"kind": "copy_scores", "site": "s", "head": 1.0}, "head of opsin copy_scores is 1.0"),
    ({"kind": "patch", "source": "second"}, "source of opsin patch is 'second'"),
    ({"kind": "patch", "source": "checkpoint"}, "a checkpoint needs a path, no other source has one"),
    ({"kind": "patch", "source": "first", "path": "a"}, "a checkpoint needs a path, no other source has one"),
    ({"kind": "patch", "source": {"from": "first"}}, r"it must be {pass: first} or {checkpoint: PATH}"),
    ({"kind": "patch", "detach": "yes"}, "detach of opsin patch is 'yes'"),
    ({"kind": "steer", "vector": [0, 0]}, "vector of opsin steer has a vector of zeros"),
    ({"kind": "steer", "vector": [1, float("nan")]}, "vector of opsin steer is .* finite numbers"),
    ({"kind": "steer", "vector": [[1, 0], [0, 1]]}, "vector of opsin steer holds 2 vectors; it must be one"),
    ({"kind": "steer", "vector": "absent.npy"}, "vector of opsin steer is 'absent.npy'; it must be an existing file"),
    ({"kind": "steer", "vector": [1], "sha256": "ab"}, "only a file has one"),
    ({"kind": "subspace", "basis": [[1, 0], [2, 0]]}, "basis of opsin subspace has 2 vectors that are not independent"),
    ({"kind": "subspace", "basis": [[1, 0], [2]]}, "basis of opsin subspace is"),
    ({"kind": "subspace", "basis": [1, 0], "coordinates": [1, 2]}, "it must be 1 finite numbers"),
    ({"kind": "subspace", "basis": [1, 0], "source": "other"}, "source of opsin subspace is 'other'"),
    ({"kind": "silence", "kinetics": {"rise": -1}}, "rise of kinetics is -1"),
]


@pytest.mark.parametrize(("value", "message"), BAD, ids=[json.dumps(value) for value, _ in BAD])
def test_bad_values_are_refused_in_one_sentence(value, message):
    with pytest.raises(InputError, match=message) as caught:
        build_opsin(value)
    assert "\n" not in str(caught.value)


def test_kinds_are_the_names_of_the_classes_in_alphabetical_order():
    assert list(OPSINS) == sorted(OPSINS)
    words = {kind: "".join(part.capitalize() for part in kind.split("_")) for kind in OPSINS}
    assert {kind: opsin.__name__ for kind, opsin in OPSINS.items()} == words


def test_the_order_of_precedence():
    ranks = {kind: opsin.rank for kind, opsin in OPSINS.items()}
    order = ["patch", "shunt", "drive", "noise", "subspace", "clamp", "silence", "lesion", "sham"]
    assert [ranks[kind] for kind in order] == [10, 20, 30, 40, 50, 60, 70, 80, 90]
    assert ranks["copy"] == 10
    assert ranks["steer"] == 30
    setters = ("resample", "previous_token", "induction", "match", "forbid", "only_labels", "copy_scores")
    assert {ranks[kind] for kind in setters} == {60}


def test_an_opsin_is_its_own_plain_data():
    opsin = build_opsin({"kind": "drive", "amount": 2.0, "kinetics": {"rise": 3.0}})
    assert opsin.kinetics == Kinetics(rise=3.0)
    assert opsin.to_dict() == {"kind": "drive", "amount": 2, "kinetics": {"rise": 3}}
    assert build_opsin(opsin.to_dict()) == opsin
    assert build_opsin(opsin) is opsin
    assert hash(opsin) == hash(build_opsin(opsin.to_dict()))


def write_npy(path, values):
    np.save(path, values)


def write_json(path, values):
    path.write_text(json.dumps(np.asarray(values).tolist()))


def write_pt(path, values):
    torch.save(torch.tensor(values), path)


@pytest.mark.parametrize(("suffix", "writer"), [(".npy", write_npy), (".json", write_json), (".pt", write_pt)])
def test_vectors_from_files(tmp_path, suffix, writer):
    path = tmp_path / f"vector{suffix}"
    writer(path, [1.0, 2.0, -1.0])
    opsin = build_opsin({"kind": "steer", "vector": str(path)})
    place = Place(UNITS, ("batch", "unit"), Scene())
    assert opsin.value(torch.zeros(1, 3), torch.ones(()), place).tolist() == [[1.0, 2.0, -1.0]]
    again = build_opsin(opsin.to_dict())
    assert again == opsin
    assert len(opsin.to_dict()["sha256"]) == 64
    writer(path, [1.0, 2.0, -2.0])
    with pytest.raises(InputError, match="which has changed: its sha256 is"):
        build_opsin(opsin.to_dict())


def test_files_of_something_else_are_refused(tmp_path):
    path = tmp_path / "vector.json"
    path.write_text('{"a": [1, 2]}')
    with pytest.raises(InputError, match="which holds no table of numbers"):
        Steer(str(path))
    np.save(tmp_path / "cube.npy", np.ones((2, 2, 2)))
    with pytest.raises(InputError, match=r"basis of opsin subspace has shape \(2, 2, 2\)"):
        Subspace(str(tmp_path / "cube.npy"))
    with pytest.raises(InputError, match="must be an existing file"):
        Subspace(str(tmp_path / "vector.csv"))


@pytest.mark.parametrize(
    ("opsin", "site", "message"),
    [
        (
            "previous_token",
            UNITS,
            "opsin previous_token needs a site with the axis 'query'; hidden_0.post has batch, unit",
        ),
        (
            {"kind": "steer", "vector": [1, 2]},
            UNITS,
            "opsin steer has vectors of 2 numbers; site hidden_0.post has 3 units",
        ),
        ({"kind": "steer", "vector": [1, 2]}, HEADS, "opsin steer needs a site with the axis 'unit'"),
        ({"kind": "subspace", "basis": [1, 2]}, UNITS, "opsin subspace has vectors of 2 numbers"),
        ({"kind": "clamp", "value": [1, 2]}, UNITS, "opsin clamp has 2 levels; site hidden_0.post has 3 units"),
        ({"kind": "copy_scores", "site": "s", "head": 0}, HEADS, "opsin copy_scores needs a site with the axis 'unit'"),
    ],
)
def test_sites_that_do_not_fit_are_refused_before_the_first_pass(opsin, site, message):
    with pytest.raises(InputError, match=message):
        build_opsin(opsin).check(site)


def test_sites_that_fit_or_that_nobody_has_described_pass():
    for opsin in ("silence", {"kind": "steer", "vector": [1, 2, 3]}, {"kind": "clamp", "value": [1, 2, 3]}):
        build_opsin(opsin).check(UNITS)
    build_opsin("induction").check(HEADS)
    build_opsin("induction").check(Site("layers.0", "layers.0"))


def test_activations_of_another_shape_are_refused():
    scene = Scene(captured={"y": torch.zeros(2, 4)}, sources={("first", "hidden_0.post"): torch.zeros(2, 4)})
    place, x, full = Place(UNITS, ("batch", "unit"), scene), torch.zeros(2, 3), torch.ones(())
    with pytest.raises(InputError, match=r"opsin copy reads an activation of shape \(2, 4\); .* has shape \(2, 3\)"):
        build_opsin({"kind": "copy", "site": "y"}).value(x, full, place)
    with pytest.raises(InputError, match=r"opsin patch reads an activation of shape \(2, 4\)"):
        Patch("first").value(x, full, place)
    with pytest.raises(InputError, match=r"the pass 'batch' gave no activation at site hidden_0.post"):
        Patch("batch").value(x, full, place)
    with pytest.raises(InputError, match=r"opsin clamp has 2 levels; site hidden_0.post has 3 units"):
        Clamp([1.0, 2.0]).value(x, full, place)


def test_the_mean_is_the_batch_s_until_one_is_known():
    x = torch.tensor([[1.0, 4.0, float("inf")], [3.0, 8.0, 5.0]])
    alone = Place(UNITS, ("batch", "unit"), Scene())
    assert Clamp("mean").value(x, torch.ones(()), alone)[0].tolist() == [2.0, 6.0, 5.0]
    known = Scene(sources={("mean", "hidden_0.post"): torch.tensor([float("nan"), 7.0, 9.0])})
    place = Place(UNITS, ("batch", "unit"), known)
    assert Clamp("mean").value(x, torch.ones(()), place)[1].tolist() == [2.0, 7.0, 9.0]
    assert Clamp("mean").needs_statistic() == "mean"
    assert Clamp(1.0).needs_statistic() is None


@pytest.mark.parametrize(
    "opsin",
    [
        {"kind": "steer", "vector": [1, 2, 3], "keep_norm": True},
        {"kind": "subspace", "basis": [1, 2, 3], "coordinates": [1]},
        {"kind": "clamp", "value": [1, 2, 3]},
    ],
    ids=lambda opsin: opsin["kind"],
)
def test_validation_before_training_leaves_nothing_that_training_could_not_use(opsin):
    opsin, place = build_opsin(opsin), Place(UNITS, ("batch", "unit"), Scene())
    with torch.inference_mode():
        opsin.value(torch.ones(2, 3), torch.ones(()), place)
    x = torch.ones(2, 3, requires_grad=True)
    (gradient,) = torch.autograd.grad(opsin.value(x, torch.tensor(0.5), place).square().sum(), x)
    assert gradient.any()
