"""Who has the page open: one `Visitor` per browser, found by a cookie, kept in memory."""

import secrets
from collections import OrderedDict
from dataclasses import dataclass, field

from device_simulators.apps.authorization import Question
from device_simulators.apps.connection import Connection

MAX_VISITORS = 1000  # browsers remembered; the one that was away for longest is forgotten first


@dataclass
class Visitor:
    """`form_token` is in each form, so that no other site can send them. `notice` is shown once."""

    form_token: str = field(default_factory=secrets.token_urlsafe, repr=False)
    question: Question | None = None
    connection: Connection | None = None
    notice: str | None = None

    def take_notice(self) -> str | None:
        notice, self.notice = self.notice, None
        return notice


class Visitors:
    def __init__(self) -> None:
        self._by_cookie: OrderedDict[str, Visitor] = OrderedDict()

    def find(self, cookie: str | None) -> Visitor | None:
        visitor = self._by_cookie.get(cookie or "")
        if visitor and cookie:
            self._by_cookie.move_to_end(cookie)
        return visitor

    def welcome(self) -> tuple[str, Visitor]:
        """A new visitor, and the cookie by which to find it again."""
        cookie, visitor = secrets.token_urlsafe(32), Visitor()
        self._by_cookie[cookie] = visitor
        if len(self._by_cookie) > MAX_VISITORS:
            self._by_cookie.popitem(last=False)
        return cookie, visitor
