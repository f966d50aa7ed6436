import pytest

from billing.catalog.models import Plan
from orgs.models import Organization, User
from tests.factories import plans
from tests.factories.paying import stripe

__all__ = ["stripe"]


@pytest.fixture(autouse=True)
def the_books_are_right(books_are_right: None) -> None:
    """Whatever these tests do to plans, every promise holds afterwards."""


@pytest.fixture
def pro(alice: User, acme: Organization) -> Plan:
    """50 USD a month; `larger` is beside it."""
    return plans.offered()[1]


@pytest.fixture
def larger(pro: Plan) -> Plan:
    """200 USD a month, for the same model."""
    return Plan.objects.get(slug="code-max")
