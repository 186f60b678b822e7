"""Downloads: once, under a lock, never half-written; a stand-in replaces the network."""

import threading
import time
from urllib.error import URLError

import numpy as np
import pandas as pd
import pytest
from axonlight.datasets import fetch, fetch_set, find_set, load_set
from axonlight.errors import InputError


@pytest.fixture
def openml(monkeypatch):
    """A stand-in for OpenML's spambase: other column names, labels as text categories, one missing row."""
    calls = []

    def fetch_openml(data_id, scratch):
        calls.append(data_id)
        time.sleep(0.2)
        frame = pd.DataFrame(np.arange(6.0 * 57).reshape(6, 57)).add_prefix("f")
        return frame.assign(**{"class": pd.Categorical(list("010101"))})

    monkeypatch.setattr(fetch, "_fetch_openml", fetch_openml)
    return calls


def test_fetched_once_and_read_back(openml, tmp_path):
    named = find_set("spambase")
    path = fetch_set(named, tmp_path)
    assert path == tmp_path / "spambase.parquet"
    assert fetch_set(named, tmp_path) == path
    assert openml == [44]
    frame = load_set(named, tmp_path)
    assert list(frame.columns) == [*named.feature_names, "label"]
    assert frame["label"].tolist() == [0, 1, 0, 1, 0, 1]
    assert frame.iloc[1, 0] == 57.0
    assert {entry.name for entry in tmp_path.iterdir()} == {"spambase.parquet", ".spambase.lock"}


def test_simultaneous_requests_download_once(openml, tmp_path):
    threads = [threading.Thread(target=fetch_set, args=(find_set("spambase"), tmp_path)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert openml == [44]


def test_without_file_and_network(monkeypatch, tmp_path):
    def refuse(data_id, scratch):
        raise URLError("Name or service not known")

    monkeypatch.setattr(fetch, "_fetch_openml", refuse)
    with pytest.raises(InputError) as caught:
        fetch_set(find_set("higgs"), tmp_path)
    message = str(caught.value)
    assert "higgs.csv.gz" in message
    assert str(tmp_path) in message
    assert "Name or service not known" in message
    assert "`axonlight data get higgs`" in message
    assert "\n" not in message
    assert not (tmp_path / "higgs.parquet").exists()


def test_reading_what_is_not_there_names_the_command(tmp_path):
    with pytest.raises(InputError, match=r"no file of spambase .*spambase\.data\.gz.*`axonlight data get spambase`"):
        load_set(find_set("spambase"), tmp_path)


def test_an_interrupted_write_leaves_nothing(openml, monkeypatch, tmp_path):
    def full_disk(frame, path, **options):
        path.write_bytes(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_parquet", full_disk)
    with pytest.raises(InputError, match="No space left on device"):
        fetch_set(find_set("spambase"), tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == [".spambase.lock"]


def test_a_delivery_of_another_shape_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(fetch, "_fetch_covtype", lambda scratch: pd.DataFrame({"a": [1]}))
    with pytest.raises(InputError, match="covtype delivered 1 columns for covertype"):
        fetch_set(find_set("covertype"), tmp_path)
