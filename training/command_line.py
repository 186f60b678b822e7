"""``axonlight fit|validate|test|predict``: LightningCLI with the links, defaults and exit codes of this package."""

import argparse
import inspect
import os
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI, SaveConfigCallback, _InstantiatorFn
from lightning.pytorch.utilities.exceptions import SIGTERMException

# Imported for their names: a config may then give short class names.
from .. import __version__, activations, callbacks, datamodules, models
from ..errors import InputError, RunError
from .checkpoint_config import check_fit, check_stimulation, requested_checkpoint, resolve_checkpoint, stored_config
from .config_files import with_shipped_configs
from .imports import apply_import_policy, take_allow_imports
from .parse_errors import condense
from .predictions import write_predictions
from .run_defaults import default_callbacks, default_loggers, quieten_libraries
from .summary import print_summary, run_folder

__all__ = ["AxonlightCLI", "Instantiator", "input_errors", "run"]

VERBS = ("fit", "validate", "test", "predict")


class SaveConfig(SaveConfigCallback):
    """Save the config beside the run; a second run in the same folder (``logger: false``) gets a numbered file."""

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Save on the first rank."""
        folder = run_folder(trainer)
        names = (f"config-v{number}.yaml" if number else "config.yaml" for number in range(10_000))
        if trainer.is_global_zero and not self.already_saved:
            self.config_filename = next(name for name in names if not (folder / name).exists())
        super().setup(trainer, pl_module, stage)

    def save_config(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Log the seed beside the hyperparameters of model and data (called on the first rank)."""
        for logger in trainer.loggers:
            logger.log_hyperparams({"seed_everything": self.config["seed_everything"]})


class Instantiator(_InstantiatorFn):
    """Keep out of the hyperparameters of a module what the data gave and it did not ask for, and live objects.

    Lightning keeps the values of all links, so that a module of somebody else could not be loaded again.
    """

    def __call__(self, class_type: type, *args: Any, applied_instantiation_links: dict, **kwargs: Any) -> Any:
        """Build the module with what it declares."""
        parameters = inspect.signature(class_type).parameters
        takes_all = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
        links = {
            target: value
            for target, value in applied_instantiation_links.items()
            if (takes_all or target.rpartition(".")[2] in parameters) and not target.endswith(".hierarchy")
        }
        return super().__call__(class_type, *args, applied_instantiation_links=links, **kwargs)


