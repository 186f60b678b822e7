"""The named data sets: what they hold, where they come from, and their traps."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ..errors import InputError
from . import feature_names

__all__ = ["NAMED_SETS", "NamedSet", "find_set"]


@dataclass(frozen=True)
class NamedSet:
    """A data set that can be asked for by name.

    Attributes:
        name: The name in commands and file names.
        title: What it is, in a few words.
        num_rows: Rows of the complete set, as the fetcher delivers it.
        feature_names: Names of the features, in the order of the file.
        target: Name of the target column; it is the last column of every file.
        labels: Values of the target column, in class order.
        class_names: What the labels mean, in the same order.
        files: Local file names that are looked for under the data root, the first one first.
        header: Whether the local files have a header row; None where some have and some have not.
        fetcher: `embedded`, `covtype` or `openml:ID`: where scikit-learn gets it.
        licence: Licence of the data.
        source: Where they were published.
        notes: What a user should know before using it.

    Example:
        >>> find_set("spambase").class_names
        ('not spam', 'spam')
    """

    name: str
    title: str
    num_rows: int
    feature_names: tuple[str, ...]
    target: str
    labels: tuple[str, ...]
    class_names: tuple[str, ...]
    files: tuple[str, ...]
    header: bool | None
    fetcher: str
    licence: str
    source: str
    notes: tuple[str, ...]

    @property
    def num_features(self) -> int:
        """Number of features."""
        return len(self.feature_names)

    @property
    def task(self) -> str:
        """`binary` or `multiclass`."""
        return "binary" if len(self.labels) == 2 else "multiclass"


_COVERTYPE = NamedSet(
    name="covertype",
    title="Forest cover type from cartographic variables",
    num_rows=581_012,
    feature_names=feature_names.COVERTYPE,
    target="Cover_Type",
    labels=tuple("1234567"),
    class_names=(
        "Spruce/Fir",
        "Lodgepole Pine",
        "Ponderosa Pine",
        "Cottonwood/Willow",
        "Aspen",
        "Douglas-fir",
        "Krummholz",
    ),
    files=("forest_cover.csv.gz", "forest_cover.csv", "covtype.data.gz", "covtype.data"),
    header=None,
    fetcher="covtype",
    licence="CC BY 4.0",
    source="https://archive.ics.uci.edu/dataset/31/covertype",
    notes=(
        "class 2 is Lodgepole Pine (48.8 % of the complete set), not Spruce/Fir as some code says",
        "the complete set is not in random order: its first rows are no fair sample (use limit_seed)",
    ),
)

_HIGGS = NamedSet(
    name="higgs",
    title="Higgs boson signal against background, simulated collisions",
    num_rows=98_049,
    feature_names=feature_names.HIGGS,
    target="label",
    labels=("0", "1"),
    class_names=("background", "signal"),
    files=("higgs.csv.gz", "higgs.csv"),
    header=True,
    fetcher="openml:23512",
    licence="CC BY 4.0",
    source="https://archive.ics.uci.edu/dataset/280/higgs",
    notes=(
        "the fetched set is the OpenML sample; its one row with missing cells is dropped",
        "the 11,000,000-row file of UCI has no header and the label first: use TabularData(target=0)",
    ),
)

_SPAMBASE = NamedSet(
    name="spambase",
    title="Spam against other e-mail, word frequencies",
    num_rows=4_601,
    feature_names=feature_names.SPAMBASE,
    target="label",
    labels=("0", "1"),
    class_names=("not spam", "spam"),
    files=("spambase.data.gz", "spambase.data"),
    header=False,
    fetcher="openml:44",
    licence="CC BY 4.0",
    source="https://archive.ics.uci.edu/dataset/94/spambase",
    notes=(
        "391 rows repeat an earlier row: a random split puts copies on both sides "
        "(keep_duplicates_together=true does not)",
        "the first 1,813 rows are all spam: limit_rows needs limit_seed",
    ),
)

_BREAST_CANCER = NamedSet(
    name="breast_cancer",
    title="Malignant against benign breast tumours (Wisconsin, diagnostic)",
    num_rows=569,
    feature_names=feature_names.BREAST_CANCER,
    target="diagnosis",
    labels=("0", "1"),
    class_names=("malignant", "benign"),
    files=(),
    header=None,
    fetcher="embedded",
    licence="CC BY 4.0",
    source="https://archive.ics.uci.edu/dataset/17/breast+cancer+wisconsin+diagnostic",
    notes=("ships inside scikit-learn: works offline", "class 1 is benign"),
)

_DIGITS = NamedSet(
    name="digits",
    title="Handwritten digits, 8 x 8 pixels of 17 grey levels",
    num_rows=1_797,
    feature_names=feature_names.DIGITS,
    target="digit",
    labels=tuple("0123456789"),
    class_names=tuple("0123456789"),
    files=(),
    header=None,
    fetcher="embedded",
    licence="CC BY 4.0",
    source="https://archive.ics.uci.edu/dataset/80/optical+recognition+of+handwritten+digits",
    notes=(
        "ships inside scikit-learn: works offline",
        "the test part of the UCI set, by 13 writers who are not named: a random split puts each writer on both sides",
    ),
)

NAMED_SETS: Mapping[str, NamedSet] = MappingProxyType(
    {named_set.name: named_set for named_set in (_BREAST_CANCER, _COVERTYPE, _DIGITS, _HIGGS, _SPAMBASE)}
)


def find_set(name: str) -> NamedSet:
    """Return the data set of that name.

    Raises:
        InputError: If there is none; the message suggests the nearest names.

    Example:
        >>> find_set("spambase").num_features
        57
        >>> find_set("wine")
        Traceback (most recent call last):
            ...
        axonlight.errors.InputError: no data set 'wine'; known: breast_cancer, covertype, digits, higgs, spambase
    """
    named_set = NAMED_SETS.get(name.lower().replace("-", "_"))
    if named_set is None:
        near = difflib.get_close_matches(name, NAMED_SETS, n=2)
        hint = f"did you mean {' or '.join(near)}? Known" if near else "known"
        raise InputError(f"no data set '{name}'; {hint}: {', '.join(NAMED_SETS)}")
    return named_set
