"""`manage.py replay_trace FILE`: a gateway that served this trace reports it, and waits until it is charged.

`--loop` is the gateway of the demo: traffic for ever, in real time.
"""

import hashlib
import json
import re
import signal
import time
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from billing import wording
from billing.catalog.models import AIModel
from billing.ledger import balances
from billing.management import demo
from billing.metering import gateways, rating
from billing.metering.events import AHEAD, MOST_EVENTS
from billing.metering.models import Gateway as GatewayRow
from billing.metering.models import SweepRun, UsageDelta
from billing.money import ZERO
from orgs import keys
from orgs.models import ApiKey, Organization
from sandbox import traces
from sandbox.gateway import Door, Gateway, Misunderstood, Tally, Unreachable, replay, serve_forever
from sandbox.traces import NotATrace, Served, Trace

TOKEN_LASTS = timedelta(hours=24)
CHARGED_WITHIN = 120.0
USED = f"""
SELECT coalesce(sum(e.input_tokens), 0), coalesce(sum(e.output_tokens), 0), coalesce(sum({rating.cost_sql("e", "p")}), 0)
FROM usage_event e JOIN price p ON p.id = e.price_id
WHERE e.ts BETWEEN %s AND %s AND e.gateway_id = %s AND e.org_id = %s
"""


@dataclass(frozen=True)
class Used:
    """What one gateway has reported for one organization: tokens, and what they cost in USD."""

    input_tokens: int
    output_tokens: int
    cost: Decimal

    def since(self, before: "Used") -> "Used":
        return Used(
            self.input_tokens - before.input_tokens, self.output_tokens - before.output_tokens, self.cost - before.cost
        )


