"""The JSON object in what a language model wrote, who also writes words before it, behind it, or fences around it."""

_FENCE = "```"


def json_in(reply: str) -> str:
    """Return what stands between the first fences, or from the first brace to the last; else all of it. In one pass: a
    reply is as long as a model wants, and every other question waits meanwhile.
    """
    inside, closed, _ = reply.partition(_FENCE)[2].partition(_FENCE)
    if closed:
        return inside.removeprefix("json")
    start, end = reply.find("{"), reply.rfind("}")
    return reply[start : end + 1] if 0 <= start < end else reply
