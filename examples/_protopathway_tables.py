"""What is known of published figures, and what is said of the budget."""

from _protopathway_arms import BUDGET, SEEDS

__all__ = ["BUDGET_TEXT", "PUBLISHED", "RERUNS"]

BUDGET_TEXT = (
    f"AdamW, learning rate {BUDGET.learning_rate:g}, weight decay {BUDGET.weight_decay:g}, batches of "
    f"{BUDGET.batch_size}, {BUDGET.epochs} epochs, {SEEDS} seeds; the last weights are scored."
)
# Model, then BLCA OS, BLCA DSS, STAD OS, STAD DSS; slides are real ones, and the epoch is the best on the test fold
# where that is known.
PUBLISHED = (
    ("ProtoPathway (UNI2-h; quoted second-hand; best epoch)", ".646", "", "", ""),
    ("SurvPath, MMP, MCAT (as quoted there)", "", ".625, .635, .598", "", ""),
)
RERUNS = (
    ("SurvPath, official code, 3 seeds, 20 epochs, last weights", "", ".594 ± .012", "", ".587 ± .008"),
    ("two-layer MLP, 4,999 genes, the same protocol", "", ".611", "", ".532"),
    ("SNN, the same protocol", "", ".590", "", ".549"),
    ("ABMIL on UNI2-h slides, the same protocol", "", ".566", "", ".553"),
)
