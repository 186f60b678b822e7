"""Attributions of a fusion network on disk: Parquet tables that any program reads, or one Zarr group.

A folder of Parquet tables holds `names.json` and, per array, a table whose first columns name the row:

- patients: patient, fold, risk, time, event
- attention: patient, prototype; a column per pathway
- pathway_gates: patient; a column per pathway
- gene_weights: gene, pathway; a column per patient
- slide_gates, prototype_gates, mass: patient; a column per prototype
- prototype_vectors: prototype; a column per feature
- shares: patient; a row per patch, a column per prototype
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from .attributions import FusionAttributions, PatchShares

__all__ = ["read_fusion", "write_fusion"]

_SCHEMA = "axonlight.fusion_attributions/1"
_NAMES = "names.json"
_OPTIONAL = ("attention", "slide_gates", "prototype_gates", "mass", "prototype_vectors")
_ARRAYS = ("pathway_gates", "gene_weights", *_OPTIONAL)


def write_fusion(found: FusionAttributions, path: str | Path) -> Path:
    """Write attributions to a folder of Parquet tables or, where its name ends in .zarr, a Zarr group.

    Raises:
        InputError: If something else is there, or zarr is not installed.

    Example:
        >>> import tempfile
        >>> found = FusionAttributions(
        ...     ("ann",), (), ("repair",), ("ATM",), np.zeros((2, 1), dtype=np.int64), np.ones((1, 1)),
        ...     np.ones((1, 1)), np.array([0.5]), np.array([[3.0, 1.0]]))
        >>> read_fusion(write_fusion(found, Path(tempfile.mkdtemp()) / "found")).patients
        ('ann',)
    """
    path = Path(path)
    if path.exists() and not _names_file(path).is_file() and (not path.is_dir() or any(path.iterdir())):
        raise InputError(f"{path} holds something else than attributions; give a path that does not exist")
    if path.suffix == ".zarr":
        _write_zarr(found, path)
        return path
    path.mkdir(parents=True, exist_ok=True)
    for name, (index, columns, values) in _tables(found).items():
        _write_table(path / f"{name}.parquet", index, columns, values)
    for name in {*_OPTIONAL, "shares"} - _tables(found).keys():
        (path / f"{name}.parquet").unlink(missing_ok=True)
    (path / _NAMES).write_text(json.dumps(_names(found)))
    return path


def read_fusion(path: str | Path) -> FusionAttributions:
    """Read attributions that `write_fusion` wrote.

    Raises:
        InputError: If there are none.

    Example:
        >>> read_fusion("nowhere")
        Traceback (most recent call last):
        axonlight.errors.InputError: nowhere holds no attributions of a fusion network ([Errno 2] No such file or ...
    """
    path = Path(path)
    try:
        names, arrays = _read_zarr(path) if path.suffix == ".zarr" else _read_tables(path)
        if names.pop("schema") != _SCHEMA:
            raise InputError(f"{path} was written by another version of axonlight")
        shares = arrays.pop("shares", None)
        pointers = arrays.pop("pointers", None)
        return FusionAttributions(
            **{key: tuple(names[key]) for key in ("patients", "prototypes", "pathways", "genes")},
            titles=names["titles"],
            fold=int(names["fold"]),
            shares=None if shares is None else PatchShares(pointers, shares),
            **arrays,
        )
    except (OSError, KeyError, ValueError, TypeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} holds no attributions of a fusion network ({error})") from error


def _names_file(path: Path) -> Path:
    return path / ("zarr.json" if path.suffix == ".zarr" else _NAMES)


def _names(found: FusionAttributions) -> dict[str, Any]:
    names = {key: list(getattr(found, key)) for key in ("patients", "prototypes", "pathways", "genes")}
    return {"schema": _SCHEMA, "fold": found.fold, "titles": dict(found.titles), **names}


def _tables(found: FusionAttributions) -> dict[str, tuple[dict[str, list[str]], list[str], NDArray[Any]]]:
    """Return for each table what names its rows, what names its columns, and its values."""
    patients, prototypes, pathways = list(found.patients), list(found.prototypes), list(found.pathways)
    genes, sets = found.memberships
    of_patients = {"patient": patients}
    outcome = np.column_stack([np.full(len(patients), found.fold), found.risk, found.target])
    tables = {
        "patients": (of_patients, ["fold", "risk", "time", "event"], outcome.astype(np.float64)),
        "pathway_gates": (of_patients, pathways, found.pathway_gates),
        "gene_weights": (
            {"gene": [found.genes[place] for place in genes], "pathway": [pathways[place] for place in sets]},
            patients,
            found.gene_weights.T,
        ),
    }
    for name in ("slide_gates", "prototype_gates", "mass"):
        if (values := getattr(found, name)) is not None:
            tables[name] = (of_patients, prototypes, values)
    if found.attention is not None:
        rows = {"patient": np.repeat(patients, len(prototypes)).tolist(), "prototype": prototypes * len(patients)}
        tables["attention"] = (rows, pathways, found.attention.reshape(-1, len(pathways)))
    if found.prototype_vectors is not None:
        features = [f"feature_{place}" for place in range(found.prototype_vectors.shape[1])]
        tables["prototype_vectors"] = ({"prototype": prototypes}, features, found.prototype_vectors)
    if found.shares is not None:
        rows = {"patient": np.repeat(patients, np.diff(found.shares.pointers)).tolist()}
        tables["shares"] = (rows, prototypes, found.shares.weights)
    return tables


def _write_table(path: Path, index: dict[str, list[str]], columns: list[str], values: NDArray[Any]) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    names = {key: pa.array(texts, pa.string()).dictionary_encode() for key, texts in index.items()}
    parts = [pa.array(np.ascontiguousarray(column)) for column in values.T]
    parquet.write_table(pa.Table.from_arrays([*names.values(), *parts], names=[*names, *columns]), path)


def _read_tables(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    from pyarrow import parquet

    names = json.loads((path / _NAMES).read_text())
    tables = {file.stem: parquet.read_table(file) for file in sorted(path.glob("*.parquet"))}
    arrays: dict[str, Any] = {}
    for name, table in tables.items():
        skipped = {"attention": 2, "gene_weights": 2}.get(name, 1)
        columns = [column.to_numpy() for column in table.columns[skipped:]]
        arrays[name] = np.stack(columns, axis=1) if columns else np.zeros((table.num_rows, 0))
    outcome = arrays.pop("patients")
    arrays["risk"], arrays["target"] = outcome[:, 1], outcome[:, 2:]
    arrays["memberships"] = np.array(
        [
            _places(tables["gene_weights"].column(key).to_pylist(), names[known])
            for key, known in (("gene", "genes"), ("pathway", "pathways"))
        ],
        dtype=np.int64,
    )
    arrays["gene_weights"] = arrays["gene_weights"].T
    if "attention" in arrays:
        shape = (len(names["patients"]), len(names["prototypes"]), len(names["pathways"]))
        arrays["attention"] = arrays["attention"].reshape(shape)
    if "shares" in arrays:
        owners = _places(tables["shares"].column("patient").to_pylist(), names["patients"])
        counts = np.bincount(np.array(owners, dtype=np.int64), minlength=len(names["patients"]))
        arrays["pointers"] = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return names, arrays


def _places(texts: list[str], known: list[str]) -> list[int]:
    place = {name: number for number, name in enumerate(known)}
    return [place[text] for text in texts]


def _zarr() -> Any:
    try:
        import zarr
    except ImportError as error:
        raise InputError(
            "files that end in .zarr need zarr; pip install 'axonlight[zarr]', or write Parquet"
        ) from error
    return zarr


def _write_zarr(found: FusionAttributions, path: Path) -> None:
    group = _zarr().open_group(str(path), mode="w")
    group.attrs.update(_names(found))
    for name in (*_ARRAYS, "memberships", "risk", "target"):
        if (values := getattr(found, name)) is not None:
            group.create_array(name, data=np.ascontiguousarray(values))
    if found.shares is not None:
        group.create_array("shares", data=np.ascontiguousarray(found.shares.weights))
        group.create_array("pointers", data=found.shares.pointers)


def _read_zarr(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    if not _names_file(path).is_file():
        raise InputError(f"there is no Zarr group at {path}")
    group = _zarr().open_group(str(path), mode="r")
    return dict(group.attrs), {name: values[...] for name, values in group.arrays()}
