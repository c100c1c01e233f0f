"""Routes whose paths have no parameter, found by one look into a dictionary instead of one pattern after the other.

An authorization server is asked at a handful of paths, each by programs that wait; a product around it has a hundred.
"""

from collections.abc import Iterable

from starlette.routing import BaseRoute, Match, Route
from starlette.types import Receive, Scope, Send


class FixedPaths(BaseRoute):
    def __init__(self, routes: Iterable[Route]) -> None:
        """Raises ValueError for a path that has a parameter, or comes twice."""
        self.routes: dict[str, Route] = {}
        for route in routes:
            if route.param_convertors or route.path in self.routes:
                raise ValueError(f"{route.path} cannot be looked up.")
            self.routes[route.path] = route

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        route = self.routes.get(scope["path"]) if scope["type"] == "http" else None
        if route is None:
            return Match.NONE, {}
        allowed = route.methods is None or scope["method"] in route.methods
        return (Match.FULL if allowed else Match.PARTIAL), {"endpoint": route.endpoint, "path_params": {}}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.routes[scope["path"]].handle(scope, receive, send)
