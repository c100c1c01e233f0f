"""A vendor fills in the whole application form in a browser, section by section, as a person would."""

from playwright.sync_api import Page

IDENTITY = {
    "description_fr": "Un lecteur.",
    "description_en": "A reader.",
    "links_site": "https://vendor.example/",
    "links_terms": "https://vendor.example/terms",
    "links_privacy": "https://vendor.example/privacy",
    "links_support": "https://vendor.example/support",
}
PURPOSE = {
    "key": "show-glucose",
    "name_fr": "Voir la glycémie",
    "name_en": "See your glucose",
    "wording_fr": "Nous affichons votre glycémie.",
    "wording_en": "We show your glucose.",
    "retention_days": "7",
    "justification": "Without values there is no curve.",
}
ASSESSMENT = {"name": "dpia.txt", "mimeType": "text/plain", "buffer": b"No risk remains.\n"}


def begin(page: Page, base_url: str, name: str) -> str:
    """The address of a new draft."""
    page.goto(f"{base_url}/catalogue/apply")
    page.fill("[name=name]", name)
    page.locator("main form button").click()
    page.wait_for_url("**/catalogue/vendor/applications/*")
    return page.url


def fill_in(page: Page, draft: str, redirect_uri: str) -> None:
    """Every section of a draft, complete; the app reads blood glucose."""
    save(page, f"{draft}/identity", IDENTITY, "#theme-GESTION")
    save_client(page, draft, redirect_uri)
    page.goto(f"{draft}/purposes")
    page.locator("button[name=add]").click()
    page.wait_for_url(f"{draft}/purposes/*")
    save(page, page.url, PURPOSE, "#reads-blood-glucose")
    page.goto(f"{draft}/documents")
    page.set_input_files("#file", ASSESSMENT)  # type: ignore[arg-type]
    page.locator("form[action$='/documents'] button").click()
    page.get_by_role("link", name="dpia.txt").wait_for()
    for area in ("security", "interoperability", "ethics", "accessibility", "sustainability"):
        page.goto(f"{draft}/criteria/{area}")
        for answer in page.locator("input[type=radio][value=met]").all():
            answer.check()
        for explanation in page.locator("textarea").all():
            explanation.fill("As asked.")
        _press_save(page)


def save_client(page: Page, draft: str, redirect_uri: str, launch_uri: str = "") -> None:
    save(page, f"{draft}/client", {"redirect_uris": redirect_uri, "launch_uri": launch_uri})


def save(page: Page, address: str, texts: dict[str, str], *ticked: str) -> None:
    page.goto(address)
    for name, text in texts.items():
        page.fill(f"[name={name}]", text)
    for box in ticked:
        page.check(box)
    _press_save(page)


def submit(page: Page, draft: str) -> None:
    page.goto(draft)
    page.locator("form[action$='/submit'] button").click()
    page.wait_for_load_state()


def _press_save(page: Page) -> None:
    page.locator("main form:not([class]) button[type=submit]:not([name])").click()
    page.wait_for_url("**?saved")
