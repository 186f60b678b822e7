"""What a network costs and what it gains by it."""

__all__: list[str] = []
