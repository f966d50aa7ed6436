"""Acme Research with a priced model and two keys; `NOW` is the moment at which everything is looked at unless told."""

from datetime import UTC, datetime

import pytest

from billing.catalog.models import AIModel
from orgs.models import ApiKey, Organization
from tests.factories import catalog
from tests.factories import orgs as people

NOW = datetime(2026, 4, 14, 12, 41, 8, tzinfo=UTC)


@pytest.fixture
def model(db: None) -> AIModel:
    return catalog.model("gpt-oss-120b")


@pytest.fixture
def other_model(db: None) -> AIModel:
    return catalog.model("llama3.1-8b", input_usd="0.10", output_usd="0.10")


@pytest.fixture
def key(acme: Organization) -> ApiKey:
    return people.key(acme, "prod-api", now=NOW).key


@pytest.fixture
def other_key(acme: Organization) -> ApiKey:
    return people.key(acme, "eval-batch", now=NOW).key
