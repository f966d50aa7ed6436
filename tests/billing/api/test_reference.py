"""The API is described from the structs it uses, for machines and for people."""

import json
import re
from typing import Any

import msgspec
import pytest
from django.test import Client

from billing.api import openapi, operations, reference
from billing.urls import urlpatterns

DOCUMENT = openapi.document()


def test_every_door_is_described() -> None:
    doors = {f"/{pattern.pattern}" for pattern in urlpatterns if str(pattern.pattern).startswith("api/v1/")}
    assert set(DOCUMENT["paths"]) == doors - {"/api/v1/openapi.json"}


def test_every_reference_leads_somewhere() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    text = json.dumps(DOCUMENT)
    assert set(re.findall(r'"#/components/schemas/([^"]+)"', text)) <= set(schemas)
    assert all(re.fullmatch("[A-Za-z]+", name) for name in schemas), "two kinds of one name: add it to NAMES"
    assert not re.search(r"\(A\d+", text), "the fine print is not for readers of the API"


@pytest.mark.parametrize("operation", operations.OPERATIONS, ids=lambda operation: operation.id)
def test_the_examples_are_what_the_doors_take_and_give(operation: operations.Operation) -> None:
    msgspec.convert(operation.answer_example, operation.answer)
    given: Any = operation.answer_example
    assert msgspec.to_builtins(msgspec.convert(given, operation.answer)).keys() == given.keys()
    if operation.body is not None:
        msgspec.convert(operation.body_example, operation.body)
    curl = reference.curl(operation)
    assert operation.path in curl
    assert ("$API_KEY" if operation.id == "my_limits" else "$GATEWAY_TOKEN") in curl


@pytest.mark.django_db
def test_the_document_and_the_page_are_public(client: Client) -> None:
    document = client.get("/api/v1/openapi.json")
    assert document.json() == DOCUMENT
    page = client.get("/api/docs")
    html = page.content.decode()
    assert page.status_code == 200
    for operation in operations.OPERATIONS:
        assert f'id="{operation.id}"' in html
        assert operation.path in html
    assert "<code>resolve_first</code>" in html
    assert not re.search(r"\sstyle=|\son[a-z]+=|<script(?![^>]*src=)", html)
    links, ids = set(re.findall(r'href="#([^"]+)"', html)), set(re.findall(r'id="([^"]+)"', html))
    assert links <= ids


@pytest.mark.django_db
def test_neither_takes_a_post(client: Client) -> None:
    assert client.post("/api/v1/openapi.json").status_code == 405
    assert client.post("/api/docs").status_code == 405
