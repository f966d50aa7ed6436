"""Every address x everybody x GET and POST: who gets in, who does not, and that who does not changes and learns nothing."""

import json
from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.test import Client
from django.urls import reverse

from orgs import access
from orgs.access import Permission
from orgs.models import Role
from tests.architecture import routes
from tests.architecture.routes import DOORS, OWN, PAGES, REFUSED, SESSION, TOKENS, Door, Page
from tests.architecture.world import (
    ACME,
    ANONYMOUS,
    INACTIVE,
    MEMBERS,
    OUTSIDERS,
    PLAIN_STAFF,
    STAFF,
    STRANGER,
    World,
    undone,
)

STAFF_KWARGS = {
    "admin:app_list": {"app_label": "billing"},
    "admin:view_on_site": {"content_type_id": "0", "object_id": "0"},
}
HTMX = {"HX-Request": "true", "HX-Current-URL": "http://testserver/o/acme/"}


def asked(browser: Client, method: str, address: str, sends: dict[str, str] | None = None, **extra: Any) -> Any:
    return browser.get(address, **extra) if method == "GET" else browser.post(address, sends or {}, **extra)


def compared(found: dict[str, Any], expected: dict[str, Any]) -> dict[str, str]:
    return {what: f"{found[what]}, not {expected[what]}" for what in found if found[what] != expected[what]}


# --- The table holds every address ------------------------------------------------------------------------------------


def of_staff_tables() -> set[str]:
    """The names that Django makes for every table on the staff's site."""
    tables = [f"{model._meta.app_label}_{model._meta.model_name}" for model in admin.site._registry]
    pages = {f"admin:{table}_{kind}" for table in tables for kind in routes.STAFF_KINDS}
    return pages | {f"admin:{act}" for act in routes.STAFF_ACTS}


def test_every_address_is_in_the_table() -> None:
    there = {route.name or route.pattern for route in routes.there_are()}
    known = routes.listed() | of_staff_tables()
    unnamed = {name for name in there if name.startswith("admin") and name.endswith(routes.STAFF_CATCH_ALLS)}
    assert there - known - unnamed == set(), "addresses that tests/architecture/routes.py does not hold"
    assert known - there == set(), "lines of tests/architecture/routes.py for addresses that are gone"


def test_an_address_that_is_not_in_the_table_is_found() -> None:
    """The control: with a line taken away, the comparison above is not empty."""
    there = {route.name or route.pattern for route in routes.there_are()}
    assert "orgs:revoke_key" in there - (routes.listed() - {"orgs:revoke_key"})


def test_every_page_of_an_organization_has_the_door_that_the_table_says() -> None:
    doors = {route.name: getattr(route.view, "permission", None) for route in routes.there_are()}
    assert {row.name: doors[row.name] for row in PAGES} == {row.name: row.permission for row in PAGES}
    others = [route.name for route in routes.there_are() if "<slug:slug>" in route.pattern]
    assert set(others) == {row.name for row in PAGES}


def test_what_can_be_done_too_often_is_counted_where_the_table_says() -> None:
    counted = {route.name: getattr(route.view, "throttle", "") for route in routes.there_are()}
    assert {row.name: counted[row.name] for row in (*PAGES, *OWN)} == {row.name: row.throttle for row in (*PAGES, *OWN)}


# --- The pages of an organization -------------------------------------------------------------------------------------


def expected_of(row: Page, method: str, who: str) -> int:
    answer = row.get if method == "GET" else row.post
    if answer == REFUSED:
        return REFUSED
    if who in (ANONYMOUS, INACTIVE):
        return 302
    if who not in MEMBERS:
        return 404
    return answer if access.allows(Role(who), row.permission) else 403


def test_everybody_at_every_page_of_an_organization(world: World) -> None:
    found, expected, wrong = {}, {}, []
    for row in PAGES:
        for method in ("GET", "POST"):
            for who in (*OUTSIDERS, *MEMBERS):
                with undone() as wrote:
                    answer = asked(world.browser(who), method, world.address(row), row.sends)
                case = f"{method} {row.name} by {who}"
                found[case], expected[case] = answer.status_code, expected_of(row, method, who)
                if wrote and (method == "GET" or answer.status_code in (403, 404, 405) or who in OUTSIDERS):
                    wrong.append(f"{case} wrote: {wrote}")
                if who in OUTSIDERS and ACME.encode() in answer.content:
                    wrong.append(f"{case} was told about the organization")
                if answer.status_code == 302 and who in (ANONYMOUS, INACTIVE):
                    wrong += (
                        []
                        if answer["Location"].startswith("/accounts/login/?next=/")
                        else [f"{case}: {answer['Location']}"]
                    )
    assert compared(found, expected) == {}
    assert wrong == []
    assert len(found) == len(PAGES) * 2 * 9


