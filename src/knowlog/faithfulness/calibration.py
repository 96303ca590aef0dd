"""Features to a probability: a logistic regression over a few steps of each feature, so that it may bend.

Each feature becomes its value, cut off at the ends of what was seen, and hinges max(0, value - knot) at quantiles of
the training data; all are scaled and fitted together by Newton's method with a ridge. It is an additive model: what
each feature contributes can be read off. Nothing but numpy is needed, to fit or to use it.

Source: Hastie and Tibshirani, "Generalized Additive Models", Statistical Science 1(3), 1986.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float64]
_QUANTILES = (0.1, 0.3, 0.5, 0.7, 0.9)
_STEPS = 12
_STEADY = 1e-5


@dataclass(frozen=True, slots=True)
class Calibration:
    """A fitted model. `columns` are (feature, knot) of each hinge, knot None for the value itself."""

    features: tuple[str, ...]
    lowest: Rows
    highest: Rows
    columns: tuple[tuple[int, float | None], ...]
    coefficients: Rows
    intercept: float

    def log_odds(self, rows: Rows) -> Rows:
        """Return the logarithm of the odds for each row of features."""
        return np.asarray(self._hinges(rows) @ self.coefficients + self.intercept)

    def probability(self, rows: Rows) -> Rows:
        """Return the probability, 0 to 1, for each row of features."""
        return sigmoid(self.log_odds(rows))

    def _hinges(self, rows: Rows) -> Rows:
        return _hinges(np.clip(rows, self.lowest, self.highest), self.columns)

    def as_json(self) -> dict[str, Any]:
        """Everything there is to know, rounded to what tells."""
        return {
            "features": list(self.features),
            "lowest": _rounded(self.lowest),
            "highest": _rounded(self.highest),
            "columns": [
                [feature, None if knot is None else float(f"{knot:.5g}")] for feature, knot in self.columns
            ],
            "coefficients": _rounded(self.coefficients),
            "intercept": float(f"{self.intercept:.5g}"),
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """The inverse of `as_json`."""
        return cls(
            tuple(value["features"]),
            np.array(value["lowest"], float),
            np.array(value["highest"], float),
            tuple((feature, knot) for feature, knot in value["columns"]),
            np.array(value["coefficients"], float),
            value["intercept"],
        )


def fit(features: Sequence[str], rows: Rows, labels: NDArray[np.bool_], ridge: float) -> Calibration:
    """Fit the model to rows [n, features] and their labels. Deterministic. `ridge` counts in rows' worth of doubt."""
    lowest, highest = np.quantile(rows, 0.002, axis=0), np.quantile(rows, 0.998, axis=0)
    cut = np.clip(rows, lowest, highest)
    columns = tuple(column for number in range(rows.shape[1]) for column in _columns(number, cut[:, number]))
    hinges = _hinges(cut, columns)
    middle, spread = hinges.mean(axis=0), np.maximum(hinges.std(axis=0), 1e-9)
    weights, intercept = _newton((hinges - middle) / spread, labels.astype(float), ridge)
    coefficients = weights / spread
    return Calibration(
        tuple(features), lowest, highest, columns, coefficients, float(intercept - middle @ coefficients)
    )


def sigmoid(log_odds: Rows) -> Rows:
    """Return the probabilities of log-odds."""
    return np.asarray(1 / (1 + np.exp(-np.clip(log_odds, -30, 30))))


def _columns(number: int, values: Rows) -> list[tuple[int, float | None]]:
    if values.min() == values.max():
        return []
    knots = sorted({float(each) for each in np.quantile(values, _QUANTILES)})
    inner = [each for each in knots if values.min() < each < values.max()]
    return [(number, None), *((number, each) for each in inner)]


def _hinges(rows: Rows, columns: Sequence[tuple[int, float | None]]) -> Rows:
    return np.stack(
        [
            rows[:, number] if knot is None else np.maximum(0, rows[:, number] - knot)
            for number, knot in columns
        ],
        axis=1,
    )


def _newton(rows: Rows, labels: Rows, ridge: float) -> tuple[Rows, float]:
    """Return coefficients and intercept of the ridge regression."""
    inputs = np.column_stack([rows, np.ones(len(rows))])
    penalty = np.diag([ridge] * rows.shape[1] + [0.0])
    weights = np.zeros(inputs.shape[1])
    for _ in range(_STEPS):
        expected = sigmoid(inputs @ weights)
        slope = inputs.T @ (labels - expected) - penalty @ weights
        bend = (inputs * (expected * (1 - expected))[:, None]).T @ inputs + penalty
        step = np.linalg.solve(bend, slope)
        weights = weights + step
        if np.abs(step).max() < _STEADY:
            break
    return weights[:-1], float(weights[-1])


def _rounded(values: Rows) -> list[float]:
    return [float(f"{each:.5g}") for each in values]
