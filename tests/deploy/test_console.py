"""The console's files: read, kept with a release, published, promoted, compared and removed, over the emulator's real S3."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.deploy.conftest import small_synthesis
from tests.deploy.test_apply import nobody

from remit.core.errors import ConfigError
from remit_deploy import console, destroying, releases
from remit_deploy.config import DeployConfig
from remit_deploy.deployment import RELEASE, Deployment, Prepared
from remit_deploy.environments import Source
from remit_deploy.status import status_of
from remit_deploy.synthesis import Assembly

Make = Callable[..., Prepared]

FILES = {
    "index.html": b"<!doctype html>",
    "assets/index-1.js": b"one",
    "config.js": console.OWN_ORIGIN,
}


def written(folder: Path, **more: bytes) -> Path:
    """A build in a folder."""
    for name, body in {**FILES, **{n.replace("_", "."): b for n, b in more.items()}}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(body)
    return folder


def test_a_build_is_read_with_a_config_of_the_deployments_own(tmp_path: Path) -> None:
    """What browsers load, and nothing that lies beside it; wherever the build's `config.js` points, the deployed one is its own origin."""
    build = written(tmp_path, config_js=b'window.REMIT = { api: "https://elsewhere.example" };')
    (build / ".source").write_text("x")
    (build / "notes.sh").write_text("x")
    assert console.built(build) == FILES


