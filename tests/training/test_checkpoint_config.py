"""What a checkpoint contributes, and that a file from somewhere can do nothing else."""

import collections
import os
import pickle
import zipfile
from pathlib import Path

import pytest
import torch
from axonlight.errors import InputError
from axonlight.models import ClassificationTask, DenseNetwork
from axonlight.training.checkpoint_config import check_fit, requested_checkpoint, resolve_checkpoint, stored_config


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


FILES = {
    "base.yaml": "ckpt_path: from_base.ckpt\ntrainer: {default_root_dir: base_runs}\n",
    "none.yaml": "ckpt_path: null\n",
    "bare.yaml": "trainer: {max_epochs: 1}\n",
    "number.yaml": "ckpt_path: 5\n",
}


@pytest.mark.parametrize(
    ("arguments", "checkpoint", "root"),
    [
        ([], None, "runs"),
        (["--ckpt_path", "a.ckpt"], "a.ckpt", "runs"),
        (["--ckpt_path=a.ckpt"], "a.ckpt", "runs"),
        (["--ckpt_path=a=b.ckpt"], "a=b.ckpt", "runs"),
        (["--ckpt_path", "a.ckpt", "--ckpt_path=last"], "last", "runs"),
        (["--config", "base.yaml"], "from_base.ckpt", "base_runs"),
        (["-c", "base.yaml"], "from_base.ckpt", "base_runs"),
        (["--config=base.yaml", "--ckpt_path", "best"], "best", "base_runs"),
        (["--ckpt_path", "best", "--config=base.yaml"], "from_base.ckpt", "base_runs"),
        (["--config=base.yaml", "--config=none.yaml"], None, "base_runs"),
        (["--config=base.yaml", "--config=bare.yaml"], "from_base.ckpt", "base_runs"),
        (["--config=base.yaml", "--ckpt_path", "null"], None, "base_runs"),
        (["--config=base.yaml", "--trainer.default_root_dir=mine"], "from_base.ckpt", "mine"),
        (["--trainer.default_root_dir", "mine", "--ckpt_path", "last"], "last", "mine"),
        (["--config=number.yaml"], "5", "runs"),
        (["--config={ckpt_path: text.ckpt}"], "text.ckpt", "runs"),
        (["--ckpt_path"], None, "runs"),
        (["--config"], None, "runs"),
        (["--model.ckpt_path", "other"], None, "runs"),
    ],
    ids=str,
)
def test_the_last_mention_among_flags_and_files_counts(elsewhere, arguments, checkpoint, root):
    for name, text in FILES.items():
        (elsewhere / name).write_text(text)
    assert requested_checkpoint(["test", *arguments]) == (checkpoint, Path(root))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: [1\n", r"config 'own.yaml' is not valid YAML: line 2, column 1: "),
        (b"", r"config 'own.yaml' is empty; it must be a mapping"),
        (b"- a\n", r"config 'own.yaml' holds list"),
        (b"text\n", r"config 'own.yaml' holds str 'text'"),
        (b"a: \xff\xfe\n", r"config 'own.yaml' cannot be read"),
        (b"a: \x00\n", r"config 'own.yaml' is not valid YAML"),
        (b"!!python/object/apply:os.system ['touch ran']", r"config 'own.yaml' is not valid YAML"),
    ],
)
def test_a_config_that_is_none_is_named(elsewhere, content, message):
    (elsewhere / "own.yaml").write_bytes(content)
    with pytest.raises(InputError, match=message) as error:
        requested_checkpoint(["fit", "--config", "own.yaml"])
    assert "\n" not in str(error.value)
    assert not (elsewhere / "ran").exists()


def touch(path, seconds):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    os.utime(path, (seconds, seconds))
    return path


def test_last_and_best_are_the_newest_of_that_name(elsewhere):
    touch(elsewhere / "runs/version_0/checkpoints/best.ckpt", 10)
    touch(elsewhere / "runs/version_10/checkpoints/best.ckpt", 30)
    touch(elsewhere / "runs/version_9/checkpoints/best.ckpt", 20)
    touch(elsewhere / "runs/version_11/checkpoints/last.ckpt", 40)
    root = Path("runs")
    assert resolve_checkpoint("best", root) == Path("runs/version_10/checkpoints/best.ckpt")
    assert resolve_checkpoint("last", root) == Path("runs/version_11/checkpoints/last.ckpt")
    newer = touch(elsewhere / "runs/named/version_0/checkpoints/best.ckpt", 50)
    assert resolve_checkpoint("best", root).resolve() == newer
    newest = touch(elsewhere / "runs/checkpoints/best-v1.ckpt", 60)
    assert resolve_checkpoint("best", root).resolve() == newest


@pytest.mark.parametrize("requested", ["last", "best", "nowhere.ckpt", "", "."])
def test_no_such_checkpoint(elsewhere, requested):
    with pytest.raises(InputError, match=f"ckpt_path '?(is '{requested}'|{requested}')"):
        resolve_checkpoint(requested, Path("runs"))


def save(content, name="x.ckpt"):
    torch.save(content, name)
    return Path(name)


SETTINGS = {
    "_class_path": "axonlight.models.ClassificationTask",
    "_instantiator": "lightning.pytorch.cli.instantiate_module",
    "network": {"class_path": "axonlight.models.DenseNetwork", "init_args": {"hidden": (4, 2)}},
    "in_features": 30,
    "num_classes": 2,
    "feature_names": ["a"],
    "activation_lr": None,
}


