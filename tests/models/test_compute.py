"""Sizes as people read them."""

from __future__ import annotations

import pytest

from perijove.errors import InvalidInput
from perijove.models.compute import TargetState, parse_memory, show_amount, show_memory
from perijove.models.instances import InstanceDefinition, asked_definition
from perijove.models.problems import validated


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2MiB", "2 MiB"),
        ("1000MiB", "1000 MiB"),
        ("1.5GiB", "1.5 GiB"),
        ("512.5GiB", "512.5 GiB"),
        ("900TiB", "900 TiB"),
        ("1024TiB", "1024 TiB"),
    ],
)
def test_sizes_are_shown_in_the_unit_that_fits(text: str, shown: str) -> None:
    assert show_memory(parse_memory(text)) == shown
    assert show_amount("memory", parse_memory(text)) == f"{shown} of memory"


def test_states_are_put_into_sentences() -> None:
    assert {state.value: state.said for state in TargetState} == {
        "creating": "is being created",
        "running": "is running",
        "starting": "is starting",
        "restarting": "is restarting",
        "stopping": "is stopping",
        "stopped": "is stopped",
        "failed": "has failed",
        "unusable": "cannot be used now",
        "deleting": "is being deleted",
    }


@pytest.mark.parametrize(
    ("given", "field", "remedy"),
    [
        ({"image": "x"}, "image", "It is for kind instance."),
        ({"scheduler": "x"}, "scheduler", "It is for kind attached."),
        ({"kind": "instance", "max_nodes": 2}, "max_nodes", "It is for kind cluster."),
        ({"max_node": 2}, "max_node", "Is it max_nodes?"),
        ({"bogus": 2}, "bogus", None),
        ({"kind": []}, "kind", None),
    ],
)
def test_a_field_of_another_kind_is_told_from_a_typing_mistake(
    given: dict[str, object], field: str, remedy: str | None
) -> None:
    with pytest.raises(InvalidInput) as refused:
        asked_definition({"name": "train"} | given)
    assert (refused.value.field, refused.value.remedy) == (field, remedy)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("cpus", 0, "cpus: must be at least 1"),
        ("cpus", 1025, "cpus: must be at most 1024"),
        ("memory", "4", "memory: must be at least 1MiB; say 4GiB, and not 4"),
        ("idle_minutes_before_shutdown", 0, "must be more than 0"),
        ("on", "moon", "on: must be 'local', 'ssh', 'container' or 'slurm'"),
    ],
)
def test_what_is_out_of_bounds_is_said_in_our_words(field: str, value: object, said: str) -> None:
    with pytest.raises(InvalidInput, match=said) as refused:
        validated(InstanceDefinition, {"name": "box", field: value})
    assert refused.value.field == field