class AxonlightCLI(LightningCLI):
    """LightningCLI in subclass mode for model and data, with the data's sizes linked to the model."""

    def __init__(self, arguments: list[str] | dict[str, Any], run: bool = True) -> None:
        # An abbreviated option is refused: the search for ckpt_path would not see it, and a typo could train.
        each = {"exit_on_error": False, "allow_abbrev": False}
        super().__init__(
            model_class=LightningModule,
            datamodule_class=LightningDataModule,
            subclass_mode_model=True,
            subclass_mode_data=True,
            save_config_callback=SaveConfig,
            seed_everything_default=0,
            trainer_defaults={"max_epochs": 20, "default_root_dir": "runs", "enable_model_summary": False},
            parser_kwargs={**each, "version": __version__, "prog": "axonlight", **dict.fromkeys(VERBS, each)},
            auto_configure_optimizers=False,
            args=arguments,
            run=run,
        )

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Link what the data know to the model, so that no size is ever typed and no file read twice."""
        for source, target in [
            ("data.num_features", "model.init_args.in_features"),
            ("data.num_classes", "model.init_args.num_classes"),
            ("data.feature_names", "model.init_args.feature_names"),
            ("data.hierarchy", "model.init_args.hierarchy"),
            ("data.num_patch_features", "model.init_args.patch_features"),
            ("data.num_clinical", "model.init_args.clinical_features"),
        ]:
            parser.link_arguments(source, target, apply_on="instantiate")

    def _add_instantiators(self) -> None:
        for key, base in [("model", LightningModule), ("data", LightningDataModule)]:
            self.parser.add_instantiator(Instantiator(cli=self, key=key), base, subclasses=True)

    def _prepare_subcommand_parser(self, klass: type, subcommand: str, **kwargs: Any) -> LightningArgumentParser:
        parser = super()._prepare_subcommand_parser(klass, subcommand, **kwargs)
        if subcommand in ("validate", "test"):
            parser.set_defaults(verbose=False)  # the closing screen shows the metrics
        return parser

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parse; unlike the parent, do not warn that the arguments came from a caller."""
        self.config = parser.parse_args(args)

    def _parse_ckpt_path(self) -> None:
        """Do nothing: the checkpoint's settings were put under the flags and files before parsing."""

    def instantiate_classes(self) -> None:
        """Build everything; a checkpoint that does not fit is found before anything runs."""
        super().instantiate_classes()
        if checkpoint := self._get(self.config, "ckpt_path"):
            check_fit(Path(checkpoint), self.model)
            if self.subcommand == "fit":
                check_stimulation(Path(checkpoint), self.trainer)

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Read the data, then build the trainer with this package's loggers and callbacks beside the config's.

        The data are read before a run folder exists, so that bad input leaves nothing behind.
        """
        if self.datamodule is not None:
            self.datamodule.prepare_data()
            self.datamodule.setup(str(self.subcommand))
        config = {**self._get(self.config_init, "trainer", default={}), **kwargs}
        given = config.get("callbacks") or []
        given = list(given) if isinstance(given, (list, tuple)) else [given]
        config["callbacks"] = given + default_callbacks(given, config, self.model, self.datamodule)
        config["logger"] = default_loggers(config.get("logger"), config["default_root_dir"])
        return self._instantiate_trainer(config, [])

    def _run_subcommand(self, subcommand: str) -> None:
        """Do nothing yet: building and running fail in different ways, so they are two steps."""

    def execute(self) -> None:
        """Run the verb and print the closing screen."""
        verb = str(self.subcommand)
        started = time.monotonic()
        super()._run_subcommand(verb)
        if self.trainer.is_global_zero:
            seed = self._get(self.config, "seed_everything")
            print_summary(verb, self.trainer, self.model, seed, time.monotonic() - started)

    def predict(self, **kwargs: Any) -> None:
        """Predict and write the predictions into the run folder.

        Raises:
            InputError: With several processes, each of which would see some rows only.
        """
        if self.trainer.world_size > 1:
            raise InputError(f"predict was given {self.trainer.world_size} processes; set trainer.devices to 1")
        outputs = self.trainer.predict(**kwargs)
        path = write_predictions(outputs, self.trainer)
        if path is not None:
            print(f"predictions: {path}")


def run(arguments: list[str]) -> int:
    """Run one of the training verbs; see `axonlight.cli.main` for the exit codes."""
    cli = _build(arguments)
    try:
        cli.execute()
    except InputError:
        raise
    except SIGTERMException:
        return 143
    except KeyboardInterrupt:
        return 130
    except SystemExit as leave:
        if leave.code == 1:  # Lightning's answer to Ctrl-C
            return 130
        return _failed(leave, cli.trainer) if isinstance(leave.code, str) else int(leave.code or 0)
    except Exception as error:
        return _failed(error, cli.trainer)
    return 0


def _build(arguments: list[str]) -> AxonlightCLI:
    """Parse the arguments and build everything that they name; whatever goes wrong here is the input's fault."""
    os.environ.setdefault("JSONARGPARSE_DEPRECATION_WARNINGS", "off")  # lightning 2.6 calls what jsonargparse 5 drops
    quieten_libraries()
    allowed, arguments = take_allow_imports(arguments)
    apply_import_policy(allowed)
    arguments = with_checkpoint(with_shipped_configs(arguments))
    with input_errors():
        return AxonlightCLI(arguments)


@contextmanager
def input_errors() -> Iterator[None]:
    """Turn what goes wrong while a config is parsed and built into an `InputError` of one sentence."""
    try:
        yield
    except InputError:
        raise
    except argparse.ArgumentError as error:
        raise InputError(condense(error.message or str(error), _class_names())) from error
    except (ValueError, TypeError, OSError, ImportError, MisconfigurationException) as error:
        raise InputError(condense(str(error))) from error


def _class_names() -> list[str]:
    return [name for package in (activations, callbacks, datamodules, models) for name in package.__all__]


def with_checkpoint(arguments: list[str]) -> list[str]:
    """Put the settings stored in the requested checkpoint under the flags and files, as the first config."""
    requested, root = requested_checkpoint(arguments)
    if requested is None:
        return arguments
    path = resolve_checkpoint(requested, root)
    base = yaml.safe_dump(stored_config(path))
    return [arguments[0], f"--config={base}", *arguments[1:], f"--ckpt_path={path}"]


def _failed(error: BaseException, trainer: Trainer) -> int:
    where = ""
    if not isinstance(error, RunError):
        folder = run_folder(trainer)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "traceback.txt").write_text(traceback.format_exc())
        where = f" (traceback in {folder / 'traceback.txt'})"
    message = " ".join(str(error).split()) or type(error).__name__
    print(f"axonlight: the run failed: {message}{where}", file=sys.stderr)
    return 3
