"""What every answer carries, errors too, and what no page contains: nothing runs that is not a file of ours."""

from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from billing.api import doors
from orgs.models import Role
from portal import brand
from tests.architecture.routes import DOORS, OWN, PAGES, REFUSED, WEBHOOKS
from tests.architecture.test_routes import asked, staff_addresses
from tests.architecture.world import ANONYMOUS, STAFF, STRANGER, World, undone
from tests.factories.orgs import PASSWORD

HEADERS = {
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
}
POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "connect-src": "'self'",
    "font-src": "'self'",
    "manifest-src": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
    "img-src": "'self' data:",
    "form-action": "'self' https://checkout.stripe.com",
}


def faults(answer: Any) -> list[str]:
    """What an answer lacks."""
    missing = [
        f"{name}: {answer.headers.get(name)}" for name, value in HEADERS.items() if answer.headers.get(name) != value
    ]
    policy = answer.headers.get("Content-Security-Policy", "")
    said = dict(part.strip().partition(" ")[::2] for part in policy.split(";") if part.strip())
    if said != POLICY:
        missing.append(f"Content-Security-Policy: {policy}")
    return missing


class Page(HTMLParser):
    """What a page would run or colour by itself, and its forms."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.wrong: list[str] = []
        self.forms: list[dict[str, Any]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attributes}
        if tag == "style" or (tag == "script" and "src" not in given and given.get("type") != "application/json"):
            self.wrong.append(f"<{tag}> with its own text")
        for name, value in given.items():
            if (
                name == "style"
                or name.startswith(("on", "hx-on", "hx-vars"))
                or value.startswith(("javascript:", "js:"))
            ):
                self.wrong.append(f"<{tag} {name}={value[:40]}>")
        for name in ("src", "action", "formaction"):
            if given.get(name, "").startswith(("http:", "https:", "//")):
                self.wrong.append(f"<{tag} {name}={given[name]}> is another site")
        if tag == "form":
            self.forms.append(
                {"method": given.get("method", "get").lower(), "token": False, "action": given.get("action")}
            )
        if tag == "input" and given.get("name") == "csrfmiddlewaretoken" and self.forms:
            self.forms[-1]["token"] = True


def everything(world: World) -> Iterator[tuple[str, Any]]:
    """An answer of every address, to whoever gets most of it and to nobody."""
    for row in (*PAGES, *OWN, *DOORS):
        for who in (ANONYMOUS, STRANGER, Role.VIEWER, Role.OWNER):
            for method in ("GET", "POST"):
                with undone():
                    yield f"{method} {row.name} by {who}", asked(world.browser(who), method, world.address(row))
    for name in WEBHOOKS:
        for method in ("GET", "POST"):
            yield f"{method} {name}", asked(world.browser(ANONYMOUS), method, reverse(name))
    for name, address in staff_addresses():
        for who in (ANONYMOUS, STAFF):
            with undone():
                yield f"GET {name} by {who}", asked(world.browser(who), "GET", address)
    for address in ("/no/such/page", "/admin/no/such/page", "/static/no-such-file.css", "/static/css/purser.css"):
        yield address, world.browser(ANONYMOUS).get(address)


def test_every_answer_of_every_address(world: World) -> None:
    """Every header on it; no script or style of its own in it; each of its forms that posts carries its token."""
    headers, inline, tokens = {}, {}, {}
    pages = forms = 0
    for case, answer in everything(world):
        if missing := faults(answer):
            headers[case] = missing
        if not answer.headers.get("Content-Type", "").startswith("text/html"):
            continue
        page = Page(answer.content.decode())
        posted = [form for form in page.forms if form["method"] == "post"]
        pages, forms = pages + 1, forms + len(posted)
        if page.wrong:
            inline[case] = page.wrong
        if bare := [form for form in posted if not form["token"]]:
            tokens[case] = bare
    assert headers == {}
    assert inline == {}
    assert tokens == {}
    assert pages > 150
    assert forms > 100


def test_the_page_checker_finds_what_it_looks_for() -> None:
    page = Page(
        "<style>a{}</style><script>go()</script><a style='x' onclick='go()' href='javascript:go()'></a><p hx-on:click=x>"
        "<form method=post action=https://evil.example></form><script src=/static/a.js></script>"
    )
    assert len(page.wrong) == 7
    assert page.forms == [{"method": "post", "token": False, "action": "https://evil.example"}]


# --- Errors -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def visitor(world: World) -> Client:
    return world.browser(ANONYMOUS)


def broken(*args: Any, **kwargs: Any) -> Any:
    raise RuntimeError("of the tests")


def test_errors_carry_them_too(world: World, visitor: Client, monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    large = b"x" * (settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)
    form = "application/x-www-form-urlencoded"
    answers = {
        400: visitor.get("/accounts/login/", headers={"Host": "evil.example"}),
        404: visitor.get("/no/such/page"),
        405: visitor.put("/theme"),
        413: visitor.post("/accounts/login/", large, content_type=form),
    }
    answers[403] = world.browser(ANONYMOUS, enforce_csrf_checks=True).post("/accounts/login/", {})
    settings.RATES = settings.RATES | {"new_team": "1/h"}
    answers[429] = [world.browser(Role.OWNER).post("/teams/new", {}) for _ in range(2)][-1]
    monkeypatch.setattr(brand, "_variables", broken)
    answers[500] = visitor.get("/brand.css")
    assert {status: answer.status_code for status, answer in answers.items()} == {status: status for status in answers}
    assert {status: missing for status, answer in answers.items() if (missing := faults(answer))} == {}
    for status, answer in answers.items():
        if status != 405:
            assert Page(answer.content.decode()).wrong == []
            assert "<h1>" in answer.content.decode()


def test_errors_of_the_json_doors_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: dict[str, Any] = {"content_type": "application/json", "headers": bearer(world)}
    answers = [
        world.browser(ANONYMOUS).post("/api/v1/usage", b"{", **sent),
        world.browser(ANONYMOUS).post("/api/v1/usage", b" " * (doors.MOST_BYTES + 1), **sent),
        world.browser(ANONYMOUS).get("/api/v1/usage"),
        world.browser(ANONYMOUS).get("/api/v1/limits", headers={"Host": "evil.example"}),
    ]
    monkeypatch.setattr(doors, "_recognised", broken)
    answers.append(world.browser(ANONYMOUS).post("/api/v1/usage", b"{}", **sent))
    assert [answer.status_code for answer in answers] == [400, 413, 405, 400, 500]
    assert [faults(answer) for answer in answers] == [[]] * 5


def bearer(world: World) -> dict[str, str]:
    return {"Authorization": f"Bearer {world.tokens['gateway']}"}


# --- Hosts and bodies -------------------------------------------------------------------------------------------------


HOSTS = ("evil.example", "127.0.0.1.evil.example", "testserver@evil.example", "", "a b", "[::1]")
BODIES = ("application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain")


def test_another_host_is_refused_everywhere(world: World) -> None:
    addresses = {world.address(row) for row in (*PAGES, *OWN, *DOORS)} | {"/admin/", "/webhooks/stripe"}
    found = {}
    for host in HOSTS:
        for address in sorted(addresses):
            with undone() as wrote:
                found[address, host] = asked(
                    world.browser(Role.OWNER), "GET", address, headers={"Host": host}
                ).status_code
            assert wrote == []
    assert {case: status for case, status in found.items() if status != 400} == {}


def test_a_body_over_a_megabyte_is_refused_unread_at_every_door_for_people(world: World, settings: Any) -> None:
    pages = [world.address(row) for row in (*PAGES, *OWN) if row.post != REFUSED]
    addresses = (*pages, reverse("admin:billing_aimodel_add"), "/webhooks/stripe")
    for length in (settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1, 10**11, 10**30):
        for kind in BODIES:
            for address in addresses:
                with undone() as wrote:
                    answer = world.browser(Role.OWNER).generic("POST", address, b"", kind, CONTENT_LENGTH=str(length))
                assert (address, kind, length, answer.status_code, wrote) == (address, kind, length, 413, [])


def test_a_body_over_five_megabytes_is_refused_at_every_door_for_machines(world: World) -> None:
    for row in DOORS:
        if row.method == "POST":
            answer = world.browser(ANONYMOUS).post(
                world.address(row),
                b" " * (doors.MOST_BYTES + 1),
                content_type="application/json",
                headers=bearer(world),
            )
            assert (row.name, answer.status_code) == (row.name, 413)
            assert answer.json()["error"]["code"] == "too_large"


# --- Cookies ----------------------------------------------------------------------------------------------------------


def test_cookies_are_for_us_alone(world: World, settings: Any) -> None:
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = settings.HTTPS = True
    browser = world.browser(ANONYMOUS)
    browser.post("/theme", {"theme": "dark"})
    browser.get("/accounts/login/")
    browser.post("/accounts/login/", {"login": "alice@example.com", "password": PASSWORD})
    assert set(browser.cookies) >= {"csrftoken", "sessionid", "theme"}
    for name in ("csrftoken", "sessionid", "theme"):
        flags = browser.cookies[name]
        assert (name, flags["secure"], flags["httponly"], flags["samesite"]) == (name, True, True, "Lax")
