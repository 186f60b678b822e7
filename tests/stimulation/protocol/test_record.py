"""The photostimulation record: exact, however many pulses, and the same after a resume."""

import json

import pytest
from axonlight.errors import InputError
from axonlight.stimulation.protocol import PhotostimulationRecord, Protocol
from axonlight.stimulation.protocol.ledger import Ledger
from hypothesis import given
from hypothesis import strategies as st

LINES = [
    {"target": {"site": "a", "units": [0, 1]}, "opsin": {"kind": "drive", "amount": 2.0}},
    {"target": "b", "opsin": "silence"},
]


def record():
    protocol = Protocol.build(LINES)
    return PhotostimulationRecord(protocol.stimuli, protocol.hash)


def pulses_of(steps):
    """Runs of consecutive steps, the plain way."""
    found = []
    for step in steps:
        if found and step == found[-1].stop:
            found[-1] = range(found[-1].start, step + 1)
        else:
            found.append(range(step, step + 1))
    return found


@given(st.lists(st.tuples(st.integers(0, 60), st.sampled_from([0.25, 0.5, 1.0])), unique_by=lambda item: item[0]))
def test_a_ledger_holds_every_step(noted):
    noted.sort()
    ledger = Ledger()
    for number, (step, intensity) in enumerate(noted):
        ledger.note(step, intensity)
        if number % 3 == 0:  # as if the run had stopped here and gone on
            ledger = Ledger.from_dict(json.loads(json.dumps(ledger.to_dict())))
    expected = pulses_of([step for step, _ in noted])
    assert [pulse for train in ledger.all_trains() for pulse in train.ranges()] == expected
    assert ledger.pulses == len(expected)
    assert ledger.batches == len(noted)
    assert ledger.exposure == sum(intensity for _, intensity in noted)
    assert ledger.peak == max((intensity for _, intensity in noted), default=0.0)


def test_a_long_train_of_pulses_is_one_row():
    ledger = Ledger()
    for pulse in range(100_000):
        for step in range(3):
            ledger.note(10 * pulse + step, 1.0)
    assert len(ledger.to_dict()["trains"]) == 1
    assert [str(train) for train in ledger.all_trains()] == ["0-2 every 10 steps, 100,000 times"]


def test_batches_of_one_update_are_one_step():
    ledger = Ledger()
    for step in (4, 4, 5, 5):
        ledger.note(step, 1.0)
    assert (ledger.pulses, ledger.batches, ledger.open) == (1, 4, (4, 6))


def test_dose_is_exposure_times_expression_at_every_site():
    lab = record()
    lab.place(0, "a", 2, 2.0)
    lab.place(1, "b", 16, 4.0)
    lab.place(1, "c", 3, 3.0)
    for step in range(5):
        lab.note(0, step, 0.5)
    lab.note(1, 9, 1.0, "validate")
    lab.note(1, 9, 0.0)
    rows = [(row["stimulus"], row["site"], row["phase"], row["steps"], row["dose"]) for row in lab.rows()]
    assert rows == [
        ("drive", "a", "train", "0-4", 5.0),
        ("silence", "b", "validate", "9", 4.0),
        ("silence", "c", "validate", "9", 3.0),
    ]
    assert lab.rows()[0]["opsin"] == {"kind": "drive", "amount": 2}


def test_what_never_shone_stands_in_the_record():
    rows = record().rows()
    assert [(row["stimulus"], row["site"], row["steps"], row["dose"]) for row in rows] == [
        ("drive", "not reached", "none", 0.0),
        ("silence", "not reached", "none", 0.0),
    ]


def test_a_resumed_record_is_that_of_one_run(tmp_path):
    whole, first, second = record(), record(), record()
    for step in range(20):
        lit = step % 7 < 3
        for lab in [whole, first if step < 9 else second]:
            if step == 9 and lab is second:
                lab.load(json.loads(json.dumps(first.to_dict())))
            lab.place(0, "a", 2, 2.0)
            if lit:
                lab.note(0, step, 1.0)
    assert second.to_dict() == whole.to_dict()
    json_path, table_path = second.save(tmp_path / "run")
    assert json.loads(json_path.read_text()) == whole.to_dict()
    assert "| drive | drive (amount 2) | a | 2 | train | 0-2 every 7 steps, 3 times | 3 | 9 | 1 | 18 |" in (
        table_path.read_text()
    )
    assert whole.table().row_count == 2


def test_the_record_of_other_stimuli_is_refused():
    other = PhotostimulationRecord(Protocol.build(LINES[:1]).stimuli)
    with pytest.raises(InputError, match="the record is of the stimuli drive, silence; the protocol has drive"):
        other.load(record().to_dict())


def test_a_record_given_away_does_not_change():
    lab = record()
    lab.note(0, 1, 1.0)
    ledger, plain = lab.ledger(0), lab.to_dict()
    lab.note(0, 2, 1.0)
    assert ledger.batches == 1
    assert plain["stimuli"][0]["phases"]["train"]["batches"] == 1
