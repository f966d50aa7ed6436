"""The embedded PostgreSQL: started by the first who comes, stopped by the last who leaves, and hard to break."""

import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from sandbox import places, postgres_binaries
from sandbox.places import PlaceRefused
from sandbox.postgres import APP, OWNER, Cluster, PostgresFailed
from sandbox.postgres_binaries import NoServer, Server
from tests.paths import ROOT


@pytest.fixture
def parent() -> Iterator[Path]:
    """A short path that the server's own user may enter, which pytest's own folders are not."""
    with tempfile.TemporaryDirectory(prefix="pg", dir="/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def empty(parent: Path) -> Path:
    """A folder in which no server has been yet."""
    return parent / "cluster"


@pytest.fixture(scope="module")
def made() -> Iterator[Path]:
    """A cluster's folder as its first start leaves it: made once, since that takes a second."""
    with tempfile.TemporaryDirectory(prefix="pg", dir="/tmp") as name:
        Path(name).chmod(0o755)
        Cluster(Path(name) / "cluster", durable=False).start()
        Cluster(Path(name) / "cluster", durable=False).halt()
        yield Path(name) / "cluster"


@pytest.fixture
def folder(parent: Path, made: Path) -> Path:
    """The same as a copy, for each test its own."""
    subprocess.run(["cp", "-a", str(made), str(parent / "cluster")], check=True)
    return parent / "cluster"


@pytest.fixture(scope="module")
def running(made: Path) -> Iterator[Cluster]:
    """One that is up, for tests that only look at it."""
    with tempfile.TemporaryDirectory(prefix="pg", dir="/tmp") as name:
        Path(name).chmod(0o755)
        subprocess.run(["cp", "-a", str(made), f"{name}/cluster"], check=True)
        with Cluster(Path(name) / "cluster", durable=False) as cluster:
            yield cluster


@pytest.fixture
def cluster(folder: Path) -> Iterator[Cluster]:
    cluster = Cluster(folder, durable=False)
    cluster.start()
    yield cluster
    cluster.stop()
    cluster.halt()


def one(cluster: Cluster, query: str, user: str = "postgres", database: str = "postgres") -> object:
    with psycopg.connect(cluster.url(database, user)) as connection:
        row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


def server_pid(cluster: Cluster) -> int:
    return int((cluster.data / "postmaster.pid").read_text().split("\n", 1)[0])


def gone(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "Z"


# --- Coming and going ---------------------------------------------------------------------------------------------------


def test_what_was_written_is_there_after_a_restart(cluster: Cluster) -> None:
    cluster.ensure_database("shop")
    with psycopg.connect(cluster.url("shop")) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
    cluster.stop()
    assert not cluster.answers()
    assert not cluster.runs()
    cluster.start()
    assert one(cluster, "SELECT number FROM kept", OWNER, "shop") == 7


def test_starting_twice_and_stopping_twice_change_nothing(cluster: Cluster) -> None:
    pid = server_pid(cluster)
    cluster.start()
    assert server_pid(cluster) == pid
    cluster.stop()
    cluster.stop()
    assert not cluster.runs()
    deadline = time.monotonic() + 5
    while not gone(pid) and time.monotonic() < deadline:
        pass
    assert gone(pid)


def test_the_last_user_to_leave_stops_it(cluster: Cluster) -> None:
    other = Cluster(cluster.folder, durable=False)
    other.start()
    cluster.stop()
    assert other.answers()
    other.stop()
    assert not other.runs()


def test_a_user_that_was_killed_does_not_count_any_more(cluster: Cluster) -> None:
    program = textwrap.dedent("""
        import sys
        from pathlib import Path
        from sandbox.postgres import Cluster
        Cluster(Path(sys.argv[1]), durable=False).start()
        print("in use", flush=True)
        sys.stdin.read()
    """)
    command = [sys.executable, "-c", program, str(cluster.folder)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "in use\n"
        other.kill()
    cluster.stop()
    assert not cluster.runs()


def test_a_forked_child_that_ends_leaves_the_server_to_its_parent(cluster: Cluster) -> None:
    child = os.fork()
    if child == 0:
        cluster.stop()
        os._exit(0)
    os.waitpid(child, 0)
    assert cluster.answers()


def test_two_processes_that_start_at_once_share_one_server(empty: Path) -> None:
    program = textwrap.dedent("""
        import sys
        from pathlib import Path
        from sandbox.postgres import Cluster
        with Cluster(Path(sys.argv[1]), durable=False) as cluster:
            cluster.ensure_database("shared")
            print((cluster.data / "postmaster.pid").read_text().split()[0], flush=True)
            sys.stdin.read()
    """)
    command = [sys.executable, "-c", program, str(empty)]
    both = [
        subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    said = [process.stdout.readline() for process in both if process.stdout]
    for process in both:
        process.communicate()
    assert said[0] == said[1] != ""
    assert [process.returncode for process in both] == [0, 0]
    assert not Cluster(empty, durable=False).runs()


# --- What a crash leaves -------------------------------------------------------------------------------------------------


def test_a_killed_server_comes_back_with_its_data(folder: Path) -> None:
    cluster = Cluster(folder)
    cluster.start()
    cluster.ensure_database("shop")
    with psycopg.connect(cluster.url("shop")) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
    os.kill(server_pid(cluster), signal.SIGKILL)
    cluster.stop()
    cluster.start()
    assert one(cluster, "SELECT number FROM kept", OWNER, "shop") == 7
    cluster.stop()


def test_a_pid_file_whose_number_is_another_program_by_now_is_no_hindrance(cluster: Cluster) -> None:
    pid_file = cluster.data / "postmaster.pid"
    left_behind = pid_file.read_text()
    cluster.stop()
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        first, _, rest = left_behind.partition("\n")
        assert first.isdecimal()
        pid_file.write_text(f"{stranger.pid}\n{rest}")
        assert not cluster.runs()
        cluster.start()
        assert cluster.answers()
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_an_interrupted_initdb_is_begun_anew(empty: Path) -> None:
    cluster = Cluster(empty, durable=False)
    (empty / "data.unfinished").mkdir()
    (empty / "data.unfinished" / "PG_VERSION").write_text("half")
    with cluster:
        assert cluster.answers()


def test_damaged_data_of_tests_is_made_anew_and_real_data_is_not(folder: Path) -> None:
    with Cluster(folder, durable=False) as cluster:
        assert cluster.answers()
    (folder / "data" / "global" / "pg_control").write_bytes(b"")
    with pytest.raises(PostgresFailed, match="did not start"):
        Cluster(folder).start()
    with Cluster(folder, durable=False) as cluster:
        assert cluster.answers()


# --- Rights and places ----------------------------------------------------------------------------------------------------


def test_the_owner_of_databases_is_no_superuser_and_the_application_makes_none(running: Cluster) -> None:
    rights = "SELECT rolsuper::int * 4 + rolcreatedb::int * 2 + rolcanlogin::int FROM pg_roles WHERE rolname = '{}'"
    assert one(running, rights.format(OWNER)) == 3
    assert one(running, rights.format(APP)) == 1
    running.ensure_database("shop")
    running.ensure_database("shop")
    assert one(running, "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'shop'") == OWNER


def test_commits_are_durable_except_in_tests(folder: Path) -> None:
    with Cluster(folder, durable=False) as cluster:
        assert (one(cluster, "SHOW fsync"), one(cluster, "SHOW synchronous_commit")) == ("off", "on")
    with Cluster(folder) as cluster:
        assert (one(cluster, "SHOW fsync"), one(cluster, "SHOW full_page_writes")) == ("on", "on")


def test_it_listens_on_no_port_and_its_folder_is_closed_to_others(running: Cluster) -> None:
    assert one(running, "SHOW listen_addresses") == ""
    assert running.folder.stat().st_mode & 0o077 == 0
    assert running.socket_folder.stat().st_mode & 0o077 == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="about being root")
def test_for_root_the_server_runs_as_a_user_without_rights(running: Cluster) -> None:
    account = places.server_account()
    assert account is not None
    assert Path(f"/proc/{server_pid(running)}").stat().st_uid == account.uid != 0


def test_a_folder_too_deep_for_a_socket_gets_a_short_one(folder: Path) -> None:
    deep = folder.parent / ("x" * 60) / ("y" * 60)
    deep.parent.mkdir(mode=0o755)
    folder.rename(deep)
    cluster = Cluster(deep, durable=False)
    try:
        with cluster:
            assert cluster.socket_folder != cluster.folder
            assert len(os.fsencode(cluster.socket_folder / ".s.PGSQL.5432")) < 104
            assert cluster.answers()
    finally:
        places.forget(cluster.socket_folder)


def test_any_folder_name_will_do(folder: Path) -> None:
    """Each of these characters has a meaning of its own somewhere on the way: in a shell, in settings, in an address."""
    cluster = Cluster(folder.rename(folder.parent / "blank 'quote \"double ,comma $dollar wïth"), durable=False)
    try:
        with cluster:
            assert cluster.answers()
    finally:
        places.forget(cluster.socket_folder)


def test_a_folder_that_somebody_else_put_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "planted").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PlaceRefused, match="made by another user"):
        Cluster(tmp_path / "planted")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a folder that even the test may enter and the server may not")
def test_under_a_closed_home_root_keeps_its_data_elsewhere(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed, elsewhere = empty.parent / "home", empty.parent / "elsewhere"
    (closed / "checkout").mkdir(parents=True)
    closed.chmod(0o700)
    monkeypatch.setattr(places, "LOCAL", closed / "checkout" / ".local")
    monkeypatch.setattr(places, "ELSEWHERE", elsewhere)
    cluster = Cluster(durable=False)
    assert cluster.folder == elsewhere / "postgres"
    with cluster:
        assert cluster.answers()


# --- Which server ----------------------------------------------------------------------------------------------------------


def installed(*majors: int) -> list[Server]:
    return [Server(Path(f"/servers/{major}"), major) for major in majors]


def test_the_newest_supported_server_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_binaries, "_installed", lambda: installed(14, 15, 17, 99))
    assert postgres_binaries.find().major == 17


def test_existing_data_takes_the_server_that_made_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_binaries, "_installed", lambda: installed(15, 17))
    assert postgres_binaries.find(15).major == 15
    monkeypatch.setattr(postgres_binaries, "_in_wheel", lambda: installed(18))
    with pytest.raises(NoServer, match="made by PostgreSQL 16, which is not here any more"):
        postgres_binaries.find(16)


