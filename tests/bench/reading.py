"""What people and gateways ask: targets 8 and 10."""

import statistics
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection

from tests.bench import measuring, world
from tests.bench.measuring import Figure
from tests.bench.world import Server, World

MILLION = 1_000_000
ASKED = 400

FILL = """
INSERT INTO usage_event (id, ts, occurred_at, accepted_at, org_id, key_id, price_id, model_id, gateway_id, payer,
                         input_tokens, cached_tokens, output_tokens)
SELECT gen_random_uuid(), t, t, t, %(org)s, %(key)s, %(price)s, %(model)s, %(gateway)s, 2, 1000 + n %% 3000, 0, 50 + n %% 200
FROM generate_series(1, %(count)s) n, LATERAL (SELECT %(now)s::timestamptz - n * (interval '30 days' / %(count)s) AS t) x
"""
ROLL_UP = """
INSERT INTO usage_hour (org_id, hour, key_id, model_id, payer, price_id, period, events, input_tokens, cached_tokens,
                        output_tokens, late_tokens, cost)
SELECT e.org_id, date_trunc('hour', e.occurred_at, 'UTC'), e.key_id, e.model_id, e.payer, e.price_id,
    date_trunc('month', e.occurred_at AT TIME ZONE 'UTC')::date, count(*), sum(e.input_tokens), sum(e.cached_tokens),
    sum(e.output_tokens), 0, sum((e.input_tokens - e.cached_tokens) * p.input_usd + e.output_tokens * p.output_usd)
FROM usage_event e JOIN price p ON p.id = e.price_id GROUP BY 1, 2, 3, 4, 5, 6, 7
"""
RAW = """
SELECT date_trunc('hour', e.occurred_at, 'UTC'), e.model_id, sum(e.input_tokens + e.output_tokens),
    sum((e.input_tokens - e.cached_tokens) * p.input_usd + e.cached_tokens * p.cached_usd + e.output_tokens * p.output_usd)
FROM usage_event e JOIN price p ON p.id = e.price_id
WHERE e.org_id = %s AND e.ts >= %s AND e.ts < %s GROUP BY 1, 2
"""
ROLLED_UP = """
SELECT hour, model_id, sum(input_tokens + output_tokens), sum(cost)
FROM usage_hour WHERE org_id = %s AND hour >= %s AND hour < %s GROUP BY 1, 2
"""


def graph(here: World) -> list[Figure]:
    """8: thirty days by hour and model, from a million events against from the rollup; the sums are equal."""
    world.empty_usage()
    now = datetime.now(UTC)
    values: dict[str, Any] = {
        "org": here.one.org_id, "key": here.one.key_ids[0], "price": here.price.pk, "model": here.model.pk,
        "gateway": here.gateway_id, "now": now, "count": MILLION,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(FILL, values)
        cursor.execute(ROLL_UP)
        cursor.execute("ANALYZE usage_event, usage_hour")
    span: list[Any] = [here.one.org_id, (now - timedelta(days=31)).replace(minute=0, second=0, microsecond=0), now]

    def read(query: str) -> list[tuple[object, ...]]:
        with connection.cursor() as cursor:
            cursor.execute(query, span)
            return sorted(cursor.fetchall(), key=str)

    if read(RAW) != read(ROLLED_UP):
        raise RuntimeError("the rollup and the events do not say the same")
    ratios, raw, rolled = measuring.rates(
        lambda n: measuring.seconds(lambda: read(RAW)), lambda n: measuring.seconds(lambda: read(ROLLED_UP))
    )
    world.empty_usage()
    note = f"{statistics.median(raw) * 1000:.0f} ms / {statistics.median(rolled) * 1000:.1f} ms"
    return [measuring.figure("8", "30-day graph, 1 M events: raw / rollup", ratios, at_least=40, note=note)]


def limits(here: World, server: Server) -> list[Figure]:
    """10: the median answer a gateway waits for, remembered and freshly read, against a view that does nothing."""
    server.reconnect()
    keys = [key for customer in here.hundred for key in customer.keys]
    for customer in here.hundred:
        for digest in customer.hashes:
            server.post("/api/v1/limits/resolve", b'{"key_sha256": "%s"}' % digest.hex().encode())

    def empty(n: int) -> float:
        return _median(server, ["/health/live"] * ASKED)

    def warm(n: int) -> float:
        server.get(f"/api/v1/limits?key={keys[0]}")
        return _median(server, [f"/api/v1/limits?key={keys[0]}"] * ASKED)

    def cold(n: int) -> float:
        # Each key once, after all that was remembered of it has passed.
        time.sleep(2.1)
        return _median(server, [f"/api/v1/limits?key={key}" for key in keys])

    remembered, a, b = measuring.rates(warm, empty)
    read, c, _ = measuring.rates(cold, empty)
    note = f"{statistics.median(a) * 1000:.2f} ms / {statistics.median(b) * 1000:.2f} ms"
    return [
        measuring.figure("10", "limits p50, warm / empty view", remembered, at_most=1.25, note=note),
        measuring.figure(
            "10b", "limits p50, cold / empty view", read, at_most=3.5, note=f"{statistics.median(c) * 1000:.2f} ms"
        ),
    ]


def _median(server: Server, paths: list[str]) -> float:
    times = []
    for path in paths:
        start = time.perf_counter()
        server.get(path)
        times.append(time.perf_counter() - start)
    return statistics.median(times)
