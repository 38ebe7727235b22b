"""Files in S3, read by ranges: Parquet hands over only the columns and row groups that a question needs.

Location: `s3://bucket/key`, a pattern, or `s3://bucket/prefix/` for all files below. Credentials, region and endpoint are
those of boto3 (environment, profile, role), unless the location's options say otherwise: `endpoint`, `region`,
`access_key`, `secret_key`, `session_token` (each may be a `${secret:NAME}`), `anonymous=true`.
"""

from __future__ import annotations

import datetime as dt
import io
import re
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from remit.sdk import how_to_install
from remit_packs.validation.engines.address import Address
from remit_packs.validation.engines.errors import (
    SourceError,
    absent,
    driver_missing,
    forbidden,
    hidden,
    refused,
    unclear,
    unreachable,
    unreadable,
)
from remit_packs.validation.engines.files import FileEngine, Files, format_of, one_ending

if TYPE_CHECKING:
    from obstore.store import S3Store

_PATTERN = re.compile(r"[*?\[]")
_RETRIES: Any = {"max_retries": 3, "retry_timeout": dt.timedelta(seconds=30)}


def open_s3(
    address: Address, format: str, beside: Sequence[Address] = (), local: Sequence[Files] = ()
) -> FileEngine:
    """Open files in S3. Raises SourceError when bucket, key or permission is missing."""
    bucket = _Bucket(address)
    files = bucket.files(format)
    reached = [
        Files(path, "", _folder(path)) for path in (_path(a) for a in beside if a.host == address.host)
    ]
    return FileEngine(
        files,
        address.location,
        beside=[*reached, *local],
        filesystem=filesystem(bucket.name, bucket.store),
        server=f"duckdb:s3:{bucket.endpoint}:{bucket.name}",
        secrets=address.secrets,
    )


def _path(address: Address) -> str:
    if not address.host:
        raise unclear(address.location, "it names no bucket", "write `s3://bucket/key`")
    key = "/".join(address.path) + ("/" if address.location.partition("?")[0].endswith("/") else "")
    return f"s3://{address.host}/{key}"


def _folder(path: str) -> str:
    """What has to be readable for a pattern or a folder; empty for one file."""
    if path.endswith("/"):
        return path
    found = _PATTERN.search(path)
    return path[: found.start()].rpartition("/")[0] + "/" if found else ""


class _Bucket:
    """One bucket with the rights that the location gives."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self.path = _path(address)
        self.name = address.host
        self.endpoint = ""
        self.store = self._open()

    def files(self, format: str) -> Files:
        """What the location names, once it is known to be there."""
        path = self.path
        if path.endswith("/"):
            kind = format if format in ("parquet", "csv", "tsv", "json") else "parquet"
            path = f"{path}**/*{self._ending(path, kind)}"
        kind = format_of(path) or format
        if kind not in ("parquet", "csv", "tsv", "json"):
            raise unclear(self._address.location, "it is neither .parquet, .csv, .tsv nor .json(l)")
        self._check(path)
        return Files(path, kind, _folder(path))

    def _ending(self, folder: str, kind: str) -> str:
        import obstore
        from obstore.exceptions import BaseError

        prefix = folder.removeprefix(f"s3://{self.name}/")
        try:
            names = [item["path"] for batch in obstore.list(self.store, prefix or None) for item in batch]
        except (BaseError, FileNotFoundError, PermissionError, OSError) as error:
            raise self._explained(error) from None
        return one_ending(names, kind, self._address.location)

    def _check(self, path: str) -> None:
        import obstore
        from obstore.exceptions import BaseError

        key = path.removeprefix(f"s3://{self.name}/")
        try:
            if not _PATTERN.search(key):
                if obstore.head(self.store, key)["size"] == 0 and not key.endswith(
                    ("json", "jsonl", "ndjson")
                ):
                    raise unreadable(self._address.location, "it is empty, without even a header")
            elif not matching(self.store, key):
                raise absent(self._address.location, "no object matches")
        except (BaseError, FileNotFoundError, PermissionError, OSError) as error:
            raise self._explained(error) from None

    def _open(self) -> S3Store:
        try:
            import boto3
            import fsspec  # type: ignore[import-untyped]  # noqa: F401
            from botocore.exceptions import BotoCoreError
            from obstore.auth.boto3 import Boto3CredentialProvider
            from obstore.store import S3Store
        except ImportError:
            raise driver_missing("S3", how_to_install("s3")) from None
        options = self._address.options
        config: dict[str, Any] = {}
        provider: Any = None
        try:
            client = boto3.Session().client(
                "s3", region_name=options.get("region"), endpoint_url=options.get("endpoint")
            )
            if options.get("anonymous") == "true":
                config["skip_signature"] = True
            elif "access_key" in options:
                config["access_key_id"] = options["access_key"]
                config["secret_access_key"] = options.get("secret_key", "")
                if "session_token" in options:
                    config["session_token"] = options["session_token"]
            else:
                provider = Boto3CredentialProvider()
        except (BotoCoreError, ValueError) as error:
            raise refused(self._address.location, hidden(error, self._address.secrets)) from None
        self.endpoint = str(client.meta.endpoint_url)
        config["region"] = str(client.meta.region_name)
        if ".amazonaws.com" not in self.endpoint:
            config["endpoint"] = self.endpoint
        return S3Store(
            self.name,
            config=config,  # type: ignore[arg-type]
            client_options={"allow_http": self.endpoint.startswith("http://"), "timeout": "60s"},
            retry_config=_RETRIES,
            credential_provider=provider,
        )

    def _explained(self, error: Exception) -> SourceError:
        from obstore.exceptions import PermissionDeniedError, UnauthenticatedError

        location, text = self._address.location, hidden(error, self._address.secrets)
        status = _status(error)
        if isinstance(error, FileNotFoundError) or status == "404":
            return absent(location, "no such object or bucket")
        unwelcome = isinstance(error, PermissionError | PermissionDeniedError | UnauthenticatedError)
        if unwelcome or status in ("401", "403"):
            code = re.search(r"<Code>(\w+)</Code>", str(error))
            signed = code and code[1] in ("InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken")
            return (refused if signed else forbidden)(location, code[1] if code else "access denied")
        return unreachable(location, text)


def _status(error: Exception) -> str:
    """The server's answer; empty where none came. Ports, keys and durations in the text are digits too."""
    found = re.search(r"status code: (\d{3})\b", str(error))
    return found[1] if found else ""


