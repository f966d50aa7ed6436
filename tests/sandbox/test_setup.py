"""Set-up on a bare machine: what pip is told here holds for uv too."""

import os
from pathlib import Path

import pytest

from sandbox import setup


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No configuration of this machine's shines through."""
    for name in [
        name for name in os.environ if name.startswith(("PIP_", "UV_")) or name in {"SSL_CERT_FILE", "ALL_PROXY"}
    ]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("HOME", str(tmp_path))


def test_pips_variables_reach_uv(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://packages.internal/simple")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://one.internal/simple https://two.internal/simple")
    monkeypatch.setenv("PIP_FIND_LINKS", "/wheels /more-wheels")
    monkeypatch.setenv("PIP_CERT", "/etc/ssl/internal.pem")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    told = setup._uv_environment()
    assert told["UV_DEFAULT_INDEX"] == "https://packages.internal/simple"
    assert told["UV_INDEX"] == "https://one.internal/simple https://two.internal/simple"
    assert told["UV_FIND_LINKS"] == "/wheels,/more-wheels"
    assert told["SSL_CERT_FILE"] == "/etc/ssl/internal.pem"
    assert told["UV_NO_INDEX"] == "1"


def test_pips_files_reach_uv_and_variables_win(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "pip.conf"
    file.write_text("[global]\nindex-url = https://file.internal/simple\ntrusted-host = file.internal\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(file))
    assert setup._uv_environment()["UV_DEFAULT_INDEX"] == "https://file.internal/simple"
    assert setup._uv_environment()["UV_INSECURE_HOST"] == "file.internal"
    monkeypatch.setenv("PIP_INDEX_URL", "https://variable.internal/simple")
    assert setup._uv_environment()["UV_DEFAULT_INDEX"] == "https://variable.internal/simple"


@pytest.mark.parametrize("variable", ["UV_DEFAULT_INDEX", "UV_INDEX_URL"])
def test_what_uv_itself_is_told_wins(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://pip.internal/simple")
    monkeypatch.setenv(variable, "https://uv.internal/simple")
    told = setup._uv_environment()
    assert told[variable] == "https://uv.internal/simple"
    assert told.get("UV_DEFAULT_INDEX", "https://uv.internal/simple") == "https://uv.internal/simple"


def test_without_a_home_to_write_to_the_cache_lies_here(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "UV_CACHE_DIR" not in setup._uv_environment()
    monkeypatch.setenv("HOME", "/nonexistent")
    assert setup._uv_environment()["UV_CACHE_DIR"].startswith(str(setup.LOCAL))


def test_a_changed_lock_asks_for_another_set_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python, stamp, lock = tmp_path / "python", tmp_path / "stamp", tmp_path / "lock"
    for name, path in (("PYTHON", python), ("STAMP", stamp), ("LOCK", lock)):
        monkeypatch.setattr(setup, name, path)
    lock.write_text("one==1\n")
    python.touch()
    assert not setup._is_current()
    stamp.write_text(setup._wanted())
    assert setup._is_current()
    lock.write_text("one==2\n")
    assert not setup._is_current()
