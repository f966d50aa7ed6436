"""A walk through the whole portal: every address x everybody x GET and POST, each answer kept for the tests to judge."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.test import Client
from django.urls import reverse

from orgs import access
from orgs.models import Role
from tests import figures as counted
from tests.architecture import routes
from tests.architecture.routes import OWN, PAGES, REFUSED, Page
from tests.architecture.world import ANONYMOUS, INACTIVE, MEMBERS, OUTSIDERS, STAFF, STRANGER, World, undone

HTMX = {"HX-Request": "true", "HX-Current-URL": "http://testserver/o/acme/"}
METHODS = ("GET", "POST")


@dataclass(frozen=True)
class Visit:
    """`who` asked for the address called `name`. `wrote`: the statements that wrote, other than to the session."""

    method: str
    name: str
    who: str
    status: int
    headers: dict[str, str]
    content: bytes
    wrote: list[str]

    def __str__(self) -> str:
        return f"{self.method} {self.name} by {self.who}"

    @property
    def is_page(self) -> bool:
        return self.headers.get("Content-Type", "").startswith("text/html")


def asked(browser: Client, method: str, address: str, sends: dict[str, str] | None = None, **extra: Any) -> Any:
    return browser.get(address, **extra) if method == "GET" else browser.post(address, sends or {}, **extra)


def visited(world: World, who: str, method: str, name: str, address: str, sends: dict[str, str] | None = None) -> Visit:
    """Asked once; what it did is undone."""
    with undone() as wrote:
        answer = asked(world.browser(who), method, address, sends)
    return Visit(method, name, who, answer.status_code, dict(answer.headers), answer.getvalue(), wrote)


# --- The pages of an organization ------------------------------------------------------------------------------------


def of_organizations(world: World) -> Iterator[Visit]:
    for row in PAGES:
        for method in METHODS:
            for who in (*OUTSIDERS, *MEMBERS):
                yield visited(world, who, method, row.name, world.address(row), row.sends)


def expected_of(row: Page, method: str, who: str) -> int:
    answer = row.get if method == "GET" else row.post
    if answer == REFUSED:
        return REFUSED
    if who in (ANONYMOUS, INACTIVE):
        return 302
    if who not in MEMBERS:
        return 404
    return answer if access.allows(Role(who), row.permission) else 403


def some_members(row: Page, turn: int) -> list[str]:
    """Of those who have the permission one, and of those who have not one, the next ones at each turn.

    Each role meets each page in `of_organizations`; this is for what does not depend on the role.
    """
    may = [who for who in MEMBERS if access.allows(who, row.permission)]
    may_not = [who for who in MEMBERS if who not in may]
    return counted.some(may, turn, reduced=1) + (counted.some(may_not, turn, reduced=1) if may_not else [])


# --- The pages of a person, and of everybody -------------------------------------------------------------------------


def of_people(world: World) -> Iterator[Visit]:
    """These ask for no role: of the members the owner, and one other at each."""
    others = [who for who in MEMBERS if who != Role.OWNER]
    for turn, row in enumerate(OWN):
        for method in METHODS:
            for who in (ANONYMOUS, INACTIVE, STRANGER, Role.OWNER, *counted.some(others, turn, reduced=1)):
                yield visited(world, who, method, row.name, world.address(row), row.sends)


# --- The staff's site ------------------------------------------------------------------------------------------------


def of_staff_tables() -> set[str]:
    """The names that Django makes for every table on the staff's site."""
    tables = [f"{model._meta.app_label}_{model._meta.model_name}" for model in admin.site._registry]
    pages = {f"admin:{table}_{kind}" for table in tables for kind in routes.STAFF_KINDS}
    return pages | {f"admin:{act}" for act in routes.STAFF_ACTS}


def staff_addresses() -> Iterator[tuple[str, str]]:
    for name in routes.STAFF_PAGES:
        kwargs = {
            "admin:app_list": {"app_label": "billing"},
            "admin:view_on_site": {"content_type_id": "0", "object_id": "0"},
        }
        yield name, reverse(name, kwargs=kwargs.get(name, {}))
    for name in sorted(of_staff_tables()):
        yield name, reverse(name, args=[] if name.endswith(("_changelist", "_add")) else ["1"])


NOT_STAFF = [(who, method) for who in (Role.OWNER, ANONYMOUS, STRANGER, INACTIVE) for method in METHODS]


def of_the_staffs_site(world: World) -> Iterator[Visit]:
    """By staff, and by who is not: an owner, who is signed in and has every right elsewhere, and others; three asks at each
    address, others at the next."""
    for turn, (name, address) in enumerate(staff_addresses()):
        yield visited(world, STAFF, "GET", name, address)
        for who, method in counted.some(NOT_STAFF, turn, reduced=3):
            yield visited(world, who, method, name, address)
