"""One strategy per file, each a pure function `split`."""
