"""What every opsin keeps to: its numbers, its dtype, silence in the dark, and the same result however it is run."""

import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from axonlight.stimulation import GradientRule
from axonlight.stimulation.gradient import write
from axonlight.stimulation.opsins import OPSINS, build_opsin

from .cases import CASES, Case

TOLERANCE = {torch.float64: 1e-12, torch.float32: 2e-6, torch.bfloat16: 3e-2, torch.float16: 4e-3}
DTYPES = list(TOLERANCE)
SETTING = [case for case in CASES if case.opsin.sets and case.opsin.kind not in ("resample", "subspace")]
DIFFERENTIABLE = [case for case in CASES if not case.constant_parts]
INF, NAN = float("inf"), float("nan")

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def written_entries(case: Case, x: torch.Tensor, intensity: torch.Tensor) -> torch.Tensor:
    entries = case.opsin.entries(x, case.place())
    return (intensity != 0) if entries is None else (intensity != 0) & entries


def test_every_opsin_is_a_case():
    assert {case.opsin.kind for case in CASES} == set(OPSINS)


@every_case
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_values_are_those_of_the_reference(case, dtype):
    x, intensity = case.activation(dtype), case.intensity(dtype)
    y = case.opsin.value(x, intensity, case.place(dtype))
    assert y.dtype == dtype
    assert y.shape == x.shape
    expected = case.reference(x.double().numpy(), intensity.double().numpy(), dtype)
    np.testing.assert_allclose(y.double().numpy(), expected, rtol=TOLERANCE[dtype], atol=3 * TOLERANCE[dtype])


@every_case
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_in_the_dark_nothing_changes_bit_by_bit(case, dtype):
    x = case.activation(dtype)
    x.view(-1)[:4] = torch.tensor([INF, -INF, NAN, -0.0], dtype=dtype)
    y = case.opsin.value(x, torch.zeros((), dtype=dtype), case.place(dtype))
    integers = {2: torch.int16, 4: torch.int32, 8: torch.int64}[x.element_size()]
    assert torch.equal(y.view(integers), x.view(integers))


@every_case
def test_what_is_not_finite_in_the_dark_stays_where_it_is(case):
    x = case.activation(torch.float32).requires_grad_()
    intensity = case.intensity(torch.float32)
    broken = (intensity == 0) & (torch.arange(x.numel()).reshape(x.shape) % 2 == 0)
    poison = torch.tensor([INF, -INF, NAN]).repeat(x.numel())[: x.numel()].reshape(x.shape)
    activation = torch.where(broken, poison, x)
    y = case.opsin.value(activation, intensity, case.place(torch.float32))
    written = write(activation, y, written_entries(case, x, intensity), GradientRule(case.opsin.gradient))
    # another sample's broken activation is what resampling is asked to write
    fine = ~broken & written.isfinite() if case.opsin.kind == "resample" else ~broken
    assert written[fine].isfinite().all()
    gradient = torch.autograd.grad(written[fine].sum(), x, allow_unused=True)[0]
    assert gradient is not None
    assert gradient.isfinite().all()


@pytest.mark.parametrize("case", SETTING, ids=lambda case: case.name)
@pytest.mark.parametrize("poison", [INF, -INF, NAN])
def test_full_light_replaces_what_is_not_finite(case, poison):
    x = case.activation(torch.float32).requires_grad_()
    activation = x + torch.full_like(x, poison)
    ones = torch.ones_like(x)
    y = case.opsin.value(activation, ones, case.place(torch.float32))
    entries = written_entries(case, x, ones)
    assert y[entries.expand_as(y)].isfinite().all()
    written = write(activation, y, entries, GradientRule(case.opsin.gradient))
    (gradient,) = torch.autograd.grad(written[entries.expand_as(y)].sum(), x)
    assert torch.equal(gradient, torch.zeros_like(x))


@pytest.mark.parametrize("case", DIFFERENTIABLE, ids=lambda case: case.name)
def test_natural_gradients(case):
    intensity, place = case.intensity(), case.place()
    scene = place.scene
    source = (case.opsin.needs_source() or {}).get("pass", "none")
    names = sorted(case.opsin.reads_sites()), [key for key in scene.sources if key[0].startswith(source)]

    def value(x, *others):
        captured = dict(zip(names[0], others, strict=False))
        sources = scene.sources | dict(zip(names[1], others[len(captured) :], strict=True))
        there = replace(place, scene=replace(scene, captured=captured, sources=sources))
        return case.opsin.value(x, intensity, there)

    others = [scene.captured[name] for name in names[0]] + [scene.sources[key] for key in names[1]]
    leaves = [tensor.clone().requires_grad_() for tensor in (case.activation(), *others)]
    scale = 1e9 if case.opsin.kind in ("forbid", "only_labels", "copy_scores") else 1.0
    assert torch.autograd.gradcheck(lambda *given: value(*given) / scale, leaves, eps=1e-6 * scale**0.4, atol=1e-6)


