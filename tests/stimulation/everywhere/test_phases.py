"""A stimulus acts in the phases that it names, and in no other."""

import pytest
import torch
from lab import SILENCE, LabTask, data_of, loader_of, network_of, trainer_of

pytestmark = pytest.mark.xdist_group("phases")  # its fixtures are made once

EVERYTHING = {"target": "readout", "opsin": {"kind": "clamp", "value": 7.0}}
UNIFORM = torch.log(torch.tensor(3.0)).item()  # cross-entropy where all logits are alike


def lazy_task():
    return LabTask(network_of(), optimizer=torch.optim.SGD, lr=0.0)


@pytest.fixture(scope="module")
def untouched(tmp_path_factory):
    task = lazy_task()
    return fitted_with_validation(tmp_path_factory.mktemp("phases"), task, None)


def fitted_with_validation(folder, task, protocol, **options):
    trainer = trainer_of(folder, protocol=protocol, **{"num_sanity_val_steps": 2, "max_epochs": 2, **options})
    trainer.fit(task, loader_of(), loader_of())
    return task


def test_sanity_check_and_validation_are_unperturbed(tmp_path, untouched):
    task = fitted_with_validation(tmp_path, lazy_task(), [EVERYTHING])
    assert task.losses == pytest.approx([UNIFORM] * 8)
    assert len(task.validated) == 2 + 2 * 4
    assert task.validated == untouched.validated


def test_validation_alone(tmp_path, untouched):
    task = fitted_with_validation(tmp_path, lazy_task(), [EVERYTHING | {"phases": ["validate"]}])
    assert task.losses == untouched.losses
    assert task.validated == pytest.approx([UNIFORM] * 10)


def test_validation_in_the_middle_of_an_epoch_leaves_training_as_it_is(tmp_path):
    pulse = [SILENCE | {"light": {"pulse": {"period": 3, "width": 1}}}]
    rare, often = (
        fitted_with_validation(tmp_path, LabTask(network_of()), pulse, val_check_interval=every) for every in (4, 1)
    )
    assert rare.losses == often.losses


@pytest.mark.parametrize(("verb", "phase"), [("validate", "validate"), ("test", "test"), ("predict", "predict")])
def test_evaluation_verbs(tmp_path, verb, phase):
    for phases, perturbed in (([phase], True), (["train"], False)):
        task, seen = lazy_task(), []
        task.network.readout.register_forward_hook(lambda _m, _i, y, seen=seen: seen.append(y.detach()))
        trainer = trainer_of(tmp_path, protocol=[EVERYTHING | {"phases": phases}])
        answer = getattr(trainer, verb)(task, loader_of(), **({} if verb == "predict" else {"verbose": False}))
        if verb == "predict":
            expected = torch.full((32, 3), 7.0) if perturbed else network_of()(data_of()[0])
            torch.testing.assert_close(torch.cat(answer), expected)
        else:
            name = {"validate": "val/loss", "test": "test/loss"}[verb]
            assert (answer[0][name] == pytest.approx(UNIFORM)) == perturbed
