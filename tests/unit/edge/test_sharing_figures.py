"""Figures of servers that share a port, as one text."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from knowlog.edge.servers_beside import added


def figures(requests: int, open_now: int, route: str) -> bytes:
    registry = CollectorRegistry()
    Counter("asked", "Asked.", ["route"], registry=registry).labels(route).inc(requests)
    Gauge("open", "Open.", registry=registry).set(open_now)
    Histogram("took_seconds", "Took.", buckets=(1, 2), registry=registry).observe(open_now)
    return generate_latest(registry)


def values(text: bytes) -> dict[tuple[str, str], float]:
    return {
        (sample.name, ",".join(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def test_like_figures_are_added_and_others_stand_beside_each_other() -> None:
    found = values(added([figures(3, 1, "/a"), figures(4, 2, "/a"), figures(5, 7, "/b")]))
    assert found[("asked_total", "/a")] == 7
    assert found[("asked_total", "/b")] == 5
    assert found[("open", "")] == 10
    assert found[("took_seconds_bucket", "1.0")] == 1
    assert found[("took_seconds_bucket", "2.0")] == 2
    assert found[("took_seconds_count", "")] == 3


def test_one_text_stays_as_it_is() -> None:
    alone = figures(3, 1, "/a")
    assert values(added([alone])) == values(alone)


def test_of_moments_the_earliest_is_shown() -> None:
    texts = [
        f"# TYPE process_start_time_seconds gauge\nprocess_start_time_seconds {at}\n".encode()
        for at in (9, 5)
    ]
    assert values(added(texts)) == {("process_start_time_seconds", ""): 5}
