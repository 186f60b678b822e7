"""k-means starts: a bounded fair sample, planted clusters found again, what each rule takes up, refusals."""

import itertools

import numpy as np
import pytest
import torch
from axonlight.errors import InputError
from axonlight.models import PrototypeEncoder
from axonlight.models.prototypes import kmeans_prototypes
from axonlight.models.prototypes.kmeans import sample_patches
from hypothesis import given, settings
from hypothesis import strategies as st

DIRECTIONS = torch.eye(4)[:3] * torch.tensor([[8.0], [20.0], [3.0]])


def planted(num_bags=6, seed=0):
    """Return bags of three tight clusters in different directions and at different lengths."""
    generator = torch.Generator().manual_seed(seed)
    rows = DIRECTIONS.repeat(20, 1)
    return [rows + 0.1 * torch.randn(rows.shape, generator=generator) for _ in range(num_bags)]


@given(st.lists(st.integers(0, 30), min_size=1, max_size=8), st.integers(8, 120))
@settings(max_examples=60)
def test_every_bag_gives_the_same_number_within_the_bound(sizes, bound):
    bags = [torch.arange(size).unsqueeze(1) + 100 * position for position, size in enumerate(sizes)]
    draws, _ = sample_patches(iter(bags), bound, seed=0)
    quota = max(q for q in range(bound + 1) if sum(min(size, q) for size in sizes) <= bound)
    assert [len(draw) for draw in draws] == [min(size, quota) for size in sizes if size]
    for draw in draws:  # without replacement, from one bag
        assert len(set(draw.flatten().tolist())) == len(draw)
        assert len({int(value) // 100 for value in draw.flatten()}) == 1


def test_the_sample_depends_on_the_seed_alone():
    bags = [torch.randn(50, 2) for _ in range(3)]
    torch.manual_seed(1)
    first = kmeans_prototypes(bags, 2, max_patches=30, seed=4)
    torch.manual_seed(2)
    again = kmeans_prototypes(iter(bags), 2, max_patches=30, seed=4)
    other = kmeans_prototypes(bags, 2, max_patches=30, seed=5)
    torch.testing.assert_close(first.sample, again.sample, rtol=0, atol=0)
    torch.testing.assert_close(first.prototypes, again.prototypes, rtol=0, atol=0)
    assert not torch.equal(first.sample, other.sample)


def test_planted_clusters_are_found_at_their_length_or_at_length_one():
    by_data, by_unit = (kmeans_prototypes(planted(), 3, scale=scale) for scale in ("data", "unit"))
    order = torch.cdist(DIRECTIONS, by_data.prototypes).argmin(1)
    assert sorted(order.tolist()) == [0, 1, 2]
    torch.testing.assert_close(by_data.prototypes[order], DIRECTIONS, rtol=0, atol=0.05)
    torch.testing.assert_close(by_unit.prototypes.norm(dim=1), torch.ones(3), rtol=0, atol=0.01)
    assert by_data.sizes == (120, 120, 120)
    assert (by_data.patients, by_data.per_patient) == (6, 100_000)


def test_length_alone_separates_patches_where_they_are_not_scaled():
    rows = torch.tensor([[1.0, 0.0], [9.0, 0.0]] * 20)
    plain = kmeans_prototypes([rows], 2, normalize=False)
    torch.testing.assert_close(plain.prototypes.sort(0).values, torch.tensor([[1.0, 0.0], [9.0, 0.0]]))
    turned = torch.cat([rows, rows.flip(1)])
    scaled = kmeans_prototypes([turned], 2)
    torch.testing.assert_close(scaled.prototypes.sort(0).values, torch.tensor([[0.0, 0.0], [5.0, 5.0]]))


def test_an_initialized_encoder_gives_every_cluster_a_prototype_of_its_own():
    torch.manual_seed(0)
    encoder = PrototypeEncoder(4, width=8, num_prototypes=3)
    found = encoder.initialize(planted(), seed=1)
    torch.testing.assert_close(encoder.prototypes.detach(), found.prototypes)
    labels = encoder.assignment(
        encoder.project(planted(1, seed=9)[0]), encoder.project(encoder.prototypes), [0, 60]
    ).weights.argmax(1)
    assert len(set(labels[:3].tolist())) == 3
    assert labels.tolist() == labels[:3].tolist() * 20
    health = encoder.health(torch.ones(3))
    assert (health.drift, health.dead) == (pytest.approx(0, abs=1e-6), 0)
    assert bool(encoder.initialized)
    again = PrototypeEncoder(4, width=8, num_prototypes=3)
    again.load_state_dict(encoder.state_dict())
    assert bool(again.initialized)


def test_the_mixture_takes_variances_and_proportions_of_training_patches():
    torch.manual_seed(0)
    encoder = PrototypeEncoder(4, width=4, num_prototypes=3, assignment="gaussian_mixture")
    with torch.no_grad():
        encoder.projection.weight.copy_(torch.eye(4))
        encoder.projection.bias.zero_()
    bags = [bag[torch.arange(60) % 3 != 2] for bag in planted()] + [bag[2::3][:5] for bag in planted()]
    found = encoder.initialize(bags)
    patches, centres = torch.cat(bags).double().numpy(), found.prototypes.double().numpy()
    nearest = ((patches[:, None] - centres) ** 2).sum(2).argmin(1)
    for index, centre in enumerate(centres):
        members = patches[nearest == index]
        # one more patch, with the variance of all
        variances = (((members - centre) ** 2).sum(0) + patches.var(0)) / (len(members) + 1)
        np.testing.assert_allclose(encoder.assignment.log_variances[index].exp().tolist(), variances, rtol=1e-4)
        share = (len(members) + 1) / (len(patches) + 3)
        assert encoder.assignment.log_proportions[index].exp().item() == pytest.approx(share, rel=1e-5)


@pytest.mark.parametrize(
    ("bags", "options", "words"),
    [
        ([torch.ones(2, 4)], {}, "num_prototypes is 3, but the training bags give 2 patches"),
        ([torch.zeros(0, 4)], {}, "give 0 patches"),
        ([torch.ones(5, 4), torch.full((5, 4), float("nan"))], {}, "bag 1 holds a feature that is not finite"),
        ([torch.ones(5, 4), torch.ones(5, 2)], {}, "bags have 2 and 4 features"),
        ([torch.ones(5, 7)], {}, "bags have 7 features; this encoder was built for 4"),
        ([torch.ones(5, 4)] * 3, {"max_patches": 2}, "max_patches is 2, fewer than the 3 bags"),
        ([torch.ones(5, 4)], {"max_patches": 0}, "max_patches is 0"),
        ([torch.ones(5, 4)], {"scale": "unity"}, "scale is 'unity'"),
    ],
)
def test_refusals(bags, options, words):
    encoder = PrototypeEncoder(4, width=8, num_prototypes=3)
    start = encoder.prototypes.detach().clone()
    with pytest.raises(InputError, match=words):
        encoder.initialize(itertools.chain(bags), **options)
    torch.testing.assert_close(encoder.prototypes.detach(), start)
