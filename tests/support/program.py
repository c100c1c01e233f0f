"""A vendor's program with an access key, in a host of a few lines: made on the page, used without a cookie."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx2
from catalogue_host import REDIRECT, WEIGHT_SCOPE, Host, Somebody

from app_catalog import register_vendor
from device_simulators.demo.contact import confirmed

VENDOR = "/api/catalogue/vendor"
IDENTITY = {
    "name": "Poids & Co",
    "description": {"fr": "Montre le poids.", "en": "Shows weight."},
    "links": {name: f"https://vendor.example/{name}" for name in ("site", "terms", "privacy", "support")},
    "economic_model": "free",
    "themes": ["GESTION"],
}
CLIENT = {"profile": "smart-asym", "redirect_uris": [REDIRECT]}
PURPOSE = {
    "key": "weight",
    "name": {"fr": "Voir mon poids", "en": "See my weight"},
    "wording": {"fr": "Pour la courbe.", "en": "For the curve."},
    "retention_days": 30,
    "read_scope": WEIGHT_SCOPE,
    "justification": "A curve needs values.",
}
PDF = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n"


@dataclass
class Program:
    """`ask` sends what a pipeline would send."""

    host: Host
    key: str

    async def ask(self, method: str, path: str, body: Any = None, **options: Any) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {self.key}", **options.pop("headers", {})}
        if body is not None:
            options["json"] = body
        path = path if path.startswith("/") else f"{VENDOR}/{path}"
        async with self.host.browser() as client:
            return await client.request(method, path, headers=headers, **options)

    async def done(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        response = await self.ask(method, path, body, **options)
        assert response.status_code < 300, response.text
        return response.json() if response.content else None

    async def begin(self, name: str = "Poids & Co") -> str:
        """Path of a new draft."""
        return f"applications/{(await self.done('POST', 'apps', {'name': name}))['id']}"

    async def fill_in(self, draft: str, **changes: Any) -> dict[str, Any]:
        """Every section; what the draft is then."""
        document = await self.done(
            "POST", f"{draft}/documents", params={"kind": "impact_assessment", "name": "dpia.pdf"}, content=PDF,
            headers={"Content-Type": "application/pdf"},
        )  # fmt: skip
        asked = (await self.done("GET", "/api/catalogue/criteria"))["criteria"]
        answer = {"answer": "met", "explanation": "As asked.", "document": document["id"]}
        criteria = {one["code"]: answer for one in asked}
        sections = {"identity": IDENTITY, "client": CLIENT, "purposes": [PURPOSE], "criteria": criteria, **changes}
        return dict(await self.done("PATCH", draft, sections))


async def organisation(host: Host, owner: Somebody, name: str = "Acme") -> UUID:
    """With a contact that is confirmed."""
    options: dict[str, Any] = {"person": owner, "journal": host.journal, "now": host.now()}
    async with host.pool.connection() as connection:
        vendor_id = await register_vendor(connection, name=name, contact="help@acme.example", **options)
        await confirmed(connection, vendor_id, **options)
    return vendor_id


async def make_key(
    host: Host, person: Somebody, vendor_id: UUID | None, *, may: str = "write", days: int = 30, name: str = "ci"
) -> httpx2.Response:
    """What the form answers."""
    here = f"/catalogue/vendor/organisations/{vendor_id}/keys" if vendor_id else "/catalogue/review/keys"
    ends_on = (datetime.now(UTC) + timedelta(days=days)).date().isoformat()
    form = {"name": name, "may": may, "ends_on": ends_on, "csrf_token": person.csrf_token}
    async with host.browser(person) as browser:
        return await browser.post(here, data=form)


async def program(host: Host, person: Somebody, vendor_id: UUID | None, **options: Any) -> Program:
    made = await make_key(host, person, vendor_id, **options)
    found = re.search(r'id="access-key">(appcat_[0-9a-f]{64})<', made.text)
    assert found, made.text
    return Program(host, found[1])
