"""MLmodel files from anybody."""

from __future__ import annotations

import json

import pytest

from perijove.models.runs import Artifact
from perijove.services.modelfacts import bounded, facts_of, read_example, read_mlmodel

BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "\n".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 9)}]" for i in range(12)
)


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.system ['touch /tmp/perijove-yaml']",
        "[" * 100_000,
        "flavors: [",
        "- a",
        "",
        "x" * 300_000,
        "\x00",
        "flavors: &f {a: *f}",
    ],
)
def test_a_broken_mlmodel_is_said_to_be(text: str) -> None:
    found, problems = read_mlmodel(text.encode())
    facts = facts_of(found, [])
    assert problems or facts.flavors.keys() == {"a"}
    assert len(facts.model_dump_json()) < 100_000


def test_anchors_do_not_explode() -> None:
    found, problems = read_mlmodel(f"{BOMB}\nflavors: {{x: {{deep: *m}}}}".encode())
    assert not problems
    assert len(facts_of(found, []).model_dump_json()) < 200_000
    assert len(json.dumps(bounded(found))) < 200_000


def test_foreign_loaders_pickles_and_code_are_warned_of() -> None:
    flavors = {
        "python_function": {"loader_module": "evil<script>.run", "code": "code"},
        "pytorch": {"model_data": "data"},
    }
    files = [Artifact(path="data/model.pth", is_dir=False, size=3)]
    said = " ".join(facts_of({"flavors": flavors}, files).warnings)
    assert "evil<script>.run" in said
    assert "data/model.pth" in said
    assert "code of its own" in said
    for module in ("os", "mlflow", "mlflow.x;y", 3, None, "mlflowx.y"):
        found = facts_of({"flavors": {"python_function": {"loader_module": module}}}, [])
        assert found.warnings, module
    assert not facts_of(
        {"flavors": {"python_function": {"loader_module": "mlflow.x"}}}, []
    ).warnings


def test_signatures_of_all_kinds() -> None:
    inputs = [
        {"type": "array", "name": "tags", "items": {"type": "string"}, "required": False},
        {"type": "object", "name": "who", "properties": {"id": {"type": "long"}}},
        {"type": "map", "values": {"type": "array", "items": {"type": "double"}}},
        "no column",
    ]
    params = '[{"name": "t", "type": "double", "default": 0.5, "shape": null}]'
    found = facts_of({"signature": {"inputs": json.dumps(inputs), "params": params}}, [])
    assert [column.type for column in found.inputs] == [
        "array<string>",
        "object{id: long}",
        "map<array<double>>",
    ]
    assert [column.required for column in found.inputs] == [False, True, True]
    assert found.parameters[0].required is False
    assert facts_of({"signature": {"inputs": "[" * 100_000}}, []).inputs == []
    assert facts_of({"signature": {"inputs": 7}, "flavors": []}, []).inputs == []


def test_examples_are_bounded() -> None:
    assert read_example(b"[" * 50_000) is None
    assert read_example(b"{") is None
    found = read_example(json.dumps([[1.0, float("nan")]] * 4000).encode())
    assert len(json.dumps(found)) < 20_000
    assert found[0] == [1.0, "nan"]
