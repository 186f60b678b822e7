"""The cohort that these tests share lies beside them."""

import sys
from pathlib import Path

import pytest

HERE = str(Path(__file__).parent)
if HERE not in sys.path:
    sys.path.append(HERE)

from multimodal_files import make_cohort  # noqa: E402


@pytest.fixture
def folder(tmp_path):
    return make_cohort(tmp_path)
