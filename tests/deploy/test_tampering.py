"""What is deployed is what was tested, nothing goes along that nobody named, and no name is taken for a command."""

from __future__ import annotations

import fnmatch
import importlib.util
import io
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from remit import Agent, tool
from remit.core.errors import ConfigError
from remit.testing import app_for_tests
from remit_deploy import access, releases
from remit_deploy.config import config_of
from remit_deploy.constructs.grants import every_table, network
from remit_deploy.deployment import Deployment, Prepared
from remit_deploy.describing import described
from remit_deploy.names import Names
from remit_deploy.packaging import project

Make = Callable[..., Prepared]


@pytest.mark.service
def test_a_release_that_was_rewritten_in_the_bucket_is_refused(
    deployment: Deployment, prepared: Make
) -> None:
    """Whoever can write there names neither other code nor other definitions: the stack says which release it is."""
    bucket, release = deployment.bucket, prepared(1).release
    bucket.make()
    other = prepared(2).release
    for forged in (
        msgspec.structs.replace(release, bundle=other.bundle, asset=other.asset),
        msgspec.structs.replace(release, definitions={**release.definitions, "model": "bedrock:other"}),
    ):
        bucket.put(release.key, msgspec.json.encode(forged))
        with pytest.raises(ConfigError, match="is not what was deployed") as raised:
            releases.load(bucket, release.id, deployment.name)
        assert raised.value.code == "E871"


@pytest.mark.service
def test_compiled_files_of_a_release_are_not_trusted(
    deployment: Deployment, prepared: Make, tmp_path: Path
) -> None:
    """They are no part of its hash, and Python would run them instead of the source that is."""
    bucket, release = deployment.bucket, prepared(1).release
    bucket.make()
    compiled = Path(importlib.util.cache_from_source("index.py"))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as made:
        made.write(tmp_path / "bundle-1" / "index.py", "index.py")
        made.writestr(compiled.as_posix(), b"of somebody else")
        made.writestr("index.pyc", b"of somebody else")
    bucket.put(release.asset, packed.getvalue())
    releases.unpack(bucket, release, tmp_path / "again")
    assert [path.name for path in (tmp_path / "again").rglob("*.py*")] == ["index.py"]


@pytest.mark.service
def test_what_was_built_before_is_no_part_of_a_release(
    deployment: Deployment, prepared: Make, tmp_path: Path
) -> None:
    """The directory is emptied first."""
    bucket, release, where = deployment.bucket, prepared(1).release, tmp_path / "again"
    bucket.make()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as made:
        made.write(tmp_path / "bundle-1" / "index.py", "index.py")
    bucket.put(release.asset, packed.getvalue())
    where.mkdir()
    (where / "left.py").write_text("")
    releases.unpack(bucket, release, where)
    assert not (where / "left.py").exists()


async def test_a_release_knows_which_lambda_functions_are_governed() -> None:
    """A workflow that calls an agent or a tool by its name as a Lambda function calls it under policy, wherever it is promoted to."""

    @tool
    def refund(amount: int) -> int:
        """Refund."""
        return amount

    async with app_for_tests(Agent("clerk", instructions="Help.", tools=[refund])) as app:
        found = described(config_of({}), app)
    kept = config_of({**releases.definitions_of(found), "environment": "prod"})
    assert kept.lambdas == found.lambdas
    assert kept.lambdas["refund"] == "tool"


def test_hidden_files_go_along_only_when_they_are_named(tmp_path: Path) -> None:
    """`.env` beside the code of a package is for this machine."""
    shop = tmp_path / "shop"
    (shop / ".aws").mkdir(parents=True)
    for name in ("__init__.py", "a.txt", ".env", ".aws/credentials"):
        (shop / name).write_text("")
    (tmp_path / "agents.py").write_text("import shop\n")
    (tmp_path / "remit.toml").write_text('app = "agents.py"\n')
    names = [str(path) for path in project.read(tmp_path).files]
    assert names == ["agents.py", "shop/__init__.py", "shop/a.txt"]
    assert "shop/.env" in [str(path) for path in project.read(tmp_path, include=("shop/.env",)).files]


@pytest.mark.parametrize("name", ["shop-dev", "shop-prod-2", "a-stage"])
def test_no_deployment_is_named_like_a_part_of_another(name: str) -> None:
    """What is allowed on all tables of `shop-dev` would be allowed on those of `shop-dev-prod`."""
    allowed = every_table(Names("shop-dev")).resources[0]
    assert fnmatch.fnmatchcase(Names("shop-dev-prod").table_arn("shop-dev-prod-journal"), allowed)
    with pytest.raises(ConfigError) as raised:
        config_of({"project": name, "environment": "prod"})
    assert raised.value.code == "E851"


@pytest.mark.parametrize(
    "variable", ["REMIT_SECRET_JIRA_TOKEN", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"]
)
def test_no_secret_is_a_variable(variable: str) -> None:
    """Variables stand in the template, in plans, and in the function's configuration."""
    with pytest.raises(ConfigError, match=variable) as raised:
        config_of({"environ": {variable: "s3cret-value"}})
    assert raised.value.code == "E852"
    assert "s3cret-value" not in str(raised.value)


def test_variables_for_a_shell_are_no_commands(tmp_path: Path) -> None:
    """Whatever a value has in it."""
    nasty = "a'; touch hit; echo '$(touch hit) `touch hit`"
    lines = "\n".join(access.exports({"REMIT_STORE": nasty}))
    done = subprocess.run(
        ["sh", "-c", f'{lines}\n{sys.executable} -c \'import os; print(os.environ["REMIT_STORE"], end="")\''],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == nasty
    assert list(tmp_path.iterdir()) == []


def test_code_of_a_function_in_a_vpc_reaches_no_network_interface() -> None:
    """Lambda itself makes and removes them under the function's role; the function's own code asks with its ARN as the source."""
    assert network().conditions == {"Null": {"lambda:SourceFunctionArn": "true"}}


def test_no_notifier_reaches_what_listens_beside_a_function() -> None:
    """Private and link-local addresses, such as Lambda's own interface, are closed, unless the configuration opens them."""
    pytest.importorskip("aws_cdk")
    from remit_deploy.templates.single_agent import environment

    assert environment(config_of({}), "")["REMIT_NOTIFY_PRIVATE"] == "0"
    opened = config_of({"environ": {"REMIT_NOTIFY_PRIVATE": "1"}})
    assert environment(opened, "")["REMIT_NOTIFY_PRIVATE"] == "1"
