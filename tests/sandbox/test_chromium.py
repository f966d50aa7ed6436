"""The browser of the browser tests: found, installed or asked for, never done without."""

from pathlib import Path

import pytest

from sandbox import chromium
from sandbox.chromium import NoChromium


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without any browser."""
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path / "browsers"))
    monkeypatch.setattr(chromium, "APPLICATIONS", ())
    return tmp_path


def program(path: Path, says: str = "exit 0") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{says}\n")
    path.chmod(0o755)
    return path


def test_the_systems_comes_before_playwrights(bare: Path) -> None:
    downloaded = program(bare / "browsers" / "chromium-1187" / "chrome-linux" / "chrome")
    assert chromium.find() == downloaded
    system = program(bare / "bin" / "chromium")
    assert chromium.find() == system


def test_a_named_one_comes_first_and_must_be_there(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(bare / "bin" / "chromium")
    monkeypatch.setenv("CHROMIUM", str(program(bare / "mine")))
    assert chromium.find() == bare / "mine"
    monkeypatch.setenv("CHROMIUM", str(bare / "missing"))
    with pytest.raises(NoChromium, match="is not a program"):
        chromium.ensure()


def test_with_none_and_no_way_to_get_one_the_message_says_what_to_do(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr(chromium, "_install_playwrights", lambda: "  playwright install chromium: no network")
    with pytest.raises(NoChromium) as failure:
        chromium.ensure()
    assert "apt-get install chromium" in str(failure.value)
    assert "no network" in str(failure.value)


def test_one_that_does_not_start_is_said_so(bare: Path) -> None:
    program(bare / "bin" / "chromium", "echo libnss3.so: cannot open shared object file >&2; exit 127")
    with pytest.raises(NoChromium, match=r"does not start:\nlibnss3\.so"):
        chromium.ensure()


def test_root_gives_up_the_browsers_own_sandbox_and_others_keep_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert "--no-sandbox" in chromium.launch_arguments()
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert "--no-sandbox" not in chromium.launch_arguments()
