"""CIFAR-10 from a folder: its plain files, or its Python pickles, of which nothing is ever executed.

Shapes: N images of 3 x 32 x 32 pixels: the red plane, the green, the blue, each row by row.
"""

import io
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError, shown

if TYPE_CHECKING:
    import numpy as np

__all__ = ["CIFAR10_CLASSES", "CIFAR10_SHAPE", "find_cifar10", "read_cifar10"]

CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
CIFAR10_SHAPE = (3, 32, 32)

_PIXELS = 3 * 32 * 32
_BATCHES = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch")
# Name of the unpacked archive, and the end of its files' names; the plain one first.
_FORMS = (("cifar-10-batches-bin", ".bin"), ("cifar-10-batches-py", ""))
# A published batch has 31 million bytes. More than this is something else, and is not read.
_MOST_BYTES = 256 * 2**20


def find_cifar10(root: Path) -> list[Path]:
    """Return the six files of CIFAR-10 under a folder: five of training, then that of the test.

    They are looked for in `root/cifar-10-batches-bin` (the "binary version"), in `root/cifar-10-batches-py` (the
    "python version"), and in `root` itself.

    Raises:
        InputError: If neither version is there, or a file of it is missing.

    Example:
        >>> find_cifar10(Path("."))
        Traceback (most recent call last):
            ...
        axonlight.errors.InputError: no CIFAR-10 in .: neither cifar-10-batches-bin nor cifar-10-batches-py; ...
    """
    for folder, ending in _FORMS:
        for place in (root / folder, root):
            files = [place / f"{name}{ending}" for name in _BATCHES]
            absent = [file.name for file in files if not file.is_file()]
            if len(absent) < len(files):
                if absent:
                    raise InputError(f"{place} lacks {shown(absent)}; unpack the whole archive of CIFAR-10")
                return files
    names = " nor ".join(folder for folder, _ in _FORMS)
    raise InputError(
        f"no CIFAR-10 in {root}: neither {names}; unpack an archive of "
        "https://www.cs.toronto.edu/~kriz/cifar.html there"
    )


def read_cifar10(path: Path) -> "tuple[np.ndarray, np.ndarray]":
    """Read one file of CIFAR-10.

    Pickles are read by an interpreter that knows three names, those of an array of NumPy, and puts plain containers in
    their place: no function of the file's choosing runs, and none of NumPy's sees what the file holds before its type,
    shape and length are checked.

    Args:
        path: A file of `find_cifar10`.

    Returns:
        Pixels, uint8 (N, 3072), and classes, uint8 (N,).

    Raises:
        InputError: If the file holds something else.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "test_batch.bin"
        >>> _ = path.write_bytes(bytes([7]) + bytes(3072))
        >>> [values.shape for values in read_cifar10(path)]
        [(1, 3072), (1,)]
    """
    if path.stat().st_size > _MOST_BYTES:
        raise InputError(f"{path} has {path.stat().st_size:,} bytes; a batch of CIFAR-10 has about 31,000,000")
    content = path.read_bytes()
    pixels, classes = _plain(content, path) if path.suffix == ".bin" else _pickled(content, path)
    if len(classes) and classes.max() >= len(CIFAR10_CLASSES):
        row = int((classes >= len(CIFAR10_CLASSES)).argmax())
        raise InputError(f"{path} has class {int(classes[row])} in image {row + 1}; those of CIFAR-10 are 0 to 9")
    return pixels, classes


def _plain(content: bytes, path: Path) -> "tuple[np.ndarray, np.ndarray]":
    """Read rows of one class and its pixels."""
    import numpy as np

    if not content or len(content) % (_PIXELS + 1):
        raise InputError(f"{path} has {len(content):,} bytes, which is no multiple of {_PIXELS + 1:,}; it is damaged")
    rows = np.frombuffer(content, np.uint8).reshape(-1, _PIXELS + 1)
    return rows[:, 1:], rows[:, 0]


def _pickled(content: bytes, path: Path) -> "tuple[np.ndarray, np.ndarray]":
    import numpy as np

    try:
        # written by Python 2: its texts are bytes
        batch = _Interpreter(io.BytesIO(content), encoding="bytes").load()
    except _RefusedNameError as error:
        raise InputError(f"{path} asks for {error}, which is no part of CIFAR-10; do not trust this file") from error
    except Exception as error:  # whatever a hostile or damaged stream makes an interpreter stumble over
        raise InputError(
            f"{path} is no batch of CIFAR-10: it cannot be read as one ({type(error).__name__})"
        ) from error
    if not isinstance(batch, Mapping):
        raise InputError(f"{path} is no batch of CIFAR-10: it holds no table of names")
    pixels, classes = batch.get(b"data"), batch.get(b"labels")
    if not isinstance(pixels, _Array) or not isinstance(classes, list):
        raise InputError(f"{path} is no batch of CIFAR-10: it lacks the pixels 'data' or the list 'labels'")
    if not all(type(label) is int and 0 <= label < 256 for label in classes):
        raise InputError(f"{path} has labels that are no classes of CIFAR-10, 0 to 9")
    return pixels.pixels(len(classes), path), np.array(classes, dtype=np.uint8)


class _RefusedNameError(pickle.UnpicklingError):
    """A stream asks for a name beyond those of an array."""


class _Type:
    """What a stream gives in place of `numpy.dtype`: its code, such as u1."""

    def __init__(self, code: object = None, *options: object) -> None:
        self.code = code

    def __setstate__(self, state: object) -> None:
        """Take no notice of byte order: one byte has none."""


class _Array:
    """What a stream gives in place of `numpy.ndarray`: the state of an array, unread."""

    state: object = None

    def __setstate__(self, state: object) -> None:
        self.state = state

    def pixels(self, rows: int, path: Path) -> "np.ndarray":
        """Return the pixels (rows, 3072).

        Raises:
            InputError: If the state is not that of such an array.
        """
        import numpy as np

        state: Any = self.state if isinstance(self.state, tuple) and len(self.state) == 5 else (None,) * 5
        _, shape, kind, by_columns, content = state
        code = kind.code if isinstance(kind, _Type) else None
        is_fitting = shape == (rows, _PIXELS) and code in (b"u1", "u1") and not by_columns
        if not is_fitting or not isinstance(content, bytes) or len(content) != rows * _PIXELS:
            raise InputError(f"{path} is no batch of CIFAR-10: 'data' are not {rows:,} x {_PIXELS:,} pixels")
        return np.frombuffer(content, np.uint8).reshape(rows, _PIXELS)


def _array(*arguments: object) -> _Array:
    return _Array()


_KNOWN: Mapping[tuple[str, str], Callable[..., Any]] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Type,
    ("numpy.core.multiarray", "_reconstruct"): _array,
    ("numpy._core.multiarray", "_reconstruct"): _array,
}


class _Interpreter(pickle._Unpickler):
    """Python's own interpreter written in Python: the one in C reserves memory for whatever number a stream names."""

    def find_class(self, module: str, name: str) -> Any:
        """Return the stand-in for a name of NumPy's arrays.

        Raises:
            _RefusedNameError: If it is another name.
        """
        if (module, name) not in _KNOWN:
            raise _RefusedNameError(f"{module}.{name}"[:80])
        return _KNOWN[module, name]
