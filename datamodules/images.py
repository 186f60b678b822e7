"""Images as tables: one column per pixel, scaled by channel, handed out as (B, C, H, W).

Shapes: N images, B images of a batch, C channels, H rows, W columns.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from ..datasets import CIFAR10_CLASSES, CIFAR10_SHAPE, data_root, find_cifar10, read_cifar10
from ..errors import InputError
from .encoding import Scale, TableEncoder
from .loading import InMemoryLoader
from .named import NamedData
from .splitting import Split, hold_out_validation, split_rows
from .table import TableDataModule
from .targets import Target

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CIFAR10", "Digits", "PixelEncoder"]


class PixelEncoder(TableEncoder):
    """Scale pixels by the mean and standard deviation of their channel over all training images.

    A pixel keeps its brightness relative to its neighbours, which a scaler of columns would take away.

    Args:
        names: Names of the pixels, channel by channel.
        channels: Number of channels C.
        scale: "standard" or "none".

    Example:
        >>> import pandas as pd
        >>> frame = pd.DataFrame([[0.0, 2.0], [2.0, 4.0]], columns=["left", "right"])
        >>> PixelEncoder(["left", "right"], 1).fit(frame, "two images").fitted["mean"]
        [2.0]
    """

    def __init__(self, names: Sequence[str], channels: int, scale: Scale = "standard") -> None:
        super().__init__(list(names), scale=scale)
        self.channels = channels

    def fit(self, frame: "pd.DataFrame", path: str) -> "PixelEncoder":
        """Fit mean and standard deviation of every channel on training images."""
        mean, deviation = [0.0] * self.channels, [1.0] * self.channels
        if self.scale == "standard":
            channels = np.split(self._pixels(frame), self.channels, axis=1)
            mean = [float(channel.mean(dtype=np.float64)) for channel in channels]
            deviation = [float(channel.std(dtype=np.float64)) or 1.0 for channel in channels]
        self.fitted = {"feature_names": self.feature_names, "mean": mean, "scale": deviation}
        return self

    def check(self, frame: "pd.DataFrame", path: str) -> None:
        """Do nothing: whoever reads images checks them."""

    def transform(self, frame: "pd.DataFrame", path: str) -> np.ndarray:
        """Scale images, float32 (N, C * H * W)."""
        pixels = self._pixels(frame).astype(np.float32)
        channels = pixels.reshape(len(pixels), self.channels, -1)  # a view
        channels -= np.array(self.fitted["mean"], np.float32)[:, None]
        channels /= np.array(self.fitted["scale"], np.float32)[:, None]
        return pixels

    def _pixels(self, frame: "pd.DataFrame") -> np.ndarray:
        return frame[self.numeric].to_numpy()


class Digits(NamedData):
    """Handwritten digits, 1,797 images of 8 x 8 pixels, 10 classes (inside scikit-learn; CC BY 4.0).

    They are by 13 writers who are not named, so a random split has each writer on both sides: a score says how well
    digits of known writers are read.

    Source: E. Alpaydin and C. Kaynak, "Optical recognition of handwritten digits", UCI Machine Learning Repository,
    1998, doi:10.24432/C50P49 (its test part).

    Args:
        images: Whether batches are images (B, 1, 8, 8), scaled by one mean and deviation over all pixels; else rows
            (B, 64), each pixel scaled by its own.
        **options: See `TableDataModule`.

    Example:
        >>> data = Digits(images=True, batch_size=32)
        >>> x, y = next(iter(data.train_dataloader()))
        >>> x.shape, y.shape, data.num_features, data.num_classes
        (torch.Size([32, 1, 8, 8]), torch.Size([32]), 64, 10)
    """

    set_name = "digits"
    image_shape = (1, 8, 8)

    def __init__(self, root: str | None = None, images: bool = False, **options: Any) -> None:
        super().__init__(root, **options)
        self.images = images

    def make_encoder(self) -> TableEncoder:
        """Return the encoder of images or of columns, not yet fitted."""
        return PixelEncoder(self.named_set.feature_names, 1, self.scale) if self.images else super().make_encoder()

    def _batches(self, tensors: list[Tensor], **options: Any) -> InMemoryLoader:
        return super()._batches(_as_images(tensors, self.image_shape) if self.images else tensors, **options)


class CIFAR10(TableDataModule):
    """60,000 colour images of 32 x 32 pixels, 10 classes, from files that are already there.

    `root` holds the unpacked archive, the "binary" or the "python version"; pickles are read without executing
    anything (see `datasets.read_cifar10`). Batches are images (B, 3, 32, 32), scaled by channel. Without `fold` the
    published 10,000 test images test, whatever `test_fraction` says; with `fold` all images are divided anew. Images
    are not augmented: published accuracies with random crops and flips are higher. Takes about 2 GB of memory.

    Source: A. Krizhevsky, "Learning multiple layers of features from tiny images", 2009,
    https://www.cs.toronto.edu/~kriz/cifar.html (no licence is stated).

    Args:
        root: Folder of the archive's folder; None takes the variable AXONLIGHT_DATA, else one in the user's cache.
        **options: See `TableDataModule`; `limit_rows` needs `limit_seed`, or there are no test images.

    Raises:
        InputError: If the files are not there, or hold something else.

    Example:
        >>> data = CIFAR10(batch_size=128)
        >>> data.num_features, data.image_shape, data.class_names[:3]
        (3072, (3, 32, 32), ['airplane', 'automobile', 'bird'])
    """

    image_shape = CIFAR10_SHAPE

    def __init__(self, root: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.root = root

    @property
    def source(self) -> str:
        """The folder of the files."""
        return f"CIFAR-10 in {data_root(self.root)}"

    @cached_property
    def target(self) -> Target:
        """The classes."""
        return Target("label", "multiclass", tuple(map(str, range(10))), names=CIFAR10_CLASSES)

    def prepare_data(self) -> None:
        """Look whether the files are there; nothing is downloaded.

        Raises:
            InputError: If they are not.
        """
        find_cifar10(data_root(self.root))

    def read(self, limit_rows: int | None = None) -> "pd.DataFrame":
        """Read the images, those of training first, or the first ones."""
        import pandas as pd

        batches = [read_cifar10(path) for path in find_cifar10(data_root(self.root))]
        self._num_training = sum(len(classes) for _, classes in batches[:-1])
        pixels, classes = (np.concatenate(parts)[:limit_rows] for parts in zip(*batches, strict=True))
        frame = pd.DataFrame(pixels, columns=pd.Index(self.encoder.numeric))
        frame[self.target.column] = classes
        return frame

    def make_encoder(self) -> TableEncoder:
        """Return the encoder of images, not yet fitted."""
        return PixelEncoder(_pixel_names(), 3, self.scale)

    def divide(self, frame: "pd.DataFrame", strata: np.ndarray | None, groups: np.ndarray | None) -> Split:
        """Return the published test images, and validation images among the others; with `fold` new parts of all.

        Raises:
            InputError: If the images in use are all of training, or all of the test.
        """
        if self.split_options.num_folds is not None:
            return split_rows(len(frame), self.split_options, strata, groups)
        of_test = frame.index.to_numpy() >= self._num_training
        if of_test.all() or not of_test.any():
            raise InputError(
                f"limit_rows is {self.limit_rows}, and none of these images {'trains' if of_test.all() else 'tests'}; "
                "give limit_seed to draw them at random"
            )
        rest = np.flatnonzero(~of_test)
        train, validation = hold_out_validation(rest, len(frame), self.split_options, strata, groups)
        return Split(train, validation, np.flatnonzero(of_test))

    def _batches(self, tensors: list[Tensor], **options: Any) -> InMemoryLoader:
        return super()._batches(_as_images(tensors, self.image_shape), **options)


def _as_images(tensors: list[Tensor], shape: tuple[int, ...]) -> list[Tensor]:
    return [tensors[0].unflatten(1, shape), *tensors[1:]]


def _pixel_names() -> list[str]:
    channels, rows, columns = CIFAR10_SHAPE
    colours = ("red", "green", "blue")[:channels]
    return [f"{colour}_{row}_{column}" for colour in colours for row in range(rows) for column in range(columns)]
