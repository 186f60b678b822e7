"""A run that died within a pulse and was resumed is the run that was not, bit by bit; another protocol is refused."""

import pytest
import torch
from axonlight.callbacks import Optogenetics, StepSeed
from axonlight.datamodules import InMemoryLoader
from axonlight.errors import InputError
from lab import BATCH, PULSED, SILENCE, LabTask, assert_same, data_of, fitted, network_of, weights
from lightning.pytorch import seed_everything
from lightning.pytorch.callbacks import ModelCheckpoint

# Lit at steps 4 to 7 of 12; the checkpoint is that of step 6.
PULSE = {"pulse": {"period": 8, "width": 4, "delay": 4}}
MEMORIES = {
    "pulse": PULSED | {"light": PULSE},
    "kinetics": {
        "target": "activation",
        "opsin": {
            "kind": "drive",
            "amount": 2.0,
            "kinetics": {"rise": 2.0, "decay": 3.0, "desensitisation": 4.0, "plateau": 0.4},
        },
        "light": PULSE,
    },
    "noise": {"target": "activation", "opsin": {"kind": "noise", "sigma": 1.0}, "light": PULSE},
    "interleaved": SILENCE | {"light": {**PULSE, "probability": 0.5}},
    "trigger": SILENCE
    | {"light": {"closed_loop": {"kind": "trigger", "sensor": "loss", "below": 1.2, "hold": 3, "refractory": 2}}},
    "controller": {
        "target": "activation",
        "opsin": {"kind": "drive", "amount": 1.0},
        "light": {
            "closed_loop": {
                "kind": "pi",
                "sensor": "statistic:hidden:mean",
                "setpoint": 0.5,
                "kp": 1.0,
                "ki": 0.5,
                "minimum": 0.0,
                "maximum": 3.0,
            }
        },
    },
    "running mean": {"target": "activation", "opsin": {"kind": "clamp", "value": "mean"}, "light": PULSE},
}


def run(folder, protocol, dies_at=None, resume=None, **options):
    seed_everything(5, verbose=False)
    task = LabTask(network_of(dropout=0.2))
    task.fail_at = None if dies_at is None else (dies_at, RuntimeError("power cut"))
    saved = ModelCheckpoint(folder, filename="{step}", every_n_train_steps=3, save_top_k=-1)
    callback = protocol if isinstance(protocol, Optogenetics) else Optogenetics(protocol)
    settings = {"max_epochs": 3, "enable_checkpointing": True, **options}
    # a loader that knows how far it came: the checkpoint is one from the middle of an epoch
    settings["loader"] = InMemoryLoader(data_of(), BATCH, shuffle=True)
    return fitted(folder, StepSeed(), saved, protocol=callback, task=task, resume=resume, **settings)


@pytest.mark.parametrize("name", MEMORIES)
def test_resumed_in_mid_pulse_equals_uninterrupted(tmp_path, name):
    callback, resumed = (Optogenetics([MEMORIES[name]]) for _ in range(2))
    whole = run(tmp_path / "whole", callback)
    with pytest.raises(RuntimeError, match="power cut"):
        run(tmp_path / "broken", [MEMORIES[name]], dies_at=8)
    rest = run(tmp_path / "broken", resumed, resume=tmp_path / "broken" / "step=6.ckpt")
    assert rest.losses == whole.losses[6:]
    assert_same(weights(rest), weights(whole))
    assert resumed.conductor.record.to_dict() == callback.conductor.record.to_dict()


def test_without_its_memory_a_resumed_run_would_differ(tmp_path):
    """What the comparison above rests on: the memory of the light is in the checkpoint, and it matters."""
    whole = run(tmp_path / "whole", [MEMORIES["kinetics"]])
    path = tmp_path / "whole" / "step=6.ckpt"
    checkpoint = torch.load(path, weights_only=True)
    keys = [key for key in checkpoint["callbacks"] if key.startswith("Optogenetics")]
    assert len(keys) == 1
    del checkpoint["callbacks"][keys[0]]
    torch.save(checkpoint, tmp_path / "forgot.ckpt")
    rest = run(tmp_path / "forgot", Optogenetics([MEMORIES["kinetics"]], force=True), resume=tmp_path / "forgot.ckpt")
    assert rest.losses != whole.losses[6:]


OTHER = [SILENCE | {"light": {"window": [0, 3]}}]


def test_another_protocol_is_refused_unless_forced(tmp_path):
    run(tmp_path, [PULSED])
    path = tmp_path / "step=6.ckpt"
    with pytest.raises(InputError, match="protocol") as refusal:
        run(tmp_path / "other", OTHER, resume=path)
    hashes = [Optogenetics(protocol).protocol.hash for protocol in ([PULSED], OTHER)]
    assert all(text in str(refusal.value) for text in (*hashes, "force"))
    forced = run(tmp_path / "forced", Optogenetics(OTHER, force=True), resume=path)
    assert len(forced.losses) == 6
    assert all(gradients["heads.0.weight"].any() for gradients in forced.gradients)  # the other protocol's dark steps


def test_the_same_protocol_written_otherwise_is_the_same(tmp_path):
    run(tmp_path, [PULSED])
    again = {
        **PULSED,
        "name": "silence",
        "gradient": "block",
        "light": {"pulse": {"width": 2, "delay": 1, "period": 3.0}},
    }
    assert len(run(tmp_path / "again", [again], resume=tmp_path / "step=6.ckpt").losses) == 6
