"""Every error Perijove raises on purpose.

The tree::

    PerijoveError
    ├── InvalidInput            what was asked breaks a rule; ``field`` names the part
    │   ├── NotebookUnreadable  the file is no notebook that can be run
    │   ├── SnapshotTooLarge    the folder passes the size or file limit
    │   └── BodyTooLarge        the request does
    ├── NotFound                the named job, target, workspace … does not exist
    ├── Conflict                it exists, but its state forbids the verb
    ├── Gone                    it existed, and nothing more is wanted of it
    ├── NotAuthorized           missing or wrong credentials
    ├── Unreachable             a process that should answer does not
    │   ├── HubUnreachable
    │   └── TrackingUnreachable
    ├── MissingExtra            an optional dependency is not installed
    ├── WaitTimeout             what was waited for has not happened yet
    ├── EnvironmentFailed       an environment could not be built
    └── JobFailed               a job ended, and not well

Each class has a stable ``code`` (what programs read) and an HTTP status and CLI exit code;
nothing else in the code base maps errors to either.
"""

from __future__ import annotations

from typing import Any, ClassVar


class PerijoveError(Exception):
    """Base of all errors: a message that names the thing and the rule, and a remedy.

    Parameters
    ----------
    message: what went wrong, naming the thing and the rule it breaks.
    field: the part of the input at fault, in dotted form (``parameters.lr``), or None.
    remedy: what the user can do about it, or None.
    """

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1

    def __init__(
        self, message: str, *, field: str | None = None, remedy: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.remedy = remedy

    def to_json(self) -> dict[str, Any]:
        """The wire form: ``{"code", "message", "field", "remedy"}``."""
        return {
            "code": self.code,
            "message": self.message,
            "field": self.field,
            "remedy": self.remedy,
        }

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}" if self.remedy else self.message


class InvalidInput(PerijoveError):
    code = "invalid_input"
    status = 422
    exit_code = 2


class NotebookUnreadable(InvalidInput):
    code = "notebook_unreadable"


class SnapshotTooLarge(InvalidInput):
    code = "snapshot_too_large"
    status = 413


class BodyTooLarge(InvalidInput):
    code = "body_too_large"
    status = 413


class NotFound(PerijoveError):
    code = "not_found"
    status = 404
    exit_code = 2


class Conflict(PerijoveError):
    code = "conflict"
    status = 409
    exit_code = 2


class Gone(PerijoveError):
    code = "gone"
    status = 410


class NotAuthorized(PerijoveError):
    code = "not_authorized"
    status = 401
    exit_code = 2


class Unreachable(PerijoveError):
    code = "unreachable"
    status = 409  # a machine of the user's is away: nothing is wrong with the hub
    exit_code = 3


class HubUnreachable(Unreachable):
    code = "hub_unreachable"
    status = 503


class TrackingUnreachable(Unreachable):
    code = "tracking_unreachable"
    status = 503


class MissingExtra(PerijoveError):
    code = "missing_extra"
    status = 501
    exit_code = 2


class WaitTimeout(PerijoveError, TimeoutError):
    code = "wait_timeout"
    status = 504


class EnvironmentFailed(PerijoveError):
    code = "environment_failed"
    status = 409


class JobFailed(PerijoveError):
    code = "job_failed"
    status = 409


def _walk(cls: type[PerijoveError]) -> list[type[PerijoveError]]:
    return [cls, *(found for sub in cls.__subclasses__() for found in _walk(sub))]


def from_json(data: dict[str, Any]) -> PerijoveError:
    """The error a peer sent, as an exception of the class its ``code`` names."""
    known = {cls.code: cls for cls in _walk(PerijoveError)}
    cls = known.get(str(data.get("code")), PerijoveError)
    return cls(
        str(data.get("message", "unknown error")),
        field=data.get("field"),
        remedy=data.get("remedy"),
    )
