"""Column names of the named data sets, in the order of their files."""

__all__ = ["BREAST_CANCER", "COVERTYPE", "DIGITS", "HIGGS", "SPAMBASE"]

COVERTYPE: tuple[str, ...] = (
    "Elevation",
    "Aspect",
    "Slope",
    "Horizontal_Distance_To_Hydrology",
    "Vertical_Distance_To_Hydrology",
    "Horizontal_Distance_To_Roadways",
    "Hillshade_9am",
    "Hillshade_Noon",
    "Hillshade_3pm",
    "Horizontal_Distance_To_Fire_Points",
    *(f"Wilderness_Area{number}" for number in range(1, 5)),
    *(f"Soil_Type{number}" for number in range(1, 41)),
)

HIGGS: tuple[str, ...] = (
    "lepton_pT",
    "lepton_eta",
    "lepton_phi",
    "missing_energy_magnitude",
    "missing_energy_phi",
    *(f"jet_{number}_{quantity}" for number in range(1, 5) for quantity in ("pt", "eta", "phi", "btag")),
    *("m_jj", "m_jjj", "m_lv", "m_jlv", "m_bb", "m_wbb", "m_wwbb"),
)

_SPAM_WORDS = (
    "make address all 3d our over remove internet order mail receive will people report addresses "
    "free business email you credit your font 000 money hp hpl george 650 lab labs telnet 857 data "
    "415 85 technology 1999 parts pm direct cs meeting original project re edu table conference"
)
_SPAM_CHARACTERS = ("semicolon", "parenthesis", "bracket", "exclamation", "dollar", "hash")

SPAMBASE: tuple[str, ...] = (
    *(f"word_freq_{word}" for word in _SPAM_WORDS.split()),
    *(f"char_freq_{character}" for character in _SPAM_CHARACTERS),
    *(f"capital_run_length_{statistic}" for statistic in ("average", "longest", "total")),
)

_NUCLEUS_MEASURES = (
    "radius",
    "texture",
    "perimeter",
    "area",
    "smoothness",
    "compactness",
    "concavity",
    "concave points",
    "symmetry",
    "fractal dimension",
)

# scikit-learn writes "mean radius" but "radius error" and "worst radius".
BREAST_CANCER: tuple[str, ...] = (
    *(f"mean {measure}" for measure in _NUCLEUS_MEASURES),
    *(f"{measure} error" for measure in _NUCLEUS_MEASURES),
    *(f"worst {measure}" for measure in _NUCLEUS_MEASURES),
)

DIGITS: tuple[str, ...] = tuple(f"pixel_{row}_{column}" for row in range(8) for column in range(8))
