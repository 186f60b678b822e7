"""Hostile formulas: nothing runs, everything is refused in one sentence or is a harmless formula."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from axonlight.activations import Formula
from axonlight.errors import InputError
from hypothesis import example, given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.xdist_group("hostile")  # its fixtures are made once

COUNT = 12_000


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """What the audit hook of a separate process saw while it read the hostile texts."""
    script = Path(__file__).with_name("hostile_fuzz.py")
    result = subprocess.run(
        [sys.executable, str(script), str(COUNT)],
        cwd=tmp_path_factory.mktemp("canary"),
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    return json.loads(result.stdout)


def test_every_hostile_text_is_refused_or_harmless(report):
    assert set(report["results"]) == {"refused", "valid"}
    assert sum(report["results"].values()) == COUNT
    assert report["results"]["refused"] > 0.6 * COUNT
    assert report["results"]["valid"] > 200  # the fuzz reaches the evaluation too


def test_nothing_is_executed_imported_or_opened(report):
    # Only syntax trees were built: no exec, import, open, os.system, subprocess, ctypes or compile to code.
    assert set(report["events"]) == {"syntax tree"}
    assert not report["canary"]
    assert {"exec", "open", "compile"} <= set(report["control"])


def test_no_warning_of_pythons_parser_leaks(report):
    assert report["warnings"] == 0


@settings(max_examples=400, deadline=None)
@given(st.one_of(st.text(max_size=60), st.text("xXa01.+-*/(), \nsinco_e", max_size=40)))
@example("x" * 2000)
@example("\u017fin(x)")  # NFKC turns this into sin(x)
@example("\U0001d431*2")
def test_any_text_is_refused_in_one_line_or_evaluates(text):
    message = ""
    try:
        shape = Formula(text, collapse=True)(torch.ones(3)).shape
    except InputError as error:
        message = str(error)
    if message:
        assert "\n" not in message
        assert message.isascii()
    else:
        assert text.isascii()
        assert shape == (3,)
