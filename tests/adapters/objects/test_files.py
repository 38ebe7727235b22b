"""Objects as files: the contract, and that nobody gets out of their folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from remit.adapters.objects.files import FileObjectStore
from remit.core.errors import DeniedError, InputError, NotFoundError
from remit.ports.objects import Objects
from remit.testing.contracts.objects import ObjectsContract


class TestFileObjects(ObjectsContract):
    """The contract on files."""

    @pytest.fixture
    def objects(self, tmp_path: Path) -> Objects:
        return FileObjectStore(tmp_path / "objects").of("local")

    @pytest.fixture
    def bucket(self) -> str:
        return "a-bucket"


class TestFilesOfTheUser(ObjectsContract):
    """The contract on the folder that is configured, under its own bucket names."""

    @pytest.fixture
    def objects(self, tmp_path: Path) -> Objects:
        return FileObjectStore(tmp_path / "objects", tmp_path / "mine").of("local")

    @pytest.fixture
    def bucket(self) -> str:
        return "file:data"


@pytest.fixture
def store(tmp_path: Path) -> FileObjectStore:
    """A store with a folder of the user's files, and a secret beside both."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "secret").write_text("s")
    return FileObjectStore(tmp_path / "objects", tmp_path / "mine")


@pytest.mark.parametrize("key", ["../secret", "a/../../secret", "..", "/etc/passwd", "a//b", "./x", "a/."])
@pytest.mark.parametrize("bucket", ["a-bucket", "file:"])
async def test_no_key_leads_out(store: FileObjectStore, bucket: str, key: str) -> None:
    """Neither for reading nor for writing."""
    objects = store.of("local")
    with pytest.raises(InputError) as raised:
        await objects.get(bucket, key)
    assert raised.value.code == "E691"
    with pytest.raises(InputError):
        await objects.put(bucket, key, b"x")


@pytest.mark.parametrize("bucket", ["file:..", "file:/etc", "file:///etc", "file:../objects"])
async def test_no_bucket_leads_out(store: FileObjectStore, bucket: str) -> None:
    """Only the configured folder and what is inside it is open."""
    for verb in (store.of("local").get(bucket, "passwd"), store.of("local").list(bucket)):
        with pytest.raises(DeniedError) as raised:
            await verb
        assert raised.value.code == "E692"


async def test_no_link_leads_out(store: FileObjectStore, tmp_path: Path) -> None:
    """A link inside the folder to something outside is not followed, nor listed."""
    (tmp_path / "mine" / "link").symlink_to(tmp_path / "secret")
    (tmp_path / "mine" / "folder").symlink_to(tmp_path)
    objects = store.of("local")
    for key in ("link", "folder/secret"):
        with pytest.raises(InputError):
            await objects.get("file:", key)
    assert await objects.list("file:") == []
    with pytest.raises(InputError):
        await objects.list("file:", "../")


async def test_files_are_closed_unless_configured(tmp_path: Path) -> None:
    """E692 says which setting opens a folder."""
    with pytest.raises(DeniedError, match="files of this machine") as raised:
        await FileObjectStore(tmp_path).of("local").get("file:", "x")
    assert "[workflow]" in raised.value.help


async def test_the_users_files_are_read_where_they_are(store: FileObjectStore, tmp_path: Path) -> None:
    """Bucket `file:` is the folder, `file:sub` and its absolute path one inside it."""
    (tmp_path / "mine" / "sub").mkdir()
    (tmp_path / "mine" / "sub" / "a.csv").write_text("x")
    objects = store.of("local")
    assert await objects.get("file:", "sub/a.csv") == b"x"
    assert await objects.get("file:sub", "a.csv") == b"x"
    assert await objects.get(f"file://{tmp_path}/mine/sub", "a.csv") == b"x"


async def test_tenants_have_buckets_of_their_own(store: FileObjectStore) -> None:
    """The same bucket name is another bucket for another tenant, and none reaches the user's files."""
    await store.of("acme").put("shared", "k", b"acme's")
    for tenant in ("local", "other"):
        with pytest.raises(NotFoundError):
            await store.of(tenant).get("shared", "k")
    await store.of("local").put("shared", "k", b"local's")
    assert await store.of("acme").get("shared", "k") == b"acme's"
    with pytest.raises(DeniedError):
        await store.of("acme").get("file:", "x")


@pytest.mark.parametrize("bucket", ["@acme", "@acme/shared"])
async def test_no_bucket_is_another_tenants_folder(store: FileObjectStore, bucket: str) -> None:
    """A tenant's folder has a name that no bucket can have."""
    await store.of("acme").put("shared", "k", b"acme's")
    with pytest.raises(InputError):
        await store.of("local").get(bucket, "k")


async def test_files_have_no_versions(store: FileObjectStore) -> None:
    """Asking for one is an error, not the newest bytes."""
    await store.of("local").put("a-bucket", "k", b"x")
    with pytest.raises(NotFoundError, match="no version"):
        await store.of("local").get("a-bucket", "k", version="v1")
