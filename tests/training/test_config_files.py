"""Finding configs: the working directory first, then those of the package."""

from pathlib import Path

import axonlight.configs
import pytest
from axonlight.errors import InputError
from axonlight.training.config_files import (
    find_config,
    shipped_configs,
    shipped_files,
    with_shipped_configs,
)

SHIPPED = Path(axonlight.configs.__path__[0])


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_shipped_configs_are_all_found_by_their_names():
    shipped = shipped_configs()
    studies = {Path(path) for path in shipped_files("study").values()}
    searches = {Path(path) for path in shipped_files("search").values()}
    protocols = set(SHIPPED.glob("protocols/*.yaml"))
    assert {Path(path) for path in shipped.values()} == set(SHIPPED.rglob("*.yaml")) - studies - searches - protocols
    assert studies == set(SHIPPED.glob("studies/*.yaml"))
    assert searches == set(SHIPPED.glob("discovery/*.yaml"))
    for name, path in shipped.items():
        assert find_config(name) == path == find_config(f"configs/{name}")
    assert any("/" in name for name in shipped)


def test_a_file_of_the_working_directory_comes_first(elsewhere):
    (elsewhere / "demo.yaml").write_text("trainer: {}\n")
    assert find_config("demo.yaml") == "demo.yaml"
    assert Path(find_config("configs/demo.yaml")) == SHIPPED / "demo.yaml"
    assert find_config(str(elsewhere / "demo.yaml")) == str(elsewhere / "demo.yaml")


def test_a_folder_is_no_config(elsewhere):
    (elsewhere / "demo.yaml").mkdir()
    assert Path(find_config("demo.yaml")) == SHIPPED / "demo.yaml"


@pytest.mark.parametrize(
    "text", ["trainer:\n  max_epochs: 1\n", "{trainer: {max_epochs: 1}}", "{x: " + "y" * 5000 + "}"]
)
def test_a_config_may_be_text(text):
    assert find_config(text) == text


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("dmo.yaml", r"config 'dmo.yaml' is not a file; shipped configs with a similar name: demo.yaml"),
        ("neuro_symbolic/spambase.yaml", r"neuro_symbolic/spambase_(light|heavy)\.yaml"),
        ("q", r"^config 'q' is not a file$"),
        ("", r"^config '' is not a file$"),
        ("y" * 5000, r"is not a file$"),
        ("../configs/demo.yaml", r"is not a file"),
    ],
)
def test_unknown_names_are_refused_with_the_nearest(name, message):
    with pytest.raises(InputError, match=message):
        find_config(name)


def test_every_mention_is_replaced_and_nothing_else():
    demo = str(SHIPPED / "demo.yaml")
    before = [
        "fit",
        "--config",
        "demo.yaml",
        "-c",
        "demo.yaml",
        "--config=demo.yaml",
        "--x",
        "demo.yaml",
        "--y=demo.yaml",
    ]
    after = ["fit", "--config", demo, "-c", demo, f"--config={demo}", "--x", "demo.yaml", "--y=demo.yaml"]
    assert with_shipped_configs(before) == after


def test_a_missing_name_is_left_to_the_parser():
    assert with_shipped_configs(["fit", "--config"]) == ["fit", "--config"]
