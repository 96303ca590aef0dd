"""What a question costs, in the unit in which language models are paid."""


def reading_cost(tokens: int, price_per_million: float) -> float:
    """What it costs to have a language model read so many tokens, in the currency of the price.

    The tokens are those of the passages that an answer is made from, counted as the embedding model counts; a quotation
    made offline costs nothing, and the figure says what the same passages would cost elsewhere.
    """
    return tokens * price_per_million / 1_000_000
