"""Data, task and trainer of a config, built as ``axonlight fit`` builds them, with nothing written anywhere."""

import copy
from collections.abc import Callable, Mapping
from typing import Any

from lightning.pytorch import LightningDataModule, LightningModule, Trainer, seed_everything
from lightning.pytorch.cli import LightningArgumentParser

from .command_line import AxonlightCLI, Instantiator, input_errors

__all__ = ["DataProvider", "RunBuilder"]

# Given what makes the data module of the config: returns that, or one which was made before from the same config.
DataProvider = Callable[[Callable[[], LightningDataModule]], LightningDataModule]

# What a run that is only scored goes without.
_QUIET = {
    "logger": False,
    "enable_checkpointing": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
}


class RunBuilder(AxonlightCLI):
    """Parse a config once and build its run as often as wanted.

    The parser, links, defaults and seeds are those of the command line, so a task built here is the one that ``fit``
    would train. Nothing is built yet, and no seed is set.

    Args:
        config: A config as ``fit`` takes it: seed_everything, model, data, trainer.

    Raises:
        InputError: If the config names something unknown or holds a value that does not fit.

    Example:
        >>> model = {"class_path": "ClassificationTask", "init_args": {"network": "DenseNetwork"}}
        >>> builder = RunBuilder({"model": model, "data": "BreastCancer", "trainer": {"max_epochs": 2}})
        >>> task, data = builder.build()
        >>> task.network.layers[0].in_features == data.num_features == 30
        True
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        with input_errors():
            super().__init__(copy.deepcopy(dict(config)), run=False)

    @property
    def seed(self) -> int:
        """The seed of initialisation and order."""
        return int(self.config["seed_everything"])

    def build(self, provide: DataProvider | None = None) -> tuple[LightningModule, LightningDataModule]:
        """Seed this process and build task and data; every call on the same data gives the same task.

        Args:
            provide: Where the data module comes from; None makes it from the config.

        Raises:
            InputError: If the parts do not fit together.
        """
        self._provide: DataProvider = provide or (lambda make: make())
        seed_everything(self.seed, workers=True, verbose=False)
        with input_errors():
            self.config_init = self.parser.instantiate_classes(self.config)
        return self.config_init["model"], self.config_init["data"]

    @property
    def callbacks(self) -> list[Any]:
        """The callbacks of the config, as the last `build` made them."""
        given = self.config_init["trainer"].get("callbacks") or []
        return list(given) if isinstance(given, (list, tuple)) else [given]

    def trainer(self, callbacks: list[Any]) -> Trainer:
        """Return the trainer of the config with these callbacks alone: no logger, checkpoint or progress bar.

        Raises:
            InputError: If a setting of the trainer is out of range.
        """
        settings = {**self.config_init["trainer"].as_dict(), **_QUIET, "callbacks": callbacks}
        with input_errors():
            return Trainer(**settings)

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Take the config as it is, instead of arguments."""
        self.config = parser.parse_object(args)

    def _set_seed(self) -> None:
        """Do nothing yet: every build seeds anew."""

    def instantiate_classes(self) -> None:
        """Do nothing yet: see `build`."""

    def _add_instantiators(self) -> None:
        self.parser.add_instantiator(Instantiator(cli=self, key="model"), LightningModule, subclasses=True)
        self.parser.add_instantiator(self._data, LightningDataModule, subclasses=True)

    def _data(
        self, class_type: type, *args: Any, applied_instantiation_links: dict[str, Any], **kwargs: Any
    ) -> LightningDataModule:
        make = Instantiator(cli=self, key="data")
        links = {"applied_instantiation_links": applied_instantiation_links}
        return self._provide(lambda: make(class_type, *args, **links, **kwargs))
