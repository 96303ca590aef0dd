"""What identifies an embedding."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EmbeddingProfile:
    """What made a vector. Vectors of two profiles are never compared with each other.

    `key` names model, weights, arithmetic and window: profiles with the same key give a text the same vector,
    up to the rounding of different CPUs.
    `window_tokens` is how much of a text the model sees, its special tokens included; the rest is cut off.
    """

    name: str
    dimensions: int
    window_tokens: int
    key: str
