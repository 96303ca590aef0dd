"""Servers that share one port: whichever is asked for figures answers with those of all."""

import asyncio
from collections.abc import Iterable

import httpx
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

_TIMEOUT_S = 2.0
_MOMENTS = ("_created", "_start_time_seconds")


async def figures_beside(ports: Iterable[int], authorization: str) -> list[bytes]:
    """The figures of the servers that answer at these ports of this machine. One that does not answer has none."""
    async with httpx.AsyncClient(timeout=_TIMEOUT_S, trust_env=False) as http:
        return [
            each
            for each in await asyncio.gather(*(_figures(http, port, authorization) for port in ports))
            if each
        ]


async def _figures(http: httpx.AsyncClient, port: int, authorization: str) -> bytes:
    try:
        answer = await http.get(
            f"http://127.0.0.1:{port}/metrics",
            params={"alone": "true"},
            headers={"Authorization": authorization},
        )
    except httpx.HTTPError:
        return b""
    return answer.content if answer.is_success else b""


def added(texts: Iterable[bytes]) -> bytes:
    """The figures of several processes as one text: like ones added; of those that are moments, the earliest."""
    registry = CollectorRegistry()
    registry.register(_Added(texts))
    return generate_latest(registry)


class _Added(Collector):
    def __init__(self, texts: Iterable[bytes]) -> None:
        self._families: dict[str, Metric] = {}
        for text in texts:
            for family in text_string_to_metric_families(text.decode()):
                self._add(family)

    def _add(self, family: Metric) -> None:
        known = self._families.setdefault(family.name, family)
        if known is family:
            return
        samples = {_name(each): each for each in known.samples}
        for each in family.samples:
            samples[_name(each)] = _both(samples[_name(each)], each) if _name(each) in samples else each
        known.samples = list(samples.values())

    def collect(self) -> Iterable[Metric]:
        """Every family once (prometheus_client)."""
        return self._families.values()


def _name(sample: Sample) -> tuple[str, frozenset[tuple[str, str]]]:
    return sample.name, frozenset(sample.labels.items())


def _both(one: Sample, other: Sample) -> Sample:
    join = min if one.name.endswith(_MOMENTS) else sum
    return one._replace(value=join((one.value, other.value)))
