"""What many arms cannot do is refused, with the reason, before anything is trained."""

import pytest
import torch
from arms_lab import sequences_data, small_transformer, table_data
from axonlight.errors import InputError
from axonlight.models import DenseNetwork
from axonlight.stimulation.arms import ArmData, Arms, measure_heads
from torch import nn

pytestmark = pytest.mark.xdist_group("arm_refusals")  # its fixtures are made once

SITE = "hidden_0.post"


@pytest.fixture(scope="module")
def table():
    return table_data()


def dense(**options):
    return DenseNetwork(3, 2, hidden=[6], norm="layer", **options).double()


def arms_of(protocol=None, factory=dense, **options):
    return Arms(factory, {"arm": protocol}, [0], compiled=False, **options)


class Branching(nn.Module):
    """Looks at values in Python."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 2).double()

    def forward(self, x):
        return self.linear(x) if x.mean() > 0 else self.linear(-x)


def refused(words, arms, data, **options):
    with pytest.raises(InputError) as error:
        arms.train(data, 4, evaluate_every=4, **options)
    assert words in str(error.value)
    assert arms.updates == 0


def test_dropout(table):
    refused("random numbers", arms_of(factory=lambda: nn.Sequential(nn.Dropout(0.5), nn.Linear(3, 2)).double()), table)


def test_choices_in_python(table):
    refused("values of tensors in Python", arms_of(factory=Branching), table)


@pytest.mark.parametrize(
    ("protocol", "words"),
    [
        (
            [{"target": {"site": SITE, "units": [9]}, "opsin": "silence"}],
            "arm 'arm': stimulus 1 (silence at hidden_0.post)",
        ),
        ([{"target": "nowhere", "opsin": "silence"}], "arm 'arm': stimulus 1"),
        ([{"target": SITE, "opsin": {"kind": "patch", "source": "batch"}}], "train this arm alone"),
        ([{"target": SITE, "opsin": "silence", "light": {"window": [100, 200]}}], "stimulus 1"),
        (
            [
                {
                    "target": SITE,
                    "opsin": "silence",
                    "light": {"closed_loop": {"kind": "trigger", "sensor": "metric:val/f1", "below": 0.5}},
                }
            ],
            "val/f1",
        ),
    ],
)
def test_protocols_that_do_not_fit(table, protocol, words):
    refused(words, arms_of(protocol), table)


def test_batches_without_what_the_network_takes(table):
    data = ArmData(table.read, ("input", "mask"), table.evaluators)
    refused("'mask'", arms_of(), data)


def test_unknown_evaluator_and_numbers_of_updates(table):
    with pytest.raises(InputError, match="'test'; evaluators are train"):
        arms_of().train(table, 4, evaluate_every={"test": 2})
    with pytest.raises(InputError, match="positive integer"):
        arms_of().train(table, 4, evaluate_every=0)


@pytest.mark.parametrize(
    ("protocols", "seeds", "options"),
    [({}, [0], {}), ({"a": None}, [], {}), ({"a": None}, [1, 1], {}), ({"a": None}, [0], {"runs_per_pass": 0})],
)
def test_arms_and_seeds(protocols, seeds, options):
    with pytest.raises(InputError):
        Arms(dense, protocols, seeds, **options)


def test_networks_of_other_shapes():
    sizes = iter([6, 7])
    with pytest.raises(InputError, match="differ in names or shapes"):
        Arms(lambda: DenseNetwork(3, 2, hidden=[next(sizes)]), {"a": None}, [0, 1])


def test_networks_without_parameters():
    with pytest.raises(InputError, match="no parameter"):
        arms_of(factory=nn.ReLU)


def test_runs_that_are_not_there(table):
    for arm, seed in (("other", 0), ("arm", 5)):
        with pytest.raises(InputError, match=r"arms are arm, seeds 0"):
            arms_of().network(arm, seed)


def test_files_of_other_arms(table, tmp_path):
    arms = arms_of()
    arms.train(table, 2, evaluate_every=2)
    arms.save(tmp_path / "arms.pt")
    silence = [{"target": SITE, "opsin": "silence"}]
    with pytest.raises(InputError, match="other protocols"):
        arms_of(silence).load(tmp_path / "arms.pt")
    with pytest.raises(InputError, match="other seeds"):
        Arms(dense, {"arm": None}, [1]).load(tmp_path / "arms.pt")


def test_data(table):
    with pytest.raises(InputError, match="must be ArmData"):
        ArmData.build([1, 2])
    with pytest.raises(InputError, match="batch_size is 65"):
        ArmData.from_rows(torch.zeros(64, 3), torch.zeros(64), 65)
    with pytest.raises(InputError, match="at least one evaluator"):
        ArmData(table.read, ("input",), {})


def test_heads_of_a_network_without_heads():
    with pytest.raises(InputError, match="AttentionOnlyTransformer"):
        measure_heads(dense(), {}, {})


def test_small_sequences_are_those_of_the_data_module():
    data = sequences_data()
    batch = data.read(3, 1, 4)
    assert {name: tuple(value.shape) for name, value in batch.items()} == {
        "exemplars": (3, 16, 3),
        "labels": (3, 16, 2),
        "target": (3, 16),
    }
    assert list(data.evaluators) == ["train", "relabel", "new_classes"]
    assert small_transformer()(*data.arguments({name: value[0] for name, value in batch.items()}, True)).shape == (
        16,
        5,
    )
