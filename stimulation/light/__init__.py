"""When light shines, and how strongly."""
