"""`knowlog domains`: domains of the tenant's own, at which its address is."""

from typing import Annotated, Any
from urllib.parse import quote

import typer

from knowlog.cli.connection import connect
from knowlog.cli.options import AsJson, Key, Url
from knowlog.cli.output import emit, out, say, show, table

app = typer.Typer(help="Domains of your own: add, verify, list, show, remove.", no_args_is_help=True)
TheDomain = Annotated[str, typer.Argument(help="The domain, such as docs.example.com.")]


@app.command()
def add(domain: TheDomain, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Say that a domain is your tenant's. Prints where to place the token that proves it."""
    with connect(url, key) as client:
        emit(client.post("/v1/domains", {"domain": domain}), as_json, _render)


@app.command()
def verify(domain: TheDomain, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Look for the token in DNS and on the domain's web server. Once found, the domain leads to your tenant."""
    with connect(url, key) as client:
        emit(client.post(f"{_address(domain)}/proof"), as_json, _render)


@app.command("list")
def list_domains(url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """List the tenant's domains."""
    with connect(url, key) as client:
        emit(client.get("/v1/domains"), as_json, _render_list)


@app.command("show")
def show_domain(domain: TheDomain, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Show one domain, and where its proof is looked for."""
    with connect(url, key) as client:
        emit(client.get(_address(domain)), as_json, _render)


@app.command()
def remove(domain: TheDomain, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Give a domain up. It leads to your tenant no longer."""
    with connect(url, key) as client:
        client.delete(_address(domain))
    emit({"removed": domain}, as_json, lambda _: say(f"{domain} leads to your tenant no longer."))


def _render(found: dict[str, Any]) -> None:
    domain, prove = found["domain"], found["prove"]
    if domain["proven_at"]:
        say(f"{domain['domain']} is proven, and leads to your tenant.")
        return
    say(
        f"{domain['domain']} is not proven yet. Place the token in one of these, then run `knowlog domains verify`:"
    )
    out.print(f"  {prove['dns']['name']} TXT {prove['dns']['value']}", markup=False)
    out.print(f"  {prove['http']['url']} with {prove['http']['value']}", markup=False)
    if domain["problem"]:
        say(f"Found instead: {domain['problem']}")


def _render_list(listed: dict[str, Any]) -> None:
    rows = (
        [each["domain"], each["proven_by"] or "not proven", each["proven_at"], each["checked_at"]]
        for each in listed["items"]
    )
    show(table(("Domain", "Proven by", "Since", "Last looked"), rows))


def _address(domain: str) -> str:
    return f"/v1/domains/{quote(domain, safe='')}"