def test_with_nothing_installed_the_wheel_serves(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_binaries, "_installed", list)
    with Cluster(empty, durable=False) as cluster:
        assert int(str(one(cluster, "SHOW server_version_num"))) // 10_000 in postgres_binaries.SUPPORTED
        assert postgres_binaries.find().major == 18


@pytest.mark.skipif(os.geteuid() != 0, reason="about being root")
def test_a_server_in_a_closed_place_is_copied_where_it_may_run(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "may_execute", lambda file, account: False)
    wheels = postgres_binaries._in_wheel()
    monkeypatch.setattr(postgres_binaries, "_installed", list)
    monkeypatch.setattr(postgres_binaries, "_in_wheel", lambda: wheels)
    with Cluster(empty, durable=False) as cluster:
        program = os.readlink(f"/proc/{server_pid(cluster)}/exe")
        assert program.startswith(str(empty / "server"))


def test_without_any_server_the_message_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_binaries, "_installed", list)
    monkeypatch.setattr(postgres_binaries, "_in_wheel", list)
    with pytest.raises(NoServer, match=r"Install PostgreSQL 15 to 18 .* or set DATABASE_URL"):
        postgres_binaries.find()


def test_a_chosen_folder_without_a_server_is_an_error_not_a_guess(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSTGRES_BIN", str(tmp_path))
    with pytest.raises(NoServer, match="holds no PostgreSQL server"):
        postgres_binaries.find()
