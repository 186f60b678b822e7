"""CIFAR-10's files: both versions read alike, and nothing that a pickle asks for is done."""

import os
import pickle
import struct

import numpy as np
import pytest
from axonlight.datasets import find_cifar10, read_cifar10
from axonlight.errors import InputError

NAMES = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]


def images(rows, seed=0):
    generator = np.random.default_rng(seed)
    pixels = generator.integers(0, 256, (rows, 3072), dtype=np.uint8)
    return pixels, generator.integers(0, 10, rows, dtype=np.uint8)


def published_pickle(pixels, classes, array=b"cnumpy.core.multiarray\n_reconstruct\n", shape=None, code=b"u1"):
    """Write the stream that Python 2 wrote, opcode by opcode."""

    def text(value):
        return b"U" + bytes([len(value)]) + value if len(value) < 256 else b"T" + struct.pack("<i", len(value)) + value

    def number(value):
        return b"J" + struct.pack("<i", value)

    kind = b"cnumpy\ndtype\n" + text(code) + b"K\0K\1\x87R(K\3U\1|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb"
    empty = array + b"cnumpy\nndarray\nK\0\x85U\1b\x87R"
    rows, columns = shape or pixels.shape
    state = b"(K\1" + number(rows) + number(columns) + b"\x86" + kind + b"\x89" + text(pixels.tobytes()) + b"tb"
    labels = b"](" + b"".join(number(int(label)) for label in classes) + b"e"
    return b"\x80\2}(" + text(b"data") + empty + state + text(b"labels") + labels + b"u."


def write_versions(root, rows=4):
    """Write both versions of a small set, whose files differ."""
    for folder in ("cifar-10-batches-bin", "cifar-10-batches-py"):
        (root / folder).mkdir(parents=True)
    for seed, name in enumerate(NAMES):
        pixels, classes = images(rows, seed)
        (root / "cifar-10-batches-py" / name).write_bytes(published_pickle(pixels, classes))
        plain = np.concatenate([classes[:, None], pixels], axis=1).tobytes()
        (root / "cifar-10-batches-bin" / f"{name}.bin").write_bytes(plain)


def test_the_stream_of_these_tests_is_a_pickle_of_numpy(tmp_path):
    pixels, classes = images(3)
    loaded = pickle.loads(published_pickle(pixels, classes), encoding="bytes")
    assert (loaded[b"data"] == pixels).all()
    assert loaded[b"labels"] == classes.tolist()


def test_both_versions_give_the_same(tmp_path):
    write_versions(tmp_path)
    plain = find_cifar10(tmp_path)
    assert [path.name for path in plain] == [f"{name}.bin" for name in NAMES]
    pickled = find_cifar10(tmp_path / "cifar-10-batches-py")
    assert [path.name for path in pickled] == NAMES
    for seed, paths in enumerate(zip(plain, pickled, strict=True)):
        for path in paths:
            found = read_cifar10(path)
            assert all((one == other).all() for one, other in zip(found, images(4, seed), strict=True))


def test_a_modern_pickle_of_the_same_is_read(tmp_path):
    """One that somebody wrote again with NumPy 2 and protocol 4."""
    pixels, classes = images(2)
    path = tmp_path / "test_batch"
    path.write_bytes(pickle.dumps({b"data": pixels, b"labels": classes.tolist()}, protocol=4))
    assert (read_cifar10(path)[0] == pixels).all()


class Calls:
    def __init__(self, function, *arguments):
        self.reduced = function, arguments

    def __reduce__(self):
        return self.reduced


@pytest.mark.parametrize(
    ("hostile", "name"),
    [
        (Calls(os.system, "touch done"), r"(posix|nt)\.system"),
        (Calls(eval, "open('done', 'w')"), r"(builtins|__builtin__)\.eval"),
        (Calls(getattr, "text", "join"), r"(builtins|__builtin__)\.getattr"),
        (np.float64(1.0), r"multiarray\.scalar"),
        (os.path.join, r"posixpath\.join"),
    ],
)
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_no_name_but_those_of_an_array(tmp_path, monkeypatch, hostile, name, protocol):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "data_batch_1"
    path.write_bytes(pickle.dumps({1: hostile}, protocol=protocol))
    with pytest.raises(InputError, match=rf"asks for .*{name}, which is no part of CIFAR-10; do not trust"):
        read_cifar10(path)
    assert [file.name for file in tmp_path.iterdir()] == ["data_batch_1"]


def test_a_stream_cannot_reserve_memory_or_recurse(tmp_path):
    """Numbers that the interpreter in C would reserve memory for, or a depth that Python cannot follow."""
    path = tmp_path / "data_batch_1"
    for stream in (
        b"\x80\2}r\xff\xff\xff\x7f.",  # a place in the memory of the stream, 2^31 - 1
        b"\x80\4B\xff\xff\xff\x7fabc.",  # a text of 2 GB that is not there
        b"\x80\4\x8e\xff\xff\xff\xff\xff\xff\xff\x7fabc.",  # one of 8 EB
        b"\x80\2" + b"]" * 20_000 + b"a" * 19_999 + b".",
        b"\x80\2",
        b"",
    ):
        path.write_bytes(stream)
        with pytest.raises(InputError, match="is no batch of CIFAR-10"):
            read_cifar10(path)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"shape": (2**31 - 1, 3072)}, "'data' are not 2 x 3,072 pixels"),
        ({"shape": (3, 3072)}, "'data' are not 2 x 3,072 pixels"),
        ({"code": b"O8"}, "'data' are not 2 x 3,072 pixels"),
        ({"code": b"u2"}, "'data' are not 2 x 3,072 pixels"),
        ({"classes": [1, 10]}, "class 10 in image 2"),
        ({"classes": [1, -1]}, "no classes of CIFAR-10"),
    ],
)
def test_arrays_of_another_form(tmp_path, options, words):
    path = tmp_path / "test_batch"
    path.write_bytes(published_pickle(images(2)[0], **{"classes": [1, 2], **options}))
    with pytest.raises(InputError, match=words):
        read_cifar10(path)


@pytest.mark.parametrize("content", [{b"data": b"pixels", b"labels": [1]}, {b"labels": [1]}, [1, 2], None, "text"])
def test_other_contents(tmp_path, content):
    path = tmp_path / "test_batch"
    path.write_bytes(pickle.dumps(content, protocol=3))
    with pytest.raises(InputError, match="is no batch of CIFAR-10"):
        read_cifar10(path)


def test_damaged_plain_files(tmp_path):
    path = tmp_path / "test_batch.bin"
    for size in (0, 3072, 3074):
        path.write_bytes(bytes(size))
        with pytest.raises(InputError, match=f"has {size:,} bytes, which is no multiple of 3,073"):
            read_cifar10(path)
    path.write_bytes(bytes([200]) + bytes(3072))
    with pytest.raises(InputError, match="class 200 in image 1"):
        read_cifar10(path)
    with path.open("wb") as file:
        file.truncate(2**40)  # sparse: no memory or disk is used
    with pytest.raises(InputError, match="1,099,511,627,776 bytes; a batch of CIFAR-10 has about"):
        read_cifar10(path)


def test_files_must_be_there(tmp_path):
    with pytest.raises(InputError, match="neither cifar-10-batches-bin nor cifar-10-batches-py; unpack an archive"):
        find_cifar10(tmp_path)
    write_versions(tmp_path)
    (tmp_path / "cifar-10-batches-bin" / "test_batch.bin").unlink()
    with pytest.raises(InputError, match=r"lacks test_batch\.bin; unpack the whole archive"):
        find_cifar10(tmp_path)
