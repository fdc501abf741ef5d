"""The event log: numbered without gaps, whatever happens to the hub."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from perijove.models.events import EventType, SpoolEvent
from perijove.models.workspaces import WorkspaceFolder
from perijove.services.events import EventLogs


def spooled(*numbers: int) -> list[SpoolEvent]:
    now = datetime.now(UTC)
    return [SpoolEvent(seq=n, time=now, type=EventType.LOG, data={"n": n}) for n in numbers]


def numbers(logs: EventLogs, job: str) -> list[tuple[int, int | None]]:
    lines, _ = logs.read(job, 0)
    return [(event["seq"], event["spool_seq"]) for event in map(json.loads, lines)]


def folder(path: Path, job: str = "j") -> WorkspaceFolder:
    made = WorkspaceFolder(path, "default")
    made.job(job).mkdir(parents=True, exist_ok=True)
    return made


def test_what_was_delivered_twice_is_there_once(tmp_path: Path) -> None:
    logs = EventLogs(folder(tmp_path))
    assert len(logs.append("j", 1, spooled(1, 2))) == 2
    assert [event.seq for event in logs.append("j", 1, spooled(1, 2, 3))] == [3]
    assert numbers(logs, "j") == [(1, 1), (2, 2), (3, 3)]


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("append"), st.integers(1, 4)),
            st.tuples(st.just("note"), st.just(0)),
            st.tuples(st.just("kill"), st.integers(0, 80)),
        ),
        max_size=25,
    )
)
def test_numbers_have_no_gaps_through_kills(
    tmp_path_factory: object, steps: list[tuple[str, int]]
) -> None:
    """A kill loses the memory and tears up to 80 bytes off the last line; the spool is re-read."""
    base = tmp_path_factory.mktemp("events")  # type: ignore[attr-defined]
    place = folder(base)
    logs, spool = EventLogs(place), 0
    for step, amount in steps:
        if step == "append":
            spool += amount
            logs.append("j", 1, spooled(*range(1, spool + 1)))
        elif step == "note":
            logs.note("j", 1, EventType.STATE, {"state": "running"})
        elif place.events("j").exists():
            data = place.events("j").read_bytes()
            last = data[:-1].rfind(b"\n") + 1
            place.events("j").write_bytes(data[: max(last, len(data) - amount)])
            logs = EventLogs(place)
            logs.append("j", 1, spooled(*range(1, spool + 1)))
    found = numbers(logs, "j")
    assert [seq for seq, _ in found] == list(range(1, len(found) + 1))
    assert [n for _, n in found if n is not None] == list(range(1, spool + 1))


def test_a_reader_never_gets_half_a_line(tmp_path: Path) -> None:
    place = folder(tmp_path)
    logs = EventLogs(place)
    logs.append("j", 1, spooled(1, 2))
    with place.events("j").open("ab") as file:
        file.write(b'{"seq": 3, "half')
    lines, offset = logs.read("j", 0)
    assert len(lines) == 2
    assert logs.read("j", offset) == ([], offset)
    lines, offset = logs.read("j", 0, limit=10)
    assert len(lines) == 1
