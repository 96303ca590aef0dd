"""knowlog: documents and live events go in; answers with checkable citations come out."""

__version__ = "0.1.0"
