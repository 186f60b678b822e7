"""One command: fit validate test predict | inspect | data."""


def main(args: list[str] | None = None) -> int:
    """Run one verb and return its exit code."""
    raise NotImplementedError