def test_the_same_for_fragments(world: World) -> None:
    """htmx asks the same addresses: the same doors, and to sign in it is told to load the page."""
    wrong = []
    for row in PAGES:
        for method in ("GET", "POST"):
            for who in (*OUTSIDERS, *MEMBERS):
                with undone() as wrote:
                    answer = asked(world.browser(who), method, world.address(row), row.sends, headers=HTMX)
                expected = {expected_of(row, method, who)}
                if expected == {302} and who in (ANONYMOUS, INACTIVE):
                    redirected = answer.headers.get("HX-Redirect", "").startswith("/accounts/login/?next=/")
                    wrong += [] if redirected else [f"{method} {row.name} by {who}: no HX-Redirect"]
                    expected = {200}
                elif expected == {302}:
                    expected = {200, 204, 302}
                if answer.status_code not in expected or (wrote and who in OUTSIDERS):
                    wrong.append(f"{method} {row.name} by {who}: {answer.status_code}, not {expected}; wrote {wrote}")
    assert wrong == []


def foreign_cases() -> Iterator[tuple[Page, str, str]]:
    for row in PAGES:
        for method, answer in (("GET", row.get), ("POST", row.post)):
            for who in MEMBERS if row.object and answer != REFUSED else ():
                yield row, method, who


def test_things_of_another_organization_do_not_exist_under_ones_own(world: World) -> None:
    """And the things of one's own do not exist under another's address."""
    wrong = []
    for row, method, who in foreign_cases():
        expected = 404 if access.allows(Role(who), row.permission) else 403
        for other in ({row.object: world.foreign[row.object]}, {row.object: made_up(row.object)}):
            with undone() as wrote:
                answer = asked(world.browser(who), method, world.address(row, **other), row.sends)
            if answer.status_code != expected or wrote:
                wrong.append(
                    f"{method} {row.name} {other} by {who}: {answer.status_code}, not {expected}; wrote {wrote}"
                )
        with undone() as wrote:
            answer = asked(world.browser(who), method, world.address(row, slug="charlies"), row.sends)
        if answer.status_code != 404 or wrote:
            wrong.append(f"{method} {row.name} of ours at theirs by {who}: {answer.status_code}, wrote {wrote}")
    assert wrong == []


def made_up(part: str) -> str:
    nobodys = "0196340c-8b1e-7c3a-9f00-5a1b2c3d4e5f"
    known = {"pk": "999999999", "card_id": "999999999"}
    known |= dict.fromkeys(
        ("intent_id", "setup_id", "contract_id", "quote_id", "payment_id", "subscription_id"), nobodys
    )
    return known.get(part, "key_0000000000000000")


def test_one_does_not_tell_a_strangers_organization_from_none(world: World) -> None:
    """The very same answer, but for the name that was asked for."""
    for row in PAGES:
        method = "GET" if row.get != REFUSED else "POST"
        with undone():
            theirs = asked(world.browser(STRANGER), method, world.address(row), row.sends)
        with undone():
            nobodys = asked(world.browser(STRANGER), method, world.address(row, slug="nobodys"), row.sends)
        assert theirs.status_code == nobodys.status_code == 404
        assert theirs.headers.keys() == nobodys.headers.keys()


def test_what_a_refused_member_is_told(world: World) -> None:
    for row in PAGES:
        for who in (role for role in MEMBERS if not access.allows(role, row.permission)):
            method = "GET" if row.get != REFUSED else "POST"
            with undone():
                answer = asked(world.browser(who), method, world.address(row), row.sends)
            assert "Your role does not let you do this" in answer.content.decode(), f"{row.name} by {who}"
            assert "prod-api" not in answer.content.decode()


# --- The pages of a person, and of everybody --------------------------------------------------------------------------


def test_everybody_at_the_pages_that_belong_to_no_organization(world: World) -> None:
    found, expected, wrong = {}, {}, []
    for row in OWN:
        for method in ("GET", "POST"):
            for who in (ANONYMOUS, INACTIVE, STRANGER, *MEMBERS):
                nobody = who in (ANONYMOUS, INACTIVE)
                with undone() as wrote:
                    answer = asked(world.browser(who), method, world.address(row), row.sends)
                case = f"{method} {row.name} by {who}"
                found[case] = answer.status_code
                expected[case] = {
                    ("GET", True): row.anonymous_get,
                    ("POST", True): row.anonymous_post,
                    ("GET", False): row.get,
                    ("POST", False): row.post,
                }[method, nobody]
                if wrote and (nobody or method == "GET" or answer.status_code >= 400):
                    wrong.append(f"{case} wrote: {wrote}")
                if who in (ANONYMOUS, INACTIVE, STRANGER) and ACME.encode() in answer.content:
                    wrong.append(f"{case} was told about an organization")
    assert compared(found, expected) == {}
    assert wrong == []


# --- Doors for machines -----------------------------------------------------------------------------------------------


