"""The wheel: built from what git would commit, complete, and able to train where it is installed."""

import ast
import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from email.parser import Parser
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement

# One worker builds the wheel, for all tests.
pytestmark = pytest.mark.xdist_group("packaging")

CHECKOUT = Path(__file__).resolve().parents[1]
OUTSIDE_THE_PACKAGE = {"tests", "docs", "benchmarks", "examples"}
# Of lightning and torchmetrics; of torch where it is built for GPUs; what a message tells how to install.
BROUGHT_ALONG = {"lightning-utilities", "triton", "openslide"}
PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
OTHER_PYTHONS = [
    path for version in ("3.12", "3.13") for path in sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
]


def run(*command: str | Path, **options) -> subprocess.CompletedProcess:
    finished = subprocess.run(list(map(str, command)), capture_output=True, text=True, **options)
    assert finished.returncode == 0, f"{command} ended with {finished.returncode}:\n{finished.stdout}{finished.stderr}"
    return finished


def committed_files() -> list[Path]:
    names = run("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", cwd=CHECKOUT).stdout
    return [Path(name) for name in names.split("\0") if name and (CHECKOUT / name).is_file()]


def package_files() -> set[str]:
    """Every file that belongs into the wheel, by its name there."""
    files = [path for path in committed_files() if path.parts[0] not in OUTSIDE_THE_PACKAGE]
    code = [path for path in files if path.suffix == ".py"]
    configs = [path for path in files if path.parts[0] == "configs" and path.suffix == ".yaml"]
    tables = [path for path in files if path.parts[0] == "datasets" and path.suffix == ".csv"]
    return {f"axonlight/{path.as_posix()}" for path in [*code, *configs, *tables, Path("py.typed")]}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not (CHECKOUT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("the list of files comes from git, and this is no checkout of it")
    copy = tmp_path_factory.mktemp("source") / "differently-named"
    for path in committed_files():
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(CHECKOUT / path, copy / path)
    target = tmp_path_factory.mktemp("wheel")
    offline = ["--no-deps", "--no-build-isolation", "--no-index"]
    run(sys.executable, "-m", "pip", "wheel", *offline, "--wheel-dir", target, ".", cwd=copy)
    return next(target.glob("axonlight-*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel; it borrows the libraries of this one."""
    environment = tmp_path_factory.mktemp("venv")
    run(sys.executable, "-m", "venv", "--without-pip", environment)
    python = environment / "bin" / "python"
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").stdout.strip())
    # A line in a .pth file adds the folder but runs no .pth file inside it: the editable install is not seen there.
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    run(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", wheel)
    return environment


def clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST", "AXONLIGHT"))}


def test_listed_packages_are_the_folders_of_the_tree():
    folders = {path.parent for path in committed_files() if path.name == "__init__.py"}
    expected = {".".join(("axonlight", *path.parts)) for path in folders if path.parts[:1] != ("tests",)}
    assert PROJECT["tool"]["setuptools"]["packages"] == sorted(expected)


def test_every_folder_with_code_is_a_package_or_lies_outside():
    for path in committed_files():
        if path.suffix == ".py" and path.parts[0] not in OUTSIDE_THE_PACKAGE:
            assert (CHECKOUT / path.parent / "__init__.py").is_file(), f"{path.parent} has no __init__.py"


def test_wheel_holds_the_package_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
    metadata = {name for name in names if ".dist-info/" in name}
    assert names - metadata == package_files()
    assert {name.partition("/")[2] for name in metadata} >= {"METADATA", "licenses/LICENSE", "entry_points.txt"}


def test_wheel_states_licence_python_extras_and_the_readme(wheel):
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith("METADATA"))
        metadata = Parser().parsestr(archive.read(name).decode())
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert metadata.get_payload().strip() == (CHECKOUT / "README.md").read_text().strip()
    assert set(metadata.get_all("Provides-Extra")) == {"dev", "docs", "operon", "ray", "slurm", "zarr"}


def test_installed_wheel_is_the_one_imported(installed, tmp_path):
    code = "import axonlight, axonlight.models, axonlight.configs as c; print(axonlight.__file__, *c.__path__)"
    paths = run(installed / "bin" / "python", "-c", code, cwd=tmp_path, env=clean_environment()).stdout.split()
    assert all(Path(path).is_relative_to(installed) for path in paths), paths


def test_installed_wheel_trains_from_another_folder(installed, tmp_path):
    command = [installed / "bin" / "axonlight", "fit", "--config", "demo.yaml", "--trainer.max_epochs", "1"]
    finished = run(*command, cwd=tmp_path, env=clean_environment())
    assert "val/auroc" in finished.stdout
    assert list(tmp_path.rglob("best.ckpt"))
    assert list(tmp_path.rglob("config.yaml"))


@pytest.mark.skipif(not OTHER_PYTHONS, reason="no Python 3.12 or 3.13 under ~/.pyenv")
@pytest.mark.parametrize("python", OTHER_PYTHONS, ids=lambda path: path.parts[-3])
def test_other_pythons_compile_the_package_and_answer_for_help(python, wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    run(python, "-W", "error", "-m", "compileall", "-q", tmp_path / "axonlight")
    for arguments in (["--help"], ["--version"], ["data", "list"]):
        run(python, "-m", "axonlight", *arguments, cwd=tmp_path, env=clean_environment())


@pytest.mark.parametrize(
    ("name", "allowed", "refused"),
    [
        ("torch", ["2.10.0", "2.13.0"], ["2.9.1", "3.0.0"]),
        ("lightning", ["2.6.6", "2.7.0"], ["2.6.2", "2.6.3", "2.6.5", "3.0.0"]),
        ("jsonargparse", ["4.52.0", "4.53.0"], ["4.51.0", "5.0.0"]),
    ],
)
def test_versions_with_known_holes_or_breaks_are_refused(name, allowed, refused):
    required = {requirement.name: requirement for requirement in map(Requirement, PROJECT["project"]["dependencies"])}
    assert all(required[name].specifier.contains(version) for version in allowed)
    assert not any(required[name].specifier.contains(version) for version in refused)


def test_constraints_name_a_tested_version_of_every_dependency_and_extra():
    lines = (CHECKOUT / "constraints.txt").read_text().splitlines()
    pinned = {normalise(name): version for name, _, version in (line.partition("==") for line in lines if "==" in line)}
    extras = PROJECT["project"]["optional-dependencies"].values()
    for text in [*PROJECT["project"]["dependencies"], *(text for extra in extras for text in extra)]:
        requirement = Requirement(text)
        version = pinned.get(normalise(requirement.name))
        assert version, f"constraints.txt pins no version of {requirement.name}"
        assert requirement.specifier.contains(version), f"constraints.txt pins {requirement.name} outside its range"
    assert pinned["torch"] == "2.13.0"


def normalise(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


def test_every_library_that_the_package_imports_is_declared():
    declared = {normalise(Requirement(text).name) for text in PROJECT["project"]["dependencies"]}
    optional = {
        normalise(Requirement(text).name)
        for extra in PROJECT["project"]["optional-dependencies"].values()
        for text in extra
    }
    distributions = packages_distributions()
    for path in committed_files():
        if path.suffix != ".py" or path.parts[0] in OUTSIDE_THE_PACKAGE:
            continue
        for name, where in absolute_imports(CHECKOUT / path):
            if name in sys.stdlib_module_names:
                continue
            owners = {normalise(owner) for owner in distributions.get(name, [name])}
            known = declared if where == 0 else declared | optional
            assert owners & (known | BROUGHT_ALONG), f"{path} imports {name}, which pyproject.toml does not declare"


def absolute_imports(path: Path) -> list[tuple[str, int]]:
    """Return the top-level names that a file imports, each with its indentation: 0 is when the file is imported."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [(alias.name.partition(".")[0], node.col_offset) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.append(((node.module or "").partition(".")[0], node.col_offset))
    return found
