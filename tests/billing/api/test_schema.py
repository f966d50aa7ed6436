"""What schemathesis makes up from the OpenAPI document itself: no 5xx, and no answer that is not described."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
import schemathesis
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from billing.api import openapi, operations
from billing.api.operations import Operation
from billing.catalog.models import AIModel
from orgs.models import Organization
from tests import figures as counted
from tests.factories import orgs as people

EXAMPLES = counted.of(8, full=30)
CHECKS: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
SCHEMA = schemathesis.openapi.from_dict(openapi.document())


@pytest.fixture
def app() -> Iterator[WSGIHandler]:
    """The portal as a server has it, but for what Django's own test client leaves out too: the connection stays open."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield WSGIHandler()
    for signal in signals:
        signal.connect(close_old_connections)


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["well formed", "ill formed"])
@pytest.mark.parametrize("operation", operations.OPERATIONS, ids=lambda operation: operation.id)
def test_every_door_answers_as_described(
    operation: Operation,
    mode: GenerationMode,
    app: WSGIHandler,
    model: AIModel,
    token: str,
    acme: Organization,
    now: datetime,
) -> None:
    bearer = people.key(acme, now=now).secret if operation.security == operations.KEY else token
    described = SCHEMA[operation.path][operation.method.upper()]
    statuses: set[int] = set()

    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=described.as_strategy(generation_mode=mode))
    def call(case: schemathesis.Case[Any]) -> None:
        answer = case.call(app=app, headers={"Authorization": f"Bearer {bearer}"})
        case.validate_response(answer, checks=CHECKS)
        statuses.add(answer.status_code)

    call()
    assert statuses
    assert max(statuses) < 500
