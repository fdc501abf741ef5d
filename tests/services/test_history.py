"""What happened to compute targets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from perijove.models.compute import Node, NodeState, Operation, Usage
from perijove.services.history import FILE, KEPT, Histories


def histories(folder: Path) -> Histories:
    return Histories(lambda name: folder / name)


def operation(name: str, outcome: str, message: str | None = None) -> Operation:
    begun = datetime.now(UTC)
    ended = begun + timedelta(seconds=2)
    return Operation(name=name, outcome=outcome, message=message, begun_at=begun, ended_at=ended)


def test_what_happened_is_there_after_a_restart(tmp_path: Path) -> None:
    first = histories(tmp_path)
    first.ended("box", operation("create", "succeeded"))
    first.note("box", "unreachable", "It has said nothing for 15 s.")
    first.ended("box", operation("stop", "succeeded", "idle for 55 minutes"))
    first.ended("box", operation("start", "failed", "No route to host."))
    told = [(e.name, e.outcome, e.message, e.seconds) for e in histories(tmp_path).of("box")]
    assert told == [
        ("create", "succeeded", None, 2),
        ("unreachable", "noted", "It has said nothing for 15 s.", None),
        ("stop", "succeeded", "idle for 55 minutes", 2),
        ("start", "failed", "No route to host.", 2),
    ]


def test_the_last_events_are_kept_and_a_cut_line_is_left_out(tmp_path: Path) -> None:
    history = histories(tmp_path)
    for number in range(2 * KEPT + 10):
        history.note("box", "back", str(number))
    path = tmp_path / "box" / FILE
    assert len(path.read_text().splitlines()) < 2 * KEPT
    with path.open("a") as file:
        file.write('{"at": "2026-')
    again = histories(tmp_path)
    assert [e.message for e in again.of("box")] == [str(n) for n in range(211, 2 * KEPT + 10)]
    again.note("box", "back", "behind it")
    assert histories(tmp_path).of("box")[-1].message == "behind it"
    again.forget("box")
    path.unlink()
    assert again.of("box") == []


def test_a_full_disk_is_in_nobodys_way(tmp_path: Path) -> None:
    (tmp_path / "box").write_text("no folder")
    history = histories(tmp_path)
    history.note("box", "back")
    assert [event.name for event in history.of("box")] == ["back"]


def test_usage_is_of_all_nodes_that_are_heard() -> None:
    def node(cpus: int, cpu: float | None, memory: int | None) -> Node:
        return Node(
            id="0",
            state=NodeState.IDLE,
            cpus=cpus,
            memory=memory,
            cpu_percent=cpu,
            memory_used=None if cpu is None else 10,
        )

    assert Usage.of([node(1, None, 5)]) is None
    found = Usage.of([node(3, 100, 100), node(1, 0, 50), node(9, None, None)])
    assert found == Usage(cpu_percent=75, memory_used=20, memory=150)
    unlimited = Usage.of([node(1, 0, 50), node(1, 0, None)])
    assert unlimited is not None
    assert unlimited.memory is None
