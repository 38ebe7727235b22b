"""An OpenID provider on a real socket, which can be told to lie in one way at a time."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

CLIENT = "remit"
SECRET = "the-clients-own"


def _key() -> RSAPrivateKey:
    return generate_private_key(public_exponent=65537, key_size=2048)


KEY, STRANGER = _key(), _key()


class Provider:
    """Signs in whoever asks as `user`. `claims` are put over those of each token, `lie` is what it does wrong."""

    def __init__(self) -> None:
        self.user: dict[str, Any] = {"sub": "u-17", "groups": ["leads"], "org": "acme"}
        self.claims: dict[str, Any] = {}
        self.lie = ""
        self.codes: dict[str, dict[str, str]] = {}
        self.asked: list[dict[str, str]] = []
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.get(self)

            def do_POST(self) -> None:
                provider.post(self)

            def log_message(self, *_: Any) -> None:
                """Tests say what they want to say themselves."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self.server.server_address[1]}"

    def get(self, handler: BaseHTTPRequestHandler) -> None:
        """The description, the keys, and the page where somebody signs in."""
        path, _, query = handler.path.partition("?")
        if path == "/.well-known/openid-configuration":
            issuer = "https://evil.example" if self.lie == "issuer" else self.issuer
            found = {
                "issuer": issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": "http://192.0.2.1/token" if self.lie == "plain" else f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
            }
            return self._answer(handler, 200, found)
        if path == "/keys":
            public = jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key(), as_dict=True)
            return self._answer(
                handler, 200, {"keys": [{**public, "kid": "k1", "use": "sig", "alg": "RS256"}]}
            )
        asked = {name: values[0] for name, values in parse_qs(query).items()}
        self.asked.append(asked)
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        back = urlencode({"code": code, "state": asked["state"]})
        handler.send_response(302)
        handler.send_header("location", f"{asked['redirect_uri']}?{back}")
        handler.send_header("content-length", "0")
        handler.end_headers()
        return None

    def post(self, handler: BaseHTTPRequestHandler) -> None:
        """A code for a token: once, and only to the client that proves that it asked."""
        body = handler.rfile.read(int(handler.headers["content-length"])).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        asked = self.codes.pop(form.get("code", ""), None)
        basic = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        challenge = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        proved = asked is not None and (
            base64.urlsafe_b64encode(challenge).rstrip(b"=").decode() == asked["code_challenge"]
            and handler.headers["authorization"] == f"Basic {basic}"
            and form["redirect_uri"] == asked["redirect_uri"]
        )
        if not proved or asked is None:
            return self._answer(handler, 400, {"error": "invalid_grant"})
        return self._answer(handler, 200, {"id_token": self._token(asked), "token_type": "Bearer"})

    def _token(self, asked: dict[str, str]) -> str:
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
            **self.user,
            **self.claims,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        head = {"kid": "k2" if self.lie == "kid" else "k1"}
        if self.lie == "none":
            return jwt.encode(claims, None, "none", head)
        if self.lie == "shared":
            return jwt.encode(claims, SECRET.ljust(32), "HS256", head)
        return jwt.encode(claims, STRANGER if self.lie == "stranger" else KEY, "RS256", head)

    def _answer(self, handler: BaseHTTPRequestHandler, status: int, body: Any) -> None:
        data = json.dumps(body).encode()
        handler.send_response(status)
        handler.send_header("content-type", "application/json")
        handler.send_header("content-length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)


@contextmanager
def serving() -> Iterator[Provider]:
    """A provider that answers until the block ends."""
    provider = Provider()
    thread = threading.Thread(
        target=provider.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
    )
    thread.start()
    try:
        yield provider
    finally:
        provider.server.shutdown()
        provider.server.server_close()
        thread.join(10)


def path_of(url: str) -> str:
    """Path and query of an address."""
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}"
