"""Spaces kept on disk: used when they fit, rebuilt when they do not."""

import json

import pytest
from axonlight.discovery.engines import Enumeration
from axonlight.discovery.engines.enumeration import cache, engine, enumerate_formulas
from axonlight.errors import InputError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    engine._formulas.cache_clear()
    yield tmp_path / "axonlight" / "formulas"
    engine._formulas.cache_clear()


def proposed(**options):
    engine._formulas.cache_clear()  # as another process would start
    return [candidate.formula for candidate in Enumeration(disk_cache=True, **options).propose(None, 0)]


def test_next_process_reads_what_the_first_built(folder, monkeypatch):
    built = proposed(max_nodes=5)
    assert built == enumerate_formulas(5)
    assert [path.suffix for path in folder.iterdir()] == [".json"]
    monkeypatch.setattr(engine, "Space", None)  # nothing can be built any more
    assert proposed(max_nodes=5) == built


def test_nothing_is_written_unasked(folder):
    Enumeration(max_nodes=4).propose(None, 0)
    assert not folder.exists()


@pytest.mark.parametrize("damage", ["cut", "changed", "empty", "other"])
def test_damaged_file_is_rebuilt(folder, damage):
    built = proposed(max_nodes=5)
    (path,) = folder.iterdir()
    whole = path.read_text()
    held = json.loads(whole)
    held["formulas"][1][0] = "tan(x)"
    path.write_text({"cut": whole[:-200], "changed": json.dumps(held), "empty": "", "other": "[1]"}[damage])
    assert proposed(max_nodes=5) == built
    assert path.read_text() == whole


def test_everything_that_decides_the_space_names_the_file(folder, monkeypatch):
    for options in ({"max_nodes": 3}, {"max_nodes": 4}, {"max_nodes": 3, "operators": ["sin"]}):
        proposed(**options)
    proposed(max_nodes=3, numbers=[2])
    assert len(list(folder.iterdir())) == 4
    monkeypatch.setattr(cache, "_code", lambda: b"another way of counting")
    proposed(max_nodes=3)
    assert len(list(folder.iterdir())) == 5


def test_budget_holds_for_what_is_read(folder):
    proposed(max_nodes=5)
    with pytest.raises(InputError, match="holds 153 distinct formulas, and the budget is 100"):
        proposed(max_nodes=5, budget=100)


def test_folder_that_cannot_be_made_is_no_failure(tmp_path, monkeypatch):
    (tmp_path / "axonlight").write_text("a file where the folder should be")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert len(proposed(max_nodes=3)) == 14
