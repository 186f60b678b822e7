"""The report of a search in a real browser: on a phone and on a desk."""

import os
import shutil

import pytest

pytestmark = pytest.mark.xdist_group("discovery_report")  # its fixtures are made once

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 800}


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
def opened(browser, search_paths):
    """Return a function that opens the report; after the test, check what the page asked for and complained about."""
    contexts, requests, complaints = [], [], []

    def open_report(viewport):
        context = browser.new_context(viewport=viewport)
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: requests.append(request.url))
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(search_paths.html.as_uri(), wait_until="networkidle")
        return page

    yield open_report
    for context in contexts:
        context.close()
    assert complaints == []
    assert set(requests) == {search_paths.html.as_uri()}


def on_first_screen(page, selector):
    box, size = page.locator(selector).first.bounding_box(), page.viewport_size
    return box["x"] >= 0 and box["x"] + box["width"] <= size["width"] and box["y"] + box["height"] <= size["height"]


@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["phone", "desk"])
def test_the_answer_stands_on_the_first_screen(opened, viewport):
    page = opened(viewport)
    assert page.evaluate("document.scrollingElement.scrollWidth") <= viewport["width"]
    assert page.locator(".verdicts > li").first.inner_text().startswith("winner against relu: better")
    assert all(on_first_screen(page, selector) for selector in (".summary", ".equation math", ".verdicts > li"))
    # the browser sets the formula as mathematics, not as letters in a row
    assert page.locator(".equation math").first.evaluate("part => part.namespaceURI").endswith("MathML")
    assert page.locator(".equation mo").count() >= 3


def test_the_front_is_on_the_first_screen_of_a_desk(opened):
    page = opened(DESK)
    box = page.locator(".answer figure svg").bounding_box()
    assert box["y"] < 450
    assert box["width"] > 400


def test_nothing_is_wider_or_smaller_than_a_phone_can_show(opened):
    page = opened(PHONE)
    wide = page.evaluate(
        """() => [...document.querySelectorAll("main *")]
        .filter(part => part.getBoundingClientRect().right > 391 && !part.closest(".scroll") && !part.closest("svg"))
        .map(part => part.outerHTML.slice(0, 80))"""
    )
    assert wide == []
    letters = page.evaluate(
        """() => [...document.querySelectorAll("figure svg text")].map(part => part.getBoundingClientRect().height)"""
    )
    assert len(letters) > 100
    assert min(letters) >= 8.5  # of the letters' line, in pixels


def test_links_of_the_contents_lead_somewhere(opened):
    page = opened(DESK)
    assert page.locator("nav a").count() >= 7
    missing = page.evaluate(
        """() => [...document.querySelectorAll("nav a")].filter(link => !document.querySelector(link.hash)).length"""
    )
    assert missing == 0
