"""The examples on users' own models: they run, and light does there what they say."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
if not EXAMPLES.is_dir():
    pytest.skip("examples are not installed with the package", allow_module_level=True)
sys.path.insert(0, str(EXAMPLES))
import silence_a_pathway as pathway  # noqa: E402
import stimulate_a_cnn as cnn  # noqa: E402
import stimulate_a_transformer_encoder as encoder  # noqa: E402
from axonlight.callbacks import Optogenetics, read_activations  # noqa: E402
from axonlight.cli import main  # noqa: E402
from axonlight.errors import RunError  # noqa: E402
from axonlight.stimulation import Clock, Conductor, Protocol  # noqa: E402

sys.path.remove(str(EXAMPLES))

pytestmark = [
    pytest.mark.filterwarnings("ignore:You defined a `validation_step` but have no `val_dataloader`"),
    pytest.mark.filterwarnings("ignore:The .* does not have many workers"),
    # the examples call the fast path of torch's own encoder on purpose
    pytest.mark.filterwarnings("ignore:enable_nested_tensor is True"),
    pytest.mark.xdist_group("own_models"),  # its fixtures are made once
]


def accuracies(text):
    parts = [line.split(": accuracy ") for line in text.splitlines() if ": accuracy " in line]
    return {name: [float(word) for word in words.split()] for name, words in parts}


def test_channels_of_a_cnn(capsys):
    cnn.main(["--epochs", "2", "--seeds", "2"])
    found = accuracies(capsys.readouterr().out)
    assert min(found["left alone"]) > 0.8
    assert np.mean(found["silent in the test"]) < np.mean(found["silent throughout"])


def test_silent_channels_are_those_of_zero_weights(capsys):
    torch.manual_seed(0)
    digits, (_, test) = cnn.Digits(), cnn.loaders()
    x = next(iter(test))[0]
    trainer = cnn.Trainer(accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False)
    trainer.callbacks.append(Optogenetics([{**cnn.SILENCE, "phases": ["test"]}], show=False))
    seen = []
    digits.model.classifier.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    trainer.test(digits, test, verbose=False)
    plain = digits.eval().model.features(x).detach()
    plain[:, :8] = 0
    torch.testing.assert_close(seen[0], plain.flatten(1))


def test_parts_of_an_encoder(capsys):
    encoder.main(["--steps", "22", "--seeds", "1"])
    assert list(accuracies(capsys.readouterr().out)) == [
        "left alone",
        "attention silent",
        "attention silent in the test",
        "hidden units driven for a while",
    ]


def test_without_attention_a_number_knows_nothing_of_the_others():
    torch.manual_seed(0)
    module, x = encoder.Nearest().eval(), torch.randn(1, encoder.NUMBERS)
    conductor = Conductor(Protocol.build(encoder.SILENT), module, 0)
    conductor.install()
    other = x.clone()
    other[0, 0] += 1.0
    changes = []
    for phase in ("predict", "test"):  # the first is none of its phases
        conductor.begin(Clock(phase=phase), {"input": x})
        changes.append(float((module(x) - module(other)).detach().abs().max()))
    conductor.remove()
    assert changes[0] > 1e-3
    assert changes[1] == 0


def test_a_projection_of_an_encoder_never_fires():
    with pytest.raises(RunError, match="calls its projections as functions"):
        encoder.accuracy(0, 2, [{"target": "model.layers.0.self_attn.out_proj", "opsin": "silence"}])


def test_the_fused_path_is_left_when_something_within_is_stimulated():
    torch.manual_seed(0)
    module = encoder.Nearest().eval()
    x = torch.randn(3, encoder.NUMBERS)
    with torch.no_grad():
        fused = module(x)
        calls = []
        hook = module.model.layers[0].linear1.register_forward_hook(lambda *_: calls.append(1))
        ordinary = module(x)
        hook.remove()
    assert calls == [1]
    torch.testing.assert_close(fused, ordinary, rtol=1e-4, atol=1e-5)


@pytest.fixture(scope="module")
def runs():
    return pd.DataFrame([row for seed in range(2) for row in pathway.run_seed(seed, epochs=2)])


def test_every_comparison_has_its_arms(runs, tmp_path):
    found = pathway.compare(runs)
    assert list(found) == list(pathway.COMPARISONS)
    sham = runs[runs["trained"] == "sham"]["loss"].to_numpy()
    free = runs[(runs["trained"] == "free") & (runs["tested"] == "free")]["loss"].to_numpy()
    np.testing.assert_array_equal(sham, free)
    silenced = runs[(runs["trained"] == "free") & (runs["tested"] == "silenced")]["loss"].to_numpy()
    assert (silenced != free).all()
    pathway.write(runs, tmp_path)
    assert len((tmp_path / "table.md").read_text().splitlines()) == 10 + 1 + 10
    assert (tmp_path / "silence_a_pathway.png").stat().st_size > 10_000


def test_the_release_is_at_half_time():
    protocols = pathway.protocols_of(0, 4)
    assert protocols["released"].stimuli[0].light.until == 14
    assert protocols["random"].stimuli[0].target.units != protocols["silenced"].stimuli[0].target.units
    assert pathway.at_test(protocols["random"]).stimuli[0].phases == ("test",)


def test_the_shipped_config(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["fit", "--config", "stimulation/silence_pathway.yaml", "--trainer.max_epochs", "2"]) == 0
    table = read_activations(tmp_path / "runs" / "version_0")
    worst = table["name"] == "worst"
    assert table[worst]["step"].tolist() == [0, 10]
    assert (table[worst]["mean"] == 0).all()
    assert (table[~worst]["std"] > 0).all()
