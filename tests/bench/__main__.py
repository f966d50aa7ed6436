"""`make bench`: builds a database of its own, measures, prints a table and, as the last line, one JSON object."""

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from django.core.management import call_command

from tests.bench import database
from tests.bench.measuring import Figure


def main() -> int:
    _say("a database of its own ...")
    with database.fresh("purser_bench"):
        call_command("import_catalog", verbosity=0)
        figures = _measure()
    _table(figures)
    print(json.dumps({figure.number: round(figure.ratio, 3) for figure in figures}))
    # Speed is a figure; books that differ are a fault.
    return 0 if all(figure.met for figure in figures if figure.number.startswith("13")) else 1


def _measure() -> list[Figure]:
    from django.db import connection

    from tests.bench import reading, settling, usage, world

    here = world.build(datetime.now(UTC))
    found = []
    with world.serving(here.token) as server:
        _say("1, 2: ingest over HTTP ...")
        found += usage.http(here, server)
        _say("5, 6: charging ...")
        found += usage.charging(here)
        _say("8: graphs ...")
        found += reading.graph(here)
        _say("10: limits ...")
        found += reading.limits(here, server)
    _say("11: month ends ...")
    found += settling.settling()
    _say("13: overlapping batches ...")
    found += usage.overlapping(here)
    connection.close()
    return found


def _table(figures: list[Figure]) -> None:
    cores = os.cpu_count()
    print(
        f"\nPython {sys.version.split()[0]}, {cores} cores, {Path(sys.executable).name}; medians of 5 alternated rounds\n"
    )
    print(f"{'#':<4} {'ratio':>9} {'min':>9} {'max':>9}  {'target':<9} {'':<6} what")
    for f in figures:
        verdict = "met" if f.met else "BELOW"
        note = f"  ({f.note})" if f.note else ""
        print(f"{f.number:<4} {f.ratio:>9.3f} {f.low:>9.3f} {f.high:>9.3f}  {f.target:<9} {verdict:<6} {f.what}{note}")
    print()


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
