"""Whose slide is which, and bags of patients: the slides of a patient in order, from files, cache or memory."""

import json
import os

import numpy as np
import pytest
import torch
from axonlight.datamodules.slides import SlideStore
from axonlight.datamodules.slides import half_cache as half_cache_module
from axonlight.datamodules.slides import store as store_module
from axonlight.datamodules.slides.index import index_slides
from axonlight.datamodules.slides.writing import write_slide
from axonlight.errors import InputError

GENERATOR = np.random.default_rng(0)
SLIDES = {name: GENERATOR.normal(size=(rows, 6)).astype(np.float32) for name, rows in
          {"P1-DX2": 4, "P1-DX1": 3, "P2-DX1": 5, "P3": 2}.items()}  # fmt: skip
BAGS = {"P1": np.concatenate([SLIDES["P1-DX1"], SLIDES["P1-DX2"]]), "P2": SLIDES["P2-DX1"], "P3": SLIDES["P3"]}


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "slides"
    folder.mkdir()
    for name, features in SLIDES.items():
        write_slide(folder / f"{name}.h5", features, np.arange(2 * len(features)).reshape(-1, 2), {"name": name})
    return folder


def store(folder, **options):
    return SlideStore(index_slides(folder, ["P1", "P2", "P3", "P4"]), **options)


def test_whose_slide_is_which(tmp_path):
    names = ["TCGA-01-0001-01Z-DX1.AB-CD.h5", "TCGA-01-00011.h5", "TCGA-01.pt", "odd.h5", "listed.h5", "TCGA-02_1.h5"]
    for name in names:
        (tmp_path / name).touch()
    table = {"listed.svs": "TCGA-07", "gone.ndpi": "TCGA-01"}
    index = index_slides(tmp_path, ["TCGA-01", "TCGA-01-0001", "TCGA-02"], table)
    found = {patient: [slide.path.name for slide in slides] for patient, slides in index.files.items()}
    # The longest name counts, and a name ends where a separator stands.
    assert found == {
        "TCGA-01-0001": ["TCGA-01-0001-01Z-DX1.AB-CD.h5"],
        "TCGA-01": ["TCGA-01-00011.h5", "TCGA-01.pt"],
        "TCGA-02": ["TCGA-02_1.h5"],
        "TCGA-07": ["listed.h5"],
    }
    assert (index.unassigned, index.absent, len(index)) == (("odd.h5",), ("gone",), 5)


def test_folders_that_hold_no_slides(tmp_path):
    with pytest.raises(InputError, match="not an existing folder"):
        index_slides(tmp_path / "none", [])
    (tmp_path / "features_uni").mkdir()
    (tmp_path / "features_uni" / "a.h5").touch()
    with pytest.raises(
        InputError, match=r"holds no file ending in .h5, .hdf5, .pt, .pth; those of .*features_uni hold"
    ):
        index_slides(tmp_path, [])
    (tmp_path / "features_uni" / "a.pt").touch()
    with pytest.raises(InputError, match=r"slide 'a' stands in several files \(a.h5, a.pt\)"):
        index_slides(tmp_path / "features_uni", ["a"])
    (tmp_path / "features_uni" / "a.pt").unlink()
    with pytest.raises(InputError, match="slide 'b' is given to the patients P1 and P2"):
        index_slides(tmp_path / "features_uni", ["a"], {"b.svs": "P1", "b": "P2"})


@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize("max_bytes", [0, 200, 10**6])
def test_bags(folder, tmp_path, cached, max_bytes):
    bags = store(folder, cache=tmp_path / "cache" if cached else None, max_bytes=max_bytes)
    for _ in range(2):
        for patient, expected in BAGS.items():
            if cached:
                expected = expected.astype(np.float16).astype(np.float32)
            assert bags.num_patches(patient) == len(expected)
            bags.bag(patient).fill_(7.0)  # what is handed out is the caller's own
            bag = bags.bag(patient)
            assert bag.dtype == torch.float32
            np.testing.assert_array_equal(bag, expected)
            for rows in ([0], [1, 3], list(range(len(expected)))):
                rows = np.array([row for row in rows if row < len(expected)])
                np.testing.assert_array_equal(bags.bag(patient, rows), expected[rows])
    assert bags.num_features == 6
    assert bags.bag("P4").shape == (0, 6)
    assert bags.num_patches("P4") == 0


def test_places_of_patches(folder):
    found = store(folder).patches("P1")
    assert found.slides == ("P1-DX1", "P1-DX2")
    assert found.slide.tolist() == [0] * 3 + [1] * 4
    np.testing.assert_array_equal(found.coordinates[3:], np.arange(8).reshape(4, 2))
    assert [each["name"] for each in found.attributes] == ["P1-DX1", "P1-DX2"]
    write_slide(folder / "P1-DX3.h5", SLIDES["P3"])
    assert store(folder).patches("P1").coordinates is None
    assert store(folder).patches("P4").coordinates is None


def test_types(folder, tmp_path):
    assert store(folder, dtype=None).bag("P1").dtype == torch.float32
    assert store(folder, dtype=None, cache=tmp_path / "c").bag("P1").dtype == torch.float16
    assert store(folder, dtype=torch.float16).bag("P4").dtype == torch.float16


