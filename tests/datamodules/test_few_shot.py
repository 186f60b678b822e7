"""Few-shot sequences: the finite set, the stream, the splits, files of features, resuming."""

import numpy as np
import pytest
import torch
from axonlight.datamodules import FewShotSequences
from axonlight.datamodules.few_shot.features import synthetic_features
from axonlight.datamodules.few_shot.loader import SequenceLoader
from axonlight.datamodules.few_shot.sequences import BLOCK, SequenceSet, SequenceStream, split_label_pairs
from axonlight.errors import InputError

h5py = pytest.importorskip("h5py")


def keys(batch):
    """Return each sequence as a tuple x_a y_a x_b y_b x_q."""
    columns = [batch.exemplars[:, 0], batch.labels[:, 0], batch.exemplars[:, 1], batch.labels[:, 1]]
    return list(zip(*(column.tolist() for column in [*columns, batch.exemplars[:, 2]]), strict=True))


def test_the_finite_set_holds_every_sequence_once():
    data = FewShotSequences()
    assert len(data.training_set) == 50 * 49 * 16 * 2 == 78_400
    batch = data.training_set[torch.arange(78_400)]
    pairs = {tuple(pair) for pair in data.train_pairs.tolist()} | {tuple(p[::-1]) for p in data.train_pairs.tolist()}
    expected = {
        (a, y, b, z, q) for a in range(50) for b in range(50) if a != b for y, z in pairs for q in (a, b)
    }  # fmt: skip
    assert set(keys(batch)) == expected
    correct = torch.where(batch.exemplars[:, 2] == batch.exemplars[:, 0], batch.labels[:, 0], batch.labels[:, 1])
    assert torch.equal(batch.target, correct)


@pytest.mark.parametrize(("labels", "train", "held_out"), [(5, 8, 2), (10, 36, 9), (15, 84, 21)])
def test_label_pairs_are_split_as_published(labels, train, held_out):
    kept, left_out = (set(map(tuple, pairs.tolist())) for pairs in split_label_pairs(labels, seed=3))
    assert (len(kept), len(left_out)) == (train, held_out)
    assert not kept & left_out
    assert len(kept | left_out) == labels * (labels - 1) // 2
    assert split_label_pairs(labels, seed=4)[1].tolist() != split_label_pairs(labels, seed=3)[1].tolist()


def test_evaluators_hold_what_training_never_shows():
    data = FewShotSequences()
    train, relabel, new = (data.evaluation(name) for name in data.evaluators)
    unordered = [{frozenset(pair) for pair in batch.labels.tolist()} for batch in (train, relabel, new)]
    assert unordered[0] == unordered[2] == {frozenset(pair) for pair in data.train_pairs.tolist()}
    assert unordered[1] == {frozenset(pair) for pair in data.held_out_pairs.tolist()}
    assert max(train.exemplars.max(), relabel.exemplars.max()) == 49
    assert (int(new.exemplars.min()), int(new.exemplars.max())) == (50, 149)
    assert [len(batch.target) for batch in (train, relabel, new)] == [1000] * 3
    assert keys(data.evaluation("train")) == keys(train) != keys(data.evaluation("train", seed=2))
    loaders = data.val_dataloader()
    assert [keys(next(iter(loader))) for loader in loaders] == [keys(batch) for batch in (train, relabel, new)]
    assert keys(next(iter(data.test_dataloader()[0]))) != keys(train)


def test_the_number_of_training_classes_leaves_the_new_ones_as_they_are():
    small, large = FewShotSequences(train_classes=50), FewShotSequences(train_classes=200)
    assert torch.equal(small.features[50:], large.features[200:])
    assert torch.equal(small.train_features, large.train_features[:50])
    everything = {tuple(row) for row in large.features.tolist()}
    assert len(everything) == 300


def test_features_are_drawn_as_documented():
    features = synthetic_features(400, 512, seed=5).double()
    assert features.min() >= 0
    # |o| + |e|: mean 2 sqrt(2 / pi), variance over classes that of |e|
    assert features.mean().item() == pytest.approx(2 * (2 / np.pi) ** 0.5, rel=0.03)
    assert features.var(dim=0).mean().item() == pytest.approx(1 - 2 / np.pi, rel=0.02)
    assert not torch.equal(features, synthetic_features(400, 512, seed=6).double())


def test_the_stream_depends_on_seed_and_place_alone():
    sequences = FewShotSequences().training_set
    stream = SequenceStream(sequences, seed=1)
    whole = keys(stream.read(0, 2 * BLOCK))
    again = SequenceStream(sequences, seed=1)
    for start in (BLOCK + 7, BLOCK - 16, 0, 2 * BLOCK - 32):
        assert keys(again.read(start, start + 32)) == whole[start : start + 32]
    assert keys(SequenceStream(sequences, seed=2).read(0, 32)) != whole[:32]
    counts = torch.bincount(stream.read(0, BLOCK).exemplars[:, 2], minlength=50)
    assert counts.float().std() < 3 * (BLOCK / 50) ** 0.5  # uniform over classes


