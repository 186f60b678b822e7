"""What a column measures: several measurements of one gene or protein share its name."""

__all__ = ["entity_of"]


def entity_of(column: str) -> str:
    """Return the entity of a column: the text before the first equals sign.

    Example:
        >>> entity_of("P08603"), entity_of("P08603=present"), entity_of("TP53=mutation")
        ('P08603', 'P08603', 'TP53')
    """
    return column.partition("=")[0]
