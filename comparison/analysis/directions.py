"""Which way a metric points: differences are signed so that positive speaks for the first."""

__all__ = ["LOWER_IS_BETTER", "sign_of"]

LOWER_IS_BETTER = frozenset(
    {"brier_score", "calibration_error", "integrated_brier_score", "loss", "mae", "mse", "rmse"}
)


def sign_of(metric: str) -> int:
    """Return 1 where larger is better, -1 where smaller is.

    Example:
        >>> sign_of("auroc"), sign_of("rmse"), sign_of("head_2/loss")
        (1, -1, -1)
    """
    return -1 if metric.rsplit("/", 1)[-1] in LOWER_IS_BETTER else 1
