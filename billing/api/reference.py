"""The API for people who read: the OpenAPI document as it is, and as a page."""

import json
import shlex
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from billing.api import doors, openapi
from billing.api.openapi import SCHEMAS
from billing.api.operations import KEY, OPERATIONS, Operation


@dataclass(frozen=True)
class Field:
    """One member of an object, worded: its type, whether it must be there, what it means."""

    name: str
    kind: str
    link: str
    required: bool
    description: str


@dataclass(frozen=True)
class Shape:
    """One schema of the document: an object with its fields, or a list of values."""

    name: str
    description: str
    fields: list[Field]
    values: list[str]


@dataclass(frozen=True)
class Door:
    """One operation with its examples as text."""

    operation: Operation
    method: str
    curl: str
    answer: str
    body_shape: str
    answer_shape: str
    errors: list[tuple[int, str]]


@doors.door("GET", "HEAD")
def document(request: HttpRequest) -> HttpResponse:
    return doors.reply(openapi.document(), headers={"Cache-Control": "public, max-age=300"})


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """Readable without a script, and public: it says nothing about any customer."""
    whole = openapi.document()
    groups = [
        (
            tag["name"],
            tag["description"],
            [_door(operation) for operation in OPERATIONS if operation.group == tag["name"]],
        )
        for tag in whole["tags"]
    ]
    shapes = [_shape(name, schema) for name, schema in sorted(whole["components"]["schemas"].items())]
    return render(request, "billing/api_docs.html", {"info": whole["info"], "groups": groups, "shapes": shapes})


def _door(operation: Operation) -> Door:
    return Door(
        operation=operation,
        method=operation.method.upper(),
        curl=curl(operation),
        answer=_text(operation.answer_example),
        body_shape=openapi.schema_name(operation.body) if operation.body else "",
        answer_shape=openapi.schema_name(operation.answer),
        errors=sorted(operation.errors.items()),
    )


def curl(operation: Operation) -> str:
    """The call as it is typed."""
    address = settings.PUBLIC_URL + operation.path
    query = [f"{p.name}={'key_7f2c9d1e0b3aa81c' if p.name == 'key' else 'CURSOR'}" for p in operation.parameters[:1]]
    token = "$API_KEY" if operation.security == KEY else "$GATEWAY_TOKEN"
    lines = [f'curl "{"?".join([address, *query])}"', f'  -H "Authorization: Bearer {token}"']
    if operation.body_example is not None:
        lines += ['  -H "Content-Type: application/json"', f"  -d {shlex.quote(json.dumps(operation.body_example))}"]
    return " \\\n".join(lines)


def _text(example: dict[str, Any]) -> str:
    return json.dumps(example, indent=2, ensure_ascii=False)


def _shape(name: str, schema: dict[str, Any]) -> Shape:
    required = schema.get("required", [])
    fields = [
        Field(field, *_kind(inner), field in required, inner.get("description", ""))
        for field, inner in schema.get("properties", {}).items()
    ]
    return Shape(name, schema.get("description", ""), fields, [str(value) for value in schema.get("enum", [])])


def _kind(schema: dict[str, Any]) -> tuple[str, str]:
    """A schema in words, and the schema it leads to."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(SCHEMAS)
        return name, name
    if "anyOf" in schema:
        kinds = [_kind(inner) for inner in schema["anyOf"]]
        return " or ".join(words for words, _ in kinds), next((link for _, link in kinds if link), "")
    if "enum" in schema:
        return ", ".join(str(value) for value in schema["enum"]), ""
    if schema.get("type") == "array":
        words, link = _kind(schema["items"])
        return f"list of {words}", link
    formats = {"date-time": "moment (RFC 3339)", "uuid": "UUID"}
    return formats.get(schema.get("format", ""), str(schema.get("type", "any"))) + _range(schema), ""


def _range(schema: dict[str, Any]) -> str:
    if "maximum" in schema:
        return f", {schema.get('minimum', 0):,} to {schema['maximum']:,}"
    if "maxLength" in schema:
        return f", at most {schema['maxLength']:,} characters"
    return ""
