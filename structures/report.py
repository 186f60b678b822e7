"""What became of the features and of the rows that annotate them."""

import logging
from dataclasses import asdict, dataclass, field
from typing import Any

from ..errors import shown

__all__ = [
    "MatchingReport",
    "log_report",
]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class MatchingReport:
    """How features, annotations and nodes matched; nothing leaves a hierarchy without being counted here.

    Args:
        num_features: Features given; without a list, all that the annotations name.
        num_annotated: Features that at least one annotation names.
        num_attached: Features that reach the hierarchy.
        unannotated: Names of features that no annotation names.
        unattached: Names of features that are annotated only to nodes that take no features.
        rows: Annotation rows of the features.
        pairs: Distinct (feature, node) pairs among them.
        rows_elsewhere: Rows of other species or namespaces that were left out.
        nodes_without_features: Nodes left out because no feature lies beneath them.
        trimmed: Nodes taken out per filter.
        relations_not_drawn: Parent-child relations between levels that the level rule cannot join.
        residual: Whether features without a place were given a residual node.

    Example:
        >>> report = MatchingReport(3, num_annotated=2, num_attached=2, unannotated=("P9",), rows=5, pairs=4)
        >>> report.duplicates
        1
        >>> print(report)
        features: 3 given, 2 annotated, 2 in the hierarchy; not annotated: P9
        annotations: 5 rows, 4 distinct pairs, 1 duplicate
    """

    num_features: int
    num_annotated: int
    num_attached: int
    unannotated: tuple[str, ...] = ()
    unattached: tuple[str, ...] = ()
    rows: int = 0
    pairs: int = 0
    rows_elsewhere: int = 0
    nodes_without_features: int = 0
    trimmed: dict[str, int] = field(default_factory=dict)
    relations_not_drawn: int = 0
    residual: bool = False

    @property
    def duplicates(self) -> int:
        """Annotation rows that repeat another."""
        return self.rows - self.pairs

    @property
    def complete(self) -> bool:
        """Whether all features are in the hierarchy and nothing was left out."""
        return self.num_attached == self.num_features and not (self.duplicates or self.relations_not_drawn)

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain data."""
        plain = asdict(self)
        return {key: list(value) if isinstance(value, tuple) else value for key, value in plain.items()}

    def __str__(self) -> str:
        features = f"features: {self.num_features:,} given, {self.num_annotated:,} annotated, "
        features += f"{self.num_attached:,} in the hierarchy"
        if self.unannotated:
            features += f"; not annotated: {shown(self.unannotated)}"
        if self.unattached:
            features += f"; annotated only to nodes that take no features: {shown(self.unattached)}"
        if self.residual:
            features += "; these are on the residual node"
        plural = "duplicate" if self.duplicates == 1 else "duplicates"
        lines = [
            features,
            f"annotations: {self.rows:,} rows, {self.pairs:,} distinct pairs, {self.duplicates:,} {plural}",
        ]
        if self.rows_elsewhere:
            lines[1] += f"; {self.rows_elsewhere:,} rows of other species or namespaces left out"
        if self.nodes_without_features:
            lines.append(f"nodes left out because no feature lies beneath them: {self.nodes_without_features:,}")
        lines += [f"nodes taken out by {name}: {count:,}" for name, count in self.trimmed.items() if count]
        if self.relations_not_drawn:
            lines.append(f"relations that the level rule cannot draw: {self.relations_not_drawn:,}")
        return "\n".join(lines)


def log_report(report: MatchingReport) -> None:
    """Log a report as one line, as a warning unless all features are in the hierarchy and nothing was left out."""
    log.log(logging.INFO if report.complete else logging.WARNING, "%s", str(report).replace("\n", "; "))