def knock(world: World, row: Door, method: str, token: str) -> Any:
    browser = world.browser(Role.OWNER if token == SESSION else ANONYMOUS)
    headers = {"Authorization": f"Bearer {world.tokens[token]}"} if token in world.tokens else {}
    address = world.address(row)
    if method == "GET":
        return browser.get(address, headers=headers)
    body = json.dumps(row.sends or {}).replace("{fingerprint}", world.own["fingerprint"])
    return browser.post(address, body, content_type="application/json", headers=headers)


def test_every_kind_of_token_at_every_door(world: World) -> None:
    found, expected, wrong = {}, {}, []
    for row in DOORS:
        for method in ("GET", "POST"):
            for token in TOKENS:
                with undone() as wrote:
                    answer = knock(world, row, method, token)
                case = f"{method} {row.name} with {token}"
                found[case] = answer.status_code
                expected[case] = (
                    REFUSED if method != row.method else 401 if row.takes not in (None, token) else row.answers
                )
                if answer.status_code in (401, 405) and (wrote or ACME.encode() in answer.content):
                    wrong.append(f"{case}: wrote {wrote}")
                if answer.headers["Content-Type"] != "application/json" or answer.cookies:
                    wrong.append(f"{case} is not plain JSON without cookies")
    assert compared(found, expected) == {}
    assert wrong == []


def test_a_gateway_asks_only_for_keys_that_it_was_shown(world: World) -> None:
    address = reverse("billing:api_limits") + f"?key={world.foreign['public_id']}"
    answer = world.browser(ANONYMOUS).get(address, headers={"Authorization": f"Bearer {world.tokens['gateway']}"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "resolve_first")


def test_a_webhook_without_a_signature_goes_nowhere(world: World) -> None:
    for name in routes.WEBHOOKS:
        for who in (ANONYMOUS, Role.OWNER, STAFF):
            with undone() as wrote:
                assert world.browser(who).get(reverse(name)).status_code == REFUSED
                assert world.browser(who).post(reverse(name), {}, content_type="application/json").status_code == 400
            assert wrote == []


# --- The staff's site -------------------------------------------------------------------------------------------------


def staff_addresses() -> Iterator[tuple[str, str]]:
    for name in routes.STAFF_PAGES:
        kwargs = {
            "admin:app_list": {"app_label": "billing"},
            "admin:view_on_site": {"content_type_id": "0", "object_id": "0"},
        }
        yield name, reverse(name, kwargs=kwargs.get(name, {}))
    for name in sorted(of_staff_tables()):
        yield name, reverse(name, args=[] if name.endswith(("_changelist", "_add")) else ["1"])


def test_nobody_but_staff_at_the_staffs_site(world: World) -> None:
    wrong = []
    for name, address in staff_addresses():
        for who in (ANONYMOUS, INACTIVE, STRANGER, Role.OWNER):
            for method in ("GET", "POST"):
                with undone() as wrote:
                    answer = asked(world.browser(who), method, address)
                if (
                    answer.status_code != 302
                    or not answer["Location"].startswith("/admin/login/?next=/admin/")
                    or wrote
                ):
                    wrong.append(f"{method} {name} by {who}: {answer.status_code}, wrote {wrote}")
    for who, expected in ((ANONYMOUS, 302), (INACTIVE, 302), (Role.OWNER, 403)):
        found = world.browser(who).get(reverse("admin:login")).status_code
        wrong += [] if found == expected else [f"sign-in by {who}: {found}, not {expected}"]
    assert wrong == []


def test_staff_without_rights_see_no_table(world: World) -> None:
    for name in sorted(of_staff_tables()):
        if name.endswith("_changelist"):
            for method in ("GET", "POST"):
                with undone() as wrote:
                    answer = asked(world.browser(PLAIN_STAFF), method, reverse(name))
                assert (name, answer.status_code, wrote) == (name, 403, [])


def test_staff_without_rights_do_no_act(world: World) -> None:
    for name in routes.STAFF_ACTS:
        for method in ("GET", "POST"):
            with undone() as wrote:
                answer = asked(world.browser(PLAIN_STAFF), method, reverse(f"admin:{name}", args=["1"]))
            assert (name, answer.status_code, wrote) == (name, 403, [])


def test_staff_see_every_table(world: World) -> None:
    for name, expected in routes.STAFF_PAGES.items():
        address = dict(staff_addresses())[name]
        assert (name, world.browser(STAFF).get(address).status_code) == (name, expected)
    for name in sorted(of_staff_tables()):
        if name.endswith("_changelist"):
            with undone() as wrote:
                answer = world.browser(STAFF).get(reverse(name))
            assert (name, answer.status_code, wrote) == (name, 200, [])


def test_every_permission_is_somebodys_door() -> None:
    used: set[Permission] = {row.permission for row in PAGES}
    assert used == set(Permission)
