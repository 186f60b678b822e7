"""The layered drawing: nothing overlaps, few bands cross, every band keeps its share of its bars."""

import numpy as np
import pytest
from axonlight.plots import draw_sankey
from axonlight.plots import sankey as sankey_module
from axonlight.plots.stacking import SLOT, order_nodes, stack_nodes
from matplotlib import image
from matplotlib.figure import Figure


@pytest.mark.parametrize("seed", range(5))
def test_bars_and_their_labels_do_not_overlap(seed):
    generator = np.random.default_rng(seed)
    sizes = [generator.pareto(1.0, size=number) + 1e-3 for number in (1, 3, 11, 11)]
    orders = [generator.permutation(len(size)) for size in sizes]
    height = 11 * (SLOT + 0.15)
    bars = stack_nodes(sizes, orders, height)
    body = {round(float((bar[:, 1] - bar[:, 0]).sum()), 9) for bar in bars}
    assert len(body) == 1  # one length for all layers
    for size, order, bar in zip(sizes, orders, bars, strict=True):
        tall = bar[:, 1] - bar[:, 0]
        assert np.allclose(tall / tall.sum(), size / size.sum())
        centre = bar.mean(axis=1)
        slot = np.stack([np.minimum(bar[:, 0], centre - SLOT / 2), np.maximum(bar[:, 1], centre + SLOT / 2)], axis=1)
        slot = slot[order]
        assert slot[0, 1] <= height + 1e-9
        assert slot[-1, 0] >= -1e-9
        assert (slot[:-1, 0] >= slot[1:, 1] - 1e-9).all()


def crossings(orders, links):
    number = 0
    for source, target, pairs, _ in links:
        heights = [np.argsort(orders[layer])[row] for layer, row in ((source, pairs[0]), (target, pairs[1]))]
        for a in range(pairs.shape[1]):
            for b in range(a):
                number += (heights[0][a] - heights[0][b]) * (heights[1][a] - heights[1][b]) < 0
    return number


def test_a_shuffled_tree_is_drawn_without_crossings():
    generator = np.random.default_rng(0)
    leaves, middle = generator.permutation(16), generator.permutation(4)
    links = [
        (0, 1, np.stack([leaves, middle[np.arange(16) // 4]]), np.ones(16)),
        (1, 2, np.stack([middle, np.arange(4) // 2]), np.ones(4)),
    ]
    signs = [np.ones(16), np.ones(4), np.ones(2)]
    assert crossings([np.arange(16), np.arange(4), np.arange(2)], links) > 20
    assert crossings(order_nodes(signs, links), links) == 0


def test_the_grey_node_stands_at_the_foot():
    signs = [np.array([np.nan, 1.0, 1.0]), np.array([1.0, np.nan])]
    links = [(0, 1, np.array([[0, 1, 2], [0, 1, 1]]), np.ones(3))]
    assert [order[-1] for order in order_nodes(signs, links)] == [0, 1]


def test_bands_fill_their_bars():
    bars = np.array([[0.0, 1.0], [2.0, 4.0]])
    shares = sankey_module._shares(bars, np.array([1, 0, 1]), np.array([3.0, 5.0, 1.0]), np.array([9.0, 2.0, 1.0]))
    assert shares.tolist() == [[2.5, 4.0], [0.0, 1.0], [2.0, 2.5]]


def drawn_texts(monkeypatch, tmp_path, labels):
    kept = []
    save = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda figure, *a, **k: (kept.append(figure), save(figure, *a, **k))[1])
    number = len(labels)
    links = [(0, 1, [list(range(number)), [0] * number], np.ones(number))]
    path = tmp_path / "drawn.png"
    draw_sankey(["genes", "pathways"], [labels, ["all"]], [np.ones(number), [1.0]], links, path, sign_label="sign")
    assert image.imread(path).shape[2] == 4
    renderer = kept[0].canvas.get_renderer()
    return [(text.get_text(), text.get_window_extent(renderer)) for text in kept[0].axes[0].texts if text.get_text()]


def test_long_names_are_broken_shortened_and_apart(monkeypatch, tmp_path):
    labels = [
        "short",
        "R" * 90,
        "word " * 40,
        "a $ sign",
        "x^2_3",
        "Regulation of insulin-like growth factor transport",
    ]
    texts = drawn_texts(monkeypatch, tmp_path, labels)
    words = [text for text, _ in texts]
    assert "a $ sign" in words
    assert "x^2_3" in words
    assert max(len(line) for text in words for line in text.split("\n")) <= 40
    assert max(text.count("\n") for text in words) == 1
    for place, (text, box) in enumerate(texts):
        for other, second in texts[:place]:
            assert not box.overlaps(second), f"{text!r} lies over {other!r}"


def test_colours_tell_the_sign():
    low, middle, high = (sankey_module._colour(sign) for sign in (-1.0, 0.0, 1.0))
    assert low[2] > low[0]
    assert high[0] > high[2]
    assert sankey_module._colour(float("nan")) not in (low, middle, high)
