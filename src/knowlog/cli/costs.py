"""What having documents cut by a language model will cost, told before it is asked."""

from typing import TYPE_CHECKING, Any

import typer

from knowlog.cli.output import say
from knowlog.kernel.wording import counted

if TYPE_CHECKING:
    from knowlog.cli.client import Client

_MOST_COUNTED = 100_000
_BYTES_PER_TOKEN = 4  # of English text; a little more for files that hold other things than text


def confirm_cost(client: "Client", collection: dict[str, Any], extent: str, question: str, yes: bool) -> None:
    """Say what cutting the documents of a collection by a language model will send to it, and wait for a yes.

    `extent` says in a sentence of its own what else there is to know of how much that is.
    """
    address = f"/v1/collections/{collection['collection_id']}/documents"
    listed = client.listed(address, _MOST_COUNTED)["items"]
    tokens = sum(each["size_bytes"] for each in listed) // _BYTES_PER_TOKEN
    say(
        f"{counted(len(listed), 'document')} will be sent to the language model that this installation names, about"
        f" {tokens:,} tokens and a quarter more for what is shown twice. {extent}"
    )
    if listed and not yes:
        typer.confirm(question, abort=True, err=True)
