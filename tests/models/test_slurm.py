"""What may be asked of Slurm."""

from __future__ import annotations

import pytest

from perijove.errors import InvalidInput
from perijove.models.compute import ClusterDefinition
from perijove.models.problems import validated
from perijove.models.slurm import walltime_seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 5400),
        ("1:30", 90),
        ("01:00:00", 3600),
        ("2-12", 60 * 3600),
        ("1-00:30", 86400 + 1800),
        ("1-00:00:01", 86401),
    ],
)
def test_walltimes(text: str, seconds: float) -> None:
    assert walltime_seconds(text) == seconds


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("walltime", "an hour"),
        ("walltime", "0:00"),
        ("walltime", "1:2:3:4"),
        ("walltime", 3600),
        ("partition", "a b"),
        ("partition", "-x"),
        ("account", "x\n#SBATCH --uid=0"),
        ("interface", "eth0;ls"),
        ("directives", ["constraint=x"]),
        ("directives", ["--constraint=x\n--time=1"]),
        ("directives", ["--time=1"]),
        ("directives", ["--tim=1"]),
        ("directives", ["--part=x"]),
        ("directives", ["-p x"]),
        ("directives", ["-sp x"]),
        ("directives", ["--constraint=x -J other"]),
        ("directives", ["--constraint='x"]),
        ("directives", ["--wrap=ls"]),
        ("directives", [""]),
        ("directives", ["--"]),
    ],
)
def test_what_is_refused(field: str, value: object) -> None:
    with pytest.raises(InvalidInput) as raised:
        validated(ClusterDefinition, {"name": "train", "on": "slurm", field: value})
    assert raised.value.field == field


def test_what_is_taken() -> None:
    directives = ["--constraint=x&y", "-C gpu", "--exclusive", "--qos=long", "--nodelist=a,b"]
    directives += ["--gres=gpu:a100:2", "--comment='two words'", "--mem-bind=local"]
    asked = {"name": "train", "on": "slurm", "directives": directives, "walltime": "2-00:00:00"}
    assert validated(ClusterDefinition, asked).directives == directives
