"""A vendor who fills in an application by the pages of a browser."""

import re

from catalogue_host import REDIRECT, WEIGHT_SCOPE, Somebody, hidden

from app_catalog import Choice, register_vendor
from device_simulators.demo.contact import confirmed

IDENTITY = {
    "name": "Poids & Co",
    "description_fr": "Montre le poids\r\nà l'écran.",
    "description_en": "Shows weight.",
    "exchanges_data": "yes",
    "links_site": "https://vendor.example/",
    "links_terms": "https://vendor.example/terms",
    "links_privacy": "https://vendor.example/privacy",
    "links_support": "https://vendor.example/support",
    "economic_model": "free",
    "themes": ["USAGE_BIEN_ETRE", "GESTION"],
    "regions": ["FR-BRE"],
    "medical_device_class": "IIa",
    "medical_device_certificate": "CE 123",
}
CLIENT = {"profile": "smart-secret", "redirect_uris": f"{REDIRECT}\r\nhttp://127.0.0.1:9000/cb"}
PURPOSE = {
    "key": "weight",
    "name_fr": "Consulter mon poids",
    "name_en": "See my weight",
    "wording_fr": "Pour montrer la courbe.",
    "wording_en": "To show the curve.",
    "required": "yes",
    "retention_days": "90",
    "reads": ["weight"],
    "write_scope": "patient/Observation.c",
    "justification": "A curve needs values.",
}
CHOICES = (Choice("weight", {"fr": "le poids", "en": "weight"}, WEIGHT_SCOPE),)


class Vendor:
    """A browser in which a member of one organisation fills in forms as they stand."""

    def __init__(self, host, person=None):
        self.host, self.person = host, person or Somebody("vendor")
        self.browser = host.browser(self.person)

    async def register(self):
        async with self.host.pool.connection() as connection:
            options = {"person": self.person, "journal": self.host.journal, "now": self.host.now()}
            vendor_id = await register_vendor(connection, name="Acme <Health>", contact="a@b.example", **options)
            await confirmed(connection, vendor_id, **options)

    async def begin(self, name="Poids & Co"):
        page = await self.browser.get("/catalogue/apply")
        form = {"csrf_token": hidden(page.text, "csrf_token"), "name": name}
        return (await self.browser.post("/catalogue/apply", data=form)).headers["location"]

    async def save(self, path, **fields):
        """What the page at `path` answers to its own form, filled in."""
        page = await self.browser.get(path)
        assert page.status_code == 200, page.text
        seen = re.search('name="seen" value="([^"]*)"', page.text)
        form = {"csrf_token": hidden(page.text, "csrf_token"), "seen": seen[1] if seen else "", **fields}
        return await self.browser.post(path, data=form)

    async def upload(self, path, name, content, **fields):
        form = {"csrf_token": self.person.csrf_token, **fields}
        return await self.browser.post(path, data=form, files={"file": (name, content, "text/html")})

    async def fill_in(self, base):
        """Every section, complete."""
        assert (await self.save(f"{base}/identity", **IDENTITY)).status_code == 303
        assert (await self.save(f"{base}/client", **CLIENT)).status_code == 303
        added = await self.save(f"{base}/purposes", add="yes")
        assert (await self.save(added.headers["location"], **PURPOSE)).status_code == 303
        assert (await self.upload(f"{base}/documents", "dpia.pdf", PDF, kind="impact_assessment")).status_code == 303
        await self.answer_all(base)

    async def answer_all(self, base, answer="met"):
        document = re.search("/catalogue/documents/([0-9a-f-]+)", (await self.browser.get(f"{base}/documents")).text)
        for area in ("security", "interoperability", "ethics", "accessibility", "sustainability"):
            page = await self.browser.get(f"{base}/criteria/{area}")
            answers = {}
            for code in re.findall('<fieldset id="([^"]+)"', page.text):
                answers |= {
                    f"{code}-answer": answer, f"{code}-explanation": f"As asked: {code}.",
                    f"{code}-document": document[1] if document else "",
                }  # fmt: skip
            assert (await self.save(f"{base}/criteria/{area}", **answers)).status_code == 303

    async def submit(self, base):
        return await self.browser.post(f"{base}/submit", data={"csrf_token": self.person.csrf_token})


PDF = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n"
