"""Idempotency keys as Stripe keeps them.

The first answer of a key, status and body, is kept for 24 hours and given again, marked `Idempotent-Replayed: true`,
also when it was a 500. Another body or address with the same key is an error. While the first is under way a second
gets 409. What was refused before anything began is not kept. Only POST has keys.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from . import errors
from .books import Books, Obj

KEPT_SECONDS = 24 * 60 * 60


@dataclass(frozen=True)
class Stored:
    status: int
    body: str
    request_id: str


class Keys:
    def __init__(self, books: Books) -> None:
        self._books = books
        self._under_way: set[str] = set()

    def begin(self, key: str, path: str, form: str, now: int) -> Stored | None:
        """The answer to give again, or None: the key is ours now, until `finish` or `release`.

        Raises `ApiError`: 400 on another body or address, 409 while the first request is under way.
        """
        if len(key) > 255:
            raise errors.ApiError("Idempotency keys must be at most 255 characters.", type="idempotency_error",
                                  stored=False)  # fmt: skip
        if key in self._under_way:
            raise errors.ApiError(
                "There is currently another in-progress request using this Idempotent Key (that probably means you "
                f"submitted twice, and the other request is still going through): {key}. Please try again later.",
                status=409,
                type="idempotency_error",
                code="idempotency_key_in_use",
                stored=False,
                headers={"Stripe-Should-Retry": "true"},
            )
        row = self._books.get("idempotency", key)
        if row and now - row["at"] >= KEPT_SECONDS:
            self._books.remove("idempotency", key)
            row = None
        if row:
            return _again(row, key, path, form)
        self._under_way.add(key)
        return None

    def finish(self, key: str, path: str, form: str, now: int, answer: Stored) -> None:
        self._under_way.discard(key)
        row = {"id": key, "at": now, "path": path, "form": _digest(form)}
        self._books.put(
            "idempotency", row | {"status": answer.status, "body": answer.body, "request": answer.request_id}
        )

    def release(self, key: str) -> None:
        """Nothing began: the key is as if it had never been used."""
        self._under_way.discard(key)

    def under_way(self, key: str) -> bool:
        return key in self._under_way

    def forget(self) -> None:
        self._under_way.clear()


def _digest(form: str) -> str:
    return hashlib.sha256(form.encode()).hexdigest()


def _again(row: Obj, key: str, path: str, form: str) -> Stored:
    if row["path"] != path:
        raise errors.ApiError(
            "Keys for idempotent requests can only be used for the same endpoint they were first used for "
            f"('{path}' vs '{row['path']}'). Try using a key other than '{key}' if you meant to execute a different "
            "request.",
            type="idempotency_error",
            stored=False,
        )
    if row["form"] != _digest(form):
        raise errors.ApiError(
            "Keys for idempotent requests can only be used with the same parameters they were first used with. Try using "
            f"a key other than '{key}' if you meant to execute a different request.",
            type="idempotency_error",
            stored=False,
        )
    return Stored(row["status"], row["body"], row["request"])
