"""Ideal attention patterns: rows sum to 1, nobody looks ahead, and only the rows that are meant are written."""

import pytest
import torch
from axonlight.errors import InputError
from axonlight.models import Site
from axonlight.stimulation import Place, Scene
from axonlight.stimulation.opsins import CopyScores, Forbid, Induction, Match, OnlyLabels, PreviousToken

PATTERN = ("batch", "head", "query", "key")
LABELS = torch.tensor([[3, 1], [0, 2], [4, 5]])
TARGET = torch.tensor([1, 0, 5])
EXEMPLARS = torch.tensor([[7, 4, 4], [1, 2, 1], [5, 3, 3]])


def place_of(**batch: torch.Tensor) -> Place:
    return Place(Site("pattern", "pattern"), PATTERN, Scene(batch))


FULL = place_of(labels=LABELS, target=TARGET, exemplars=EXEMPLARS)


def causal_pattern(queries: int = 5, keys: int = 5) -> torch.Tensor:
    scores = torch.randn(3, 2, queries, keys)
    mask = torch.ones(keys, keys, dtype=torch.bool).tril()[keys - queries :]
    return scores.masked_fill(~mask, float("-inf")).softmax(-1)


OPSINS = [
    PreviousToken(),
    PreviousToken(0.3),
    PreviousToken(0.6, labels_only=True),
    Induction(),
    Induction(0.2),
    Match(),
    Match(temperature=0.7),
]


@pytest.mark.parametrize("opsin", OPSINS, ids=str)
@pytest.mark.parametrize("intensity", [0.3, 1.0])
@pytest.mark.parametrize("queries", [5, 1])
def test_rows_sum_to_one_and_nobody_looks_ahead(opsin, intensity, queries):
    pattern = causal_pattern(queries)
    written = opsin.value(pattern, torch.tensor(intensity), FULL)
    torch.testing.assert_close(written.sum(-1), torch.ones(3, 2, queries))
    assert (written >= 0).all()
    assert not written.triu(5 - queries + 1).any()


@pytest.mark.parametrize("opsin", [Induction(0.7), Match(), Match(temperature=1.0)], ids=str)
def test_only_the_query_row_is_written(opsin):
    pattern = causal_pattern()
    written = opsin.value(pattern, torch.ones(()), FULL)
    assert torch.equal(written[:, :, :-1], pattern[:, :, :-1])
    assert torch.equal(opsin.entries(pattern, FULL).flatten(), torch.tensor([False] * 4 + [True]))
    assert not written[:, :, -1, ::2].any()


def test_only_rows_of_labels_are_written():
    pattern = causal_pattern()
    written = PreviousToken(labels_only=True).value(pattern, torch.ones(()), FULL)
    assert torch.equal(written[:, :, ::2], pattern[:, :, ::2])
    assert torch.equal(written[0, 0, 1::2], torch.eye(5)[0::2][:2])


def test_the_last_query_alone_is_written_as_the_last_row_of_all():
    pattern = causal_pattern()
    for opsin in OPSINS:
        whole = opsin.value(pattern, torch.ones(()), FULL)
        last = opsin.value(pattern[:, :, -1:], torch.ones(()), FULL)
        assert torch.equal(whole[:, :, -1:], last)


def test_induction_looks_at_the_label_right_after_the_exemplar_of_the_class():
    row = Induction().value(causal_pattern(), torch.ones(()), FULL)[:, 0, -1]
    assert row.argmax(1).tolist() == [3, 1, 3]
    # in these sequences the exemplar before the correct label is the query's: match finds it from the inputs alone
    assert torch.equal(Match().value(causal_pattern(), torch.ones(()), FULL)[:, 0, -1], row)


def test_induction_strength_is_the_difference_of_the_weights():
    for strength in (0.0, 0.25, 0.5, 1.0):
        row = Induction(strength).value(causal_pattern(), torch.ones(()), FULL)[:, 0, -1]
        correct = torch.tensor([3, 1, 3])
        difference = row.gather(1, correct[:, None]) - row.gather(1, (4 - correct)[:, None])
        torch.testing.assert_close(difference.flatten(), torch.full((3,), 2 * strength - 1))


