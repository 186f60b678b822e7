"""Bad input of patients with several modalities: refused in one sentence that names files and patients."""

import numpy as np
import pandas as pd
import pytest
from axonlight.datamodules import TCGA, MultimodalSurvival
from axonlight.datamodules.slides.writing import write_slide
from axonlight.errors import InputError
from multimodal_files import PATIENTS, edit


def cells(what, column, values):
    def change(folder):
        def assign(table):
            table[column] = table[column].astype(object)
            for row, value in values.items():
                table.loc[table["case_id"] == row, column] = value
            return table

        edit(folder, what, assign)

    return change


def all_censored(folder):
    edit(folder, "metadata", lambda table: table.assign(censorship=1))


def training_censored(folder):
    cells("metadata", "censorship", dict.fromkeys([n for place, n in enumerate(PATIENTS) if place % 4], 1))(folder)


def disagree(folder):
    edit(
        folder, "metadata", lambda table: pd.concat([table, table.iloc[[4]].assign(censorship=0, survival_months=1.0)])
    )


def clinical_disagrees(folder):
    edit(folder, "clinical", lambda table: pd.concat([table, table.iloc[[6]].assign(stage="IV")]))


def twice(folder):
    edit(folder, "rna", lambda table: pd.concat([table, table.iloc[[6]]]))


def slide(name, features):
    return lambda folder: write_slide(folder / "slides" / f"{name}.h5", features)


def no_slides(folder):
    for path in (folder / "slides").iterdir():
        path.unlink()


def unreadable(folder):
    for name in ("TCGA-01-DX0", "TCGA-02-DX0"):
        (folder / "slides" / f"{name}.h5").write_text("x")


def other_names(folder):
    edit(folder, "rna", lambda table: table.rename(index=str.lower))


