"""Gateways of a soak: batches of what they served, each sent again unchanged until there is an answer, as real ones do.

Most ids are of version 7, some are not; some events come late, out of order or twice; some cannot be charged; some are
taken back.
"""

import json
import random
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sandbox.gateway import Door, Misunderstood
from sandbox.traces import Row, timed_id
from tests.soak.diary import Diary, Sent

MODELS = ("gpt-oss-120b", "gpt-oss-120b", "zai-glm-4.7")
EVERY = 1.0
"""Seconds between two batches, about."""


@dataclass(frozen=True)
class Key:
    org_id: int
    public_id: str


class Gateway:
    """One of several, with a token of its own. `rows`: the trace it replays, over and over; `rate`: events a second."""

    def __init__(
        self, door: Door, keys: Sequence[Key], rows: Sequence[Row], diary: Diary, chance: random.Random, rate: float
    ) -> None:
        self.door, self.keys, self.rows, self.diary, self.chance, self.rate = door, keys, rows, diary, chance, rate
        self._next_row = chance.randrange(len(rows))
        self._last: list[dict[str, Any]] = []

    def work(self, over: threading.Event) -> None:
        """Serves and reports until it is over; what it began it brings to its end."""
        done = _now()
        while not over.wait(self.chance.uniform(0.5, 1.5) * EVERY):
            until = _now()
            count = self._how_many((until - done).total_seconds())
            batch = [self._event(self._moment(done, until)) for _ in range(count)]
            if self._last and self.chance.random() < 0.1:
                # Another process of the gateway did not hear of the answer.
                batch += self.chance.sample(self._last, min(5, len(self._last)))
            self._report(batch, until)
            self._last, done = batch, until
            if self.chance.random() < 0.3:
                self._take_back()
        self._report([], _now())
        self.door.close()

    def _how_many(self, seconds: float) -> int:
        """In proportion to the time, and now and then a hundred more: a backlog that is sent at once."""
        return round(self.rate * seconds * self.chance.uniform(0.5, 1.5)) + 100 * (self.chance.random() < 0.02)

    def _moment(self, after: datetime, until: datetime) -> datetime:
        if self.chance.random() < 0.05:
            return until - timedelta(seconds=self.chance.uniform(60, 3 * 3600))  # late
        return after + (until - after) * self.chance.random()

    def _event(self, at: datetime) -> dict[str, Any]:
        row, self._next_row = self.rows[self._next_row], (self._next_row + 1) % len(self.rows)
        key, model = self.chance.choice(self.keys), self.chance.choice(MODELS)
        cached = row.input_tokens * self.chance.choice((0, 0, 50)) // 100
        id_ = timed_id(at, self.chance.getrandbits(74)) if self.chance.random() < 0.8 else self._other_id()
        sent = Sent(key.org_id, key.public_id, model, row.input_tokens, cached, row.output_tokens, at)
        self.diary.sent[id_] = sent
        event = {
            "id": str(id_), "key": key.public_id, "model": model, "input_tokens": row.input_tokens,
            "cached_input_tokens": cached, "output_tokens": row.output_tokens, "occurred_at": at.isoformat(),
        }  # fmt: skip
        return event | ({"model": "no-such-model"} if self.chance.random() < 0.01 else {})

    def _other_id(self) -> UUID:
        return UUID(int=self.chance.getrandbits(128), version=4)

    def _report(self, batch: list[dict[str, Any]], complete_through: datetime) -> None:
        self.chance.shuffle(batch)
        status, answer = self.door.post(
            "/api/v1/usage", {"events": batch, "complete_through": complete_through.isoformat()}
        )
        if status != 200:
            raise Misunderstood(f"HTTP {status}: {json.dumps(answer)[:500]}")
        refused = {refusal["index"] for refusal in answer["refused"]}
        if answer["accepted"] + answer["duplicate"] + len(refused) != len(batch):
            raise Misunderstood(f"{len(batch)} events were answered by {json.dumps(answer)[:500]}")
        for place, event in enumerate(batch):
            (self.diary.refused if place in refused else self.diary.taken).add(UUID(event["id"]))
        self.diary.count("batches")
        self.diary.count("events answered as duplicates", answer["duplicate"])

    def _take_back(self) -> None:
        taken = [id_ for event in self._last if (id_ := UUID(event["id"])) in self.diary.taken]
        if not taken:
            return
        event_id, reversal_id = self.chance.choice(taken), uuid4()
        if event_id in self.diary.reversals.values():
            return
        ask = {"id": str(reversal_id), "event_id": str(event_id), "reason": "The request failed after it was counted"}
        for _ in range(self.chance.choice((1, 1, 2))):
            status, answer = self.door.post("/api/v1/usage/reversals", ask)
            if status != 200:
                raise Misunderstood(f"HTTP {status}: {json.dumps(answer)[:500]}")
        self.diary.reversals[reversal_id] = event_id


def _now() -> datetime:
    return datetime.now(UTC)
