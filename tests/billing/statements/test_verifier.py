"""A statement verifies without a database, and no digit of it can be altered unseen."""

import copy
import hashlib
import json
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from billing import flows
from billing.statements import exporting, verifier
from billing.statements.drafting import Kind
from billing.statements.models import Statement
from tests.billing.statements.conftest import CLOSED, Month, close


def made(number: int = 1, opening: str = "8.50", previous: str = "00" * 32) -> dict[str, Any]:
    """A small statement, as the portal would hand it out: 0.10 is used of what there was."""
    parties = {"customer": {"address": ["1 Street"], "name": "Acme"}, "keys": {"key_1": "prod-api"}}
    salt = bytes(range(16))
    body = {
        "number": f"S-2026-0{number}-00000{number}",
        "organization": 7,
        "period": f"2026-0{number}",
        "opening": opening,
        "closing": verifier_sum(opening, "-0.10"),
        "walk": [{"kind": kind.value, "amount": "0.00", "items": []} for kind in Kind],
        "models": [{"name": "gpt", "amount": "0.10", "requests": 3}],
        "keys": [{"name": "key_1", "amount": "0.10", "requests": 3}],
        "parties": hashlib.sha256(salt + verifier.canonical(parties).encode()).hexdigest(),
    }
    next(line for line in body["walk"] if line["kind"] == "usage")["amount"] = "-0.10"
    file = {"format": verifier.FORMAT, "body": body, "previous_hash": previous, "ledger_head": "ab" * 32}
    return {**file, "parties": {"salt": salt.hex(), "text": parties}, "hash": sealed(file)}


def verifier_sum(one: str, other: str) -> str:
    return f"{Decimal(one) + Decimal(other):.2f}"


def sealed(file: dict[str, Any]) -> str:
    links = bytes.fromhex(file["previous_hash"] + file["ledger_head"])
    return str(hashlib.sha256(links + verifier.canonical(file["body"]).encode()).hexdigest())


def wrong(file: dict[str, Any] | str) -> str:
    with pytest.raises(verifier.Wrong) as found:
        verifier.check(file if isinstance(file, str) else json.dumps(file))
    return str(found.value)


TEXT = json.dumps(made())
DIGITS = [found.start() for found in re.finditer("[0-9]", TEXT)]


@given(st.sampled_from(DIGITS), st.sampled_from("0123456789"))
def test_no_digit_can_be_altered_unseen(place: int, digit: str) -> None:
    altered = TEXT[:place] + digit + TEXT[place + 1 :]
    if digit == TEXT[place]:
        verifier.check(altered)
    else:
        wrong(altered)


class TestOne:
    def test_it_is_right(self) -> None:
        checked = verifier.check(TEXT)
        assert (checked.number, str(checked.opening), str(checked.closing)) == ("S-2026-01-000001", "8.50", "8.40")

    def test_without_its_names_it_is_right_too(self) -> None:
        assert "erased" in verifier.check(json.dumps({**made(), "parties": None})).words[-1]

    def test_how_it_is_laid_out_does_not_matter(self) -> None:
        assert verifier.check(json.dumps(made(), indent=4, ensure_ascii=True)).number == "S-2026-01-000001"

    def test_a_sum_that_does_not_add_up_is_found_even_hashed_anew(self) -> None:
        for path, value, fault in (
            (("closing",), "8.41", "closing balance"),
            (("models", 0, "amount"), "0.11", "usage by models"),
            (("keys", 0, "amount"), "0.09", "usage by keys"),
            (("walk", 0, "items"), [{"amount": "1.00"}], "listed under"),
            (("opening",), "8.500", "written as an amount"),
            (("opening",), 8, "written as an amount"),
        ):
            file = made()
            place: Any = file["body"]
            for step in path[:-1]:
                place = place[step]
            place[path[-1]] = value
            file["hash"] = sealed(file)
            assert fault in wrong(file)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "[]",
            "not JSON",
            "{}",
            '{"a": 1, "a": 1}',
            TEXT.replace("purser-statement-1", "purser-statement-2"),
            TEXT.replace('"requests": 3', '"requests": 3.0'),
            TEXT.replace('"requests": 3', '"requests": NaN'),
            TEXT.replace('"requests": 3', '"requests": 3, "requests": 3'),
            "[" * 100_000,
        ],
    )
    def test_what_is_no_statement(self, text: str) -> None:
        assert wrong(text)

    def test_other_names_are_found(self) -> None:
        file = copy.deepcopy(made())
        file["parties"]["text"]["customer"]["name"] = "Acne"
        assert "names and addresses" in wrong(file)


class TestSeveral:
    def test_each_continues_the_one_before(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        one = made()
        two = made(2, "8.40", one["hash"])
        files = [tmp_path / name for name in ("b.json", "a.json")]
        for file, statement in zip(files, (two, one)):
            file.write_text(json.dumps(statement))
        call_command("verify_statement", *map(str, files))
        assert "S-2026-02-000002 continues S-2026-01-000001" in capsys.readouterr().out

    def test_one_of_another_chain_is_found(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        for name, statement in (("a", made()), ("b", made(2, "8.40", "11" * 32))):
            (tmp_path / name).write_text(json.dumps(statement))
        with pytest.raises(SystemExit) as ended:
            call_command("verify_statement", str(tmp_path / "a"), str(tmp_path / "b"))
        assert ended.value.code == 1
        assert "does not continue" in capsys.readouterr().out


def test_the_program_alone_is_enough(tmp_path: Path) -> None:
    """Outside the project, in a Python that has nothing but itself."""
    program, good, bad = tmp_path / "verify_statement.py", tmp_path / "good.json", tmp_path / "bad.json"
    program.write_text(exporting.program())
    good.write_text(TEXT)
    bad.write_text(TEXT.replace("8.50", "9.50"))
    run = [sys.executable, "-I", "-S", str(program)]
    right = subprocess.run([*run, str(good)], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (right.returncode, right.stderr) == (0, "")
    assert made()["hash"] in right.stdout
    altered = subprocess.run([*run, str(bad)], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (altered.returncode, altered.stdout[:5]) == (1, "WRONG")
    assert subprocess.run(run, capture_output=True, check=False).returncode == 2
    assert subprocess.run([*run, "not-there"], capture_output=True, check=False, cwd=tmp_path).returncode == 1


@pytest.mark.django_db
@pytest.mark.usefixtures("as_owner")
def test_what_the_portal_issues_verifies_also_once_names_are_erased(march: Month) -> None:
    close(march)
    flows.issue_statements(now=CLOSED)
    february, statement = (
        verifier.check(exporting.as_json(row)) for row in Statement.objects.order_by("period")
    )  # fmt: skip
    verifier.continues(february, statement)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM statement_party")
    erased = verifier.check(exporting.as_json(Statement.objects.latest("period")))
    assert (erased.hash, erased.words[-1]) == (statement.hash, "names and addresses were erased; their seal stays")
