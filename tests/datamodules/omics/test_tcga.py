"""TCGA cohorts: patients, not slides; events, not censorship; who is left out is counted and named."""

import logging

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from axonlight.cli import main
from axonlight.datamodules import TCGA
from axonlight.errors import InputError

PATIENTS = [f"TCGA-{number:02}" for number in range(48)]
GENES = [f"G{number}" for number in range(5)]


@pytest.fixture
def folder(tmp_path):
    generator = np.random.default_rng(0)
    number = np.arange(48)
    rna = pd.DataFrame(generator.normal(3, 2, (48, 5)).round(4), index=PATIENTS, columns=GENES)
    metadata = pd.DataFrame(
        {
            "case_id": PATIENTS,
            "slide_id": [f"{name}-1.svs" for name in PATIENTS],
            "age": 50.0 + number,
            "site": np.array(["A", "B"])[number % 2],
            "survival_months": number + 0.5,
            "survival_months_dss": number + 0.5,
            "censorship": (number % 3 == 0).astype(int),
            "censorship_dss": (number % 3 != 1).astype(int),
            "is_female": number % 2,
            "train": 1.0,
        }
    )
    clinical = pd.DataFrame({"case_id": PATIENTS, "stage": "II", "grade": "G2"})
    clinical.loc[[1, 2], "stage"] = ["0", None]
    clinical.loc[[4, 5], "grade"] = ["GX", "G3"]
    rna.iloc[::-1].to_csv(tmp_path / "blca_rna.csv.gz")
    metadata.to_csv(tmp_path / "blca_metadata.csv.gz")
    clinical.to_csv(tmp_path / "blca_clinical.csv")
    (tmp_path / "blca_splits").mkdir()
    for fold in range(4):
        val = PATIENTS[fold::4]
        train = [name for name in PATIENTS if name not in val]
        table = pd.DataFrame({"train": pd.Series(train), "val": pd.Series(val)})
        table.to_csv(tmp_path / "blca_splits" / f"splits_{fold}.csv")
    return tmp_path


def edit(folder, what, change):
    path = next(folder.glob(f"blca_{what}.csv*"))
    table = pd.read_csv(path, index_col=0, dtype={"stage": str})
    change(table).to_csv(path)


def all_rows(data):
    x, y = zip(*data.predict_dataloader(), strict=True)
    return torch.cat(x).numpy(), torch.cat(y).numpy()


# Counted from the files with plain Python: patients with RNA and outcome, their events, event by 24 months, followed
# for 24 months, censored before.
GOLDEN = {
    ("blca", "os"): (359, 156, 122, 127, 110),
    ("blca", "dss"): (359, 113, 93, 127, 139),
    ("blca", "pfi"): (359, 158, 137, 105, 117),
    ("stad", "os"): (318, 120, 102, 99, 117),
    ("stad", "dss"): (318, 84, 73, 99, 146),
    ("stad", "pfi"): (318, 114, 105, 86, 127),
}


@pytest.mark.parametrize(("cohort", "endpoint"), GOLDEN)
def test_published_cohorts(data_root, cohort, endpoint):
    data = TCGA(str(data_root), cohort, endpoint)
    patients, events, within, without, censored = GOLDEN[cohort, endpoint]
    assert (len(data.patients), data.patients["event"].sum()) == (patients, events)
    assert np.bincount(data.labels.iloc[:, 0]).tolist() == [without, within]
    assert len(data.left_out["censored before 24 months"]) == censored
    assert patients == within + without + censored
    assert data.feature_names == data.gene_names
    assert data.num_features == 1577


