"""Two reviewers and a vendor walk an application through its review, in browsers."""

from playwright.sync_api import Page

AGREE_WITH_ALL = "document.querySelectorAll('input[type=radio][value=agree]').forEach(each => { each.checked = true })"


def open_application(page: Page, base_url: str, name: str) -> None:
    page.goto(f"{base_url}/catalogue/review")
    page.get_by_role("link", name=name, exact=True).last.click()
    page.wait_for_url("**/catalogue/review/applications/*")


def declare_no_interest(page: Page) -> None:
    page.locator("[name=interest][value=no]").click()
    page.wait_for_selector("[name=interest][value=yes]")


def find_complete(page: Page) -> None:
    page.locator("[name=admissible][value=yes]").click()
    page.wait_for_selector("a[href$='/evaluation']")


def evaluate(page: Page) -> None:
    """Agree with everything, and hand in."""
    page.locator("a[href$='/evaluation']").click()
    page.wait_for_selector("[name=recommendation]")
    page.evaluate(AGREE_WITH_ALL)
    page.select_option("[name=recommendation]", "favourable")
    page.fill("[name=comment]", "Read in full, with its documents.")
    page.locator("[name=action][value='hand-in']").click()
    page.wait_for_url("**/catalogue/review/applications/*")


def give_opinion(page: Page) -> None:
    page.reload()
    page.select_option("[name=verdict]", "favourable")
    page.fill("[name=text]", "Both evaluations are favourable.")
    page.locator("form[action$='/opinion'] button").click()
    page.wait_for_selector("form[action$='/agreement']")


def offer_agreement(page: Page) -> None:
    page.locator("form[action$='/agreement'] button").click()
    page.wait_for_load_state()


def accept_agreement(page: Page, draft: str) -> None:
    """As an owner of the vendor, whose application's address is `draft`."""
    page.goto(f"{draft}/review")
    page.locator("form[action*='/agreements/'] button").click()
    page.wait_for_selector("form[action*='/agreements/']", state="detached")


def approve(page: Page) -> None:
    page.reload()
    page.locator("[name=decision][value=approve]").click()
    page.wait_for_url("**/catalogue/review")
