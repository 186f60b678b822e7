"""What a study says while it runs, where there is no terminal and where there is one."""

import io

from axonlight.comparison.study import progress
from axonlight.comparison.study.progress import StudyProgress


class Clock:
    """A clock that is set by hand."""

    def __init__(self, monkeypatch):
        self.now = 100.0
        monkeypatch.setattr(progress.time, "monotonic", lambda: self.now)


def test_plain_lines_come_now_and_then_with_the_time_left(monkeypatch):
    clock, stream = Clock(monkeypatch), io.StringIO()
    with StudyProgress(total=110, done=10, stream=stream) as shown:
        for seconds, done, failed in [(9, 2, 0), (2, 2, 0), (9, 10, 0), (5, 35, 1), (15, 50, 0)]:
            clock.now += seconds
            shown.advance(done, failed)
    assert stream.getvalue().splitlines() == [
        "14 of 110 runs done",  # 11 s; too few to tell a pace
        "59 of 110 runs done, 1 failed, about 25 s left",  # 50 runs in 25 s
        "109 of 110 runs done, 1 failed",
    ]


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_has_a_bar_and_one_line_at_the_end(monkeypatch):
    started = []
    monkeypatch.setattr(progress, "_bar", lambda total, done: Bar(total, done, started))
    stream = Terminal()
    with StudyProgress(total=4, stream=stream) as shown:
        shown.advance(3, 1)
    assert started == ["start 4 0", "4 1", "stop"]
    assert stream.getvalue() == "3 of 4 runs done, 1 failed\n"


class Bar:
    def __init__(self, total, done, calls):
        self.calls, self.size = calls, f"{total} {done}"

    def start(self):
        self.calls.append(f"start {self.size}")

    def update(self, task, completed, failed):
        self.calls.append(f"{completed} {failed}")

    def stop(self):
        self.calls.append("stop")


def test_the_real_bar_takes_what_it_is_given():
    bar = progress._bar(4, 1)
    bar.update(0, completed=3, failed=1)
    assert (bar.tasks[0].completed, bar.tasks[0].fields["failed"]) == (3, 1)
