"""`knowlog bench`: figures anyone can reproduce, measured through the HTTP API. One file per benchmark."""

import typer

from knowlog.cli.bench.answers import answers
from knowlog.cli.bench.brokers import brokers
from knowlog.cli.bench.chaos import chaos
from knowlog.cli.bench.chunk_speed import chunk_speed
from knowlog.cli.bench.chunking import chunking
from knowlog.cli.bench.documents import documents
from knowlog.cli.bench.fairness import fairness
from knowlog.cli.bench.faithfulness import faithfulness
from knowlog.cli.bench.financebench import financebench
from knowlog.cli.bench.footprint import footprint
from knowlog.cli.bench.idle import idle
from knowlog.cli.bench.ingest import ingest
from knowlog.cli.bench.injection import injection
from knowlog.cli.bench.outage import outage
from knowlog.cli.bench.overload import overload
from knowlog.cli.bench.patterns import patterns
from knowlog.cli.bench.permissions import permissions
from knowlog.cli.bench.retrieval import retrieval
from knowlog.cli.bench.scale import scale
from knowlog.cli.bench.search import search
from knowlog.cli.bench.summaries import summaries
from knowlog.cli.bench.wrapping import wrapping

bench = typer.Typer(
    help="Benchmarks. Each prints a table; --json FILE also writes the figures, the machine and the commit.",
    no_args_is_help=True,
)
for command in (
    retrieval,
    patterns,
    answers,
    chunking,
    chunk_speed,
    ingest,
    search,
    scale,
    permissions,
    documents,
    faithfulness,
    financebench,
    summaries,
    chaos,
    fairness,
    brokers,
    idle,
    footprint,
    wrapping,
    outage,
    overload,
    injection,
):
    bench.command()(command)

__all__ = ["bench"]
