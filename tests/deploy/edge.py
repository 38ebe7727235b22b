"""CloudFront played: a distribution as the emulator was told to make it, over TLS on this machine, since the emulator serves none.

Which behaviour a path has, what its origin is sent and what the answer carries is read from the distribution that was deployed.
Files come from the bucket and requests go to the emulator's API Gateway. Nothing is kept between requests.
"""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
from botocore.exceptions import ClientError

from remit_deploy.access import reachable
from remit_deploy.aws import Place
from remit_deploy.tools import node_directory

VIEWER = "203.0.113.9"
NOT_KEPT, ALL_BUT_HOST = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad", "b689b0a8-53d0-40ab-baf2-68738e2966ac"
"""AWS's own policies: nothing is cached, and the origin gets all that the viewer sent but the host."""

HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host", "server", "date"}


class Edge:
    """The distribution that has this comment. `asked` are the paths of requests that went to the API, with their statuses."""

    def __init__(self, aws: Callable[[str], Any], comment: str, endpoint: str, work: Path) -> None:
        self.asked: list[tuple[str, int]] = []
        self.broken: list[str] = []
        """What went wrong here, and is no finding about what was deployed."""
        self._aws = aws
        found = aws("cloudfront").list_distributions()["DistributionList"]["Items"]
        (id, self.domain) = next((d["Id"], d["DomainName"]) for d in found if d["Comment"] == comment)
        self.config = aws("cloudfront").get_distribution_config(Id=id)["DistributionConfig"]
        self._origins = {each["Id"]: each for each in self.config["Origins"]["Items"]}
        self._place = Place("us-east-1", endpoint=endpoint)
        self._http = httpx.Client(timeout=60, trust_env=False)
        self._policies: dict[str, list[tuple[str, str]]] = {}
        edge = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                status, headers, said = edge.answer(self.command, self.path, dict(self.headers), body)
                self.send_response(status)
                for name, value in headers:
                    self.send_header(name, value)
                self.send_header("content-length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            def handle_error(self, *_: Any) -> None:
                if not isinstance(sys.exception(), ConnectionError | ssl.SSLError):  # a browser may hang up
                    edge.broken.append(traceback.format_exc())

        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.socket = _certified(work, self.domain).wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_port)

    def close(self) -> None:
        """Stop it."""
        self._server.shutdown()
        self._server.server_close()
        self._http.close()

    def behavior(self, path: str) -> dict[str, Any]:
        """The first behaviour whose pattern fits, else the one of all else."""
        patterns = self.config["CacheBehaviors"]["Items"]
        fitting = (
            each for each in patterns if fnmatchcase(path.lstrip("/"), each["PathPattern"].lstrip("/"))
        )
        return dict(next(fitting, self.config["DefaultCacheBehavior"]))

    def answer(
        self, method: str, target: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        """The answer of an origin, with the headers that the behaviour adds."""
        path = target.partition("?")[0]
        behavior = self.behavior(path)
        allowed = behavior.get("AllowedMethods", {"Items": ["GET", "HEAD"]})["Items"]
        if method not in allowed:
            return 403, [], b""
        origin = self._origins[behavior["TargetOriginId"]]
        if "S3OriginConfig" in origin:
            status, given, said = self._file(origin, path)
        else:
            status, given, said = self._asked(behavior, origin, method, target, headers, body)
            self.asked.append((target, status))
        added = self._added(behavior["ResponseHeadersPolicyId"])
        over = {name.lower() for name, _ in added}
        return status, [*((n, v) for n, v in given if n.lower() not in over), *added], said

    def _file(self, origin: Mapping[str, Any], path: str) -> tuple[int, list[tuple[str, str]], bytes]:
        assert origin["OriginAccessControlId"]
        bucket = origin["DomainName"].partition(".s3.")[0]
        key = path.lstrip("/") or self.config["DefaultRootObject"]
        try:
            found = self._aws("s3").get_object(Bucket=bucket, Key=key)
        except ClientError:
            return 403, [("content-type", "application/xml")], b"<Error/>"
        headers = [("content-type", found["ContentType"]), ("cache-control", found["CacheControl"])]
        return 200, headers, found["Body"].read()

    def _asked(
        self,
        behavior: Mapping[str, Any],
        origin: Mapping[str, Any],
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: bytes,
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        assert (behavior["CachePolicyId"], behavior["OriginRequestPolicyId"]) == (NOT_KEPT, ALL_BUT_HOST)
        sent = {name.lower(): value for name, value in headers.items() if name.lower() not in HOP}
        sent |= self._said_by_function(behavior)
        sent |= {each["HeaderName"].lower(): each["HeaderValue"] for each in origin["CustomHeaders"]["Items"]}
        sent["x-forwarded-proto"] = "https"  # API Gateway says so of what comes by TLS
        stage = f"https://{origin['DomainName']}{origin['OriginPath']}/"
        url = reachable(self._place, stage) + target
        answer = self._http.request(method, url, headers=sent, content=body)
        given = [
            (name, value)
            for name, value in answer.headers.multi_items()
            if name.lower() not in HOP | {"content-encoding"}
        ]
        return answer.status_code, given, answer.content

    def _said_by_function(self, behavior: Mapping[str, Any]) -> dict[str, str]:
        """What the function of a behaviour sets. It is run once: for it, all requests of a viewer are alike."""
        (item,) = behavior["FunctionAssociations"]["Items"]
        name = item["FunctionARN"].rsplit("/", 1)[-1]
        known = self._policies.get(name)
        if known is None:
            code = (
                self._aws("cloudfront").get_function(Name=name, Stage="LIVE")["FunctionCode"].read().decode()
            )
            known = self._policies[name] = list(run_function(code, VIEWER).items())
        return dict(known)

    def _added(self, id: str) -> list[tuple[str, str]]:
        if id not in self._policies:
            found = self._aws("cloudfront").get_response_headers_policy_config(Id=id)
            self._policies[id] = list(headers_of(found["ResponseHeadersPolicyConfig"]).items())
        return self._policies[id]


def run_function(code: str, viewer: str) -> dict[str, str]:
    """The headers that a CloudFront function makes of a request which pretends to be somebody else's."""
    event = {
        "viewer": {"ip": viewer},
        "request": {"method": "GET", "uri": "/api", "headers": {"x-remit-viewer": {"value": "10.0.0.1"}}},
    }
    script = f"{code}\nconsole.log(JSON.stringify(handler({json.dumps(event)}).headers));"
    done = subprocess.run(
        [str(Path(node_directory()) / "node"), "-e", script], capture_output=True, text=True, check=True
    )
    return {name: each["value"] for name, each in json.loads(done.stdout).items()}


def headers_of(policy: Mapping[str, Any]) -> dict[str, str]:
    """The headers that a response headers policy adds, as the template or the API of CloudFront says it."""
    security = policy["SecurityHeadersConfig"]
    transport = security["StrictTransportSecurity"]
    made = {"strict-transport-security": f"max-age={transport['AccessControlMaxAgeSec']}"}
    assert all(each["Override"] for each in security.values())
    if "ContentTypeOptions" in security:
        made["x-content-type-options"] = "nosniff"
    if "FrameOptions" in security:
        made["x-frame-options"] = security["FrameOptions"]["FrameOption"]
    if "ReferrerPolicy" in security:
        made["referrer-policy"] = security["ReferrerPolicy"]["ReferrerPolicy"]
    if "ContentSecurityPolicy" in security:
        made["content-security-policy"] = security["ContentSecurityPolicy"]["ContentSecurityPolicy"]
    custom = policy.get("CustomHeadersConfig") or {}
    return made | {each["Header"]: each["Value"] for each in custom.get("Items", ())}


def _certified(work: Path, domain: str) -> ssl.SSLContext:
    """TLS as this domain, by a certificate of its own making."""
    work.mkdir(parents=True, exist_ok=True)
    key, certificate = work / "key.pem", work / "certificate.pem"
    command = f"openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN={domain} -addext subjectAltName=DNS:{domain}"
    subprocess.run(
        [*command.split(), "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context