class Command(BaseCommand):
    help = "Replays a trace of LLM requests as an inference gateway would, and prints what it cost as JSON."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", nargs="?", help="CSV with the columns TIMESTAMP, ContextTokens, GeneratedTokens")
        parser.add_argument("--org", required=True, metavar="SLUG", help="whose usage it is")
        parser.add_argument("--model", metavar="SLUG", help="which model served it")
        parser.add_argument("--key", help="the key or its public id (default: the organization's newest live key)")
        parser.add_argument("--speed", default="max", help="max, real, or a factor such as 10x (default: max)")
        parser.add_argument("--batch", type=int, default=1_000, help="events in one report (default: 1000)")
        parser.add_argument("--url", default=settings.PUBLIC_URL, help=f"the portal (default: {settings.PUBLIC_URL})")
        parser.add_argument(
            "--at", metavar="ISO", help="when the last request occurred (default: when the replay ends)"
        )
        parser.add_argument("--run-id", default="1", help="another run of the same trace counts again (default: 1)")
        parser.add_argument(
            "--loop", action="store_true", help="go on for ever in real time; made-up traffic without FILE"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            organization = Organization.objects.get(slug=options["org"])
        except Organization.DoesNotExist:
            raise CommandError(f"There is no organization {options['org']}.") from None
        if not 1 <= options["batch"] <= MOST_EVENTS:
            raise CommandError(f"--batch must be between 1 and {MOST_EVENTS}.")
        try:
            trace = traces.read(Path(options["file"])) if options["file"] else None
            with _interruptible():
                if options["loop"]:
                    self._loop(organization, trace, options)
                elif trace is None:
                    raise CommandError("Which trace? Give a CSV file, or --loop for made-up traffic.")
                else:
                    self._replay(organization, trace, options)
        except (NotATrace, Unreachable, Misunderstood) as fault:
            raise CommandError(str(fault)) from fault

    # --- A trace to its end ----------------------------------------------------------------------------------------------

    def _replay(self, organization: Organization, trace: Trace, options: dict[str, Any]) -> None:
        started, now = time.monotonic(), datetime.now(UTC)
        speed = _speed(options["speed"])
        model = _model(options["model"])
        key = _key(organization, options["key"], now)
        # All rows of this run, wherever and whenever it is run again.
        run = hashlib.sha256(f"{trace.digest}:{options['run_id']}:{organization.slug}".encode()).hexdigest()[:16]
        row = _registered(f"replay:{run}", _end(options["at"], trace, speed, now), options["at"], now)
        end = row.created_at
        served = [
            Served(id_, end - trace.length + line.after, 0, model, line.input_tokens, 0, line.output_tokens)
            for id_, line in zip(traces.ids(trace, options["run_id"], organization.slug), trace.rows)
        ]
        with self._at_work(row, options["url"], [key]) as gateway:
            before, had = _used(row, organization, served), balances.of(organization.pk, now=now).available
            self._say(f"{len(served)} requests of {key.public_id}, {served[0].at:%d %b %H:%M:%S} to {end:%H:%M:%S} UTC")
            self._watched(gateway, len(served))
            replay(gateway, served, end=end, speed=speed, batch=options["batch"])
            self._until_charged(organization)
        used = _used(row, organization, served).since(before)
        has = balances.of(organization.pk, now=datetime.now(UTC)).available
        self.stdout.write(json.dumps(_report(gateway.tally, len(served), used, had, has, time.monotonic() - started)))
        if gateway.tally.refused or gateway.tally.stopped:
            raise SystemExit(1)

    def _watched(self, gateway: Gateway, total: int) -> None:
        """Progress, batch by batch."""
        report, said = gateway.report, [0]

        def reporting(served: Sequence[Served], complete_through: datetime | None) -> None:
            report(served, complete_through)
            said[0] += len(served)
            if served:
                self._say(f"{said[0]} of {total}")

        gateway.report = reporting  # type: ignore[method-assign]

    def _until_charged(self, organization: Organization) -> None:
        """Waits for a sweep that began after the last report, or until nothing of the organization is left to charge."""
        reported, started = datetime.now(UTC), time.monotonic()
        while UsageDelta.objects.filter(org_id=organization.pk).exists():
            if SweepRun.objects.filter(at__gte=reported).exists():
                return
            if time.monotonic() - started > CHARGED_WITHIN:
                raise CommandError(
                    f"Reported, but not charged after {CHARGED_WITHIN:.0f} seconds. Is the worker running?"
                    " (`make run` starts one; by hand: celery -A portal worker -B)"
                )
            time.sleep(0.2)

    # --- For ever --------------------------------------------------------------------------------------------------------

    def _loop(self, organization: Organization, trace: Trace | None, options: dict[str, Any]) -> None:
        now = datetime.now(UTC)
        name = f"loop:{organization.slug}"
        if trace is None:
            callers = demo.keys_of(organization, now)
            models = [options["model"]] if options["model"] else _models_for_sale(now)
        else:
            callers, models = [_key(organization, options["key"], now)], [_model(options["model"])]

        def due(after: datetime, until: datetime) -> list[Served]:
            if trace is None:
                return traces.synthetic(name, len(callers), models, after, until)
            return traces.repeated(trace, now, models[0], name, after, until)

        row = gateways.register(f"replay:{name}"[:80], now=now)
        with self._at_work(row, options["url"], callers) as gateway:
            self._say(f"Serving {', '.join(models)} for {', '.join(key.public_id for key in callers)}; Ctrl-C ends it")
            serve_forever(gateway, due)

    # --- Both ------------------------------------------------------------------------------------------------------------

    @contextmanager
    def _at_work(self, row: GatewayRow, url: str, callers: Sequence[ApiKey]) -> Iterator[Gateway]:
        """A gateway with a token of its own. When it ends, however it ends, it no longer holds back what is complete."""
        token = gateways.mint(row, now=datetime.now(UTC), lifetime=TOKEN_LASTS)
        door = Door(url.rstrip("/"), token, self._say)
        try:
            yield Gateway(door, [bytes(key.hash).hex() for key in callers], self._say)
        finally:
            door.close()
            now = datetime.now(UTC)
            gateways.revoke(row, now=now)
            gateways.retire(row, now=now)

    def _say(self, words: str) -> None:
        self.stderr.write(words)
        self.stderr.flush()


# --- What was asked for ----------------------------------------------------------------------------------------------------


def _speed(text: str) -> float | None:
    """None for max, else how many times faster than real."""
    if text == "max":
        return None
    if text == "real":
        return 1.0
    if re.fullmatch(r"[0-9]{1,5}(\.[0-9]+)?x", text) and float(text[:-1]) >= 1:
        return float(text[:-1])
    raise CommandError("--speed is max, real, or a factor of at least 1, such as 10x.")


def _end(at: str | None, trace: Trace, speed: float | None, now: datetime) -> datetime:
    """When the last request occurs: as told, else when it will be sent."""
    if at is None:
        return now + (trace.length / speed if speed else timedelta(0))
    try:
        end = datetime.fromisoformat(at)
    except ValueError:
        raise CommandError(f"--at {at}: a time such as 2026-04-14T12:41:00Z.") from None
    end = end if end.tzinfo else end.replace(tzinfo=UTC)
    if end > now + AHEAD:
        raise CommandError("--at must not lie in the future.")
    return end


def _registered(name: str, end: datetime, told: str | None, now: datetime) -> GatewayRow:
    """The gateway of this run. What it was made at is when the run's last request occurred, so that run again, it reports
    the same requests at the same instants."""
    before = GatewayRow.objects.filter(name=name).first()
    if told is not None and before is not None and before.created_at != end:
        # Said before it serves again: refused, it must not hold back what is complete.
        raise CommandError(
            f"This run ended at {before.created_at.isoformat()} before; with another --run-id it can end at another time."
        )
    return gateways.register(name, now=end)


def _model(slug: str | None) -> str:
    if slug is None:
        raise CommandError("--model says which model served the trace.")
    if not AIModel.objects.filter(slug=slug).exists():
        raise CommandError(
            f"There is no model {slug}. There are: {', '.join(AIModel.objects.values_list('slug', flat=True))}."
        )
    return slug


def _models_for_sale(now: datetime) -> list[str]:
    models = demo.models_for_sale(now)
    if not models:
        raise CommandError("No model is on sale. `manage.py import_catalog` loads the first catalog.")
    return models


def _key(organization: Organization, asked: str | None, now: datetime) -> ApiKey:
    """The key that was asked for, by its secret or public id; else the newest that works, made when there is none."""
    if asked is not None:
        key = keys.by_secret(asked) or ApiKey.objects.filter(public_id=asked).first()
        if key is None or key.organization_id != organization.pk:
            raise CommandError(f"{organization.name} has no such key.")
        return key
    newest = keys.live(organization, now).order_by("-created_at", "-id").first()
    return newest or keys.create(organization, None, "Replay", None, None, now).key


# --- What is told ----------------------------------------------------------------------------------------------------------


def _used(row: GatewayRow, organization: Organization, served: Sequence[Served]) -> Used:
    with connection.cursor() as cursor:
        cursor.execute(USED, [served[0].at, served[-1].at, row.pk, organization.pk])
        tokens_in, tokens_out, cost = cursor.fetchone()
    return Used(int(tokens_in), int(tokens_out), Decimal(cost))


def _report(tally: Tally, events: int, used: Used, had: Decimal, has: Decimal, seconds: float) -> dict[str, Any]:
    return {
        "events": events,
        "accepted": tally.accepted,
        "duplicate": tally.duplicate,
        "refused": tally.refused + tally.stopped,
        "input_tokens": used.input_tokens,
        "output_tokens": used.output_tokens,
        "cost_usd": wording.plain(used.cost + ZERO),
        "balance_before_usd": wording.plain(had),
        "balance_after_usd": wording.plain(has),
        "seconds": round(seconds, 3),
    }


@contextmanager
def _interruptible() -> Iterator[None]:
    """Ctrl-C and a polite kill end the command the same way: the gateway is retired first."""

    def stop(*_: Any) -> None:
        raise SystemExit(130)

    before = [(number, signal.signal(number, stop)) for number in (signal.SIGINT, signal.SIGTERM)]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)