NOTHING = np.zeros((0, 3), np.float32)
BAD_FILES = {
    "negative time": (cells("metadata", "survival_months", {"TCGA-05": -1.0}), "'TCGA-05' in .* is -1.*negative"),
    "time is zero": (
        cells("metadata", "survival_months", {"TCGA-05": 0.0, "TCGA-08": 0.0}),
        r"2 patients of .*metadata.csv have a time that is not positive \(TCGA-05, TCGA-08\)",
    ),
    "no such censorship": (cells("metadata", "censorship", {"TCGA-05": 2}), "patient 'TCGA-05' in .* is 2"),
    "all censored": (all_censored, r"all 41 patients of .*metadata.csv are censored \(TCGA-00, TCGA-01"),
    "all censored in training": (training_censored, "all 25 training rows of .* are censored"),
    "duplicates that disagree": (
        disagree,
        r"patient 'TCGA-04' 2 values of 'survival_months' \(5.5, 1.0\) in several rows; correct",
    ),
    "clinical rows that disagree": (clinical_disagrees, r"patient 'TCGA-06' 2 values of 'stage' \(II, IV\)"),
    "expression twice": (twice, "names 'TCGA-07' in rows 7 and 42; each name may stand once"),
    "no patches": (slide("TCGA-02-DX1", NOTHING), "slide 'TCGA-02-DX1' of patient 'TCGA-02': .* holds no patches"),
    "other width": (
        slide("TCGA-09-DX0", np.zeros((2, 5), np.float32)),
        "slide 'TCGA-09-DX0' of patient 'TCGA-09': .* has 5 features per patch, but the others have 3",
    ),
    "unreadable": (
        unreadable,
        r"slide 'TCGA-01-DX0' of patient 'TCGA-01': .*no readable HDF5 file .*\(and 1 more slides: TCGA-02-DX0\); set "
        "bad_slides to 'skip'",
    ),
    "nobody's slide": (slide("stranger", NOTHING), r"1 slides of .* are of no known patient \(stranger.h5\)"),
    "no slides": (no_slides, "slides is '.*', which holds no file ending in"),
    "no name in common": (
        other_names,
        r"no patient is left: 48 without rna \(TCGA-00, TCGA-01, TCGA-02 and 45 more\); 41",
    ),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_files(folder, name):
    change, message = BAD_FILES[name]
    change(folder)
    with pytest.raises(InputError, match=message) as caught:
        MultimodalSurvival(str(folder), slides=str(folder / "slides"), fold=0, covariates=["stage"]).setup()
    assert "\n" not in str(caught.value)


def test_equal_clinical_rows_are_reported(folder, caplog):
    edit(folder, "clinical", lambda table: pd.concat([table, table.iloc[[6]]]))
    data = MultimodalSurvival(str(folder))
    assert "the clinical table repeats TCGA-06 in equal rows" in caplog.text
    assert data.sample_names.count("TCGA-06") == 1


def test_patients_of_a_split_without_expression_are_reported(folder, caplog):
    with caplog.at_level("INFO", "axonlight"):
        data = MultimodalSurvival(str(folder), fold=3)
        data.setup()
    assert "of its 48 samples are not in use: 7 without rna (TCGA-10, TCGA-17, TCGA-24 and 4 more)" in caplog.text
    assert not {"TCGA-03", "TCGA-31"} & {*data.patient_names("test"), *data.patient_names("train")}


def test_a_part_without_events_is_reported_once(folder, caplog):
    cells("metadata", "censorship", dict.fromkeys(PATIENTS[::4], 1))(folder)
    for data in (MultimodalSurvival(str(folder), fold=0), TCGA(str(folder), task="survival", fold=0)):
        caplog.clear()
        data.setup("fit")
        data.setup("test")
        assert caplog.text.count("none of the 11 test patients has the event: no metric is defined") == 1


@pytest.mark.parametrize("kind", [MultimodalSurvival, TCGA])
def test_an_absent_clinical_table_is_said_to_be_absent(folder, kind):
    (folder / "blca_clinical.csv").unlink()
    tables = r"no column of blca_metadata.csv \(there is no clinical table\); its columns are site$"
    with pytest.raises(InputError, match=tables):
        kind(str(folder), task="survival", covariates=["age"]) if kind is TCGA else kind(
            str(folder), covariates=["age"]
        )


def test_a_gene_without_values_is_named(folder):
    edit(folder, "rna", lambda table: table.assign(G2=np.nan))
    with pytest.raises(
        InputError, match=r"column 'G2' of .*rna.csv has no value in the training rows; leave the column"
    ):
        MultimodalSurvival(str(folder), fold=0).setup()


def test_a_damaged_slide_is_named_when_it_is_read(folder):
    slide("TCGA-09-DX0", np.full((4, 3), np.nan, np.float32))(folder)
    data = MultimodalSurvival(str(folder), slides=str(folder / "slides"))
    with pytest.raises(InputError, match=r"slide 'TCGA-09-DX0' of patient 'TCGA-09': .* no finite number"):
        list(data.predict_dataloader())


BAD_OPTIONS = {
    "endpoint": ({"endpoint": "dfs"}, "endpoint is 'dfs'; it must be 'os', 'dss', 'pfi'"),
    "modality": (
        {"require": ["slide"]},
        "require is 'slide'; it must be 'rna', 'slides', 'clinical'; did you mean 'slides'?",
    ),
    "precision": ({"precision": "half"}, "precision is 'half'; it must be 'float32', 'float16', 'stored'"),
    "bad slides": ({"bad_slides": "drop"}, "bad_slides is 'drop'; it must be 'error' or 'skip'"),
    "unknown slides": ({"unknown_slides": "skip"}, "unknown_slides is 'skip'; it must be 'error' or 'ignore'"),
    "max_patches": ({"max_patches": 0}, "max_patches is 0; it must be a positive integer"),
    "memory": ({"memory": -1}, "memory is -1; it must be 0 or more"),
    "no folder": ({"slides": "nowhere"}, "slides is 'nowhere', which is not an existing folder"),
    "no slides at all": ({"require": ["slides"]}, "no patient is left: 48 without slides"),
    "covariate": ({"covariates": ["stag"]}, "covariates is 'stag', which is no column of .*did you mean stage"),
    "outcome": ({"covariates": ["event"]}, "covariates lists 'event', which is the outcome"),
    "twice": ({"covariates": ["age", "age"]}, "covariates lists 'age' more than once"),
    "group": ({"group": "sites"}, "group is 'sites', which is no column of .*did you mean site"),
    "fold": ({"fold": 4}, "fold is 4, but .*blca_splits holds the folds 0, 1, 2, 3"),
    "rna": ({"rna": "none.csv"}, "rna is 'none.csv', but there is no "),
    "cohort": ({"cohort": "bcla"}, "there is no bcla_rna.csv in"),
    "simulate": ({"simulate": {"strenght": 1.0}}, "simulate has the key 'strenght'"),
    "no hierarchy": ({"simulate": {}}, "simulate needs a hierarchy"),
}


@pytest.mark.parametrize("name", BAD_OPTIONS)
def test_bad_options(folder, name):
    options, message = BAD_OPTIONS[name]
    with pytest.raises(InputError, match=message):
        MultimodalSurvival(str(folder), **options).prepare_data()
