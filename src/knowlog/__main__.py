"""`python -m knowlog` is the command `knowlog`."""

from knowlog.cli import main

main()
