"""Files of patch features: every layout gives the same features, and what is none is refused with its name."""

import pickle

import h5py
import numpy as np
import pytest
import torch
from axonlight.datamodules.slides.features import read_slide, slide_header
from axonlight.datamodules.slides.writing import write_slide
from axonlight.errors import InputError

FEATURES = np.random.default_rng(0).normal(size=(7, 5)).astype(np.float32)
COORDS = np.arange(14).reshape(7, 2) * 256


def h5(path, **arrays):
    with h5py.File(path, "w") as file:
        for name, values in arrays.items():
            file[name] = values


def torch_file(content):
    return lambda path: torch.save(content, path)


LAYOUTS = {
    "trident.h5": lambda path: write_slide(path, FEATURES, COORDS, {"patch_size_level0": 512}),
    "no_coords.h5": lambda path: write_slide(path, FEATURES),
    "leading_axis.h5": lambda path: write_slide(path, FEATURES, COORDS, {"patch_size_level0": 512}, "leading_axis"),
    "feats.hdf5": lambda path: h5(path, feats=FEATURES, coords=COORDS),
    "only.h5": lambda path: h5(path, embeddings=FEATURES),
    "other_byte_order.h5": lambda path: h5(path, features=FEATURES.astype(">f4")),
    "compressed.h5": lambda path: h5py.File(path, "w").create_dataset("features", data=FEATURES, compression="gzip"),
    "bare.pt": torch_file(torch.from_numpy(FEATURES)),
    "leading_axis.pt": torch_file(torch.from_numpy(FEATURES)[None]),
    "features.pt": torch_file({"features": torch.from_numpy(FEATURES), "coords": torch.from_numpy(COORDS)}),
    "feats.pth": torch_file({"feats": torch.from_numpy(FEATURES), "slide_info": [{"slide": "a", "n_patches": 7}]}),
    "legacy.pt": lambda path: torch.save(torch.from_numpy(FEATURES), path, _use_new_zipfile_serialization=False),
    "parameter.pt": torch_file(torch.nn.Parameter(torch.from_numpy(FEATURES))),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_gives_the_same(tmp_path, name):
    LAYOUTS[name](tmp_path / name)
    header, slide = slide_header(tmp_path / name), read_slide(tmp_path / name)
    assert (header.num_patches, header.num_features, header.dtype) == (7, 5, "float32")
    assert slide.features.dtype.isnative
    np.testing.assert_array_equal(slide.features, FEATURES)
    assert header.has_coordinates == (slide.coordinates is not None)
    if slide.coordinates is not None:
        np.testing.assert_array_equal(slide.coordinates, COORDS)
        assert slide.coordinates.dtype == np.int64


def test_attributes_of_the_coordinates(tmp_path):
    LAYOUTS["trident.h5"](tmp_path / "a.h5")
    assert read_slide(tmp_path / "a.h5").attributes == {"patch_size_level0": 512}


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_types_are_kept(tmp_path, dtype):
    write_slide(tmp_path / "a.h5", FEATURES.astype(dtype))
    assert read_slide(tmp_path / "a.h5").features.dtype == dtype


def test_bfloat16_is_exact(tmp_path):
    values = torch.from_numpy(FEATURES).bfloat16()
    torch.save(values, tmp_path / "a.pt")
    np.testing.assert_array_equal(read_slide(tmp_path / "a.pt").features, values.float().numpy())


def test_a_slide_without_patches_is_read_as_such(tmp_path):
    write_slide(tmp_path / "a.h5", np.zeros((0, 5), np.float32), np.zeros((0, 2), np.int64))
    assert slide_header(tmp_path / "a.h5").num_patches == 0


class Dangerous:
    def __reduce__(self):
        return (exec, ("raise SystemExit('code of the file ran')",))


def with_nan(path):
    values = FEATURES.copy()
    values[3, 1] = np.nan
    write_slide(path, values)


def cut(path):
    write_slide(path, np.random.default_rng(0).normal(size=(500, 50)))
    path.write_bytes(path.read_bytes()[:30_000])


BAD = {
    "none.h5": (lambda path: None, "there is no file"),
    "text.h5": (lambda path: path.write_text("hello"), "is no readable HDF5 file"),
    "cut.h5": (cut, "no readable HDF5 file|damaged or incomplete"),
    "empty.h5": (lambda path: h5(path), "holds nothing; features must stand under"),
    "two.h5": (lambda path: h5(path, a=FEATURES, b=FEATURES), "holds a, b; features must stand under"),
    "vector.h5": (lambda path: h5(path, features=FEATURES[0]), r"have the shape \(5,\); it must be \(patches"),
    "two_slides.h5": (lambda path: h5(path, features=np.stack([FEATURES] * 2)), r"have the shape \(2, 7, 5\)"),
    "no_width.h5": (lambda path: h5(path, features=np.zeros((3, 0))), r"have the shape \(3, 0\)"),
    "whole_numbers.h5": (lambda path: h5(path, features=COORDS), "are of type int64"),
    "nan.h5": (with_nan, "no finite number, first in patch 3"),
    "coords.h5": (lambda path: h5(path, features=FEATURES, coords=COORDS[:5]), r"\(5, 2\), but there are 7 patches"),
    "text.pt": (lambda path: path.write_text("hello"), "text.pt"),
    "code.pt": (lambda path: torch.save(Dangerous(), path), "weights_only=True refuses it"),
    "pickle.pt": (lambda path: path.write_bytes(pickle.dumps(Dangerous())), "weights_only=True refuses it"),
    "list.pt": (torch_file([1, 2]), "holds a list; it must be a tensor or a dictionary"),
    "other.pt": (torch_file({"x": torch.zeros(2, 2)}), "is a dictionary of x; the tensor of features must stand"),
    "coords.pt": (torch_file({"features": torch.zeros(7, 5), "coords": torch.zeros(7, 3)}), r"shape \(7, 3\)"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files(tmp_path, name):
    make, message = BAD[name]
    make(tmp_path / name)
    with pytest.raises(InputError, match=message) as caught:
        read_slide(tmp_path / name)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)
