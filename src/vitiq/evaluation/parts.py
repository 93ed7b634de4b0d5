"""Rows in append-only Parquet files: one writer a part, which has its name once it is whole; readers take them all.

    OUT/store/v1/encodes/3f/….parquet       OUT/store/v1/scores/3f/….parquet

There is no database file that two machines could open at once. A reader sees whole parts only; where two runs did the
same task at once, the first success counts. Parts lie in sub-folders by a hash of their name, so that no folder grows
large; `compact` merges them.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import re
import secrets
import sys
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitiq.errors import InputError, StoreError, first_line
from vitiq.evaluation.schema import COLUMNS, MIGRATIONS, VERSION, Table, selection
from vitiq.files import named_at_end
from vitiq.signals import undisturbed

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

AS_PARQUET = "(FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false)"
"""How DuckDB writes a file: what is given is where to, and it need not put another one in its place."""
TRIES = 5
"""Times that reading begins anew where another run merged the parts meanwhile."""
ELSEWHERE = {errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EACCES, errno.EPERM, errno.EROFS}
"""What a place answers that will never take results, whatever is deleted."""
FIRST = {
    "encodes": "PARTITION BY encode_key ORDER BY (error IS NOT NULL), written, filename",
    "scores": "PARTITION BY encode_key, metric, signature ORDER BY (error IS NOT NULL), written, filename",
}
"""Of several rows of one key, which counts: a success before a failure, the earlier before the later."""


def connect(*, threads: int | None = None) -> DuckDBPyConnection:
    """A DuckDB connection in memory that never loads or fetches an extension."""
    import duckdb  # noqa: PLC0415 - slow to import

    settings: dict[str, Any] = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}
    return duckdb.connect(config=settings | ({} if threads is None else {"threads": threads}))


class Parts:
    """The parts of both tables below a folder.

    Args:
        root: folder that holds `v1`, …; need not exist yet.

    Attributes:
        own: names of the parts that this object wrote.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.own: set[str] = set()
        self._writing: DuckDBPyConnection | None = None

    def write(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> Path | None:
        """Write one part; None where there are no rows.

        Raises:
            StoreError: it cannot be written (full disk, no permission, …); nothing is left of it.
        """
        if not rows:
            return None
        columns = {name: [row[name] for row in rows] for name in COLUMNS[table]}
        cells = ", ".join(f'unnest(${name}::{kind}[]) AS "{name}"' for name, kind in COLUMNS[table].items())
        if self._writing is None:
            self._writing = connect(threads=1)
        return self._put(self._writing, table, f"SELECT {cells}", columns)

    def _put(self, connection: DuckDBPyConnection, table: Table, query: str, values: Any = None) -> Path:
        import duckdb  # noqa: PLC0415

        name = f"{time.time_ns():020d}-{os.getpid()}-{secrets.token_hex(4)}.parquet"
        folder = self.root / f"v{VERSION}" / table / hashlib.sha256(name.encode()).hexdigest()[:2]
        target = folder / name
        try:
            with named_at_end(target) as part, undisturbed():
                connection.execute(f"COPY ({query}) TO {quoted(part)} {AS_PARQUET}", values)
            self.own.add(name)
            synchronise(folder)
        except (OSError, duckdb.Error) as error:
            raise cannot_write(folder, error) from error
        return target

    def files(self, table: Table) -> dict[int, list[Path]]:
        """Parts by version, oldest first.

        Raises:
            InputError: parts of a version that this program does not know.
        """
        found: dict[int, list[Path]] = {}
        for folder in sorted(self.root.glob("v*")):
            version = int(folder.name[1:]) if re.fullmatch(r"v\d+", folder.name) else None
            if version is None:
                continue
            if version != VERSION and version not in MIGRATIONS:
                raise InputError(
                    f"{folder}: results of store version {version} given, version {VERSION} expected; "
                    f"use the vitiq that wrote them, or another output folder"
                )
            paths = sorted(
                (path for path in folder.glob(f"{table}/*/*.parquet") if not path.name.startswith(".")),
                key=lambda path: path.name,
            )
            if paths:
                found[version] = paths
        return found

    def view(self, connection: DuckDBPyConnection, table: Table, keys: str | None = None) -> None:
        """Make `table` in a connection: today's columns, one row a key.

        Args:
            keys: name of a table of the connection whose `encode_key` limits the rows.
        """
        import duckdb  # noqa: PLC0415

        for attempt in range(TRIES):
            parts = [
                f"SELECT {selection(table, version)}, filename FROM "
                f"read_parquet([{', '.join(map(quoted, paths))}], filename = true)"
                for version, paths in self.files(table).items()
            ]
            if not parts:
                cells = ", ".join(f'CAST(NULL AS {kind}) AS "{name}"' for name, kind in COLUMNS[table].items())
                parts = [f"SELECT {cells}, '' AS filename LIMIT 0"]
            source = " UNION ALL ".join(parts)
            where = f"WHERE encode_key IN (SELECT encode_key FROM {keys})" if keys else ""
            query = f"SELECT * FROM ({source}) {where} QUALIFY row_number() OVER ({FIRST[table]}) = 1"
            try:
                with undisturbed(), whole_rows(self.root):
                    connection.execute(f"CREATE OR REPLACE TEMP TABLE {table} AS {query}")
            except duckdb.IOException as error:  # a part was merged away between listing and reading
                if attempt == TRIES - 1:
                    raise InputError(f"{self.root}: results cannot be read ({first_line(error)})") from error
            else:
                return

    def compact(self, keys: Collection[str] | None = None) -> int:
        """Merge all parts of each table into one; returns how many were merged.

        May run beside other runs: the merged part stands before the merged ones go, and readers count a key once.

        Args:
            keys: of the encodes whose rows stay; None for all.
        """
        merged = 0
        for table in COLUMNS:
            versions = self.files(table)
            paths = [path for paths in versions.values() for path in paths]
            if not paths or (keys is None and len(paths) < 2 and VERSION in versions):
                continue
            with connect() as connection:
                if keys is not None:
                    text = "CREATE TEMP TABLE keys AS SELECT unnest($keys::VARCHAR[]) AS encode_key"
                    connection.execute(text, {"keys": list(keys)})
                self.view(connection, table, None if keys is None else "keys")
                cells = ", ".join(f'"{name}"' for name in COLUMNS[table])
                self._put(connection, table, f"SELECT {cells} FROM {table} ORDER BY written, encode_key")
            for path in paths:
                path.unlink(missing_ok=True)  # its folder stays: a writer beside this may hold a nameless file in it
            merged += len(paths)
        return merged

    def half_made(self) -> list[Path]:
        """Files of writers that were killed."""
        return sorted(path for path in self.root.rglob(".*") if path.is_file())


@contextmanager
def whole_rows(root: Path) -> Iterator[None]:
    """What reading results says of parts that hold something else than vitiq writes, as an InputError.

    Raises:
        InputError: DuckDB cannot read a part, or a cell is not what its column is made for.
    """
    import duckdb  # noqa: PLC0415

    try:
        yield
    except (OSError, duckdb.IOException):  # a file that is gone or a full disk is no damage
        raise
    except (duckdb.Error, ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise InputError(
            f"{root}: results cannot be read ({first_line(error)}); remove the damaged part (.parquet), "
            "then run the same command: it makes anew what is missing"
        ) from error


def quoted(path: Path) -> str:
    """A path as SQL text."""
    return "'" + str(path).replace("'", "''") + "'"


def pattern(path: Path) -> str:
    """A path as SQL text where DuckDB expects a pattern."""
    return quoted(Path(re.sub(r"([*?\[])", r"[\1]", str(path))))


def synchronise(path: Path) -> None:
    """Have a file or folder on the disk before going on."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:
        if path.is_file():  # some file systems know no fsync of folders
            raise
    finally:
        os.close(descriptor)


def synchronise_files(folder: Path) -> None:
    """Have every file of a file system on the disk before going on: one call for the files of many tasks.

    syncfs(2) on Linux, sync(2) elsewhere. Workers on other machines have closed their files, which is what NFS and
    Lustre hand on.

    Raises:
        StoreError: the disk is full or broken.
    """
    if sys.platform != "linux":
        os.sync()
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        failed = ctypes.CDLL(None, use_errno=True).syncfs(descriptor) and ctypes.get_errno()
        if failed and failed != errno.ENOSYS:
            raise cannot_write(folder, OSError(failed, os.strerror(failed)))
    finally:
        os.close(descriptor)


def cannot_write(place: Path, error: BaseException) -> StoreError:
    """What is said where results cannot be kept."""
    said = getattr(error, "strerror", None) or system_words(error)
    advice = "choose another output folder"
    if getattr(error, "errno", None) not in ELSEWHERE:
        advice = "free some space, then run the same command: it resumes"
    return StoreError(f"{place}: results cannot be written ({said}); {advice}")


def system_words(error: BaseException) -> str:
    """What the system said, out of what DuckDB says around it: a number in JSON, or its words at the end.

    Example:
        >>> system_words(OSError('IO Error: Async write failed: {"exception_message":"…","errno":"28"}'))
        'No space left on device'
    """
    number = re.search(r'"errno":"(\d+)"', str(error))
    return os.strerror(int(number[1])) if number else first_line(error)