def count_reads(monkeypatch):
    reads, real = [], store_module.read_slide

    def counted(path):
        reads.append(path.stem)
        return real(path)

    monkeypatch.setattr(store_module, "read_slide", counted)
    return reads


def test_memory_is_bounded_and_saves_reading(folder, monkeypatch):
    reads = count_reads(monkeypatch)
    size = {patient: bag.nbytes for patient, bag in BAGS.items()}
    bags = store(folder, max_bytes=size["P1"] + size["P3"])
    for patient in ("P1", "P3", "P1", "P2", "P1", "P3"):
        bags.bag(patient)
        assert bags._recent.num_bytes <= bags._recent.max_bytes
    # P2 drove out P3, which was asked for longest ago; P1 (7 patches) and P2 (5) do not fit together.
    assert reads == ["P1-DX1", "P1-DX2", "P3", "P2-DX1", "P1-DX1", "P1-DX2", "P3"]


def test_the_cache_saves_reading_and_notices_changes(folder, tmp_path, monkeypatch, caplog):
    reads = count_reads(monkeypatch)
    cache = tmp_path / "cache"
    for _ in range(2):
        store(folder, cache=cache).bag("P1")
    assert reads == ["P1-DX1", "P1-DX2"]
    assert sorted(os.listdir(cache)) == ["P1-DX1.json", "P1-DX1.npy", "P1-DX2.json", "P1-DX2.npy"]
    write_slide(folder / "P1-DX2.h5", SLIDES["P3"])
    np.testing.assert_array_equal(store(folder, cache=cache).bag("P1")[3:], SLIDES["P3"].astype(np.float16))
    assert reads[2:] == ["P1-DX2"]
    damaged = bytearray((cache / "P1-DX1.npy").read_bytes())
    damaged[-1] ^= 1
    (cache / "P1-DX1.npy").write_bytes(damaged)
    np.testing.assert_array_equal(store(folder, cache=cache).bag("P1")[:3], SLIDES["P1-DX1"].astype(np.float16))
    assert "P1-DX1.npy is damaged" in caplog.text
    for content in (b"", b"{}", json.dumps({"source": 1}).encode()):
        (cache / "P1-DX1.json").write_bytes(content)
        store(folder, cache=cache).bag("P1")
    assert reads[3:] == ["P1-DX1"] * 4


def test_an_interrupted_write_leaves_nothing(folder, tmp_path, monkeypatch):
    def broken(*_, **__):
        raise OSError("no space left")

    monkeypatch.setattr(half_cache_module.np, "save", broken)
    with pytest.raises(InputError, match=r"cache is .*cannot be written \(no space left\)"):
        store(folder, cache=tmp_path / "cache").bag("P1")
    assert os.listdir(tmp_path / "cache") == []


def test_features_too_large_for_half_precision(folder, tmp_path):
    write_slide(folder / "P2-DX1.h5", np.full((2, 6), 1e5, np.float32))
    with pytest.raises(InputError, match="slide 'P2-DX1' of patient 'P2' has features up to 100000, beyond float16"):
        store(folder, cache=tmp_path / "cache").bag("P2")


def spoil(name, features):
    return lambda folder: write_slide(folder / f"{name}.h5", features)


BAD = {
    "no patches": (spoil("P2-DX1", np.zeros((0, 6), np.float32)), "holds no patches"),
    "other width": (spoil("P2-DX1", np.zeros((3, 7), np.float32)), "has 7 features per patch, but the others have 6"),
    "unreadable": (lambda folder: (folder / "P2-DX1.h5").write_text("x"), "is no readable HDF5 file"),
}


@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize("name", BAD)
def test_bad_slides_are_named_with_their_patient(folder, tmp_path, name, cached):
    change, message = BAD[name]
    options = {"cache": tmp_path / "cache"} if cached else {}
    store(folder, **options).bag("P2")  # what a cache holds must not hide the change
    change(folder)
    bags = store(folder, **options)
    for read in (bags.bag, bags.num_patches, bags.patches):
        with pytest.raises(InputError, match=f"slide 'P2-DX1' of patient 'P2': .*{message}"):
            read("P2")
    assert [str(bad.slide.name) for bad in bags.check(["P1", "P2"])] == ["P2-DX1"]
    assert message in bags.check(["P2"])[0].reason
    rest = bags.without(bags.check(["P1", "P2"]))
    assert sorted(rest.index.files) == ["P1", "P3"]
    assert rest.bag("P2").shape == (0, 6)


def test_nan_is_found_when_it_is_read(folder):
    spoil("P2-DX1", np.full((2, 6), np.nan, np.float32))(folder)
    with pytest.raises(InputError, match=r"slide 'P2-DX1' of patient 'P2': .*no finite number"):
        store(folder).bag("P2")


def test_no_slide_can_be_read(folder):
    for path in folder.iterdir():
        path.write_text("x")
    with pytest.raises(InputError, match=r"no slide of .* can be read; the first: .*P1-DX1.h5"):
        _ = store(folder).num_features
