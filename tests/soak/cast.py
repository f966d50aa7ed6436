"""Who takes part in a soak: organizations with owners and keys, gateways with tokens. Made as everywhere."""

import csv
import os
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sandbox import traces
from sandbox.traces import Row
from tests.paths import shared_data
from tests.soak.customers import Account
from tests.soak.gateways import Key

TRACE = "azure_llm_trace_2023_code.csv"
MADE_UP_ROWS = 2_000


@dataclass(frozen=True)
class Cast:
    accounts: list[Account]
    keys: list[Key]
    tokens: list[str]
    staff: tuple[str, str]
    """E-mail and password."""


def make(organizations: int, gateways_: int) -> Cast:
    """Founded some hours ago, so that late usage is theirs too."""
    from billing.metering import gateways, partitions
    from tests.factories import orgs as people

    now = datetime.now(UTC)
    founded = now - timedelta(hours=6)
    partitions.make(now)
    accounts, keys = [], []
    for number in range(organizations):
        owner = people.person(f"owner{number}@example.com", f"Owner {number}", now=founded)
        team = people.team(owner, f"Team {number}", slug=f"team-{number}", now=founded)
        for organization in (team, people.personal(owner)):
            accounts.append(Account(owner.email, people.PASSWORD, organization.pk, organization.slug))
            made = [people.key(organization, f"key {n}", now=founded) for n in range(2)]
            keys += [Key(organization.pk, one.key.public_id) for one in made]
    tokens = [gateways.mint(gateways.register(f"gateway-{n}", now=now), now=now) for n in range(gateways_)]
    member = people.person("staff@example.com", "Staff", now=founded)
    member.is_staff = member.is_superuser = True
    member.save()
    return Cast(accounts, keys, tokens, (member.email, people.PASSWORD))


def rows(chance: random.Random, folder: Path) -> list[Row]:
    """The requests that the gateways replay: of the trace in TRACE=, of a published one if it lies here, else made up."""
    file = Path(os.environ["TRACE"]) if os.environ.get("TRACE") else shared_data(TRACE)
    if file is None:
        file = folder / "trace.csv"
        with file.open("w", newline="") as out:
            writer = csv.writer(out)
            writer.writerow(traces.COLUMNS)
            at = datetime(2024, 5, 10, tzinfo=UTC)
            for _ in range(MADE_UP_ROWS):
                at += timedelta(seconds=chance.expovariate(3))
                tokens = round(chance.lognormvariate(7, 1.1)), round(chance.lognormvariate(4, 0.9))
                writer.writerow([at.strftime("%Y-%m-%d %H:%M:%S.%f"), *tokens])
    return list(traces.read(file).rows)
