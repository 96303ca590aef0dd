"""Language models that name boundaries."""
