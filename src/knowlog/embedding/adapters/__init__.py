"""Models: one file or folder each, imported when chosen."""
