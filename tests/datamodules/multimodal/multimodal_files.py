"""A small cohort on disk, in which every combination of modalities occurs."""

import numpy as np
import pandas as pd
from axonlight.datamodules.slides.writing import write_slide

PATIENTS = [f"TCGA-{number:02}" for number in range(48)]
GENES = [f"G{number}" for number in range(6)]


def make_cohort(folder):
    """Patient n has no expression if n % 7 == 3, and [0, 1, 2, 1][n % 4] slides of 4 + n % 3 patches."""
    generator = np.random.default_rng(0)
    number = np.arange(48)
    rna = pd.DataFrame(generator.normal(3, 2, (48, 6)).round(4), index=PATIENTS, columns=GENES)
    rna[number % 7 != 3].to_csv(folder / "blca_rna.csv")
    metadata = pd.DataFrame(
        {
            "case_id": PATIENTS,
            "slide_id": [f"{name}-DX0.svs" for name in PATIENTS],
            "site": np.array(["A", "B", "C", "D", "E", "F"])[number % 6],
            "survival_months": number + 1.5,
            "censorship": (number % 3 == 0).astype(int),
        }
    )
    second = metadata[number % 4 == 2].assign(slide_id=lambda table: table["case_id"] + "-DX1.svs")
    pd.concat([metadata, second]).to_csv(folder / "blca_metadata.csv")
    stage = np.array(["II", "III"])[number % 2]
    pd.DataFrame({"case_id": PATIENTS, "age": 50.0 + number, "stage": stage}).to_csv(folder / "blca_clinical.csv")
    (folder / "blca_splits").mkdir()
    for fold in range(4):
        val = PATIENTS[fold::4]
        train = [name for name in PATIENTS if name not in val]
        table = pd.DataFrame({"train": pd.Series(train), "val": pd.Series(val)})
        table.to_csv(folder / "blca_splits" / f"splits_{fold}.csv")
    (folder / "slides").mkdir()
    for place, name in enumerate(PATIENTS):
        for slide in range([0, 1, 2, 1][place % 4]):
            patches = [[place, slide, patch] for patch in range(4 + place % 3)]
            coordinates = np.array([[512 * patch, 512 * slide] for patch in range(len(patches))])
            write_slide(folder / "slides" / f"{name}-DX{slide}.h5", np.array(patches, dtype=np.float32), coordinates)
    return folder


def edit(folder, what, change):
    """Change a table of the cohort."""
    path = folder / f"blca_{what}.csv"
    change(pd.read_csv(path, index_col=0)).to_csv(path)
