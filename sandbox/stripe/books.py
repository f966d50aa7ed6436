"""Everything the sandbox remembers: tables of JSON objects in memory, mirrored to one SQLite file when it has one.

Objects are changed in place and then given to `save`; `commit` writes what was saved since the last commit in one
transaction, so a killed process comes back with whole requests only.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Obj = dict[str, Any]

SCHEMA = """
CREATE TABLE IF NOT EXISTS rows (
    kind TEXT NOT NULL, id TEXT NOT NULL, seq INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (kind, id)
) WITHOUT ROWID
"""


class Books:
    def __init__(self, file: Path | None = None) -> None:
        self._tables: dict[str, dict[str, Obj]] = {}
        self._seq: dict[tuple[str, str], int] = {}
        self._dirty: dict[tuple[str, str], None] = {}
        self._next = 1
        self._db = _opened(file) if file else None
        if self._db:
            self._load(self._db)

    def _load(self, db: sqlite3.Connection) -> None:
        for kind, id, seq, body in db.execute("SELECT kind, id, seq, body FROM rows ORDER BY seq"):
            self._tables.setdefault(kind, {})[id] = json.loads(body)
            self._seq[kind, id] = seq
            self._next = seq + 1

    def add(self, kind: str, obj: Obj) -> Obj:
        self._tables.setdefault(kind, {})[obj["id"]] = obj
        self._seq[kind, obj["id"]] = self._next
        self._next += 1
        self._dirty[kind, obj["id"]] = None
        return obj

    def save(self, kind: str, obj: Obj) -> None:
        """Remember that `obj`, which is in the table already, has changed."""
        self._dirty[kind, obj["id"]] = None

    def put(self, kind: str, obj: Obj) -> None:
        """Add or replace."""
        if self.has(kind, obj["id"]):
            self._tables[kind][obj["id"]] = obj
            self.save(kind, obj)
        else:
            self.add(kind, obj)

    def remove(self, kind: str, id: str) -> None:
        if self._tables.get(kind, {}).pop(id, None) is not None:
            self._dirty[kind, id] = None

    def has(self, kind: str, id: str) -> bool:
        return id in self._tables.get(kind, {})

    def get(self, kind: str, id: str) -> Obj | None:
        return self._tables.get(kind, {}).get(id)

    def oldest_first(self, kind: str) -> list[Obj]:
        return list(self._tables.get(kind, {}).values())

    def newest_first(self, kind: str) -> Iterator[Obj]:
        return reversed(self._tables.get(kind, {}).values())

    def setting(self, name: str, default: Any = None) -> Any:
        row = self.get("setting", name)
        return default if row is None else row["value"]

    def set(self, name: str, value: Any) -> None:
        self.put("setting", {"id": name, "value": value})

    def commit(self) -> None:
        """Write what changed, all or nothing."""
        if self._db and self._dirty:
            with self._db:
                self._db.execute("BEGIN")
                for kind, id in self._dirty:
                    self._write(self._db, kind, id)
        self._dirty.clear()

    def _write(self, db: sqlite3.Connection, kind: str, id: str) -> None:
        obj = self.get(kind, id)
        if obj is None:
            db.execute("DELETE FROM rows WHERE kind = ? AND id = ?", (kind, id))
            return
        db.execute(
            "INSERT INTO rows (kind, id, seq, body) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body, seq = excluded.seq",
            (kind, id, self._seq[kind, id], json.dumps(obj)),
        )

    def forget(self) -> None:
        """Empty every table."""
        for kind, table in self._tables.items():
            for id in table:
                self._dirty[kind, id] = None
        self._tables.clear()
        self._seq.clear()
        self.commit()

    def close(self) -> None:
        self.commit()
        if self._db:
            self._db.close()
            self._db = None


def _opened(file: Path) -> sqlite3.Connection:
    file.parent.mkdir(parents=True, exist_ok=True)
    db = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = NORMAL")
    db.execute(SCHEMA)
    return db
