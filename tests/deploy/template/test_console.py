"""The console in the template: one address for its files and the API, a door for CloudFront alone, and what each answer carries."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from typing import Any

import pytest
from tests.deploy.edge import ALL_BUT_HOST, NOT_KEPT, VIEWER, headers_of, run_function
from tests.deploy.template.conftest import Synthesise
from tests.deploy.template.sample import Template

from remit.functions import front
from remit.server.console import HEADERS

pytestmark = [pytest.mark.service, pytest.mark.slow]

NAME = "remit-prod"
KEPT_FOR_EVER = "658327ea-f89d-4fab-a63d-7e88639e58f6"
KEY = "{{resolve:secretsmanager:"


def distribution(made: Template) -> dict[str, Any]:
    """The configuration of the distribution."""
    (found,) = made.properties("CloudFront::Distribution")
    config: dict[str, Any] = found["DistributionConfig"]
    return config


def behavior(config: dict[str, Any], path: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """How a path is answered, and by which origin."""
    fitting = (b for b in config["CacheBehaviors"] if fnmatchcase(path, b["PathPattern"]))
    found = next(fitting, config["DefaultCacheBehavior"])
    (origin,) = [o for o in config["Origins"] if o["Id"] == found["TargetOriginId"]]
    return found, origin


@pytest.mark.parametrize(
    ("path", "cached"),
    [
        ("", NOT_KEPT),
        ("index.html", NOT_KEPT),
        ("config.js", NOT_KEPT),
        ("widget.js", NOT_KEPT),
        ("assets/index-C9zanGz5.js", KEPT_FOR_EVER),
    ],
)
def test_files_come_from_the_bucket(full: Template, path: str, cached: str) -> None:
    """Read only, asked for anew but for those with a hash in their names, with the headers of Remit's own server."""
    found, origin = behavior(distribution(full), path)
    assert "-console-" in json.dumps(origin["DomainName"]) or "BucketsConsole" in json.dumps(origin)
    assert origin["OriginAccessControlId"]
    assert found["CachePolicyId"] == cached
    assert "AllowedMethods" not in found
    assert found["ViewerProtocolPolicy"] == "redirect-to-https"
    given = headers_of(policy(full, found))
    own = "cross-origin" if path == "widget.js" else HEADERS["cross-origin-resource-policy"]
    assert given.items() >= {**HEADERS, "cross-origin-resource-policy": own}.items()
    assert given["strict-transport-security"] == "max-age=31536000"
    assert given["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path", ["api/v1/runs", "api/v1/session/oidc/callback", "chat", "chat/conversations/c"]
)
def test_what_the_console_asks_for_goes_to_the_api(full: Template, path: str) -> None:
    """Every method, nothing kept, all headers but the host, by TLS alone, with the door's key, which stands in no template."""
    found, origin = behavior(distribution(full), path)
    (api,) = full.named("ApiGateway::RestApi", "Name").keys() - {NAME}
    assert api == f"{NAME}-console"
    assert "execute-api" in origin["DomainName"]
    assert origin["OriginPath"] == f"/{front.STAGE}"
    (header,) = origin["OriginCustomHeaders"]
    assert header["HeaderName"] == "x-api-key"
    assert header["HeaderValue"].startswith(KEY)
    custom = origin["CustomOriginConfig"]
    assert (custom["OriginProtocolPolicy"], custom["OriginSSLProtocols"]) == ("https-only", ["TLSv1.2"])
    assert (found["CachePolicyId"], found["OriginRequestPolicyId"]) == (NOT_KEPT, ALL_BUT_HOST)
    assert set(found["AllowedMethods"]) == {"GET", "HEAD", "OPTIONS", "PUT", "PATCH", "POST", "DELETE"}
    assert found["ViewerProtocolPolicy"] == "https-only"
    assert "content-security-policy" not in headers_of(policy(full, found)), "the API says its own"


def policy(made: Template, found: dict[str, Any]) -> dict[str, Any]:
    """The response headers policy of a behaviour."""
    id = found["ResponseHeadersPolicyId"].strip("<>")
    config: dict[str, Any] = made.of("CloudFront::ResponseHeadersPolicy")[id]["Properties"]
    return dict(config["ResponseHeadersPolicyConfig"])


