"""What every page that only shows figures has in common: it writes nothing, and its figures are of one instant."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import update_wrapper
from typing import Concatenate, ParamSpec

from django.db import connection, transaction
from django.http import HttpResponse
from django.utils.cache import patch_cache_control, patch_vary_headers

from orgs.access import OrgRequest

P = ParamSpec("P")
View = Callable[Concatenate[OrgRequest, P], HttpResponse]


@contextmanager
def one_snapshot() -> Iterator[None]:
    """Every query inside sees the database as it was at the first: figures that must add up do.

    Inside another transaction (a test's) that one's view of the database is kept.
    """
    if connection.in_atomic_block:
        yield
        return
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


def page(view: View[P]) -> View[P]:
    """Decorates a view inside `access.requires`: one snapshot, and never mistaken for its fragment by a cache."""

    def read(request: OrgRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        with one_snapshot():
            response = view(request, *args, **kwargs)
        patch_vary_headers(response, ["HX-Request"])
        patch_cache_control(response, private=True, no_cache=True)
        return response

    update_wrapper(read, view)
    return read


def wants_part(request: OrgRequest, part: str) -> bool:
    """Whether htmx asks for this part of the page alone, by the id of the element it will replace."""
    return bool(request.htmx) and not request.htmx.history_restore_request and request.htmx.target == part
