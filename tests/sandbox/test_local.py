"""What a `manage.py` command gets when nobody has set anything up: the database of `make run`, or one for itself."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from sandbox import local, places
from sandbox.postgres import APP, OWNER, Cluster
from tests.threads import at_once


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `.local` of the test's own."""
    monkeypatch.setattr(places, "LOCAL", tmp_path)
    monkeypatch.setattr(local, "RUN_ENV", tmp_path / "run.env")
    return tmp_path


@pytest.fixture(scope="module")
def server() -> Iterator[Cluster]:
    """A cluster that is up: made once, since that takes a second."""
    with tempfile.TemporaryDirectory(prefix="pg", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        with Cluster(Path(folder) / "cluster", durable=False) as cluster:
            yield cluster


@pytest.fixture
def cluster(server: Cluster) -> Iterator[Cluster]:
    """The same, without the portal's database."""
    yield server
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {local.DATABASE} WITH (FORCE)".encode())


@pytest.fixture
def supervisor() -> Iterator[int]:
    """A process that looks like `make run`."""
    command = [sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()", "sandbox.run"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()  # before that it may still bear the name of this one
        yield process.pid
        process.kill()


@pytest.mark.parametrize(
    ("arguments", "needed"),
    [
        ("migrate", True),
        ("seed_demo --credit 100", True),
        ("shell", True),
        ("check --database default", True),
        ("check", False),
        ("", False),
        ("help", False),
        ("migrate --help", False),
        ("makemigrations --check", False),
        ("collectstatic --noinput", False),
    ],
)
def test_only_commands_that_need_a_database_start_one(arguments: str, needed: bool) -> None:
    words = arguments.split() or ["help"]
    assert local._needs_database(words[0], ["manage.py", *words]) is needed


def test_what_the_operator_says_is_taken_as_it_is(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://elsewhere/purser")
    local.provide_database(["manage.py", "migrate"])
    assert os.environ["DATABASE_URL"] == "postgresql://elsewhere/purser"
    assert list(state.iterdir()) == []


def test_other_shells_learn_what_is_up_and_other_users_do_not(
    state: Path, supervisor: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.getpid", lambda: supervisor)
    local.write_run_env({"PUBLIC_URL": "http://127.0.0.1:8000", "DATABASE_URL": "postgresql://u@/purser?host=%2Fa"})
    assert (state / "run.env").stat().st_mode & 0o077 == 0
    running = local.running_portal()
    assert running is not None
    assert running["DATABASE_URL"] == "postgresql://u@/purser?host=%2Fa"


def test_what_a_killed_run_left_is_not_believed(state: Path) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    for pid in (gone.pid, os.getpid()):  # nobody's number, and by now another program's
        local.RUN_ENV.write_text(f"PURSER_RUN_PID={pid}\nDATABASE_URL=postgresql:///old\n")
        assert local.running_portal() is None
        assert not local.RUN_ENV.exists()


def test_tables_are_prepared_once_for_each_set_of_migrations(
    state: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []
    monkeypatch.setattr(local, "manage", lambda command, logins: ran.append(command[0]))
    cluster.ensure_database(local.DATABASE)
    assert at_once(*[lambda: local.prepare(cluster)] * 3) == [None] * 3
    assert ran == ["migrate", "import_catalog"]
    monkeypatch.setattr(local, "_fingerprint", lambda: "prepared for another")
    local.prepare(cluster)
    assert ran == ["migrate", "import_catalog"] * 2


def test_a_failed_preparation_is_not_taken_for_done(
    state: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(command: list[str], logins: dict[str, str]) -> None:
        raise SystemExit("manage.py migrate failed")

    cluster.ensure_database(local.DATABASE)
    monkeypatch.setattr(local, "manage", fail)
    with pytest.raises(SystemExit, match="failed"):
        local.prepare(cluster)
    with psycopg.connect(cluster.url(local.DATABASE)) as connection:
        noted = connection.execute("SELECT count(*) FROM pg_shdescription WHERE description ~ '^prepared'")
        assert noted.fetchone() == (0,)


@pytest.mark.parametrize(
    ("command", "owner"),
    [("migrate", True), ("flush", True), ("shell", False), ("verify_ledger", False), ("dbshell", False)],
)
def test_only_what_changes_tables_gets_the_owners_login(
    state: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch, command: str, owner: bool
) -> None:
    for name in ("DATABASE_URL", "DATABASE_OWNER_URL"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.setitem(os.environ, name, "")  # so that it is put back
        del os.environ[name]
    monkeypatch.setattr(local, "read_operator", lambda: None)
    monkeypatch.setattr(local, "prepare", lambda cluster: None)
    monkeypatch.setattr(local, "Cluster", lambda: cluster)
    monkeypatch.setattr(local, "_borrowed", ExitStack())
    local.provide_database(["manage.py", command])
    given = {name: os.environ.get(name) for name in ("DATABASE_URL", "DATABASE_OWNER_URL")}
    for name, role in ({"DATABASE_URL": APP} | ({"DATABASE_OWNER_URL": OWNER} if owner else {})).items():
        url = given[name]
        assert url is not None
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT current_user").fetchone() == (role,)
    assert (given["DATABASE_OWNER_URL"] is not None) is owner
