"""What Slurm is asked for, beside the size of a node."""

from __future__ import annotations

import re
import shlex

from pydantic import BaseModel, ConfigDict, Field, field_validator

SLURM_NAME = r"^[A-Za-z0-9_][A-Za-z0-9_.,-]*$"
WALLTIME = re.compile(r"^(?:(\d{1,4})-)?(\d{1,6})(?::(\d{1,2}))?(?::(\d{1,2}))?$")
OUR_LONG_OPTIONS = (
    *("--account", "--array", "--chdir", "--cpus-per-task", "--error", "--export", "--help"),
    *("--export-file", "--input", "--job-name", "--mem", "--mem-per-cpu", "--no-requeue"),
    *("--nodes", "--ntasks", "--open-mode", "--output", "--parsable", "--partition", "--quiet"),
    *("--requeue", "--test-only", "--time", "--usage", "--verbose", "--version", "--wait"),
    "--wrap",
)
OUR_SHORT_OPTIONS = "AaceDhHiIJnNopQtvVW"
FLAGS = "Oks"
"""Short options without a value: others could hide behind them in one word."""


def walltime_seconds(text: str) -> float:
    """Seconds of a Slurm time: ``90`` (minutes), ``MM:SS``, ``HH:MM:SS``, ``D-HH[:MM[:SS]]``.

    Raises
    ------
    ValueError: it is none of these, or no time at all.
    """
    found = WALLTIME.match(text)
    if found is None:
        raise ValueError('must be a time such as "01:00:00" (hours) or "2-12:00:00" (days)')
    days, *rest = found.groups()
    parts = [int(part) for part in rest if part is not None]
    if days is not None:
        parts += [0] * (3 - len(parts))
    elif len(parts) == 1:
        parts = [0, parts[0], 0]
    elif len(parts) == 2:
        parts = [0, *parts]
    seconds = int(days or 0) * 86400 + parts[0] * 3600 + parts[1] * 60 + parts[2]
    if not 0 < seconds < 10**9:
        raise ValueError("must be longer than nothing, and shorter than 30 years")
    return float(seconds)


def check_directive(text: str) -> None:
    """Raises ValueError: it is no sbatch option, or one that is set from other fields."""
    if len(text) > 300 or not text.isprintable():
        raise ValueError("must be one line of at most 300 characters each")
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ValueError(f"{text!r} cannot be read: {error}") from None
    if not words or not re.match(r"^-{1,2}[A-Za-z]", words[0]):
        raise ValueError(f'{text!r} is no sbatch option such as "--constraint=x"')
    for word in words:
        name = word.partition("=")[0]
        if name.startswith("--"):
            # sbatch takes abbreviations, so those of ours are ours too
            ours = any(own.startswith(name) for own in OUR_LONG_OPTIONS)
        else:
            letter = word[1:2]
            ours = word[:1] == "-" and (
                not letter or letter in OUR_SHORT_OPTIONS or (letter in FLAGS and len(word) > 2)
            )
        if ours:
            raise ValueError(
                f"{name} is set by Perijove: use partition, account, walltime, cpus and memory"
            )


class SlurmWish(BaseModel):
    """For targets launched over Slurm only."""

    model_config = ConfigDict(extra="forbid")

    partition: str | None = Field(
        default=None, max_length=200, pattern=SLURM_NAME, description="Slurm's default if left out"
    )
    account: str | None = Field(default=None, max_length=200, pattern=SLURM_NAME)
    walltime: str | None = Field(
        default=None, max_length=32, description='how long a node may live: "01:00:00", "2-12"'
    )
    directives: list[str] = Field(
        default_factory=list, max_length=50, description='more sbatch options: "--constraint=x"'
    )
    interface: str | None = Field(
        default=None,
        max_length=15,
        pattern="^[A-Za-z0-9_.@-]+$",
        description="network interface that the nodes reach; found out if left out",
    )

    @field_validator("walltime", mode="before")
    @classmethod
    def _walltime(cls, value: object) -> object:
        if isinstance(value, (int, float)):  # YAML reads 1:00:00 as a number
            raise ValueError('must be text in quotes, such as "01:00:00"')
        if isinstance(value, str):
            walltime_seconds(value)
        return value

    @field_validator("directives")
    @classmethod
    def _directives(cls, value: list[str]) -> list[str]:
        for directive in value:
            check_directive(directive)
        return value

    @property
    def given(self) -> str | None:
        """The first of these fields that is given."""
        return next((name for name in SlurmWish.model_fields if getattr(self, name)), None)
