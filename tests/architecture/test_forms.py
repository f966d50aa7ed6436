"""Another site cannot act for somebody who is signed in here, and nobody is sent to another site from here."""

from typing import Any

from django.urls import reverse

from orgs.models import Role
from tests import figures as counted
from tests.architecture.routes import DOORS, OWN, PAGES, REFUSED, WEBHOOKS
from tests.architecture.visits import HTMX, asked, expected_of, staff_addresses
from tests.architecture.world import ANONYMOUS, STAFF, World, undone
from tests.factories.orgs import PASSWORD

TOKEN = "a" * 32
FORGED: dict[str, dict[str, Any]] = {
    "without a token": {},
    "htmx without a token": {"headers": HTMX},
    "another token than the cookie's": {"headers": {"X-CSRFToken": "b" * 32}},
    "a token of another length": {"headers": {"X-CSRFToken": "a"}},
    "from another site": {"headers": {"X-CSRFToken": TOKEN, "Origin": "https://evil.example"}},
    "from nowhere": {"headers": {"X-CSRFToken": TOKEN, "Origin": "null"}},
    "over https from another site": {
        "headers": {"X-CSRFToken": TOKEN, "Referer": "https://evil.example/"},
        "secure": True,
    },
    "over https without saying from where": {"headers": {"X-CSRFToken": TOKEN}, "secure": True},
}


def posting() -> list[Any]:
    return [row for row in (*PAGES, *OWN) if row.post not in (REFUSED, 404)]


def guarded(world: World, who: str) -> Any:
    browser = world.browser(who, enforce_csrf_checks=True)
    browser.cookies["csrftoken"] = TOKEN
    return browser


def test_a_forged_post_is_refused_at_every_door_for_people(world: World) -> None:
    """Without a token at each door; forged with more care two ways at each, others at the next."""
    wrong, (bare, *ways) = [], FORGED
    for turn, row in enumerate(posting()):
        for kind in (bare, *counted.some(ways, turn, reduced=2)):
            with undone() as wrote:
                answer = guarded(world, Role.OWNER).post(world.address(row), row.sends, **FORGED[kind])
            if answer.status_code != 403 or wrote or "This form is too old" not in answer.content.decode():
                wrong.append(f"{row.name} {kind}: {answer.status_code}, wrote {wrote}")
    for sent in FORGED.values():
        for name in ("admin:login", "admin:logout"):
            assert guarded(world, STAFF).post(reverse(name), {}, **sent).status_code == 403
    for name, address in staff_addresses():
        with undone() as wrote:
            answer = guarded(world, STAFF).post(address, {})
        if answer.status_code not in (403, 404, 405) or wrote:
            wrong.append(f"{name}: {answer.status_code}, wrote {wrote}")
    assert wrong == []
    assert len(posting()) > 20


def test_with_the_token_the_same_post_is_taken(world: World) -> None:
    """The control: it is the token that made the difference. htmx sends it as a header."""
    for row in PAGES:
        if row.post != REFUSED:
            with undone():
                form = guarded(world, Role.OWNER).post(world.address(row), {**row.sends, "csrfmiddlewaretoken": TOKEN})
            with undone():
                headers = {**HTMX, "X-CSRFToken": TOKEN}
                fragment = guarded(world, Role.OWNER).post(world.address(row), row.sends, headers=headers)
            expected = expected_of(row, "POST", Role.OWNER)
            assert (row.name, form.status_code) == (row.name, expected)
            assert fragment.status_code in (expected, 200, 204), row.name


def test_doors_for_machines_ask_for_no_token_and_take_no_session(world: World) -> None:
    """There is nothing to forge: a browser's cookie opens none of them."""
    for row in DOORS:
        if row.takes is not None:
            answer = asked(guarded(world, Role.OWNER), row.method, world.address(row))
            assert (row.name, answer.status_code) == (row.name, 401)
    for name in WEBHOOKS:
        assert guarded(world, Role.OWNER).post(reverse(name), {}).status_code == 400


# --- Where people are sent --------------------------------------------------------------------------------------------

ELSEWHERE = (
    "https://evil.example/",
    "//evil.example/",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "http:evil.example",
    "https:///evil.example",
    "javascript:alert(1)",
    " https://evil.example",
    "https://testserver@evil.example/",
    "https://testserver.evil.example/",
    "\t//evil.example",
)


def is_here(location: str) -> bool:
    return location.startswith("/") and not location.startswith(("//", "/\\"))


def test_nobody_is_sent_to_another_site(world: World, settings: Any) -> None:
    settings.ACCOUNT_RATE_LIMITS = False
    for to in ELSEWHERE:
        stays_here(world, to)


def stays_here(world: World, to: str) -> None:
    alice = {"login": "alice@example.com", "password": PASSWORD}
    with undone():
        signed_in = world.browser(ANONYMOUS).post("/accounts/login/", {**alice, "next": to})
    with undone():
        query = world.browser(ANONYMOUS).post("/accounts/login/", alice, QUERY_STRING=f"next={to}")
    with undone():
        already_in = world.browser(Role.OWNER).get("/accounts/login/", {"next": to})
    with undone():
        signed_out = world.browser(Role.OWNER).post("/accounts/logout/", {"next": to})
    themed = world.browser(ANONYMOUS).post("/theme", {"theme": "dark", "next": to})
    reauthenticated = world.browser(ANONYMOUS).get("/accounts/reauthenticate/", {"next": to})
    staff = world.browser(ANONYMOUS).get("/admin/login/", {"next": to})
    for answer in (signed_in, query, already_in, signed_out, themed, reauthenticated, staff):
        assert answer.status_code == 302
        assert is_here(answer["Location"]), answer["Location"]
    fragment = world.browser(ANONYMOUS).get("/o/acme/keys", headers={**HTMX, "HX-Current-URL": to})
    assert is_here(fragment["HX-Redirect"])
    assert "evil" not in fragment["HX-Redirect"]


def test_people_come_back_to_the_page_they_asked_for(world: World) -> None:
    with undone():
        answer = world.browser(ANONYMOUS).post(
            "/accounts/login/", {"login": "alice@example.com", "password": PASSWORD, "next": "/o/acme/keys?a=b"}
        )
    assert (answer.status_code, answer["Location"]) == (302, "/o/acme/keys?a=b")
