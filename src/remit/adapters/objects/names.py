"""Names of buckets and keys, as Amazon S3 has them."""

from __future__ import annotations

import re

from remit.core.errors import InputError

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\Z")
MAX_KEY_BYTES = 1024


def check_bucket(bucket: str) -> str:
    """The bucket. Raises InputError E691 for a name that S3 refuses (user guide, "Bucket naming rules")."""
    if _BUCKET.match(bucket) and ".." not in bucket:
        return bucket
    raise InputError(
        f"`{bucket[:150]}` is no name of a bucket",
        code="E691",
        help="use 3 to 63 lower-case letters, digits, `.` and `-`",
    )


def check_key(key: str) -> str:
    """The key. Raises InputError E691 for one that S3 refuses, or that no file can have."""
    parts = key.split("/")
    if not key or len(key.encode()) > MAX_KEY_BYTES or "\x00" in key or {"", ".", ".."} & set(parts):
        raise InputError(
            f"`{key[:150]}` is no key of an object",
            code="E691",
            help="use 1 to 1024 bytes of UTF-8, without empty parts, `.` or `..` between slashes",
        )
    return key
