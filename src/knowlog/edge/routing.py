"""Routes that cannot forget to ask who is calling: one without a demand is refused when its module is imported."""

from collections.abc import Callable, Iterator
from typing import Any

from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.requests import Request

from knowlog.edge.demand import Demand, Open


class ScopedRoute(APIRoute):
    """A route with exactly one demand on its caller: a principal, the operator, or `Open`, with the reason why."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        """Make the route. Raises TypeError where it does not say who may call it, or says it twice."""
        super().__init__(path, endpoint, **options)
        self.demands = tuple(_demands(self.dependant))
        self._in_the_query = frozenset(_in_the_query(self.dependant))
        if len(self.demands) != 1:
            raise TypeError(
                f"{path} ({endpoint.__qualname__}) makes {len(self.demands)} demands on its caller instead of one."
                " Give it a caller (AsReader, AsEditor, AsAdmin), AS_OPERATOR, or Depends(Open('why anybody may'))."
            )

    @property
    def demand(self) -> Demand:
        """Who may call it."""
        return self.demands[0]

    def check_query(self, request: Request) -> None:
        """Raises RequestValidationError for what the address asks and nothing here reads: `?colection=` asks for all.

        Where anybody may call, others' parameters are let pass: a provider adds its own, a probe a moment.
        """
        unknown = request.query_params.keys() - self._in_the_query
        if unknown and not isinstance(self.demand, Open):
            raise RequestValidationError(
                [
                    {"type": "extra_forbidden", "loc": ("query", name), "input": name}
                    for name in sorted(unknown)
                ]
            )


def _demands(dependant: Dependant) -> Iterator[Demand]:
    """What the dependencies ask of the caller, at any depth."""
    for each in dependant.dependencies:
        if isinstance(each.call, Demand):
            yield each.call
        yield from _demands(each)


def _in_the_query(dependant: Dependant) -> Iterator[str]:
    """Names of the parameters that are read from the query, at any depth."""
    yield from (each.alias for each in dependant.query_params)
    for each in dependant.dependencies:
        yield from _in_the_query(each)
