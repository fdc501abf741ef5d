"""What nodes have used in the last minutes, as charts begin with it."""

from __future__ import annotations

from perijove.models.compute import Node, NodeState
from perijove.services.usage import KEPT, PACE, UsageHistory
from perijove.testing.targets import InMemoryTarget


class Nodes(InMemoryTarget):
    """Its nodes are what the test says."""

    def __init__(self, *nodes: Node) -> None:
        super().__init__("box")
        self.said = list(nodes)

    @property
    def nodes(self) -> list[Node]:
        return self.said


def test_samples_are_of_nodes_that_are_up_and_grow_old() -> None:
    box = Nodes(
        Node(id="a", state=NodeState.RUNNING, cpus=2, cpu_percent=40, memory_used=7),
        Node(id="b", state=NodeState.PREPARING, cpus=2),
    )
    clock = 100.0
    usages = UsageHistory({"box": box}, lambda: clock)
    usages.take()
    clock += PACE
    box.said = [Node(id="b", state=NodeState.IDLE, cpus=2)]
    usages.take()
    clock += 1
    old, new = usages.of("box")
    assert (old.age, new.age) == (PACE + 1, 1)
    assert [node.model_dump() for node in old.nodes] == [
        {"id": "a", "busy": True, "cpu_percent": 40, "memory_used": 7}
    ]
    assert [(node.id, node.busy, node.cpu_percent) for node in new.nodes] == [("b", False, 0)]


def test_the_oldest_go_and_so_do_targets_that_are_gone() -> None:
    targets = {"box": Nodes(Node(id="a", state=NodeState.IDLE, cpus=1))}
    clock = 0.0
    usages = UsageHistory(targets, lambda: clock)
    for _ in range(KEPT + 1):
        usages.take()
        clock += PACE
    assert [sample.age for sample in usages.of("box")][:: KEPT - 1] == [KEPT * PACE, PACE]
    targets.clear()
    usages.take()
    assert usages.of("box") == []
