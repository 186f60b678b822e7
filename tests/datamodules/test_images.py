"""Images: scikit-learn's digits and CIFAR-10, scaled on training images, as images and as rows."""

import numpy as np
import pytest
import torch
from axonlight.comparison.runs import execute
from axonlight.datamodules import CIFAR10, Digits
from axonlight.errors import InputError
from sklearn.datasets import load_digits
from sklearn.preprocessing import StandardScaler

ROWS = 40  # of each of the six files


@pytest.fixture
def cifar(tmp_path):
    """A folder with a small set in plain files; the classes follow one another."""
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    generator = np.random.default_rng(0)
    for name in [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]:
        pixels = generator.integers(0, 256, (ROWS, 3072), dtype=np.uint8)
        pixels[:, :1024] //= 4  # the red plane is darker
        classes = (np.arange(ROWS) % 10).astype(np.uint8)
        (folder / f"{name}.bin").write_bytes(np.concatenate([classes[:, None], pixels], axis=1).tobytes())
    return str(tmp_path)


def every_image(data):
    return torch.cat([x for x, _ in data.predict_dataloader()])


def test_digits_are_those_of_scikit_learn():
    bunch = load_digits()
    data = Digits(scale="none")
    assert (every_image(data).numpy() == bunch.data).all()
    assert torch.cat([y for _, y in data.predict_dataloader()]).tolist() == bunch.target.tolist()
    assert data.class_names == list("0123456789")
    assert data.feature_names == list(bunch.feature_names)


def test_rows_of_digits_are_scaled_pixel_by_pixel():
    data = Digits(split_seed=1)
    raw = load_digits().data
    scaler = StandardScaler().fit(raw[data.rows.train])
    np.testing.assert_allclose(every_image(data).numpy(), scaler.transform(raw), atol=1e-6)


def test_images_of_digits_are_scaled_as_a_whole():
    data = Digits(split_seed=1, images=True)
    raw = load_digits().images
    trained = raw[data.rows.train]
    expected = (raw - trained.mean()) / trained.std()
    found = every_image(data)
    assert found.shape == (1797, 1, 8, 8)
    np.testing.assert_allclose(found[:, 0].numpy(), expected, atol=1e-6)
    assert data.duplicates_across_split == 0


def test_held_out_digits_decide_nothing(monkeypatch):
    data = Digits(split_seed=2, images=True)
    before, held_out = data.fitted_state(), [*data.rows.validation, *data.rows.test]
    frame = data.table().copy()
    frame.iloc[held_out, :64] += 5.0
    changed = Digits(split_seed=2, images=True)
    monkeypatch.setattr(changed, "read", lambda limit_rows=None: frame)
    assert changed.fitted_state() == before


def test_fitted_values_travel():
    data, other = Digits(images=True, split_seed=1), Digits(images=True, split_seed=1)
    other.load_state_dict(data.state_dict())
    assert torch.equal(every_image(data), every_image(other))
    with pytest.raises(InputError, match="fitted to 64 features and the table has 3072"):
        CIFAR10().encoder.restore(data.fitted_state())


def test_a_floor_reads_images_as_rows():
    model = {"class_path": "ClassificationTask", "init_args": {"network": "ConvolutionalNetwork"}}
    data = {"class_path": "Digits", "init_args": {"images": True, "limit_rows": 400}}
    config = {"seed_everything": 0, "model": model, "data": data, "trainer": {"max_epochs": 1}}
    result = execute({"kind": "floor", "floor": "ridge", "config": config})
    assert result.metrics["accuracy"] > 0.8


def test_cifar_tests_on_its_test_images(cifar):
    data = CIFAR10(cifar, val_fraction=0.1, split_seed=3)
    data.prepare_data()
    data.setup()
    assert data.rows.test.tolist() == list(range(5 * ROWS, 6 * ROWS))
    assert len(data.rows.validation) == 24
    assert sorted([*data.rows.train, *data.rows.validation]) == list(range(5 * ROWS))
    assert data.num_classes == 10
    x, y = next(iter(data.test_dataloader()))
    assert x.shape == (ROWS, 3, 32, 32)
    assert y.tolist() == [number % 10 for number in range(ROWS)]


def test_cifar_is_scaled_by_channel(cifar):
    plain, data = CIFAR10(cifar, scale="none"), CIFAR10(cifar)
    raw = every_image(plain).double()
    trained = raw[data.rows.train]
    expected = (raw - trained.mean((0, 2, 3), keepdim=True)) / trained.std((0, 2, 3), correction=0, keepdim=True)
    torch.testing.assert_close(every_image(data).double(), expected, atol=1e-5, rtol=0)
    assert raw[:, 0].max() < 64 < raw[:, 1].max() == 255


def test_cifar_divides_anew_with_folds(cifar):
    tested = [CIFAR10(cifar, fold=fold, num_folds=3).rows.test for fold in range(3)]
    assert sorted(np.concatenate(tested).tolist()) == list(range(6 * ROWS))


def test_part_of_cifar(cifar):
    with pytest.raises(InputError, match="limit_rows is 100, and none of these images tests; give limit_seed"):
        CIFAR10(cifar, limit_rows=100).setup()
    data = CIFAR10(cifar, limit_rows=150, limit_seed=0)
    numbers = data.table().index.to_numpy()
    assert (numbers[data.rows.test] >= 5 * ROWS).all()
    assert (numbers[data.rows.train] < 5 * ROWS).all()
    assert len(data.rows.train) + len(data.rows.validation) + len(data.rows.test) == 150


def test_cifar_must_be_there(tmp_path):
    data = CIFAR10(str(tmp_path))
    assert data.num_features == 3072
    with pytest.raises(InputError, match="no CIFAR-10 in"):
        data.prepare_data()
