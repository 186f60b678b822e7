"""Networks of attention alone, whose every intermediate value is a site."""
