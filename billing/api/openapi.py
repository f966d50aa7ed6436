"""The OpenAPI 3.1 document, composed from the very structs the doors decode and encode."""

import inspect
import re
from functools import cache
from typing import Any

import msgspec

from billing.api.operations import GATEWAY, GROUPS_SAID, KEY, OPERATIONS, Operation

VERSION = "1"
SCHEMAS = "#/components/schemas/"
NAMES = {
    "billing.api.usage.Answer": "UsageAnswer",
    "billing.limits.answers.Answer": "KeyAnswer",
    "billing.metering.events.Reason": "EventRefusalReason",
    "billing.limits.answers.Reason": "LimitReason",
}
"""Two rooms may call a thing by one name; the document has room for each under a name of its own."""

FINE_PRINT = re.compile(r"\s*\(A\d+(?:(?:, |-)A\d+)*\)")


class Fault(msgspec.Struct, omit_defaults=True):
    """`code` is for machines, `detail` for people, `at` the place of the fault in what was sent."""

    code: str
    detail: str
    at: str | None = None
    max_age: int | None = None


class Error(msgspec.Struct):
    """Every answer that is not 2xx."""

    error: Fault


@cache
def document() -> dict[str, Any]:
    """The whole document. It depends on the code alone, so it is composed once."""
    kinds: list[type] = [Error]
    for operation in OPERATIONS:
        kinds += [kind for kind in (operation.body, operation.answer) if kind is not None and kind not in kinds]
    _, schemas = msgspec.json.schema_components(kinds, ref_template=SCHEMAS + "{name}")
    paths: dict[str, Any] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation)
    whole: dict[str, Any] = _renamed(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "Purser API",
                "version": VERSION,
                "description": "For inference gateways: usage in, limits out. For customers: what their key may do.",
                "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            },
            "tags": [{"name": name, "description": said} for name, said in GROUPS_SAID.items()],
            "paths": paths,
            "components": {"schemas": schemas, "securitySchemes": _security()},
        }
    )
    return whole


def schema_name(kind: type) -> str:
    """The name of a struct in `components.schemas`."""
    return NAMES.get(f"{kind.__module__}.{kind.__qualname__}", kind.__name__)


def _operation(operation: Operation) -> dict[str, Any]:
    said: dict[str, Any] = {
        "operationId": operation.id,
        "tags": [operation.group],
        "summary": operation.summary,
        "description": operation.description,
        "security": [{operation.security: []}],
        "responses": {
            "200": {
                "description": "OK",
                "content": _content(schema_name(operation.answer), operation.answer_example),
            }
        },
    }
    for status, meaning in sorted(operation.errors.items()):
        said["responses"][str(status)] = {"description": meaning, "content": _content("Error", None)}
    if operation.body is not None:
        said["requestBody"] = {
            "required": True,
            "content": _content(schema_name(operation.body), operation.body_example),
        }
    if operation.parameters:
        said["parameters"] = [
            {
                "name": parameter.name,
                "in": "query",
                "required": parameter.required,
                "description": parameter.description,
                "schema": parameter.schema,
            }
            for parameter in operation.parameters
        ]
    return said


def _content(name: str, example: dict[str, Any] | None) -> dict[str, Any]:
    media: dict[str, Any] = {"schema": {"$ref": SCHEMAS + name}}
    if example is not None:
        media["example"] = example
    return {"application/json": media}


def _security() -> dict[str, Any]:
    def bearer(said: str) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": said}

    return {
        GATEWAY: bearer("The gateway's own token, made with `manage.py gateway_token`."),
        KEY: bearer("A customer's API key."),
    }


def _renamed(value: Any) -> Any:
    """Full names made short, docstrings made prose, without references to the fine print."""
    if isinstance(value, dict):
        made = {NAMES.get(key, key): _renamed(inner) for key, inner in value.items()}
        if isinstance(made.get("description"), str):
            made["description"] = FINE_PRINT.sub("", inspect.cleandoc(made["description"]))
        return made
    if isinstance(value, list):
        return [_renamed(inner) for inner in value]
    if isinstance(value, str) and value.startswith(SCHEMAS):
        name = value.removeprefix(SCHEMAS)
        return SCHEMAS + NAMES.get(name, name)
    return value
