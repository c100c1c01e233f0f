"""What `benchmarks.oauth` asks: ``ours`` is the product, ``bare`` two routes with the least that has to happen."""

import hashlib
import os
import secrets
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from device_gateway.app import create_app
from device_gateway.database.pool import AsyncPool, open_pool
from device_gateway.settings import load_settings

USE = "UPDATE catalogue.bare SET expires_at = %s WHERE hash = %s RETURNING grant_id, subject, scope"
ADD = """INSERT INTO catalogue.bare (hash, kind, grant_id, subject, scope, issued_at, expires_at)
  VALUES (%s, 'access', %s, %s, %s, %s, %s)"""
LOOK = "SELECT scope, expires_at FROM catalogue.bare WHERE hash = %s"


def bare(pool: AsyncPool) -> Starlette:
    async def token(request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode()))
        now, access = datetime.now(UTC), secrets.token_urlsafe(32)
        async with pool.connection() as connection, connection.transaction():
            used = await connection.execute(USE, (now + timedelta(days=30), _hash(form["refresh_token"])))
            row = (await used.fetchall())[0]
            values = (_hash(access), row.grant_id, row.subject, row.scope, now, now + timedelta(minutes=10))
            await connection.execute(ADD, values)
        return JSONResponse({"access_token": access, "token_type": "Bearer", "expires_in": 600, "scope": row.scope})

    async def introspect(request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode()))
        async with pool.connection() as connection:
            row = (await (await connection.execute(LOOK, (_hash(form["token"]),))).fetchall())[0]
        return JSONResponse({"active": True, "scope": row.scope, "exp": int(row.expires_at.timestamp())})

    async def alive(_request: Request) -> Response:
        return PlainTextResponse("alive")

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with pool:
            yield

    routes = [
        Route("/oauth/token", token, methods=["POST"]),
        Route("/oauth/introspect", introspect, methods=["POST"]),
        Route("/healthz", alive),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


if __name__ == "__main__":
    settings = load_settings()
    app = (
        create_app(settings)
        if sys.argv[1] == "ours"
        else bare(open_pool(settings.required("database_url"), "gateway_app"))
    )
    options = {"log_config": None, "access_log": False, "server_header": False}
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ["BENCH_PORT"]), **options)  # type: ignore[arg-type]
