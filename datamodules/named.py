"""The named data sets: published names and sizes, known without opening a file."""

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from ..datasets import NamedSet, data_root, fetch_set, find_local, find_set, load_set, shipped_folder
from ..errors import InputError
from .encoding import TableEncoder
from .table import TableDataModule
from .targets import Target

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["BreastCancer", "Covertype", "Higgs", "NamedData", "Spambase"]


class NamedData(TableDataModule):
    """Base of the named sets: a local file under `root` if there is one, else a download by scikit-learn.

    Args:
        root: Folder of the data; the file may also lie in its sub-folder `tabular`. None takes the variable
            AXONLIGHT_DATA, else a folder in the user's cache.
        **options: See `TableDataModule`.

    Raises:
        InputError: If `root` is no folder, or an option is out of range.

    Example:
        >>> from axonlight.datamodules import Spambase
        >>> data = Spambase(batch_size=256)
        >>> isinstance(data, NamedData), data.named_set.num_rows, data.num_features
        (True, 4601, 57)
    """

    set_name: ClassVar[str]

    def __init__(self, root: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.root = root

    @property
    def named_set(self) -> NamedSet:
        """The set's entry in the catalogue."""
        return find_set(self.set_name)

    @property
    def source(self) -> str:
        """The local file, or the set's name before it is there."""
        if self.named_set.fetcher == "embedded":
            return f"{self.set_name} (in scikit-learn)"
        found = find_local(self.named_set, data_root(self.root))
        return self.set_name if found is None else str(found)

    @property
    def folders(self) -> list[Path]:
        """The folder of the data, then that of the tables that come with the package."""
        return [data_root(self.root), shipped_folder()]

    @cached_property
    def target(self) -> Target:
        """The target column, from the catalogue."""
        named = self.named_set
        task: Any = named.task
        return Target(named.target, task, named.labels, names=named.class_names)

    def prepare_data(self) -> None:
        """Fetch the set if there is no local file; Lightning calls this in one process.

        Raises:
            InputError: If there is neither a local file nor a network.
        """
        fetch_set(self.named_set, self.root)

    def read(self, limit_rows: int | None = None) -> "pd.DataFrame":
        """Read the local file, or its first rows."""
        return load_set(self.named_set, self.root, limit_rows)

    def make_encoder(self) -> TableEncoder:
        """Return the encoder, not yet fitted: every column is numeric."""
        return TableEncoder(list(self.named_set.feature_names), {}, self.missing, self.scale)


class Covertype(NamedData):
    """Forest cover type from 54 cartographic variables (UCI; 581,012 rows, CC BY 4.0).

    Source: Blackard and Dean, "Comparative accuracies of artificial neural networks and discriminant
    analysis in predicting forest cover types from cartographic variables", 1999,
    doi:10.1016/S0168-1699(99)00046-0.

    Args:
        root: Folder of the data, see `NamedData`.
        classes: "binary" is class 2 (Lodgepole Pine) against the rest; "all" are the seven cover types.
        **options: See `TableDataModule`.

    Example:
        >>> Covertype(classes="all").num_classes, Covertype().num_features
        (7, 54)
    """

    set_name = "covertype"

    def __init__(self, root: str | None = None, classes: Literal["binary", "all"] = "binary", **options: Any) -> None:
        if classes not in ("binary", "all"):
            raise InputError(f"classes is '{classes}'; it must be 'binary' or 'all'")
        super().__init__(root, **options)
        self.classes = classes

    @cached_property
    def target(self) -> Target:
        """Class 2 against the rest, or the seven cover types."""
        named = self.named_set
        if self.classes == "all":
            return Target(named.target, "multiclass", named.labels, names=named.class_names)
        return Target(named.target, "binary", named.labels, positive=("2",), names=named.class_names)


class Higgs(NamedData):
    """Signal against background in simulated collisions, 28 kinematic features (OpenML sample; CC BY 4.0).

    Source: Baldi, Sadowski and Whiteson, "Searching for exotic particles in high-energy physics with deep
    learning", 2014, arXiv 1402.4735.

    Args:
        root: Folder of the data, see `NamedData`.
        **options: See `TableDataModule`.

    Example:
        >>> Higgs().class_names
        ['background', 'signal']
    """

    set_name = "higgs"

    def __init__(self, root: str | None = None, **options: Any) -> None:
        super().__init__(root, **options)


class Spambase(NamedData):
    """Spam against other e-mail, 57 word and character frequencies (UCI; 4,601 rows, CC BY 4.0).

    391 rows repeat an earlier one: a random split puts copies on both sides, which is counted and reported.

    Source: Hopkins, Reeber, Forman and Suermondt, "Spambase", UCI Machine Learning Repository, 1999,
    doi:10.24432/C53G6X.

    Args:
        root: Folder of the data, see `NamedData`.
        **options: See `TableDataModule`.

    Example:
        >>> Spambase(split_seed=42).num_features
        57
    """

    set_name = "spambase"

    def __init__(self, root: str | None = None, **options: Any) -> None:
        super().__init__(root, **options)


class BreastCancer(NamedData):
    """Malignant (0) against benign (1) tumours, 30 features of cell nuclei (569 rows, inside scikit-learn).

    The features are ten quantities, such as the radius, each by three statistics over the nuclei of an image. The table
    `breast_cancer_measurements.csv`, which comes with the package, groups them: {reader: edges, path: that name}.

    Source: Street, Wolberg and Mangasarian, "Nuclear feature extraction for breast tumor diagnosis", 1993,
    doi:10.1117/12.148698.

    Args:
        **options: See `TableDataModule`.

    Example:
        >>> data = BreastCancer(batch_size=64, split_seed=1)
        >>> data.setup()
        >>> x, y = next(iter(data.train_dataloader()))
        >>> x.shape, y.shape
        (torch.Size([64, 30]), torch.Size([64]))
    """

    set_name = "breast_cancer"

    def __init__(self, root: str | None = None, **options: Any) -> None:
        super().__init__(root, **options)