def test_traps_of_the_published_files(data_root, caplog):
    covariates = ["age", "is_female", "stage", "grade"]
    with caplog.at_level(logging.INFO, "axonlight"):
        blca = TCGA(str(data_root / "tcga"), "blca", covariates=covariates)
        stad = TCGA(str(data_root), "stad", covariates=covariates)
    assert (blca.patients["num_slides"] > 1).sum() == 25
    assert blca.patients["num_slides"].max() == 9
    assert (stad.patients["num_slides"] > 1).sum() == 24
    assert stad.patients["num_slides"].max() == 2
    assert blca.left_out["without metadata"] == ("TCGA-C4-A0F6",)
    assert len(stad.left_out["without metadata"]) == 18
    assert stad.left_out["without expression"] == ("TCGA-CD-A487",)
    assert "blca: the clinical table repeats TCGA-DK-A1A6 in equal rows" in caplog.text
    assert "blca: stage '0' means unknown; it is that of 2 (TCGA-FJ-A3Z9, TCGA-ZF-A9RM)" in caplog.text
    assert "stad: grade 'GX' means unknown; it is that of 6" in caplog.text
    assert set(stad.covariates.absent["age"]) == {"TCGA-HF-7132", "TCGA-HF-7133", "TCGA-HF-7134"}
    assert blca.covariate_names[2:] == [*(f"stage={s}" for s in ("I", "II", "III", "IV", "unknown")),
                                        "grade=G1", "grade=G2", "grade=unknown"]  # fmt: skip
    # All patients, those censored early too: 25 without a stage and 2 of stage 0; 9 of grade GX.
    assert blca.patients["stage"].isna().sum() == 27
    assert stad.patients["grade"].isna().sum() == 9


@pytest.mark.parametrize("cohort", ["blca", "stad"])
def test_published_folds(data_root, cohort):
    names = pd.read_csv(data_root / "tcga" / f"{cohort}_rna.csv.gz", usecols=[0]).iloc[:, 0]
    tested = []
    for fold in range(5):
        data = TCGA(str(data_root), cohort, fold=fold)
        split = data.published.divide(list(data.labels.index), data.split_options, data.labels.iloc[:, 0].to_numpy())
        parts = [[data.labels.index[row] for row in part] for part in vars(split).values()]
        table = pd.read_csv(data_root / "tcga" / f"{cohort}_splits" / f"splits_{fold}.csv")
        assert set(parts[0] + parts[1]) == set(table["train"]) & set(data.labels.index)
        assert set(parts[2]) == set(table["val"]) & set(data.labels.index)
        assert sum(map(len, parts)) == len(data.labels)
        tested += parts[2]
    assert sorted(tested) == sorted(data.labels.index)
    assert list(data.labels.index) == [name for name in names if name in set(tested)]


def test_values_and_classes(folder):
    data = TCGA(str(folder), months=24, scale="none", covariates=["age", "is_female", "stage", "grade"])
    month, happened = np.arange(48) + 0.5, np.arange(48) % 3 != 0
    expected = {name: int(h and m <= 24) for name, m, h in zip(PATIENTS, month, happened, strict=True) if h or m >= 24}
    assert dict(zip(data.sample_names, all_rows(data)[1].tolist(), strict=True)) == expected
    assert data.left_out == {"censored before 24 months": tuple(reversed(PATIENTS[0:24:3]))}
    assert data.class_names == ["no death within 24 months", "death within 24 months"]
    rna = pd.read_csv(folder / "blca_rna.csv.gz", index_col=0).loc[data.sample_names]
    x, _ = all_rows(data)
    np.testing.assert_allclose(x[:, :5], rna, rtol=1e-6)
    levels = ["stage=II", "stage=unknown", "grade=G2", "grade=G3", "grade=unknown"]
    assert data.feature_names == [*GENES, "age", "is_female", *levels]
    place = {name: row for row, name in enumerate(data.sample_names)}
    assert x[place["TCGA-01"], 5:].tolist() == [51, 1, 0, 1, 1, 0, 0]
    assert x[place["TCGA-02"], 5:].tolist() == [52, 0, 0, 1, 1, 0, 0]
    assert x[place["TCGA-04"], 5:].tolist() == [54, 0, 1, 0, 0, 0, 1]


