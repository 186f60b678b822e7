"""Every form of activation spec, from flags and from YAML, through fit, the saved config and the checkpoint."""

import pytest
import yaml
from axonlight.models import ClassificationTask

from .conftest import BASE

CLASS_PATH = {"class_path": "axonlight.activations.ASH", "init_args": {"z": 0.7}}
SPECS = {
    "name": (["ASH"], ["ASH", "ASH"]),
    "torch name": (["tanh"], ["Tanh", "Tanh"]),
    "dotted override": (["ASH", "--model.network.activation.z", "0.7"], ["ASH", "ASH"]),
    "spec text": (["ash(z=0.5, dims=last)"], ["ASH", "ASH"]),
    "formula text": (["formula(x*cos(a*x), a=1.5)"], ["Formula", "Formula"]),
    "formula mapping": ['{"formula": "x*cos(x)"}'],
    "class_path": ['{"class_path": "axonlight.activations.ASH", "init_args": {"z": 0.7}}'],
    "torch class_path": (["torch.nn.Mish"], ["Mish", "Mish"]),
    "list": (['[relu, "swish(beta=2)"]'], ["ReLU", "Swish"]),
    "list of mappings": (['[{"class_path": "Snake"}, {"formula": "3*x+sin(x)"}]'], ["Snake", "Formula"]),
}
SPECS["formula mapping"] = (SPECS["formula mapping"], ["Formula", "Formula"])
SPECS["class_path"] = (SPECS["class_path"], ["ASH", "ASH"])


def activation_names(task: ClassificationTask) -> list[str]:
    return [type(layer).__name__ for layer in task.network.layers if hasattr(layer, "built_from_spec")]


@pytest.mark.parametrize("form", SPECS)
def test_flag_reaches_network_config_and_checkpoint(axonlight, form):
    flags, expected = SPECS[form]
    run = axonlight("fit", *BASE, "--trainer.max_epochs", "1", "--model.network.activation", *flags)
    assert run.code == 0, run.err
    stored = run.checkpoint()["hyper_parameters"]["network"]["init_args"]["activation"]
    assert run.config["model"]["init_args"]["network"]["init_args"]["activation"] == stored
    task = ClassificationTask.load_from_checkpoint(run.run_folder / "checkpoints" / "last.ckpt", weights_only=True)
    assert activation_names(task) == expected


@pytest.mark.parametrize(
    "spec",
    [
        "ASH",
        "ash(z=0.7)",
        "formula(x*cos(x))",
        CLASS_PATH,
        {"formula": "x*cos(a*x)", "constants": {"a": 2.0}},
        ["relu", CLASS_PATH],
    ],
    ids=str,
)
def test_yaml_holds_every_form(axonlight, tmp_path, spec):
    config = {
        "model": {
            "class_path": "ClassificationTask",
            "init_args": {"network": {"class_path": "DenseNetwork", "init_args": {"activation": spec}}},
        },
        "data": {"class_path": "BreastCancer"},
        "trainer": {"max_epochs": 1},
    }
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(config))
    run = axonlight("fit", "--config", "study.yaml")
    assert run.code == 0, run.err
    rerun = axonlight("fit", "--config", run.run_folder / "config.yaml")
    assert rerun.code == 0, rerun.err
    assert rerun.metric("train/loss") == run.metric("train/loss")


def test_dotted_override_sets_the_value(axonlight):
    run = axonlight("fit", *BASE, "--model.network.activation", "ASH", "--model.network.activation.z", "0.7")
    assert run.config["model"]["init_args"]["network"]["init_args"]["activation"]["init_args"]["z"] == 0.7


def test_second_config_overrides_the_first(axonlight, tmp_path):
    (tmp_path / "swap.yaml").write_text(
        "model: {init_args: {network: {class_path: DenseNetwork, init_args: {activation: tanh}}}}"
    )
    run = axonlight("fit", "--config", "demo.yaml", "--config", "swap.yaml", "--trainer.max_epochs", "1")
    assert run.code == 0, run.err
    assert run.config["model"]["init_args"]["network"]["init_args"]["activation"] == "tanh"
    assert run.config["model"]["init_args"]["optimizer"]["init_args"]["lr"] == 0.003


def test_print_config_shows_the_swap(axonlight):
    run = axonlight("fit", "--config", "demo.yaml", "--model.network.activation", "SiLU", "--print_config")
    assert run.code == 0
    assert yaml.safe_load(run.out)["model"]["init_args"]["network"]["init_args"]["activation"] == "SiLU"
    assert not (run.folder / "runs").exists()


def test_layers_never_share_an_activation(axonlight):
    run = axonlight("fit", *BASE, "--model.network.activation", "ASH", "--model.network.activation.z", "0.1")
    names = [name for name in run.checkpoint()["state_dict"] if name.endswith(".z")]
    assert len(names) == 2
    assert run.checkpoint()["state_dict"][names[0]] != run.checkpoint()["state_dict"][names[1]]
