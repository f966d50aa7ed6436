"""How organizations come to be."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from orgs import founding
from orgs.models import Kind, Membership, Organization, Role, User

NOW = timezone.now()
pytestmark = pytest.mark.django_db


def make_user(email: str = "dora@example.com", name: str = "") -> User:
    return User.objects.create_user(email, name=name)


def test_a_personal_organization_is_owned_by_its_person_and_named_after_them() -> None:
    user = make_user(name="Dora Diaz")
    personal = founding.found_personal(user, NOW)
    assert (personal.kind, personal.name, personal.slug) == (Kind.PERSONAL, "Dora Diaz", "dora-diaz")
    assert personal.created_at == NOW
    assert [(m.user, m.role) for m in personal.memberships.all()] == [(user, Role.OWNER)]


def test_without_a_name_it_is_named_after_the_address() -> None:
    assert founding.found_personal(make_user("dora.diaz@example.com"), NOW).name == "dora.diaz"


def test_everybody_has_one_personal_organization_however_often_it_is_founded() -> None:
    user = make_user()
    first = founding.found_personal(user, NOW)
    assert founding.found_personal(user, NOW + timedelta(days=3)) == first
    assert Organization.objects.filter(kind=Kind.PERSONAL).count() == 1


def test_a_team_beside_it(alice: User) -> None:
    team = founding.found_team(alice, "  Acme\t Labs ", NOW)
    assert (team.kind, team.name, team.slug) == (Kind.TEAM, "Acme Labs", "acme-labs")
    assert team.memberships.get().role == Role.OWNER


def test_a_taken_address_gets_an_ending_that_tells_nothing(alice: User, charlie: User) -> None:
    first = founding.found_team(alice, "Acme Labs", NOW)
    second = founding.found_team(charlie, "Acme Labs", NOW)
    assert first.slug == "acme-labs"
    assert second.slug.startswith("acme-labs-")
    assert len(second.slug) == len("acme-labs-") + 5


@pytest.mark.parametrize("name", ["東京", "!!!", "-_-"])
def test_a_name_without_latin_letters_has_an_address_too(alice: User, name: str) -> None:
    team = founding.found_team(alice, name, NOW)
    assert (team.name, team.slug) == (name, "team")


def test_a_long_name_makes_an_address_that_fits(alice: User, charlie: User) -> None:
    long = "Very Long Name " * 9
    first, second = founding.found_team(alice, long, NOW), founding.found_team(charlie, long, NOW)
    assert first.slug != second.slug
    assert len(first.name) <= 80
    assert first.slug.startswith("very-long-name")
    assert max(len(first.slug), len(second.slug)) <= 48


def test_the_same_team_twice_within_ten_seconds_is_a_double_click(alice: User, charlie: User) -> None:
    first = founding.found_team(alice, "Acme", NOW)
    assert founding.found_team(alice, "Acme ", NOW + timedelta(seconds=9)) == first
    assert founding.found_team(alice, "Acme", NOW + timedelta(seconds=10)) != first
    assert founding.found_team(charlie, "Acme", NOW) != first


def test_an_address_that_was_asked_for_is_given_or_refused(alice: User) -> None:
    assert founding.found_team(alice, "Acme", NOW, slug="acme-1").slug == "acme-1"
    with pytest.raises(founding.SlugTaken, match="/o/acme-1/"):
        founding.found_team(alice, "Other", NOW, slug="acme-1")
    # The transaction around it goes on.
    assert not Organization.objects.filter(name="Other").exists()


def test_no_organization_without_its_owner(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise RuntimeError("the power is gone")

    monkeypatch.setattr(Membership.objects, "create", fail)
    with pytest.raises(RuntimeError):
        founding.found_team(alice, "Acme", NOW)
    assert not Organization.objects.filter(name="Acme").exists()


def test_the_database_gives_each_organization_its_wallet(alice_personal: Organization) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM wallet WHERE org_id = %s", [alice_personal.pk])
        assert cursor.fetchone() == (1,)