def test_time_is_exact_at_the_limit(folder):
    """Who dies, and who is censored, exactly at the limit has a class."""

    def change(table):
        table.loc[[0, 1], "survival_months"] = 24.0
        return table

    edit(folder, "metadata", change)
    data = TCGA(str(folder), months=24)
    assert data.labels.loc["TCGA-00"].tolist() == [0]  # censored at 24.0
    assert data.labels.loc["TCGA-01"].tolist() == [1]  # died at 24.0


def test_patients_hold_time_and_event(folder):
    data = TCGA(str(folder), endpoint="dss")
    assert list(data.patients.index) == PATIENTS[::-1]
    table = data.patients.loc[PATIENTS]
    np.testing.assert_array_equal(table["months"], np.arange(48) + 0.5)
    np.testing.assert_array_equal(table["event"], np.arange(48) % 3 == 1)
    assert not [name for name in table.columns if name.startswith(("censorship", "survival"))]
    assert table.columns.tolist() == ["months", "event", "num_slides", "age", "site", "is_female", "stage", "grade"]


def test_only_training_patients_are_fitted(folder):
    options = {"fold": 1, "covariates": ["age", "stage"]}
    data = TCGA(str(folder), **options)
    before, digest = data.fitted_state(), data.state_dict()["training_rows"]
    held_out = [data.sample_names[row] for row in (*data.rows.validation, *data.rows.test)]

    def change(table):
        table.loc[held_out] = -500.0
        return table

    def age(table):
        table.loc[table["case_id"].isin(held_out), "age"] = 1e6
        return table

    edit(folder, "rna", change)
    edit(folder, "metadata", age)
    again = TCGA(str(folder), **options)
    assert again.state_dict() == {"fitted": before, "training_rows": digest}
    assert TCGA(str(folder), **{**options, "fold": 2}).fitted_state() != before


def test_folds_of_both_kinds(folder, caplog):
    with caplog.at_level(logging.INFO, "axonlight"):
        published = TCGA(str(folder), fold=1)
        published.setup()
    names = [published.sample_names[row] for row in published.rows.test]
    assert set(names) == set(PATIENTS[1::4]) & set(published.labels.index)
    assert "its 48 samples are not in use: 8 censored before 24 months (TCGA-00, TCGA-03, TCGA-06" in caplog.text
    own = TCGA(str(folder), fold=1, num_folds=4)
    assert own.published is None
    assert set(own.rows.test) != set(published.rows.test)
    again = TCGA(**published.hparams)
    assert again.state_dict() == published.state_dict()
    assert TCGA(**own.hparams).state_dict() == own.state_dict()


def test_slides_of_a_patient(folder):
    def second_slides(table):
        more = table.iloc[[3, 3, 7]].assign(slide_id="other.svs", train=0.0)
        more.iloc[0, more.columns.get_loc("age")] = np.nan  # said by the other slides
        return pd.concat([more, table])

    edit(folder, "metadata", second_slides)
    data = TCGA(str(folder))
    assert data.patients["num_slides"][["TCGA-03", "TCGA-07", "TCGA-08"]].tolist() == [3, 2, 1]
    assert data.patients.loc["TCGA-03", "age"] == 53
    assert len(data.patients) == 48

    def disagree(table):
        table.iloc[0, table.columns.get_loc("survival_months")] = 99.0
        return table

    edit(folder, "metadata", disagree)
    with pytest.raises(InputError, match=r"patient 'TCGA-03' 2 values of 'survival_months' \(99.0, 3.5\) in several"):
        TCGA(str(folder))


def test_clinical_rows_that_repeat(folder, caplog):
    edit(folder, "clinical", lambda table: pd.concat([table, table.iloc[[6]]]))
    TCGA(str(folder))
    assert "the clinical table repeats TCGA-06 in equal rows" in caplog.text
    edit(folder, "clinical", lambda table: pd.concat([table, table.iloc[[6]].assign(stage="IV")]))
    with pytest.raises(InputError, match=r"patient 'TCGA-06' 2 values of 'stage' \(II, IV\)"):
        TCGA(str(folder))