def test_an_epoch_goes_on_where_the_last_one_ended():
    data = FewShotSequences(epoch_sequences=256, stream_seed=4)
    loader = data.train_dataloader()
    epochs = []
    for epoch in range(2):
        loader.set_epoch(epoch)
        epochs.append([keys(batch) for batch in loader])
    assert [len(epoch) for epoch in epochs] == [8, 8]
    assert [key for epoch in epochs for batch in epoch for key in batch] == keys(data.stream(4).read(0, 512))


@pytest.mark.parametrize("updates", [1, 4])
def test_a_saved_position_is_returned_to(updates):
    def loader():
        return SequenceLoader(FewShotSequences().stream(0), 32, updates, 16)

    first = loader()
    first.set_epoch(3)
    expected = [keys(batch) for batch in first]
    interrupted = loader()
    interrupted.set_epoch(3)
    iterator = iter(interrupted)
    seen = [keys(next(iterator)) for _ in range(2)]
    resumed = loader()
    resumed.load_state_dict(interrupted.state_dict())
    resumed.set_epoch(3)
    assert seen + [keys(batch) for batch in resumed] == expected
    resumed.set_epoch(4)
    assert len(list(resumed)) == 16 // updates


def test_ranks_share_every_update():
    stream = FewShotSequences().stream(0)
    whole = next(iter(SequenceLoader(stream, 32, 2, 16)))
    parts = [next(iter(SequenceLoader(stream, 32, 2, 16, rank=rank, world_size=2))) for rank in range(2)]
    rows = [keys(part) for part in parts]
    assert keys(whole) == rows[0][:16] + rows[1][:16] + rows[0][16:] + rows[1][16:]


def write_features(path, shape=(12, 3, 4), key="features", dtype=np.float32):
    values = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    with h5py.File(path, "w") as file:
        file[key] = values
    return values


def test_features_come_from_a_file(tmp_path):
    values = write_features(tmp_path / "omniglot.h5")
    data = FewShotSequences(str(tmp_path / "omniglot.h5"), train_classes=6, new_classes=4, exemplar=2)
    assert (data.num_features, data.available_classes) == (4, 12)
    rows = {tuple(row) for row in values[:, 2].tolist()}
    assert data.features.shape == (10, 4)
    assert {tuple(row) for row in data.features.tolist()} <= rows
    assert data.features.dtype == torch.float32


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"features": "nowhere.h5"}, "features is 'nowhere.h5', which is no file"),
        ({"features": "text.h5"}, "text.h5 is no HDF5 file"),
        ({"features": "good.h5", "features_key": "x"}, "good.h5 has no data set 'x'; it has features"),
        ({"features": "flat.h5"}, "has shape (12, 4) and type float32; it must hold numbers of shape"),
        (
            {"features": "good.h5", "train_classes": 6, "new_classes": 4, "exemplar": 3},
            "exemplar is 3, but good.h5 has 3",
        ),
        ({"features": "nan.h5", "train_classes": 6, "new_classes": 4}, "holds values that are not finite"),
        ({"features": "good.h5", "train_classes": 10, "new_classes": 4}, "at most the 12 classes that there are"),
        ({"train_classes": 1}, "train_classes is 1"),
        ({"num_labels": 2}, "num_labels is 2; 3 or more are needed"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"epoch_sequences": 100}, "epoch_sequences is 100; it must be a multiple of batch_size 32"),
    ],
)
def test_refusals(options, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_features("good.h5")
    write_features("flat.h5", (12, 4))
    with h5py.File("nan.h5", "w") as file:
        file["features"] = np.full((12, 3, 4), np.nan)
    (tmp_path / "text.h5").write_text("no features")
    with pytest.raises(InputError) as caught:
        FewShotSequences(**options).setup("fit")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_refusals_of_the_loader():
    stream = FewShotSequences().stream(0)
    with pytest.raises(InputError, match=r"16 updates, which is no whole number of steps of 3 \(updates_per_step\)"):
        SequenceLoader(stream, 32, 3, 16)
    with pytest.raises(InputError, match="batch_size is 32, which 3 devices cannot share evenly"):
        SequenceLoader(stream, 32, 1, 16, world_size=3)
    state = SequenceLoader(stream, 32, 1, 16).state_dict()
    with pytest.raises(InputError, match="written with batch_size 32; it cannot go on with 16"):
        SequenceLoader(stream, 16, 1, 16).load_state_dict(state)
    with pytest.raises(InputError, match="evaluator 'old' is unknown; it must be one of train, relabel, new_classes"):
        FewShotSequences().evaluation("old")
    assert len(SequenceSet(range(3), torch.tensor([[0, 1]]))) == 3 * 2 * 2 * 2
