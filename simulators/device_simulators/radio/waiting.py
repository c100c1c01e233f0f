"""Waiting on the radio: never longer than a time-out, never past the loss of the link."""

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

from bleak.exc import BleakError, BleakGATTProtocolError
from bumble.att import ATT_Error
from bumble.core import BaseBumbleError, BaseError
from bumble.core import TimeoutError as BumbleTimeoutError
from bumble.hci import HCI_Error

T = TypeVar("T")

_CLEAN_UP_S = 1.0  # a cancelled Bumble call that takes longer is left behind


async def bounded(work: Awaitable[T], lost: asyncio.Future[Any], timeout_s: float, doing: str) -> T:
    """The result of `work`. Raises BleakError when the link is lost or the peer refuses, TimeoutError in time."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({task, lost}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if task.done() and not task.cancelled():
            return task.result()
        if task.cancelled() or lost.done():  # Bumble cancels what waits on a connection that ends
            raise BleakError(f"{doing}: the link was lost")
        raise TimeoutError(f"{doing}: no answer within {timeout_s:g} s")
    except BumbleTimeoutError as error:
        raise TimeoutError(f"{doing}: no answer") from error
    except ATT_Error as error:
        raise BleakGATTProtocolError(error.error_code) from error
    except (BaseError, HCI_Error, BaseBumbleError) as error:
        raise BleakError(f"{doing}: {error}") from error
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=_CLEAN_UP_S)
        if task.done() and not task.cancelled():
            task.exception()  # seen: it is what we raised, or comes too late to matter