def test_the_clinical_table_may_be_absent(folder):
    (folder / "blca_clinical.csv").unlink()
    assert TCGA(str(folder), covariates=["age"]).num_features == 6
    with pytest.raises(InputError, match=r"covariates is 'stage', which is no column of blca_metadata.csv.gz"):
        TCGA(str(folder), covariates=["stage"])


def test_who_has_no_outcome_or_expression(folder, caplog):
    def change(table):
        table.loc[10, "survival_months"] = np.nan
        table.loc[11, "censorship"] = np.nan
        return table.drop(index=12)

    edit(folder, "metadata", change)
    edit(folder, "rna", lambda table: table.drop(index="TCGA-13"))
    data = TCGA(str(folder))
    assert data.left_out["without time or censorship"] == ("TCGA-10", "TCGA-11")
    assert data.left_out["without metadata"] == ("TCGA-12",)
    assert data.left_out["without expression"] == ("TCGA-13",)
    assert len(data.patients) == 44
    assert "blca: left out are 2 without time or censorship (TCGA-10, TCGA-11)" in caplog.text
    data = TCGA(str(folder), fold=0)
    with caplog.at_level(logging.INFO, "axonlight"):
        data.setup()
    assert "2 without time or censorship (TCGA-10, TCGA-11), 1 without metadata (TCGA-12)" in caplog.text
    assert len(data.rows.train) + len(data.rows.validation) + len(data.rows.test) == len(data.labels)


def set_cell(what, row, column, value):
    def change(folder):
        def cell(table):
            table[column] = table[column].astype(object)
            table.loc[row, column] = value
            return table

        edit(folder, what, cell)

    return change


def drop(what, column):
    return lambda folder: edit(folder, what, lambda table: table.drop(columns=column))


def transpose(folder):
    edit(folder, "rna", lambda table: table.T)


def gene_twice(folder):
    edit(folder, "rna", lambda table: table.rename(columns={"G4": "G1"}))


