"""Cox's partial likelihood with Efron's ties: value, gradient and products with its curvature, in float64.

Every operation is a few cumulative sums over patients in the order of time, so it costs O(N).

Shapes: N patients, E events, r columns of the design.
"""

import numpy as np

__all__ = ["Curvature", "PartialLikelihood"]


class PartialLikelihood:
    """The likelihood of some patients' times and events, of log hazards that are given later.

    Args:
        time: (N,).
        event: (N,) bool.

    Example:
        >>> likelihood = PartialLikelihood(np.array([1.0, 2.0, 3.0]), np.array([True, False, True]))
        >>> round(likelihood.negative_log(np.zeros(3)), 4)  # log 3 + log 1
        1.0986
    """

    def __init__(self, time: np.ndarray, event: np.ndarray) -> None:
        self.order = np.argsort(time, kind="stable")
        time, event = time[self.order], event[self.order]
        self.dead = np.flatnonzero(event)
        times = time[self.dead]
        # patients from here on are at risk
        self.first_at_risk = np.searchsorted(time, times, side="left")
        self.tie, size = np.unique(times, return_inverse=True, return_counts=True)[1:]
        self.fraction = (np.arange(len(times)) - (np.cumsum(size) - size)[self.tie]) / size[self.tie]

    def negative_log(self, log_hazard: np.ndarray) -> float:
        """Return the negative log partial likelihood of log hazards (N,)."""
        ordered = log_hazard[self.order]
        top = ordered.max(initial=0.0)
        total = self.over_risk_sets(np.exp(ordered - top))
        return float(np.sum(np.log(total) + top - ordered[self.dead]))

    def over_risk_sets(self, values: np.ndarray) -> np.ndarray:
        """Return, for each event, the sum over those at risk less its fraction of the tied events, (E,).

        Args:
            values: (N,), in the order of time.
        """
        from_here = np.cumsum(values[::-1])[::-1]
        # summed tie by tie: differences of running sums would lose small values that follow large ones
        tied = np.bincount(self.tie, values[self.dead])
        return from_here[self.first_at_risk] - self.fraction * tied[self.tie]

    def over_events(self, values: np.ndarray) -> np.ndarray:
        """Return, for each patient, the sum over the events that see the patient at risk, (N,): the transpose.

        Args:
            values: (E,).
        """
        found = np.cumsum(np.bincount(self.first_at_risk, values, minlength=len(self.order)))
        found[self.dead] -= np.bincount(self.tie, self.fraction * values)[self.tie]
        return found


class Curvature:
    """Slope and curvature of the negative log partial likelihood of a linear predictor, at one point.

    Args:
        likelihood: The likelihood.
        x: (N, r) design, in the order of time.
        log_hazard: (N,), in the order of time.
    """

    def __init__(self, likelihood: PartialLikelihood, x: np.ndarray, log_hazard: np.ndarray) -> None:
        self.likelihood, self.x = likelihood, x
        self.weight = np.exp(log_hazard - log_hazard.max(initial=0.0))
        self.total = likelihood.over_risk_sets(self.weight)
        # how many events each patient was expected to have
        self.expected = self.weight * likelihood.over_events(1 / self.total)

    def gradient(self) -> np.ndarray:
        """Return the gradient (r,)."""
        residual = self.expected.copy()
        residual[self.likelihood.dead] -= 1
        return self.x.T @ residual

    def product(self, direction: np.ndarray) -> np.ndarray:
        """Return the Hessian times a direction (r,)."""
        along = self.x @ direction
        means = self.likelihood.over_risk_sets(self.weight * along) / self.total
        shared = self.weight * self.likelihood.over_events(means / self.total)
        return self.x.T @ (self.expected * along - shared)
