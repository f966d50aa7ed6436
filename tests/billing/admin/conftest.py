"""Sam of the staff, who may do everything, and the browser Sam is signed in with."""

import pytest
from django.test import Client

from orgs.models import User
from tests.factories import orgs as people


@pytest.fixture
def staff(db: None) -> User:
    user = people.person("sam@purser.example", "Sam Staff")
    user.is_staff = user.is_superuser = True
    user.save()
    return user


@pytest.fixture
def staff_client(staff: User) -> Client:
    return people.signed_in(staff)