BAD_FILES = {
    "no outcome column": (drop("metadata", "censorship"), "is 'censorship', which is no column of .*censorship_dss"),
    "no case": (drop("metadata", "case_id"), "the column of patients is 'case_id', which is no column of"),
    "case is empty": (set_cell("metadata", 4, "case_id", None), "column 'case_id' of .* is empty in row 5"),
    "censorship": (set_cell("metadata", 4, "censorship", 2), "'censorship' of patient 'TCGA-04' in .* is 2.*, not 0"),
    "negative": (set_cell("metadata", 4, "survival_months", -1), "'TCGA-04' in .* is -1.*, which is negative"),
    "text": (set_cell("metadata", 4, "survival_months", "long"), "'TCGA-04' in .* is long, which is no number"),
    "transposed": (transpose, "48 samples of .*metadata.* are columns of .*rna.*; transpose the matrix"),
    "gene twice": (gene_twice, "names more than one column 'G1'"),
    "gene is text": (set_cell("rna", "TCGA-04", "G2", "high"), "gene 'G2' in sample 'TCGA-04' .row 44. is 'high'"),
    "no metadata": (lambda f: (f / "blca_metadata.csv.gz").unlink(), "is there without blca_metadata.csv"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_files(folder, name):
    change, message = BAD_FILES[name]
    change(folder)
    with pytest.raises(InputError, match=message) as caught:
        TCGA(str(folder)).setup()
    assert "\n" not in str(caught.value)


BAD_OPTIONS = {
    "cohort": ({"cohort": "bcla"}, "there is no bcla_rna.csv in"),
    "known cohorts": ({"cohort": "stad"}, "the cohorts there are blca"),
    "endpoint": ({"endpoint": "dfs"}, "endpoint is 'dfs'; it must be 'os', 'dss' or 'pfi'"),
    "endpoint of other files": ({"endpoint": "pfi"}, "is 'survival_months_pfi', which is no column of"),
    "no time": ({"months": 0}, "months is 0; it must be a positive number"),
    "all alive": ({"months": 0.1}, "of 48 patients 0 have the event by then and 48 are followed for so long without"),
    "all dead": ({"months": 500}, "months is 500: of 48 patients 32 have the event by then and 0 are followed"),
    "covariate": ({"covariates": ["stag"]}, "covariates is 'stag', which is no column of .*did you mean stage"),
    "outcome": ({"covariates": ["months"]}, "covariates lists 'months', which is the outcome"),
    "censorship": ({"covariates": ["censorship_dss"]}, "covariates lists 'censorship_dss', which is the outcome"),
    "slides": ({"covariates": ["num_slides"]}, "covariates lists 'num_slides', which is not of the patient"),
    "twice": ({"covariates": ["age", "age"]}, "covariates lists 'age' more than once"),
    "fold": ({"fold": 4}, "fold is 4, but .*blca_splits holds the folds 0, 1, 2, 3"),
}


@pytest.mark.parametrize("name", BAD_OPTIONS)
def test_bad_options(folder, name):
    options, message = BAD_OPTIONS[name]
    with pytest.raises(InputError, match=message):
        TCGA(str(folder), **options)


def test_a_cohort_without_splits(folder):
    for path in (folder / "blca_splits").iterdir():
        path.unlink()
    (folder / "blca_splits").rmdir()
    with pytest.raises(InputError, match="blca_splits, which is neither a file nor a folder"):
        TCGA(str(folder), fold=0)
    assert len(TCGA(str(folder)).labels) == 40


def test_a_covariate_nobody_has(folder):
    edit(folder, "clinical", lambda table: table.assign(grade="GX"))
    with pytest.raises(InputError, match=r"covariate 'grade' of .* has no value in any sample"):
        TCGA(str(folder), covariates=["grade"])


def test_a_dense_network_from_the_command_line(data_root, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    command = "--model ClassificationTask --model.network DenseNetwork --data TCGA --trainer.accelerator cpu"
    options = [*command.split(), "--data.root", str(data_root), "--data.fold", "4", "--data.covariates", "[age, stage]"]
    assert main(["fit", *options, "--trainer.max_epochs", "2"]) == 0
    assert "fit finished" in capsys.readouterr().out
    stored = torch.load(tmp_path / "runs" / "version_0" / "checkpoints" / "last.ckpt", weights_only=True)
    assert stored["TCGA"]["fitted"] == TCGA(str(data_root), fold=4, covariates=["age", "stage"]).fitted_state()


@pytest.mark.parametrize("cohort", ["blca", "stad"])
def test_shipped_configs(data_root, tmp_path, monkeypatch, capsys, cohort):
    monkeypatch.chdir(tmp_path)
    config = ["--config", f"pathways/tcga_{cohort}.yaml", "--data.root", str(data_root)]
    more = ["--data.covariates", "[age]", "--model.network.covariates", "[age]", "--trainer.accelerator", "cpu"]
    assert main(["fit", *config, *more, "--trainer.max_epochs", "2"]) == 0
    assert "fit finished" in capsys.readouterr().out
    saved = yaml.safe_load((tmp_path / "runs" / "version_0" / "config.yaml").read_text())
    assert saved["data"]["init_args"]["cohort"] == cohort


def test_hierarchies_are_found_beside_the_cohort(data_root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    signatures = {"reader": "signatures", "path": "xena_signatures.csv"}
    data = TCGA(str(data_root), covariates=["age"], hierarchy=signatures)
    assert data.hierarchy.sizes[1] == 281
    assert data.hierarchy.num_edges == 2635
    hallmark = TCGA(str(data_root), hierarchy={"reader": "gmt", "path": "reactome/hallmark.gmt"}).hierarchy
    lines = (data_root / "reactome" / "hallmark.gmt").read_text().splitlines()
    members = {gene for line in lines for gene in line.split("\t")[2:]}
    assert set(hallmark.features) == members & set(data.gene_names)
    assert len(hallmark.features) == 822