def test_without_a_build_nothing_is_prepared(
    deployment: Deployment, source: Source, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A deployment that is to show the console says how to build it, before anything is built or asked."""
    monkeypatch.setenv("REMIT_CONSOLE_DIR", str(tmp_path / "nowhere"))
    with pytest.raises(ConfigError, match="no built console") as raised:
        deployment.build(replace(source, given={"console": True}))
    assert raised.value.code == "E1070"
    assert "make console" in raised.value.help
    assert not deployment.stack.describe()


def test_the_hash_is_of_names_and_content() -> None:
    """In whatever order; any difference is another console, and another release."""
    assert console.hash_of(dict(reversed(FILES.items()))) == console.hash_of(FILES)
    for other in ({**FILES, "assets/index-1.js": b"two"}, {**FILES, "assets/index-2.js": b"one"}):
        assert console.hash_of(other) != console.hash_of(FILES)
    assert releases.release_id("b", {}, "c") != releases.release_id("b", {})


@pytest.fixture
def showing(deployment: Deployment, prepared: Make) -> Callable[..., Prepared]:
    """Makes what is to be deployed with these files of a console."""

    def make(files: dict[str, bytes], *, shown: bool = True) -> Prepared:
        made = prepared(1)
        known_as = console.hash_of(files) if files else ""
        id = releases.release_id(made.release.bundle, made.release.definitions, known_as)
        release = replace(made.release, id=id, console=known_as)
        template = made.assembly.template
        if shown:
            template = with_pages(template, deployment.name, known_as)
        template = {**template, "Outputs": {**template["Outputs"], RELEASE: {"Value": id}}}
        config = replace(made.config, console=shown)
        return replace(
            made,
            config=config,
            release=release,
            assembly=replace(made.assembly, template=template),
            console=files,
        )

    return make


def with_pages(template: dict[str, Any], name: str, files: str) -> dict[str, Any]:
    """The small template with the console's bucket."""
    given = {
        "BucketName": {"Fn::Sub": f"{name}-console-${{AWS::AccountId}}-${{AWS::Region}}"},
        "VersioningConfiguration": {"Status": "Enabled"},
        "Tags": [{"Key": "remit:console", "Value": files}],
    }
    pages = {"Type": "AWS::S3::Bucket", "Properties": given, "DeletionPolicy": "Delete"}
    return {
        **template,
        "Resources": {**template["Resources"], "Pages": pages},
        "Outputs": {**template["Outputs"], "ConsoleBucket": {"Value": {"Ref": "Pages"}}},
    }


def there(deployment: Deployment) -> dict[str, bytes]:
    """What is in the console's bucket."""
    s3 = deployment.account.client("s3")
    keys = [each["Key"] for each in s3.list_objects_v2(Bucket=deployment.pages).get("Contents", ())]
    return {key: s3.get_object(Bucket=deployment.pages, Key=key)["Body"].read() for key in keys}


@pytest.mark.service
def test_applying_publishes_what_differs(deployment: Deployment, source: Source, showing: Make) -> None:
    """All files the first time, with how long they may be kept; then what is new alone, though nothing else changes, and what no build has goes."""
    first = deployment.plan(showing(FILES), source)
    (bucket,) = [c.name for c in first.plan.changes if "-console-" in c.name]
    assert first.console == console.Publishing(3, tuple(sorted(FILES)), ())
    deployment.apply(first, nobody)
    assert there(deployment) == FILES
    s3 = deployment.account.client("s3")
    heads = {name: s3.head_object(Bucket=deployment.pages, Key=name) for name in FILES}
    assert heads["assets/index-1.js"]["CacheControl"] == "public, max-age=31536000, immutable"
    assert {heads[name]["CacheControl"] for name in ("index.html", "config.js")} == {"no-cache"}
    assert heads["index.html"]["ContentType"] == "text/html; charset=utf-8"

    again = deployment.plan(showing(FILES), source)
    assert again.nothing
    newer = {**FILES, "index.html": b"<!doctype html>2", "assets/index-2.js": b"two"}
    del newer["assets/index-1.js"]
    second = deployment.plan(showing(newer), source)
    assert [change.name for change in second.plan.changes] == [bucket]
    assert second.console == console.Publishing(
        3, ("assets/index-2.js", "index.html"), ("assets/index-1.js",)
    )
    made = deployment.apply(second, nobody)
    assert made[RELEASE] == second.prepared.release.id
    assert there(deployment) == newer


@pytest.mark.service
def test_a_file_that_was_changed_by_hand_is_drift(
    deployment: Deployment, source: Source, showing: Make
) -> None:
    """The status names files that are not those of the release, and applying puts them right."""
    deployment.apply(deployment.plan(showing(FILES), source), nobody)
    assert status_of(deployment, drift=True).drifted == ()
    s3 = deployment.account.client("s3")
    s3.put_object(Bucket=deployment.pages, Key="index.html", Body=b"<script src=//evil>")
    s3.put_object(Bucket=deployment.pages, Key="evil.js", Body=b"evil")
    assert status_of(deployment, drift=True).drifted == (
        "file index.html of the console is not that of the release",
        "file evil.js of the console is none of the release",
    )
    deployment.apply(deployment.plan(showing(FILES), source), nobody)
    assert there(deployment) == FILES


@pytest.mark.service
def test_a_console_that_goes_leaves_nothing(deployment: Deployment, source: Source, showing: Make) -> None:
    """Turned off, its bucket is emptied and goes; destroying removes it though no data is to be deleted."""
    deployment.apply(deployment.plan(showing(FILES), source), nobody)
    off = deployment.plan(showing({}, shown=False), source)
    assert [(c.kind, c.type) for c in off.plan.changes] == [("remove", "AWS::S3::Bucket")]
    deployment.apply(off, nobody)
    buckets = [each["Name"] for each in deployment.account.client("s3").list_buckets()["Buckets"]]
    assert deployment.pages not in buckets
    deployment.apply(deployment.plan(showing(FILES), source), nobody)
    assert destroying.look(deployment).filled == ()
    done = destroying.destroy(deployment, delete_data=False, seen=nobody)
    assert (done.kept, done.left) == ({}, ())


@pytest.mark.service
@pytest.mark.nightly
def test_a_console_is_promoted_with_its_release(
    deployment: Deployment, source: Source, showing: Make, tmp_path: Path
) -> None:
    """The next environment shows the very files of the one before, checked against their hash; a release without any is refused where there is to be one."""
    deployment.apply(deployment.plan(showing(FILES), source), nobody)
    stage = staged(deployment, tmp_path)
    wanted = Source(tmp_path, {"project": deployment.config.project, "console": True})
    taken = stage.take_over(wanted, deployment)
    stage.apply(stage.plan(taken, wanted), nobody)
    assert there(stage) == FILES

    other = {**FILES, "index.html": b"forged"}
    console.keep(deployment.bucket, other)
    forged = deployment.bucket.get(console.key_of(console.hash_of(other)))
    deployment.bucket.put(console.key_of(console.hash_of(FILES)), forged)
    with pytest.raises(ConfigError, match="is not what was deployed") as raised:
        stage.take_over(wanted, deployment)
    assert raised.value.code == "E1072"

    deployment.apply(deployment.plan(showing({}, shown=False), source), nobody)
    with pytest.raises(ConfigError, match="has none") as raised:
        stage.take_over(wanted, deployment)
    assert raised.value.code == "E1071"


def staged(deployment: Deployment, tmp_path: Path) -> Deployment:
    """The next environment of a deployment."""

    def synthesise(config: DeployConfig, where: Path, outputs: Any) -> Assembly:
        made = small_synthesis(config, where, outputs)
        return replace(made, template=with_pages(made.template, config.deployment, config.console_files))

    config = replace(deployment.config, environment="stage")
    return Deployment(config, deployment.place, tmp_path, synthesise)