def matching(store: S3Store, pattern: str) -> list[str]:
    """The keys that a pattern matches: `*` within one folder, `**/` over any number of folders."""
    import obstore

    prefix = pattern[: _PATTERN.search(pattern).start()].rpartition("/")[0]  # type: ignore[union-attr]
    wanted = re.compile(_expression(pattern), re.DOTALL)
    found = (item["path"] for batch in obstore.list(store, prefix or None) for item in batch)
    return sorted(key for key in found if wanted.fullmatch(key))


def _expression(pattern: str) -> str:
    parts = re.split(r"(\*\*/|\*\*|\*|\?|\[[^\]]+\])", pattern)
    meaning = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return "".join(
        meaning.get(p) or (p if p.startswith("[") and p.endswith("]") else re.escape(p)) for p in parts
    )


def filesystem(bucket: str, store: S3Store) -> Any:
    """What DuckDB asks of a file system, for one bucket."""
    import obstore
    from fsspec import AbstractFileSystem

    class Bucket(AbstractFileSystem):  # type: ignore[misc]
        """The objects of one bucket as files to read."""

        protocol = "s3"
        cachable = False

        def glob(self, path: str, **_: Any) -> list[str]:
            """The objects that a pattern matches."""
            key = self._key(path)
            if not _PATTERN.search(key):
                return [f"{bucket}/{key}"] if self.exists(path) else []
            return [f"{bucket}/{found}" for found in matching(store, key)]

        def exists(self, path: str, **_: Any) -> bool:
            """Whether there is such an object."""
            try:
                obstore.head(store, self._key(path))
            except FileNotFoundError:
                return False
            return True

        def info(self, path: str, **_: Any) -> dict[str, Any]:
            """Name and size of an object."""
            meta = obstore.head(store, self._key(path))
            return {"name": f"{bucket}/{meta['path']}", "size": meta["size"], "type": "file"}

        def modified(self, path: str) -> dt.datetime:
            """When an object was written."""
            return obstore.head(store, self._key(path))["last_modified"]

        def open(self, path: str, mode: str = "rb", **_: Any) -> Ranges:
            """An object to read from."""
            if "w" in mode or "a" in mode:
                raise PermissionError("objects are only read")
            key = self._key(path)
            return Ranges(store, key, obstore.head(store, key)["size"])

        def _key(self, path: str) -> str:
            return str(self._strip_protocol(path)).removeprefix(f"{bucket}/")

    return Bucket()


class Ranges(io.RawIOBase):
    """An object that many threads of DuckDB read at once.

    DuckDB seeks and then reads, in two calls of one thread: between them another thread may do the same. So a seek is
    remembered for its own thread; a read without one goes on where the last such read ended.
    """

    def __init__(self, store: S3Store, key: str, size: int) -> None:
        super().__init__()
        self._store, self._key, self._size = store, key, size
        self._lock = threading.Lock()
        self._at = 0
        self._round = 0
        self._sought: dict[int, tuple[int, int]] = {}

    def seekable(self) -> bool:
        """Yes."""
        return True

    def readable(self) -> bool:
        """Yes."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Where this thread's next read starts."""
        with self._lock:
            base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
            self._at = base + offset
            self._sought[threading.get_ident()] = (self._at, self._round)
            return self._at

    def tell(self) -> int:
        """Where the last read ended, or a seek went."""
        return self._at

    def read(self, size: int = -1) -> bytes:
        """So many bytes, fewer only at the end."""
        with self._lock:
            start, since = self._sought.pop(threading.get_ident(), (self._at, -1))
            if since != self._round:
                start = self._at
                self._round += 1
            length = self._size - start if size < 0 else min(size, self._size - start)
            self._at = start + max(length, 0)
        if length <= 0:
            return b""
        import obstore

        return bytes(obstore.get_range(self._store, self._key, start=start, length=length))