@every_case
def test_full_light_gives_the_default_gradient(case):
    x = case.activation().requires_grad_()
    ones = torch.ones_like(x)
    y = case.opsin.value(x, ones, case.place())
    entries = written_entries(case, x, ones).expand_as(y)
    written = write(x, y, entries, GradientRule(case.opsin.gradient))
    (gradient,) = torch.autograd.grad(written.sum(), x)
    if case.opsin.gradient == "block":
        assert torch.equal(gradient, (~entries).double())
    elif case.opsin.sets and case.opsin.kind != "subspace":
        assert torch.equal(gradient, torch.zeros_like(x))
    elif case.opsin.kind in ("drive", "noise", "sham"):
        assert torch.equal(gradient, torch.ones_like(x))


@every_case
def test_called_twice_it_says_the_same(case):
    x, intensity = case.activation(torch.float32), case.intensity(torch.float32)
    before = copy.deepcopy(case.opsin)
    first, second = (case.opsin.value(x, intensity, case.place(torch.float32)) for _ in range(2))
    assert torch.equal(first, second)
    assert case.opsin == before


@every_case
def test_compiled_it_is_one_graph_with_the_same_result(case):
    torch._dynamo.reset()
    x, intensity, place = case.activation(torch.float32), case.intensity(torch.float32), case.place(torch.float32)

    def through(x, intensity):
        return case.opsin.value(x, intensity, place)

    compiled = torch.compile(through, fullgraph=True, backend="eager")
    for light in (intensity, torch.zeros_like(intensity)):
        torch.testing.assert_close(compiled(x, light), through(x, light), rtol=1e-6, atol=1e-6)


@every_case
def test_many_arms_at_once_are_those_arms_alone(case):
    x = torch.stack([case.activation(torch.float32) * scale for scale in (1.0, -0.5, 2.0)])
    gates, seeds = torch.tensor([0.0, 0.5, 1.0]), torch.tensor([1, 2, 3])
    intensity, place = (case.intensity(torch.float32) > 0).float(), case.place(torch.float32)

    def one_arm(x, gate, seed):
        there = replace(place, scene=replace(place.scene, step_seed=seed))
        return case.opsin.value(x, gate * intensity, there)

    together = torch.func.vmap(one_arm)(x, gates, seeds)
    alone = torch.stack([one_arm(*arm) for arm in zip(x, gates, seeds, strict=True)])
    torch.testing.assert_close(together, alone, rtol=1e-6, atol=1e-6)


@every_case
def test_plain_data_make_the_same_opsin(case):
    again = build_opsin(case.opsin.to_dict())
    assert again == case.opsin
    assert again.to_dict() == case.opsin.to_dict()
    x, intensity = case.activation(), case.intensity()
    carried = pickle.loads(pickle.dumps(case.opsin))
    assert carried == case.opsin
    for opsin in (again, carried):
        expected = case.opsin.value(x, intensity, case.place())
        assert torch.equal(opsin.value(x, intensity, case.place()), expected)


@every_case
def test_it_reads_what_it_says(case):
    x, intensity = case.activation(), case.intensity()
    scene = case.place().scene
    source = case.opsin.needs_source() or {}
    statistic = case.opsin.needs_statistic()
    asked = {
        "batch": {name: value for name, value in scene.batch.items() if name in case.opsin.needs_batch()},
        "captured": {name: value for name, value in scene.captured.items() if name in case.opsin.reads_sites()},
        "sources": {
            key: value
            for key, value in scene.sources.items()
            if key[0] == statistic or key[0].split(":")[0] == source.get("pass")
        },
    }
    assert torch.equal(
        case.opsin.value(x, intensity, case.with_scene(**asked)), case.opsin.value(x, intensity, case.place())
    )


def test_inductor_agrees_on_several_in_a_row():
    chosen = [case for case in CASES if case.name in ("noise", "subspace", "copy:shifted", "shunt", "clamp:mean")]
    x, intensity, place = chosen[0].activation(torch.float32), torch.tensor(0.5), chosen[0].place(torch.float32)

    def through(x, intensity):
        for case in chosen:
            x = case.opsin.value(x, intensity, place)
        return x

    compiled = torch.compile(through, fullgraph=True)
    torch.testing.assert_close(compiled(x, intensity), through(x, intensity), rtol=1e-5, atol=1e-5)
