"""Definitions of environments: what is refused, and with which field."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from perijove.models.environments import EnvironmentDefinition, read_conda

CONDA = "channels: [conda-forge]\ndependencies:\n- python=3.10\n- gdal\n- pip: [six==1.16]\n"


def definition(name: str, text: str = "six==1.16", **fields: object) -> EnvironmentDefinition:
    given = {"name": name, "source": "requirements", "text": text}
    return EnvironmentDefinition.model_validate(given | fields)


@pytest.mark.parametrize(
    ("fields", "place", "says"),
    [
        ({"name": "G"}, "name", "lower-case"),
        ({"name": "a/../b"}, "name", "lower-case"),
        ({"name": "a" * 41}, "name", "2 to 40"),
        ({"text": " \n# nothing\n"}, "text", "empty"),
        ({"text": "six\n-r other.txt"}, "text", r"line 2 \(-r other.txt\)"),
        ({"text": "-e ."}, "text", "not sent along"),
        ({"text": "x" * 200_001}, "text", "200000"),
        ({"python": "2.7"}, "python", "3.12"),
        ({"python": "3.12; rm"}, "python", "3.12"),
        ({"source": "pyproject", "text": "= no"}, "text", "no valid TOML"),
        ({"source": "pyproject", "text": "[tool.x]"}, "text", "project"),
        ({"source": "conda", "text": "a: ["}, "text", "no valid YAML"),
        ({"source": "conda", "text": "a: &a [*a]"}, "text", "aliases"),
        ({"source": "conda", "text": "name: x"}, "text", "list of dependencies"),
        ({"source": "conda", "text": "dependencies: [{npm: [x]}]"}, "text", "pip"),
        ({"source": "poetry"}, "source", "requirements"),
        ({"color": "red"}, "color", "not permitted"),
    ],
)
def test_a_definition_that_breaks_a_rule_is_refused_with_its_field(
    fields: dict[str, object], place: str, says: str
) -> None:
    with pytest.raises(ValidationError, match=says) as error:
        definition(**{"name": "geo"} | fields)  # type: ignore[arg-type]
    assert error.value.errors()[0]["loc"] == (place,)


def test_equal_contents_have_equal_digests() -> None:
    one, other = definition("one"), definition("other", "six==1.16\r\n")
    assert one.content("3.11").digest == other.content("3.11").digest
    assert one.content("3.11").digest != one.content("3.12").digest
    assert one.content("3.11").digest != definition("one", python="3.10").content("3.11").digest


def test_a_conda_file_has_a_pip_part_and_may_name_its_python() -> None:
    found = read_conda(CONDA)
    assert (found.pip, found.python) == (["six==1.16"], "3.10")
    conda = definition("geo", CONDA, source="conda")
    assert conda.content("3.11").python == "3.10"