def test_settings_become_a_config_without_what_the_data_decide():
    data = {"_class_path": "axonlight.datamodules.TabularData", "path": "x.csv", "feature_names": ["kept"]}
    path = save({"state_dict": {}, "hyper_parameters": SETTINGS, "datamodule_hyper_parameters": data})
    assert stored_config(path) == {
        "model": {
            "class_path": "axonlight.models.ClassificationTask",
            "init_args": {
                "network": {"class_path": "axonlight.models.DenseNetwork", "init_args": {"hidden": [4, 2]}},
                "activation_lr": None,
            },
        },
        "data": {
            "class_path": "axonlight.datamodules.TabularData",
            "init_args": {"path": "x.csv", "feature_names": ["kept"]},
        },
    }


def test_settings_of_python_made_tasks_are_left_to_the_config():
    assert stored_config(save({"state_dict": {}, "hyper_parameters": {"in_features": 3}})) == {}
    assert stored_config(save({"state_dict": {}})) == {}


def test_other_mappings_become_plain():
    nested = collections.OrderedDict(a=collections.OrderedDict(b=(1, 2)))
    path = save({"state_dict": {}, "hyper_parameters": {"_class_path": "x.Y", "z": nested}})
    found = stored_config(path)["model"]["init_args"]["z"]
    assert found == {"a": {"b": [1, 2]}}
    assert type(found) is type(found["a"]) is dict


class Payload:
    """Runs a command when it is unpickled."""

    def __reduce__(self):
        return os.system, ("touch ran",)


def hostile_settings():
    return save({"state_dict": {}, "hyper_parameters": {"_class_path": "x.Y", "z": Payload()}})


def hostile_top():
    return save(Payload())


def hostile_plain_pickle():
    Path("x.ckpt").write_bytes(pickle.dumps({"state_dict": {}, "z": Payload()}))
    return Path("x.ckpt")


def hostile_old_format():
    torch.save({"state_dict": {}, "z": Payload()}, "x.ckpt", _use_new_zipfile_serialization=False)
    return Path("x.ckpt")


@pytest.mark.parametrize("make", [hostile_settings, hostile_top, hostile_plain_pickle, hostile_old_format])
@pytest.mark.parametrize("read", [stored_config, lambda path: check_fit(path, torch.nn.Linear(1, 1))])
def test_a_payload_is_refused_and_never_run(elsewhere, make, read):
    path = make()
    with pytest.raises(InputError, match=r"checkpoint 'x\.ckpt' cannot be read") as error:
        read(path)
    assert not (elsewhere / "ran").exists()
    assert "\n" not in str(error.value)
    assert "weights_only" not in str(error.value)  # torch's advice would be to switch the check off


def test_the_payloads_would_run(elsewhere):
    torch.load(hostile_settings(), weights_only=False)
    assert (elsewhere / "ran").exists()


def test_the_name_in_a_payload_is_told():
    with pytest.raises(InputError, match=r"it names (posix|nt)\.system"):
        stored_config(hostile_settings())


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_truncated_file(share):
    whole = save({"state_dict": {"w": torch.ones(1000)}}).read_bytes()
    Path("x.ckpt").write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(InputError, match=r"checkpoint 'x\.ckpt' cannot be read: "):
        stored_config(Path("x.ckpt"))


def text_file():
    Path("x.ckpt").write_text("no checkpoint\n")


def other_archive():
    with zipfile.ZipFile("x.ckpt", "w") as archive:
        archive.writestr("a.txt", "b")


@pytest.mark.parametrize("make", [text_file, other_archive])
def test_files_of_other_kinds(make):
    make()
    with pytest.raises(InputError, match=r"checkpoint 'x\.ckpt' cannot be read: "):
        stored_config(Path("x.ckpt"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1], "is not a checkpoint of a run"),
        ({"weights": {}}, "holds no 'state_dict'"),
        ({"state_dict": 3}, "holds no 'state_dict'"),
        ({"state_dict": {}, "hyper_parameters": "text"}, "holds no settings in its 'hyper_parameters'"),
        ({"state_dict": {}, "hyper_parameters": {"a": torch.ones(1)}}, "holds a Tensor as model.a"),
        ({"state_dict": {}, "datamodule_hyper_parameters": {"a": [1j]}}, "holds a complex as data.a"),
    ],
)
def test_what_is_no_checkpoint_of_a_run(content, message):
    with pytest.raises(InputError, match=message):
        stored_config(save(content))


def task(hidden, names=None):
    def network(inputs, outputs):
        return DenseNetwork(inputs, outputs, hidden=hidden)

    return ClassificationTask(network, in_features=3, feature_names=names)


def test_a_checkpoint_that_fits():
    model = task([4])
    assert check_fit(save({"state_dict": model.state_dict()}), model) is None


@pytest.mark.parametrize(
    ("hidden", "message"),
    [
        ([5], r"network.layers.0.weight is of shape \(4, 3\) in the checkpoint and of shape \(5, 3\) in the network"),
        ([4, 4], r"is absent in the checkpoint|and \d+ more"),
    ],
)
def test_a_checkpoint_of_another_shape(hidden, message):
    path = save({"state_dict": task([4]).state_dict()})
    with pytest.raises(InputError, match=message):
        check_fit(path, task(hidden))


@pytest.mark.parametrize(
    ("stored", "message"),
    [(["a", "b", "x"], "the first difference is 'x' against 'c'"), (["a", "b"], "on 2 features and the data have 3")],
)
def test_a_checkpoint_of_other_features(stored, message):
    model = task([4], ["a", "b", "c"])
    path = save({"state_dict": model.state_dict(), "hyper_parameters": {"feature_names": stored}})
    with pytest.raises(InputError, match=message):
        check_fit(path, model)
