"""Maps on coordinates and the card of a patient, also in a real browser on a phone."""

import dataclasses
import os
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from axonlight.attribution.fusion import (
    draw_patient_map,
    patient_card,
    slide_thumbnail,
    tile_panels,
    write_patient_card,
)
from axonlight.errors import InputError
from axonlight.plots import TilePanel, draw_tile_maps
from axonlight.plots.tile_map import paint_tiles, tile_pitch

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENT, ROW = "TCGA-04", 4


@pytest.fixture
def places(found):
    count = len(found.shares.of(ROW))
    return SimpleNamespace(
        slides=("DX1", "DX2"),
        slide=np.r_[np.zeros(count - 2, dtype=int), 1, 1],
        coordinates=np.stack([np.arange(count) * 512, np.zeros(count)], axis=1).astype(int),
        attributes=({"patch_size_level0": 512, "level0_width": 6000, "level0_height": 2048}, {}),
    )


def test_tiles_are_painted_where_they_lie():
    panel = TilePanel("", np.array([[512, 0], [0, 1024], [1024, 512]]), np.array([1.0, 2.0, 3.0]), 512, (1536, 1536))
    expected = np.full((3, 3), np.nan)
    expected[0, 1], expected[2, 0], expected[1, 2] = 1, 2, 3  # rows run down, columns to the right
    np.testing.assert_array_equal(paint_tiles(panel), expected)


def test_overlapping_tiles_are_averaged_and_of_classes_the_last_stands():
    panel = TilePanel("", np.array([[0, 0], [256, 0]]), np.array([1.0, 3.0]), tile=512)
    np.testing.assert_array_equal(paint_tiles(panel), [[1, 2, 3], [1, 2, 3]])
    np.testing.assert_array_equal(paint_tiles(panel, classes=True), [[1, 3, 3], [1, 3, 3]])


def test_huge_slides_are_painted_on_a_small_canvas():
    generator = np.random.default_rng(0)
    coordinates = generator.integers(0, 150_000, (2_000, 2))
    canvas = paint_tiles(TilePanel("", coordinates, generator.random(2_000), tile=512))
    assert max(canvas.shape) <= 1201
    assert 0.005 < np.isfinite(canvas).mean() < 0.2


def test_the_pitch_is_the_smallest_step():
    assert tile_pitch(np.array([[0, 0], [0, 256], [1024, 256]])) == 256
    assert tile_pitch(np.array([[5, 5]])) == 1


def test_missing_numbers_leave_holes():
    figure = draw_tile_maps([TilePanel("", np.array([[0, 0], [1, 0]]), np.array([np.nan, 2.0]))], label="share")
    (image,) = figure.axes[0].images
    assert image.get_array().mask.tolist() == [[True, False]]


def test_panels_follow_the_slides(places, found):
    panels = tile_panels(places, np.arange(len(places.slide), dtype=float))
    assert [panel.title for panel in panels] == ["DX1", "DX2"]
    assert panels[0].extent == (6000, 2048)
    assert panels[1].values.tolist() == [len(places.slide) - 2, len(places.slide) - 1]


def test_what_is_drawn_is_what_is_scored(places, found):
    figure = draw_patient_map(found, PATIENT, places, pathway="R-3")
    image = figure.axes[0].images[-1].get_array()
    shown = image.compressed()[: int((places.slide == 0).sum())]
    expected = found.shares.of(ROW).astype(float) @ found.attention[ROW, :, 3]
    np.testing.assert_allclose(shown, expected[places.slide == 0], rtol=1e-6)


def test_thumbnails_lie_beneath(places, found):
    picture = np.zeros((20, 60, 3), dtype=np.uint8)
    figure = draw_patient_map(found, PATIENT, places, gene="G1", thumbnails=[picture])
    assert [len(axes.images) for axes in figure.axes[:2]] == [2, 1]


def test_refusals(places, found):
    with pytest.raises(InputError, match="hold no coordinates"):
        tile_panels(SimpleNamespace(slides=("DX1",), coordinates=None), np.ones(3))
    with pytest.raises(InputError, match=r"3 values for \d+ patches"):
        tile_panels(places, np.ones(3))
    with pytest.raises(InputError, match=r"openslide|cannot be read"):
        slide_thumbnail("no_such_slide.svs")
    with pytest.raises(ValueError, match="one value per tile"):
        draw_tile_maps([TilePanel("a", np.zeros((2, 2)), np.zeros(3))])


class TestCard:
    def test_it_asks_nobody_and_runs_nothing(self, found, places):
        page = patient_card(found, PATIENT, places=places)
        assert "<script" not in page
        assert "http://" not in page.replace("http://www.w3.org/", "")
        assert "https://" not in page
        assert "Repair of &lt;b&gt;DNA&lt;/b&gt;" in page
        assert "<b>" not in page
        assert page.count("<svg") == 2

    def test_its_figures_are_those_of_the_patient(self, found):
        page = patient_card(found, PATIENT, top=2)
        best = np.argsort(-found.pathway_gates[ROW])[:2]
        assert all(f"{found.pathway_gates[ROW, place]:.4f}" in page for place in best)
        below = int((np.delete(found.risk, ROW) < found.risk[ROW]).sum())
        assert f"higher than that of {below} of the 11 other patients" in page
        happened = "Event" if found.target[ROW, 1] else "Censored: followed without the event"
        assert f"{happened} at {found.target[ROW, 0]:.3g} months" in page

    def test_a_patient_without_slides_has_one(self, found):
        page = patient_card(found, "TCGA-01")
        assert "This patient has no slides." in page
        assert "nan" not in page

    def test_a_network_without_attention_has_one(self, found, places):
        other = dataclasses.replace(found, attention=None, prototype_gates=None)
        page = patient_card(other, PATIENT, places=places)
        assert page.count("<svg") == 1
        assert "Prototypes and pathways" not in page

    def test_on_a_phone(self, found, places, tmp_path):
        playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
        browser = next(filter(None, map(shutil.which, BROWSERS)), None)
        if browser is None:
            pytest.skip(f"no browser: none of {', '.join(BROWSERS)} is installed")
        path = write_patient_card(found, PATIENT, tmp_path / "cards" / "card.html", places=places)
        # Chromium refuses its sandbox to the superuser, whom containers run tests as.
        options = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
        requests, complaints = [], []
        with playwright.sync_playwright() as driver:
            opened = driver.chromium.launch(executable_path=browser, args=options)
            page = opened.new_page(viewport={"width": 390, "height": 844})
            page.on("request", lambda request: requests.append(request.url))
            page.on("console", lambda message: complaints.append(message.text))
            page.goto(path.as_uri(), wait_until="networkidle")
            width = page.evaluate("document.scrollingElement.scrollWidth")
            sizes = page.evaluate(
                """() => [...document.querySelectorAll("p, td, th, figcaption, h1, h2")]
                .filter(part => part.innerText.trim()).map(part => parseFloat(getComputedStyle(part).fontSize))"""
            )
            cut = page.evaluate(
                "() => [...document.querySelectorAll('.scroll')].map(part => part.scrollWidth - part.clientWidth)"
            )
            heading = page.locator("h1").inner_text()
            opened.close()
        assert heading == PATIENT
        assert width <= 390
        assert min(sizes) >= 13.5
        assert max(cut) <= 0
        assert requests == [path.as_uri()]
        assert complaints == []
