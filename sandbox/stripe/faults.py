"""Faults on demand: which requests and which webhooks go wrong, how, how often.

A fault of the API happens `before` the request has any effect or `after` it: that is the whole difference between
"nothing happened" and "it happened and nobody told you". Chance comes from one seeded generator, so a run can be
repeated.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from fnmatch import fnmatchcase
from typing import Any, Literal

from . import errors, spoiling

Moment = Literal["before", "after"]
API_KINDS = ("timeout", "reset", "error", "rate_limit", "slow", "refuse", "spoil")
WEBHOOK_KINDS = ("drop", "double", "delay", "reorder")
BEFORE_ONLY = ("rate_limit", "slow", "refuse")


@dataclass
class Fault:
    """One rule. Of calls: timeout, reset, error, rate_limit, slow, refuse, spoil; of webhooks: drop, double, delay, reorder.

    `path`, `method` and `event` are patterns with `*`. The first `skip` matches pass, then each of the next `count`
    (None: all) goes wrong with `probability`. `seconds`: how long a timeout hangs, a slow request waits, a delayed
    webhook stays away. `status` is that of an error (500 unless given) or of a refusal (400). `stored`: whether the
    idempotency key remembers an error (by default one after the effect is remembered, one before is not). `retry_after`
    goes with a rate_limit. `body` says how an answer is spoilt (`spoiling.WAYS`): a 200 of the kind `spoil`, or an error
    that is a proxy's page and not Stripe's. `reorder` holds `count` events and lets them go backwards.
    """

    kind: str
    moment: Moment = "before"
    method: str = "*"
    path: str = "/v1/*"
    event: str = "*"
    count: int | None = 1
    skip: int = 0
    probability: float = 1.0
    seconds: float = 30.0
    status: int | None = None
    stored: bool | None = None
    retry_after: int | None = None
    body: str | None = None
    id: int = 0
    hits: int = 0

    def __post_init__(self) -> None:
        if self.kind not in API_KINDS + WEBHOOK_KINDS:
            raise errors.invalid(f"Unknown fault: {self.kind}", param="kind")
        if self.moment not in ("before", "after"):
            raise errors.invalid("A fault happens before or after.", param="moment")
        if self.kind in BEFORE_ONLY and self.moment == "after":
            raise errors.invalid(f"{self.kind} happens before the effect only.", param="moment")
        if self.kind == "refuse" and self.refusal_status not in spoiling.REFUSALS:
            raise errors.invalid(f"refuse has a status of {sorted(spoiling.REFUSALS)}.", param="status")
        if self.kind == "spoil" or self.body is not None:
            spoiling.check(self.kind, self.body, self.moment)
        if self.kind == "reorder" and (self.count or 0) < 2:
            raise errors.invalid("reorder needs a count of at least 2 events.", param="count")

    @property
    def error_status(self) -> int:
        return self.status or 500

    @property
    def refusal_status(self) -> int:
        return self.status or 400

    @property
    def remembered(self) -> bool:
        return self.stored if self.stored is not None else self.moment == "after"

    def spent(self) -> bool:
        return self.count is not None and self.hits >= self.count


class Faults:
    """The rules in force, asked in the order in which they were added."""

    def __init__(self, seed: int | None = None) -> None:
        self._rng = random.Random(seed)
        self._rules: list[Fault] = []
        self._last_id = 0

    def add(self, fault: Fault) -> Fault:
        self._last_id += 1
        fault.id = self._last_id
        self._rules.append(fault)
        return fault

    def clear(self) -> None:
        self._rules.clear()

    def listed(self) -> list[dict[str, Any]]:
        return [asdict(rule) for rule in self._rules]

    def for_request(self, method: str, path: str) -> Fault | None:
        matching = (
            rule
            for rule in self._rules
            if rule.kind in API_KINDS and fnmatchcase(method, rule.method) and fnmatchcase(path, rule.path)
        )
        return self._first(matching)

    def for_event(self, type: str) -> Fault | None:
        return self._first(rule for rule in self._rules if rule.kind in WEBHOOK_KINDS and fnmatchcase(type, rule.event))

    def _first(self, matching: Iterable[Fault]) -> Fault | None:
        for rule in matching:
            if rule.spent():
                continue
            if rule.skip > 0:
                rule.skip -= 1
                continue
            if rule.probability < 1 and self._rng.random() >= rule.probability:
                continue
            rule.hits += 1
            return rule
        return None


def from_json(given: dict[str, Any]) -> Fault:
    """A fault from the body of an admin call; unknown fields are refused."""
    known = {field.name for field in fields(Fault)} - {"id", "hits"}
    unknown = set(given) - known
    if unknown or "kind" not in given:
        raise errors.invalid(f"Unknown field: {sorted(unknown)[0]}" if unknown else "A fault needs a kind.")
    return Fault(**given)
