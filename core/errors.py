"""Every error of ours, told apart by who can act on it.

    ConsiliumError                 catch-all; `exit_code` is what the command line returns
    ├── InputError (2)             the person can give something else
    │   ├── FileError              a file is not what it should be
    │   │   └── TooLarge           a limit of size, slices, pixels or archive expansion
    │   ├── UnknownHandle          no such artifact in this session
    │   ├── UnknownPatient         no such patient in the record
    │   ├── UnknownConversation    no such conversation of this person
    │   └── SettingError           a setting has a value that is not allowed
    ├── CallError                  the model can correct the call: bad arguments, wrong kind of artifact
    │   └── GateRefusal            the artifact does not fit the tool's parameter
    ├── ToolFailed                 the model should go on without this tool
    │   ├── ToolTimeout
    │   └── ToolCancelled          the person pressed stop
    ├── MissingRequirement (3)     something must be installed or placed; `command` says how
    ├── EndpointError (3)          the model endpoint is down, slow or answers rubbish
    ├── TooBusy (3)                a queue, a rate or a quota is full; `retry_after_s` says when to come back
    └── IndexDamaged (3)           an index is damaged or was built with another encoder

Messages follow one shape: what was wrong, what is allowed, what was got.
"""

from __future__ import annotations

from collections.abc import Sequence


class ConsiliumError(Exception):
    """Parent of all errors of this project."""

    exit_code = 1


class InputError(ConsiliumError):
    """Something a person gave cannot be used; they can give something else."""

    exit_code = 2


class FileError(InputError):
    """A file is unreadable, truncated, empty, or not what its name says."""


class TooLarge(FileError):  # noqa: N818 - reads as the sentence it is
    """A file passes a limit of size, slices, pixels or archive expansion."""


class UnknownHandle(InputError):  # noqa: N818
    """No artifact with this handle in this session."""

    def __init__(self, handle: str, known: Sequence[str]) -> None:
        self.handle = handle
        self.known = tuple(known)
        have = ", ".join(known) if known else "nothing is attached yet"
        super().__init__(f"There is no {handle!r} in this conversation. Attached: {have}.")


class UnknownPatient(InputError):  # noqa: N818
    """No patient with this id in the record."""


class UnknownConversation(InputError):  # noqa: N818
    """No conversation of this id belongs to this person."""


class SettingError(InputError):
    """A setting has a value that is not allowed."""


class CallError(ConsiliumError):
    """A tool call the model can correct and repeat."""


class GateRefusal(CallError):  # noqa: N818
    """An artifact does not fit the parameter it was given for."""


class ToolFailed(ConsiliumError):  # noqa: N818
    """A tool could not do its work; the answer must go on without it."""


class ToolTimeout(ToolFailed):
    """A tool ran past its time limit."""


class ToolCancelled(ToolFailed):
    """The person stopped the call."""


class MissingRequirement(ConsiliumError):  # noqa: N818
    """Something must be installed or placed first."""

    exit_code = 3

    def __init__(self, what: str, command: str) -> None:
        self.what = what
        self.command = command
        super().__init__(f"{what} is not there. To get it: {command}")


class EndpointError(ConsiliumError):
    """The model endpoint is down, too slow, or answers something that is not the protocol."""

    exit_code = 3


class IndexDamaged(ConsiliumError):  # noqa: N818
    """An index is damaged, or was built with another encoder; the message has the command that mends it."""

    exit_code = 3


class TooBusy(ConsiliumError):  # noqa: N818
    """More is asked than is answered at a time or in a period; trying again makes sense after `retry_after_s`."""

    exit_code = 3

    def __init__(self, message: str, retry_after_s: float) -> None:
        self.retry_after_s = max(retry_after_s, 1.0)
        super().__init__(message)
