"""Errors of the control plane: one root; the class carries its HTTP status, its docstring is the default message.

Messages are English msgids: pages translate them. A programming error never becomes one of these.
"""

from dataclasses import dataclass


class CatalogueError(Exception):
    """This cannot be done."""

    http_status = 400

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (self.__doc__ or "").strip().splitlines()[0])

    @property
    def message(self) -> str:
        return str(self.args[0])


class BadForm(CatalogueError):
    """This form could not be read."""


class StaleForm(CatalogueError):
    """This page is too old: go back, reload it and try again."""

    http_status = 403


class NotAllowed(CatalogueError):
    """Your account may not do this."""

    http_status = 403


class Unknown(CatalogueError):
    """There is nothing here under that name."""

    http_status = 404


class WrongState(CatalogueError):
    """This has already been decided."""

    http_status = 409


@dataclass(frozen=True)
class Fault:
    """One thing to change: `pointer` is a JSON pointer (RFC 6901) into what was submitted."""

    pointer: str
    message: str


class Unacceptable(CatalogueError):
    """Some entries need another look."""

    http_status = 422

    def __init__(self, *faults: Fault) -> None:
        super().__init__()
        self.faults = faults