def test_longer_contexts_share_weights():
    labels, target = torch.tensor([[2, 4, 2, 1], [5, 6, 7, 8]]), torch.tensor([2, 0])
    place = place_of(labels=labels, target=target)
    row = Induction(0.6).value(torch.zeros(2, 1, 9, 9), torch.ones(()), place)[:, 0, -1, 1::2]
    torch.testing.assert_close(row, torch.tensor([[0.3, 0.2, 0.3, 0.2], [0.25] * 4]))


def test_match_compares_features_of_classes_where_the_batch_has_them():
    features = torch.eye(8)
    features[4] = torch.tensor([0.0, 0, 0, 0, 3, 4, 0, 0])  # cosine 0 with class 7, 0.8 with class 5
    exemplars = torch.tensor([[7, 5, 4]])
    by_number = place_of(exemplars=exemplars, features=features)
    by_value = place_of(exemplars=features[exemplars])
    pattern = torch.zeros(1, 1, 5, 5)
    row = Match(temperature=0.5).value(pattern, torch.ones(()), by_number)[0, 0, -1]
    torch.testing.assert_close(row[1::2], (torch.tensor([0.0, 0.8]) / 0.5).softmax(0))
    assert torch.equal(Match(temperature=0.5).value(pattern, torch.ones(()), by_value)[0, 0, -1], row)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_forbidden_scores_leave_no_attention_and_no_nan(dtype):
    mask = torch.ones(5, 5, dtype=torch.bool).tril()
    scores = torch.randn(3, 2, 5, 5).to(dtype).masked_fill(~mask, float("-inf"))
    for opsin in (Forbid(), OnlyLabels()):
        for intensity in (0.5, 1.0):
            written = opsin.value(scores, torch.tensor(intensity, dtype=dtype), FULL)
            pattern = written.softmax(-1)
            assert pattern.isfinite().all()
            assert not pattern.triu(1).any()
            refused = opsin.entries(scores, FULL).expand_as(pattern).clone()
            # the last resort: where all that a row could look at is forbidden, softmax takes the least forbidden
            refused[:, :, 0] = False
            assert not pattern[refused].any()
    assert torch.equal(
        OnlyLabels().value(scores, torch.ones((), dtype=dtype), FULL).softmax(-1)[0, 0, 0].argmax(), torch.tensor(0)
    )


def test_equal_context_labels_take_the_larger_score():
    scores = torch.zeros(1, 1, 5, 5)
    scores[0, 0, -1, 1::2] = torch.tensor([-2.0, 5.0])
    scene = Scene({"labels": torch.tensor([[1, 1]])}, captured={"scores": scores})
    place = Place(Site("logits", "logits"), ("batch", "unit"), scene)
    assert CopyScores("scores", 0).value(torch.ones(1, 3), torch.ones(()), place).tolist() == [[-1e9, 5.0, -1e9]]


def test_batches_that_make_no_such_sequence_are_refused():
    pattern = torch.zeros(3, 2, 7, 7)
    with pytest.raises(InputError, match=r"opsin induction needs tokens x_1 y_1 ... x_q; 2 labels make 5 tokens"):
        Induction().value(pattern, torch.ones(()), FULL)
    with pytest.raises(InputError, match="the batch has no 'target'; it has labels"):
        Induction().value(pattern, torch.ones(()), place_of(labels=LABELS))
    scene = Scene({"labels": LABELS}, captured={"scores": torch.zeros(3, 8, 5, 5)})
    logits = Place(Site("logits", "logits"), ("batch", "unit"), scene)
    with pytest.raises(InputError, match="opsin copy_scores reads head 8 of site scores"):
        CopyScores("scores", 8).value(torch.zeros(3, 6), torch.ones(()), logits)
    with pytest.raises(InputError, match="site other has not been reached when site logits reads it"):
        CopyScores("other", 0).value(torch.zeros(3, 6), torch.ones(()), logits)
