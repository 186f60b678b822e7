"""The report in a real browser: on a phone, on a desk, on paper."""

import os
import shutil
import unicodedata

import pytest

pytestmark = pytest.mark.xdist_group("comparison_report")  # its fixtures are made once

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 800}
FIRST = "real against degree preserving"


@pytest.fixture(scope="module")
def browser():
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)} is installed")
    # Chromium refuses its sandbox to the superuser, whom containers run tests as.
    options = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=path, args=options)
        yield opened
        opened.close()


@pytest.fixture
def opened(browser, report_paths):
    """Return a function that opens the report; after the test, check what the page asked for and complained about."""
    contexts, requests, complaints = [], [], []

    def open_report(viewport, **options):
        context = browser.new_context(viewport=viewport, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: requests.append(request.url))
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(report_paths.html.as_uri(), wait_until="networkidle")
        return page

    yield open_report
    for context in contexts:
        context.close()
    assert complaints == []
    assert set(requests) == {report_paths.html.as_uri()}


def visible_without_scrolling(page, locator):
    box = locator.bounding_box()
    size = page.viewport_size
    return box["x"] >= 0 and box["x"] + box["width"] <= size["width"] and box["y"] + box["height"] <= size["height"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["phone", "desk"])
def test_answer_stands_on_the_first_screen(opened, viewport, scheme):
    page = opened(viewport, color_scheme=scheme)
    assert page.evaluate("document.scrollingElement.scrollWidth") <= viewport["width"]
    first = page.locator(".verdicts > li").first
    assert first.inner_text().startswith(f"{FIRST}: inconclusive")
    assert "AUROC difference +0." in first.inner_text()
    assert visible_without_scrolling(page, first)
    floors = page.locator(".glance" if viewport is PHONE else ".scores table")
    assert "ridge" in floors.inner_text()
    assert visible_without_scrolling(page, floors)


def test_text_is_large_enough_on_a_phone(opened):
    page = opened(PHONE)
    sizes = page.evaluate(
        """() => [...document.querySelectorAll("p, li, td, th, dd, dt, figcaption, h1, h2, a")]
        .filter(part => part.innerText && part.innerText.trim())
        .map(part => parseFloat(getComputedStyle(part).fontSize))"""
    )
    assert len(sizes) > 100
    assert min(sizes) >= 13.5
    letters = page.evaluate(
        """() => [...document.querySelectorAll("figure svg text")].map(part => part.getBoundingClientRect().height)"""
    )
    assert min(letters) >= 9  # of the letters' line, in pixels


def test_nothing_is_wider_than_a_phone_but_what_scrolls_by_itself(opened):
    page = opened(PHONE)
    wide = page.evaluate(
        """() => [...document.querySelectorAll("main *")]
        .filter(part => part.getBoundingClientRect().right > 391 && !part.closest(".scroll") && !part.closest("svg"))
        .map(part => part.outerHTML.slice(0, 80))"""
    )
    assert wide == []
    assert page.evaluate("""() => [...document.querySelectorAll(".scroll")].every(part => part.clientWidth <= 390)""")


def test_links_of_the_contents_lead_somewhere(opened):
    page = opened(DESK)
    missing = page.evaluate(
        """() => [...document.querySelectorAll("nav a")].filter(link => !document.querySelector(link.hash)).length"""
    )
    assert missing == 0
    assert page.locator("nav a").count() >= 10


def test_paper_holds_the_verdicts_and_cuts_no_table(opened, tmp_path):
    pypdf = pytest.importorskip("pypdf", reason="pypdf is not installed: the text of the printed page cannot be read")
    page = opened(DESK)
    page.emulate_media(media="print")
    page.pdf(path=tmp_path / "report.pdf", prefer_css_page_size=True)
    pages = pypdf.PdfReader(tmp_path / "report.pdf").pages
    assert 3 <= len(pages) <= 30
    words = ["".join(unicodedata.normalize("NFKC", part.extract_text()).split()) for part in pages]
    assert f"{FIRST}:inconclusive".replace(" ", "") in words[0]
    assert "excludes0(p<0.0001" in "".join(words)  # a rule that is folded on the screen
    last_column = next(text for text in words if "Allcomparisons" in text)
    assert "effectsizesplits" in last_column
    assert float(pages[-1].mediabox.width) == pytest.approx(595, abs=1)  # A4
