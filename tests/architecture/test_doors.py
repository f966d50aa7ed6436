"""The same doors asked by htmx, for others' things, and by machines: as strict as for a browser that asks for its own."""

import json
from collections.abc import Iterator
from itertools import count
from typing import Any

from django.urls import reverse

from orgs import access
from orgs.models import Role
from tests import figures as counted
from tests.architecture import routes
from tests.architecture.routes import DOORS, PAGES, REFUSED, SESSION, TOKENS, Door, Page
from tests.architecture.visits import HTMX, METHODS, asked, expected_of, some_members
from tests.architecture.world import ACME, ANONYMOUS, INACTIVE, MEMBERS, OUTSIDERS, STAFF, World, undone


def compared(found: dict[str, Any], expected: dict[str, Any]) -> dict[str, str]:
    return {what: f"{found[what]}, not {expected[what]}" for what in found if found[what] != expected[what]}


# --- Fragments --------------------------------------------------------------------------------------------------------


def fragments() -> Iterator[tuple[Page, str, str]]:
    """Two outsiders and some members at each method that a page takes, and one of all at each that it refuses."""
    turns = count()
    for row in PAGES:
        for method, answer in zip(METHODS, (row.get, row.post)):
            turn = next(turns)
            if answer == REFUSED:
                chosen = counted.some([*OUTSIDERS, *MEMBERS], turn, reduced=1)
            else:
                chosen = counted.some(OUTSIDERS, turn, reduced=2) + some_members(row, turn)
            yield from ((row, method, who) for who in chosen)


def test_fragments_have_the_doors_of_their_pages(world: World) -> None:
    """htmx asks the same addresses: the same doors, and to sign in it is told to load the page."""
    wrong, seen = [], set()
    for row, method, who in fragments():
        with undone() as wrote:
            answer = asked(world.browser(who), method, world.address(row), row.sends, headers=HTMX)
        expected = {expected_of(row, method, who)}
        seen |= {(who, status) for status in expected}
        if expected == {302} and who in (ANONYMOUS, INACTIVE):
            redirected = answer.headers.get("HX-Redirect", "").startswith("/accounts/login/?next=/")
            wrong += [] if redirected else [f"{method} {row.name} by {who}: no HX-Redirect"]
            expected = {200}
        elif expected == {302}:
            expected = {200, 204, 302}
        if answer.status_code not in expected or (wrote and who in OUTSIDERS):
            wrong.append(f"{method} {row.name} by {who}: {answer.status_code}, not {expected}; wrote {wrote}")
    assert wrong == []
    assert {who for who, status in seen if status == REFUSED} == {*OUTSIDERS, *MEMBERS}
    assert {who for who, status in seen if status == 200} == set(MEMBERS)
    assert {who for who, status in seen if status == 403} >= {Role.BILLING, Role.DEVELOPER, Role.VIEWER}


# --- Things of others -------------------------------------------------------------------------------------------------


def foreign_cases() -> Iterator[tuple[Page, str, str]]:
    """Of the members who may and of those who may not some at each: which of them it is, is all one to the thing."""
    turns = count()
    for row in PAGES:
        for method, answer in zip(METHODS, (row.get, row.post)):
            if row.object and answer != REFUSED:
                turn = next(turns)
                yield from ((row, method, who) for who in some_members(row, turn))


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