def test_the_door_has_a_key_of_its_own(full: Template) -> None:
    """Every method of it asks for the key, by a plan that other callers' keys are not of; the key is made up by AWS, and no role may read it."""
    apis = full.of("ApiGateway::RestApi")
    (door,) = [id for id, made in apis.items() if made["Properties"]["Name"] == f"{NAME}-console"]
    methods = [m for m in full.properties("ApiGateway::Method") if m["RestApiId"] == f"<{door}>"]
    assert len(methods) == 4
    assert {(m["ApiKeyRequired"], m["AuthorizationType"]) for m in methods} == {(True, "NONE")}
    assert {
        p["PathPart"] for p in full.properties("ApiGateway::Resource") if p["RestApiId"] == f"<{door}>"
    } == {
        "api",
        "chat",
        "{proxy+}",
    }
    plans = full.named("ApiGateway::UsagePlan", "UsagePlanName")
    stages = [[each["ApiId"] for each in plan["ApiStages"]] for plan in plans.values()]
    assert sorted(map(len, stages)) == [1, 1]
    keys = full.named("ApiGateway::ApiKey", "Name")
    assert keys[f"{NAME}-console"]["Value"].startswith(KEY)
    assert "Value" not in keys[NAME]
    secret = full.named("SecretsManager::Secret", "Name")[f"{NAME}/deployment/console_door"]
    assert secret["GenerateSecretString"] == {"ExcludePunctuation": True, "PasswordLength": 64}
    roles = json.dumps(list(full.properties("IAM::Role")))
    assert "console_door" not in roles


def test_nobody_says_who_they_are(full: Template) -> None:
    """CloudFront writes the address over whatever a client sent, and the firewall at the door counts by it; cookies stay out of its log."""
    (function,) = full.properties("CloudFront::Function")
    assert run_function(function["FunctionCode"], VIEWER) == {front.VIEWER: VIEWER}
    acl = full.named("WAFv2::WebACL", "Name")[f"{NAME}-console"]
    (limit,) = [r["Statement"]["RateBasedStatement"] for r in acl["Rules"] if r["Name"] == "by-address"]
    assert limit["AggregateKeyType"] == "FORWARDED_IP"
    assert limit["ForwardedIPConfig"] == {"FallbackBehavior": "MATCH", "HeaderName": front.VIEWER}
    (on,) = [a for a in full.properties("WAFv2::WebACLAssociation") if "Console" in a["WebACLArn"]]
    assert "DeploymentStageconsole" in on["ResourceArn"]


def test_the_api_knows_the_consoles_address(full: Template) -> None:
    """By which it tells its own page from others, and a provider where to send people back to."""
    api = full.named("Lambda::Function", "FunctionName")[f"{NAME}-api"]["Environment"]["Variables"]
    (id,) = full.of("CloudFront::Distribution")
    assert api["REMIT_URL"] == f"https://<{id}.DomainName>"
    (client,) = full.properties("Cognito::UserPoolClient")
    assert f"{api['REMIT_URL']}/api/v1/session/oidc/callback" in client["CallbackURLs"]


@pytest.mark.nightly
def test_a_domain_of_ones_own(synthesise: Synthesise) -> None:
    """With its certificate, and TLS 1.2 at least."""
    arn = "arn:aws:acm:us-east-1:123456789012:certificate/c"
    given = {"console_domain": "remit.example.com", "console_certificate": arn}
    made = synthesise("domain", "--checks", console_files="a1", **given)
    config = distribution(made)
    assert config["Aliases"] == ["remit.example.com"]
    viewer = config["ViewerCertificate"]
    assert (viewer["AcmCertificateArn"], viewer["MinimumProtocolVersion"]) == (arn, "TLSv1.2_2021")
    api = made.named("Lambda::Function", "FunctionName")[f"{NAME}-api"]["Environment"]["Variables"]
    assert api["REMIT_URL"] == "https://remit.example.com"
    bucket = next(b for n, b in made.named("S3::Bucket", "BucketName").items() if "-console-" in n)
    assert {"Key": "remit:console", "Value": "a1"} in bucket["Tags"]
