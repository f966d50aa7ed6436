"""What errors carry too; hosts and bodies that no door takes; whose the cookies are. Other answers: `test_routes.py`."""

from typing import Any
from unittest import mock

import pytest
from django.db import OperationalError
from django.db.backends.postgresql.base import DatabaseWrapper
from django.test import Client
from django.urls import reverse

from billing.api import doors
from orgs.models import Role
from portal import brand
from tests import figures as counted
from tests.architecture.answers import Document, faults
from tests.architecture.routes import DOORS, OWN, PAGES, REFUSED
from tests.architecture.visits import asked
from tests.architecture.world import ANONYMOUS, World, undone
from tests.factories.orgs import PASSWORD


def test_the_page_checker_finds_what_it_looks_for() -> None:
    page = Document(
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
    with mock.patch.object(DatabaseWrapper, "_cursor", side_effect=OperationalError("the server is starting up")):
        answers[503] = world.browser(Role.OWNER).get("/o/acme/billing")
    assert {status: answer.status_code for status, answer in answers.items()} == {status: status for status in answers}
    assert {status: missing for status, answer in answers.items() if (missing := faults(answer.headers))} == {}
    for status, answer in answers.items():
        if status != 405:
            assert Document(answer.content.decode()).wrong == []
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
    assert [faults(answer.headers) for answer in answers] == [[]] * 5


def bearer(world: World) -> dict[str, str]:
    return {"Authorization": f"Bearer {world.tokens['gateway']}"}


# --- Hosts and bodies -------------------------------------------------------------------------------------------------


OTHER_HOSTS = ("evil.example", "127.0.0.1.evil.example", "testserver@evil.example", "", "a b", "[::1]")
BODIES = ("application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain")


def test_another_host_is_refused_everywhere(world: World) -> None:
    """Two of them at each address, others at the next."""
    addresses = {world.address(row) for row in (*PAGES, *OWN, *DOORS)} | {"/admin/", "/webhooks/stripe"}
    found = {}
    with undone() as wrote:
        for turn, address in enumerate(sorted(addresses)):
            for host in counted.some(OTHER_HOSTS, turn, reduced=2):
                answer = asked(world.browser(Role.OWNER), "GET", address, headers={"Host": host})
                found[address, host] = answer.status_code
    assert wrote == []
    assert {case: status for case, status in found.items() if status != 400} == {}
    assert {host for _, host in found} == set(OTHER_HOSTS)


def test_a_body_over_a_megabyte_is_refused_unread_at_every_door_for_people(world: World, settings: Any) -> None:
    """Two kinds and lengths at each door, others at the next."""
    pages = [world.address(row) for row in (*PAGES, *OWN) if row.post != REFUSED]
    lengths = (settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1, 10**11, 10**30)
    bodies = [(kind, length) for kind in BODIES for length in lengths]
    with undone() as wrote:
        for turn, address in enumerate((*pages, reverse("admin:billing_aimodel_add"), "/webhooks/stripe")):
            for kind, length in counted.some(bodies, turn, reduced=2):
                answer = world.browser(Role.OWNER).generic("POST", address, b"", kind, CONTENT_LENGTH=str(length))
                assert (address, kind, length, answer.status_code) == (address, kind, length, 413)
    assert wrote == []


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
