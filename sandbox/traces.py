"""What a gateway serves: requests read from a trace, or made up, the same each time.

A trace is a CSV with the columns TIMESTAMP, ContextTokens, GeneratedTokens, as in the Azure LLM inference traces.
"""

import csv
import hashlib
import io
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import NAMESPACE_URL, UUID, uuid5

NAMESPACE = uuid5(NAMESPACE_URL, "purser:replay")
COLUMNS = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


class NotATrace(ValueError):
    """The file cannot be read as a trace; the message says where."""


@dataclass(frozen=True, slots=True)
class Row:
    """One request: when it came, after the first one; its tokens; its place in the file."""

    after: timedelta
    input_tokens: int
    output_tokens: int
    number: int


@dataclass(frozen=True)
class Trace:
    """The requests in order of time, and the SHA-256 of the file they came from."""

    rows: Sequence[Row]
    digest: str

    @property
    def length(self) -> timedelta:
        return self.rows[-1].after


@dataclass(frozen=True, slots=True)
class Served:
    """A request that a gateway served. `caller` says whose key it came with, `model` which model answered."""

    id: UUID
    at: datetime
    caller: int
    model: str
    input_tokens: int
    cached_input_tokens: int
    output_tokens: int


def read(file: Path) -> Trace:
    """The trace in a file, or NotATrace."""
    try:
        raw = file.read_bytes()
        table = csv.DictReader(io.StringIO(raw.decode("utf-8-sig")))
    except (OSError, UnicodeDecodeError) as fault:
        raise NotATrace(f"{file}: {fault}") from fault
    if table.fieldnames is None or not set(COLUMNS) <= set(table.fieldnames):
        raise NotATrace(f"{file}: the first line must name {', '.join(COLUMNS)}")
    found = []
    for number, line in enumerate(table, start=1):
        try:
            at, read_tokens, written = fields = [line[column] for column in COLUMNS]
            if None in fields:
                raise ValueError(f"{3 - fields.count(None)} of 3 fields")
            found.append((_instant(at), number, _tokens(read_tokens), _tokens(written)))
        except (ValueError, TypeError) as fault:
            raise NotATrace(f"{file}, row {number}: {fault}") from fault
    if not found:
        raise NotATrace(f"{file}: there are no requests in it")
    found.sort()
    first = found[0][0]
    return Trace([Row(at - first, tin, out, n) for at, n, tin, out in found], hashlib.sha256(raw).hexdigest())


def ids(trace: Trace, run_id: str, organization: str) -> list[UUID]:
    """One id for each row: the same file, run and organization always give the same."""
    return [uuid5(NAMESPACE, f"{trace.digest}:{run_id}:{organization}:{row.number}") for row in trace.rows]


def repeated(trace: Trace, start: datetime, model: str, name: str, after: datetime, until: datetime) -> list[Served]:
    """The trace over and over, from `start` on: what falls in (after, until]."""
    length = max(trace.length, timedelta(seconds=1))
    served = []
    for round_ in range(max(0, (after - start) // length), max(0, (until - start) // length) + 1):
        for row in trace.rows:
            at = start + round_ * length + row.after
            if after < at <= until:
                tail = _digits(f"{name}:{trace.digest}:{round_}:{row.number}")
                served.append(Served(timed_id(at, tail), at, 0, model, row.input_tokens, 0, row.output_tokens))
    return served


def synthetic(name: str, callers: int, models: Sequence[str], after: datetime, until: datetime) -> list[Served]:
    """Made-up traffic that falls in (after, until]: busy by day, quiet by night, long prompts now and then."""
    served = []
    minute = after.replace(second=0, microsecond=0)
    while minute <= until:
        served += [one for one in _minute(name, callers, models, minute) if after < one.at <= until]
        minute += MINUTE
    return sorted(served, key=lambda one: one.at)


def timed_id(at: datetime, tail: int) -> UUID:
    """An id of version 7: the time it carries, and 74 bits that are always the same for the same request."""
    milliseconds = (at - EPOCH) // timedelta(milliseconds=1)
    high, low = tail >> 62 & 0xFFF, tail & (1 << 62) - 1
    return UUID(int=milliseconds << 80 | 7 << 76 | high << 64 | 2 << 62 | low)


def _minute(name: str, callers: int, models: Sequence[str], minute: datetime) -> list[Served]:
    seed = f"{name}:{minute.isoformat()}"
    chance = random.Random(seed)
    hour = minute.hour + minute.minute / 60
    busy = 0.55 - 0.45 * math.cos((hour - 3) / 24 * 2 * math.pi)
    served = []
    for number in range(max(1, round(chance.gauss(22, 5) * busy))):
        at = minute + timedelta(microseconds=chance.randrange(60_000_000))
        read_tokens = min(64_000, round(chance.lognormvariate(7.0, 1.1)))
        cached = read_tokens * chance.choice((0, 0, 0, 50, 80)) // 100
        # The first caller and the first model have most of the work.
        caller = min(chance.randrange(callers), chance.randrange(callers))
        model = models[min(chance.randrange(len(models)), chance.randrange(len(models)))]
        written = min(8_000, round(chance.lognormvariate(5.3, 0.9)))
        served.append(
            Served(timed_id(at, _digits(f"{seed}:{number}")), at, caller, model, read_tokens, cached, written)
        )
    return served


def _digits(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:10])


def _instant(text: str) -> datetime:
    """ "2023-11-16 18:17:03.9799600": more digits than Python counts, so the rest is cut. Without a zone it is UTC."""
    head, _, fraction = text.strip().partition(".")
    at = datetime.fromisoformat(f"{head}.{fraction[:6].ljust(6, '0')}" if fraction else head)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _tokens(text: str) -> int:
    if not (text.isascii() and text.strip().isdigit()):
        raise ValueError(f"{text!r} is no number of tokens")
    return int(text)
