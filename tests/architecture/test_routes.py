"""Every address x everybody x GET and POST: who gets in, who does not, and that who does not changes and learns nothing.

The walk itself is in `visits.py`, and is made once for all tests that judge its answers.
"""

import re
from collections.abc import Iterator

import pytest
from django.urls import reverse

from orgs.access import Permission
from orgs.models import Role
from tests.architecture import routes, visits
from tests.architecture.answers import Document, faults
from tests.architecture.routes import DOORS, OWN, PAGES, REFUSED, WEBHOOKS
from tests.architecture.visits import Visit, expected_of, of_staff_tables, staff_addresses, visited
from tests.architecture.world import (
    ACME,
    ANONYMOUS,
    INACTIVE,
    OUTSIDERS,
    PLAIN_STAFF,
    STAFF,
    STRANGER,
    World,
)

# One worker for all, without other modules in between: the walk is made once.
pytestmark = [pytest.mark.xdist_group("routes"), pytest.mark.django_db]


# --- The table holds every address ------------------------------------------------------------------------------------


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


def test_everybody_at_every_page_of_an_organization(walk: dict[str, list[Visit]]) -> None:
    rows, wrong, seen = {row.name: row for row in PAGES}, [], walk["organizations"]
    for visit in seen:
        expected = expected_of(rows[visit.name], visit.method, visit.who)
        if visit.status != expected:
            wrong.append(f"{visit}: {visit.status}, not {expected}")
        if visit.wrote and (visit.method == "GET" or visit.status in (403, 404, 405) or visit.who in OUTSIDERS):
            wrong.append(f"{visit} wrote: {visit.wrote}")
        if visit.who in OUTSIDERS and ACME.encode() in visit.content:
            wrong.append(f"{visit} was told about the organization")
        if visit.status == 302 and visit.who in (ANONYMOUS, INACTIVE):
            to = visit.headers["Location"]
            wrong += [] if to.startswith("/accounts/login/?next=/") else [f"{visit}: {to}"]
        if visit.status == 403 and b"Your role does not let you do this" not in visit.content:
            wrong.append(f"{visit} is not told why")
        if visit.status == 403 and b"prod-api" in visit.content:
            wrong.append(f"{visit} is told more than why")
    assert wrong == []
    assert len({str(visit) for visit in seen}) == len(seen) == len(PAGES) * 2 * 9


def test_one_does_not_tell_a_strangers_organization_from_none(walk: dict[str, list[Visit]], world: World) -> None:
    """The very same answer, but for the name that was asked for."""
    theirs = {(visit.name, visit.method): visit for visit in walk["organizations"] if visit.who == STRANGER}
    for row in PAGES:
        method = "GET" if row.get != REFUSED else "POST"
        nobodys = visited(world, STRANGER, method, row.name, world.address(row, slug="nobodys"), row.sends)
        assert theirs[row.name, method].status == nobodys.status == 404
        assert theirs[row.name, method].headers.keys() == nobodys.headers.keys()
        assert in_short(theirs[row.name, method]).replace("acme", "nobodys") == in_short(nobodys)


