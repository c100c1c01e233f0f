"""Who may see a page: the patient whose space it is. Everybody else is shown where to go."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request

from device_gateway.accounts import Account, signed_in
from device_gateway.errors import Forbidden, NotSignedIn


class NotAPatient(Forbidden):
    """This page belongs to a patient's own space."""


async def person(request: Request) -> Account:
    """Raises NotSignedIn."""
    account = await signed_in(request)
    if account is None:
        raise NotSignedIn
    return account


async def patient(request: Request) -> Account:
    """Raises NotSignedIn or NotAPatient."""
    account = await person(request)
    if account.subject is None:
        raise NotAPatient
    return account


def space_of(account: Account) -> UUID:
    """The space of an account that `patient` let in."""
    if account.subject is None:
        raise NotAPatient
    return account.subject


Person = Annotated[Account, Depends(person)]
Patient = Annotated[Account, Depends(patient)]
