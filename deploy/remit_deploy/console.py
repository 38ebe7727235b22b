"""The console's files: read as they were built, kept with a release, and laid into the bucket that CloudFront serves them from."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from remit.core.errors import ConfigError
from remit.server.console import FOR_EVER, TYPES
from remit_deploy.assets import AssetsBucket
from remit_deploy.aws import Account, refused

CONFIG, START = "config.js", "index.html"
OWN_ORIGIN = b'// The API is behind the address that this page came from.\nwindow.REMIT = { api: "" };\n'
"""The `config.js` of a deployment, whatever the build had."""

EPOCH = (1980, 1, 1, 0, 0, 0)

Files = Mapping[str, bytes]
"""The files of a console by their names: `index.html`, `assets/index-C9zanGz5.js`."""


class Publishing(Struct, frozen=True):
    """What is to be done so that a bucket has these files and no others; `files` is how many there will be."""

    files: int
    send: tuple[str, ...]
    remove: tuple[str, ...]

    @property
    def nothing(self) -> bool:
        """Whether all is there already."""
        return not self.send and not self.remove


def built(folder: Path) -> dict[str, bytes]:
    """The files of a build. Raises ConfigError E1070."""
    found = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.suffix in TYPES and path.is_file() and not path.name.startswith(".")
    }
    if START not in found:
        raise ConfigError(
            f"`console = true`, and there is no built console in `{folder}`",
            code="E1070",
            help="`make console` where Remit's source is, or install a wheel of Remit; else `console = false`",
        )
    return {**found, CONFIG: OWN_ORIGIN}


def hash_of(files: Files) -> str:
    """What a console is known by."""
    parts = [f"{name} {hashlib.sha256(files[name]).hexdigest()}\n" for name in sorted(files)]
    return hashlib.sha256("".join(parts).encode()).hexdigest()


def key_of(hash: str) -> str:
    """Where a console is kept in the bucket of assets."""
    return f"console/{hash}.zip"


def keep(bucket: AssetsBucket, files: Files) -> None:
    """Keep a console, so that it can be promoted."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(name, EPOCH), files[name], zipfile.ZIP_DEFLATED)
    key = key_of(hash_of(files))
    if not bucket.exists(key):
        bucket.put(key, packed.getvalue())


def kept(bucket: AssetsBucket, hash: str) -> dict[str, bytes]:
    """A console that was kept, checked against its hash. Raises ConfigError E1072."""
    with zipfile.ZipFile(io.BytesIO(bucket.get(key_of(hash)))) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    if (found := hash_of(files)) != hash:
        raise ConfigError(
            f"the console of release `{hash[:16]}` is not what was deployed: its hash is `{found[:16]}`",
            code="E1072",
            help=f"see who may write to `{bucket.name}`; deploy it again where it comes from, then promote",
        )
    return files


def bucket_of(account: Account, deployment: str) -> str:
    """The bucket that CloudFront reads."""
    return f"{deployment}-console-{account.id}-{account.place.region}"


def compared(account: Account, bucket: str, files: Files) -> Publishing:
    """What publishing would do."""
    there = _listed(account, bucket)
    differ = (name for name, body in files.items() if there.get(name) != _etag(body))
    return Publishing(len(files), tuple(sorted(differ)), tuple(sorted(there.keys() - files.keys())))


def publish(account: Account, bucket: str, files: Files) -> Publishing:
    """Make the bucket hold these files: first what pages load, then the pages; at last what is of no page any more goes."""
    s3, found = account.client("s3"), compared(account, bucket, files)
    for name in sorted(found.send, key=lambda name: (not _is_for_ever(name), name == START, name)):
        with refused(f"write `s3://{bucket}/{name}`", action="s3:PutObject"):
            s3.put_object(
                Bucket=bucket,
                Key=name,
                Body=files[name],
                ContentType=TYPES[Path(name).suffix],
                CacheControl=FOR_EVER if _is_for_ever(name) else "no-cache",
                ServerSideEncryption="AES256",
            )
    for name in found.remove:
        with refused(f"delete `s3://{bucket}/{name}`", action="s3:DeleteObject"):
            s3.delete_object(Bucket=bucket, Key=name)
    return found


def _listed(account: Account, bucket: str) -> dict[str, str]:
    """The names and hashes of what is in a bucket."""
    found: dict[str, str] = {}
    with refused(f"look into bucket `{bucket}`", action="s3:ListBucket"):
        pages: Any = account.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket)
        for page in pages:
            found |= {each["Key"]: each["ETag"].strip('"') for each in page.get("Contents", ())}
    return found


def _etag(body: bytes) -> str:
    """What S3 calls bytes that were sent at once under its own key."""
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


def _is_for_ever(name: str) -> bool:
    """Whether the name says what is in the file."""
    return name.startswith("assets/")