def in_short(visit: Visit) -> str:
    """The page without what is new in every answer: the form token and the request's id."""
    return re.sub(r"\b[A-Za-z0-9]{64}\b|\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "", visit.content.decode())


# --- The pages of a person, and of everybody --------------------------------------------------------------------------


def test_everybody_at_the_pages_that_belong_to_no_organization(walk: dict[str, list[Visit]]) -> None:
    rows, wrong, seen = {row.name: row for row in OWN}, [], walk["people"]
    for visit in seen:
        row, nobody = rows[visit.name], visit.who in (ANONYMOUS, INACTIVE)
        get, post = (row.anonymous_get, row.anonymous_post) if nobody else (row.get, row.post)
        expected = get if visit.method == "GET" else post
        if visit.status != expected:
            wrong.append(f"{visit}: {visit.status}, not {expected}")
        if visit.wrote and (nobody or visit.method == "GET" or visit.status >= 400):
            wrong.append(f"{visit} wrote: {visit.wrote}")
        if visit.who in (ANONYMOUS, INACTIVE, STRANGER) and ACME.encode() in visit.content:
            wrong.append(f"{visit} was told about an organization")
    assert wrong == []
    assert len({str(visit) for visit in seen}) == len(seen) >= len(OWN) * 2 * 5
    assert {visit.who for visit in seen} == {ANONYMOUS, INACTIVE, STRANGER, *Role}


# --- The staff's site -------------------------------------------------------------------------------------------------


def test_nobody_but_staff_at_the_staffs_site(walk: dict[str, list[Visit]], world: World) -> None:
    wrong, seen = [], [visit for visit in walk["staff"] if visit.who != STAFF]
    for visit in seen:
        to = visit.headers.get("Location", "")
        if visit.status != 302 or not to.startswith("/admin/login/?next=/admin/") or visit.wrote:
            wrong.append(f"{visit}: {visit.status} {to}, wrote {visit.wrote}")
    for who, expected in ((ANONYMOUS, 302), (INACTIVE, 302), (Role.OWNER, 403)):
        found = world.browser(who).get(reverse("admin:login")).status_code
        wrong += [] if found == expected else [f"sign-in by {who}: {found}, not {expected}"]
    assert wrong == []
    for who in (ANONYMOUS, INACTIVE, STRANGER, Role.OWNER):
        for method in visits.METHODS:
            assert (
                sum((visit.who, visit.method) == (who, method) for visit in seen) >= len(list(staff_addresses())) // 4
            )


def test_staff_without_rights_see_no_table(world: World) -> None:
    for name in sorted(of_staff_tables()):
        if name.endswith("_changelist"):
            for method in ("GET", "POST"):
                visit = visited(world, PLAIN_STAFF, method, name, reverse(name))
                assert (name, visit.status, visit.wrote) == (name, 403, [])


def test_staff_without_rights_do_no_act(world: World) -> None:
    for name in routes.STAFF_ACTS:
        for method in ("GET", "POST"):
            visit = visited(world, PLAIN_STAFF, method, name, reverse(f"admin:{name}", args=["1"]))
            assert (name, visit.status, visit.wrote) == (name, 403, [])


def test_staff_see_every_table(walk: dict[str, list[Visit]]) -> None:
    found = {visit.name: visit for visit in walk["staff"] if visit.who == STAFF}
    lists = {name: 200 for name in of_staff_tables() if name.endswith("_changelist")}
    expected = routes.STAFF_PAGES | lists
    assert {name: found[name].status for name in expected} == expected
    assert {name: found[name].wrote for name in lists if found[name].wrote} == {}


# --- What every answer carries ----------------------------------------------------------------------------------------


def more(world: World) -> Iterator[Visit]:
    """What the walk did not ask: forms sent empty, which come back with their errors; machines' doors; what is not there."""
    for row in (*PAGES, *OWN):
        if row.post != REFUSED:
            yield visited(world, Role.OWNER, "POST", f"{row.name}, empty,", world.address(row))
    for door in DOORS:
        for who in (ANONYMOUS, Role.OWNER):
            for method in visits.METHODS:
                yield visited(world, who, method, door.name, world.address(door))
    for name in WEBHOOKS:
        for method in visits.METHODS:
            yield visited(world, ANONYMOUS, method, name, reverse(name))
    for address in ("/no/such/page", "/admin/no/such/page", "/static/no-such-file.css", "/static/css/purser.css"):
        yield visited(world, ANONYMOUS, "GET", address, address)


def test_every_answer_of_every_address(walk: dict[str, list[Visit]], world: World) -> None:
    """Every header on it; no script or style of its own in it; each of its forms that posts carries its token."""
    headers, inline, tokens = {}, {}, {}
    pages = forms = 0
    for visit in (*(visit for part in walk.values() for visit in part), *more(world)):
        if missing := faults(visit.headers):
            headers[str(visit)] = missing
        # Members see what owners or viewers see.
        if visit.who not in (ANONYMOUS, STRANGER, Role.VIEWER, Role.OWNER, STAFF) or not visit.is_page:
            continue
        page = Document(visit.content.decode())
        posted = [form for form in page.forms if form["method"] == "post"]
        pages, forms = pages + 1, forms + len(posted)
        if page.wrong:
            inline[str(visit)] = page.wrong
        if bare := [form for form in posted if not form["token"]]:
            tokens[str(visit)] = bare
    assert headers == {}
    assert inline == {}
    assert tokens == {}
    assert pages > 150
    assert forms > 100


def test_every_permission_is_somebodys_door() -> None:
    used: set[Permission] = {row.permission for row in PAGES}
    assert used == set(Permission)
