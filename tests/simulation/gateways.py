"""What gateways report: batches late, early, doubled, reordered, with ids used before, and events they take back."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import connection

from billing import flows
from billing.coverage.models import Payer
from billing.ledger import balances
from billing.metering import ingest, reversing
from billing.metering.events import Batch, Event, Receipt
from tests.crash import paths
from tests.factories.usage import v7
from tests.simulation.tally import KeyNote, Use

if TYPE_CHECKING:
    from tests.simulation.parties import Party
    from tests.simulation.world import Reporter, World

OVER_THE_WIRE = 0.3
"""So many of the batches go through the door of HTTP; the others begin behind it, which is quicker."""
SERVES_ALL_THE_SAME = 0.25
"""A gateway that remembers an answer for some seconds serves somebody who has nothing left."""
OLDEST = timedelta(days=35)
AHEAD = timedelta(minutes=5)


def use(world: World, party: Party) -> None:
    """A handful of requests was served."""
    _serve(world, party, world.chance.randint(1, 4))


def use_of(world: World, party: Party, model: str, number: int) -> None:
    """Requests to one model; where a plan or contract covers it, it is served without credit."""
    _serve(world, party, number, (model,))


def burst(world: World, party: Party) -> None:
    _serve(world, party, world.chance.randint(15, 40))


def overspend(world: World, party: Party) -> None:
    """On the last day of a month: what is left is used, and far more."""
    if (world.now + timedelta(days=1)).day == 1:
        burst(world, party)


def heartbeat(world: World) -> None:
    """Both gateways say how far they are."""
    for reporter in world.reporters:
        _report(world, reporter, [], None)


def take_back(world: World, party: Party) -> None:
    """An event that was never served after all, sometimes asked for twice."""
    known = [use for id_, use in party.tally.accepted.items() if id_ not in party.tally.reversed]
    recent = [use for use in known[-20:] if use.occurred_at > world.now - timedelta(days=30)]
    if not recent:
        return
    use = world.chance.choice(recent)
    wanted = reversing.Reversal(UUID(world.uuid()), use.id, "never served", world.reporters[0].id)
    cost = world.cost(party, use)
    party.tally.take_back(use, cost)
    if use.id in party.tally.promised:
        party.promises.count(use, world.now, -1)
    world.fact(party, "reversed", cost)
    for _ in range(world.chance.choice((1, 1, 2))):
        _insist(world, party, lambda: flows.reverse_usage(wanted, now=world.now))


def _insist(world: World, party: Party, act: Callable[[], object]) -> None:
    """A gateway asks until it is answered."""
    if not world.trouble.attempt(act):
        world.later(5, 120, lambda: _insist(world, party, act))
    world.touched.add(party.org_id)


def has_credit(party: Party, now: datetime) -> bool:
    return balances.of(party.org_id, now=now).available > 0


# --- Reporting -----------------------------------------------------------------------------------------------------------


def _serve(world: World, party: Party, number: int, models: tuple[str, ...] = ("small", "small", "large")) -> None:
    """Requests that were served just now, some time ago, or (by a clock that is fast) in a moment."""
    if party.left and world.chance.random() < 0.9:
        return
    served = party.tally.free or party.promises.runs(models[0], world.now) or has_credit(party, world.now)
    if not served and world.chance.random() > SERVES_ALL_THE_SAME:
        return
    uses = [_served(world, party, world.chance.choice(party.keys), models) for _ in range(number)]
    known = list(party.tally.accepted.values())
    if known and world.chance.random() < 0.1:
        uses.append(world.chance.choice(known[-10:]))  # sent again
    elif known and world.chance.random() < 0.03:
        before = known[-1]
        uses.append(Use(before.id, before.key, before.model, before.input + 1, 0, before.output, before.occurred_at))
    if world.chance.random() < 0.1:
        uses.append(uses[0])
    world.chance.shuffle(uses)
    _report(world, world.chance.choice(world.reporters), uses, party)


def _served(world: World, party: Party, note: KeyNote, models: tuple[str, ...]) -> Use:
    chance = world.chance
    how = chance.random()
    if how < 0.8:
        ago = chance.uniform(0, 120)
    elif how < 0.84:
        ago = -chance.uniform(0, 290)
    elif how < 0.95:
        ago = chance.uniform(600, 90_000)
    else:
        ago = chance.choice((chance.uniform(0, 34.9), 35.5)) * 86_400
    at = (world.now - timedelta(seconds=ago)).replace(microsecond=chance.randrange(1000) * 1000)
    tail = chance.getrandbits(62)
    id_ = v7(at, tail) if chance.random() < 0.8 else UUID(int=chance.getrandbits(128), version=4)
    tokens = chance.randint(1, party.like.tokens)
    cached = chance.choice((0, 0, tokens // 3))
    return Use(id_, note.key.public_id, chance.choice(models), tokens, cached, tokens // 7, at)


def _report(world: World, reporter: Reporter, uses: list[Use], party: Party | None) -> None:
    """Send a batch, and send it until it is answered."""
    through = world.now - timedelta(seconds=world.chance.randint(1, 7200))
    reporter.complete_through = max(reporter.complete_through, through)
    world.heard_through(world.now)
    if party is not None:
        party.unanswered += 1
    _send(world, reporter, uses, through, party, world.chance.random() < OVER_THE_WIRE, certain=True)


def _send(
    world: World,
    reporter: Reporter,
    uses: list[Use],
    through: datetime,
    party: Party | None,
    wire: bool,
    *,
    certain: bool,
) -> None:
    """`certain`: it was not sent before, so what is new to us is new to Purser."""
    send = _by_wire if wire else _behind_the_door
    told = world.trouble.attempted(lambda: send(world, reporter, uses, through))
    if told is None:
        world.later(5, 600, lambda: _send(world, reporter, uses, through, party, wire, certain=False))
        return
    if party is not None:
        party.unanswered -= 1
        world.touched.add(party.org_id)
        _note(world, party, uses, told, certain=certain)


def _by_wire(world: World, reporter: Reporter, uses: list[Use], through: datetime) -> tuple[int, int, list[str]]:
    body = json.dumps({"events": [use.body() for use in uses], "complete_through": through.isoformat()})
    headers = {"Authorization": f"Bearer {reporter.token}"}
    answer = paths.visitor().post("/api/v1/usage", body, content_type="application/json", headers=headers)
    assert answer.status_code == 200, answer.content
    said = answer.json()
    return said["accepted"], said["duplicate"], sorted(refused["reason"] for refused in said["refused"])


def _behind_the_door(
    world: World, reporter: Reporter, uses: list[Use], through: datetime
) -> tuple[int, int, list[str]]:
    events = [
        Event(
            id=use.id, key=use.key, model=use.model, input_tokens=use.input, cached_input_tokens=use.cached,
            output_tokens=use.output, occurred_at=use.occurred_at,
        )
        for use in uses
    ]  # fmt: skip
    batch = Batch(events, range(len(events)), complete_through=through)
    receipt: Receipt = ingest.ingest(batch, gateway_id=reporter.id, now=world.now)
    return receipt.accepted, receipt.duplicate, sorted(refusal.reason.value for refusal in receipt.refused)


# --- What should have become of it -------------------------------------------------------------------------------------


def _note(world: World, party: Party, uses: list[Use], told: tuple[int, int, list[str]], *, certain: bool) -> None:
    """Sort the batch as the contract says, note what was accepted, and hold the answer to it."""
    accepted = duplicate = 0
    refused: list[str] = []
    for use in uses:
        reason = _refusal(world, party, use)
        if reason:
            refused.append(reason)
        elif use.id not in party.tally.accepted:
            accepted += 1
            if _is_promised(world, party, use):
                party.tally.promised.add(use.id)
                party.promises.count(use, world.now)
            party.tally.accept(use, world.cost(party, use))
        elif party.tally.accepted[use.id] == use:
            duplicate += 1
        else:
            refused.append("id_conflict")
    taken, repeated, objections = told
    right = (taken, repeated) == (accepted, duplicate) if certain else taken + repeated == accepted + duplicate
    if not right or objections != sorted(refused):
        world.expect(
            False, f"{party.name}: a batch of {accepted} new, {duplicate} known, {refused} was answered {told}"
        )
    world.fact(party, "usage", accepted, duplicate, len(refused))


def _is_promised(world: World, party: Party, use: Use) -> bool:
    """Whether a plan or contract pays for it. Around a boundary the portal says so: it depends on when a clock came by."""
    covered = party.promises.covers(use, world.now)
    if covered is None:
        world.events["use at a boundary"] += 1
        return _payer(use) in (Payer.SUBSCRIPTION, Payer.CONTRACT)
    return covered


def _payer(use: Use) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT payer FROM usage_event WHERE id = %s AND occurred_at = %s", [use.id, use.occurred_at])
        return int(cursor.fetchone()[0])


def _refusal(world: World, party: Party, use: Use) -> str:
    """Why this event is never charged, by the contract of the API; nothing when it is."""
    if use.occurred_at < world.now - OLDEST:
        return "too_old"
    if use.occurred_at > world.now + AHEAD:
        return "in_future"
    revoked = next(note.revoked_at for note in party.keys if note.key.public_id == use.key)
    return "key_revoked" if revoked is not None and use.occurred_at >= revoked else ""
