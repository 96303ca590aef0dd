"""Adapters of language models, one file each."""
