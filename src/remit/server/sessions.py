"""Signing in to the console: a key or a one-time code becomes a session, which the browser keeps as a cookie."""

from __future__ import annotations

from collections import OrderedDict
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from msgspec import Meta, Struct

from remit.core.codec import convert
from remit.core.errors import DeniedError, InputError, RemitError
from remit.engine.keys import Identity
from remit.engine.sessions import Session
from remit.ports.clock import Clock
from remit.server import oidc
from remit.server.auth import TheApp, Who, credential
from remit.server.cookies import SESSION, check_page, keep, keep_session, session_in
from remit.server.schemas import PUBLIC, operation, read_json, reply
from remit.server.scopes import READ, scopes

router = APIRouter(prefix="/api/v1/session", tags=["session"])

FAILURES = 10
WITHIN_S = 60.0
"""So many sign-ins from one address may fail within so many seconds."""

MOST_ADDRESSES = 10_000

Secret = Annotated[str, Meta(max_length=200)]


class SignIn(Struct, frozen=True, forbid_unknown_fields=True):
    """How somebody signs in: an API `key`, or the `code` that `remit up` and `remit keys link` print."""

    key: Secret = ""
    code: Secret = ""


class Me(Struct, frozen=True):
    """Who is asking, and what their roles open. `csrf` and `expires_ts` are those of a session; a key has neither."""

    tenant_id: str
    actor_id: str
    roles: list[str]
    scopes: list[str]
    csrf: str | None = None
    expires_ts: int | None = None


class Ways(Struct, frozen=True):
    """How one may sign in here besides a key. `oidc`: what stands on the provider's button; null where there is none."""

    oidc: str | None = None


COMPONENTS = (SignIn, Me, Ways)
"""Types that OpenAPI names."""


class TooManyError(DeniedError):
    """Too many attempts from one address."""

    default_code = "E1054"


class SignIns:
    """Counts failed sign-ins by address, in this process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failed: OrderedDict[str, list[float]] = OrderedDict()

    def check(self, address: str) -> None:
        """Raise TooManyError E1054 when too many failed a moment ago."""
        if len(self._recent(address)) >= FAILURES:
            raise TooManyError(
                "too many sign-ins from here have failed",
                help=f"wait {WITHIN_S:.0f} s; a new code: `remit keys link`",
            )

    def failed(self, address: str) -> None:
        """Note a failure."""
        self._failed[address] = [*self._recent(address), self._clock.monotonic()]
        self._failed.move_to_end(address)
        if len(self._failed) > MOST_ADDRESSES:
            self._failed.popitem(last=False)

    def _recent(self, address: str) -> list[float]:
        since = self._clock.monotonic() - WITHIN_S
        return [at for at in self._failed.get(address, ()) if at > since]


@router.post(
    "",
    operation_id="signIn",
    summary="Open a session",
    **operation(
        PUBLIC,
        {201: (Me, "Signed in; the cookie is set.")},
        body=SignIn,
        refusals=(401, 403, 422, 429, 500, 503),
    ),
)
async def sign_in(request: Request, app: TheApp) -> Response:
    """Open a session of whoever has the key or the code. A code counts once."""
    check_page(request, app)
    limit: SignIns = request.app.state.sign_ins
    address = request.client.host if request.client else ""
    limit.check(address)
    asked = convert(await read_json(request) or {}, SignIn)
    if bool(asked.key) == bool(asked.code):
        raise InputError(
            "a sign-in needs a `key` or a `code`", code="E1058", help='send {"key": "remit_..."}'
        )
    try:
        if asked.key:
            opened = await app.sessions.open_with_key(asked.key)
        else:
            opened = await app.sessions.open_with_code(asked.code)
    except DeniedError:
        limit.failed(address)
        raise
    _, who = await app.sessions.find(opened.secret)
    response = reply(_me(who, opened.session), 201)
    keep_session(response, request, app, opened)
    return response


@router.get(
    "",
    operation_id="showSession",
    summary="Who am I",
    **operation(READ, {200: (Me, "Who is asking, and what they may do.")}),
)
async def show_session(request: Request, app: TheApp, who: Who) -> Response:
    """Who is asking. A session that is in use goes on, under a new cookie now and then."""
    found = None if credential(request) else await session_in(request, app)
    if found is None:
        return reply(_me(who))
    renewed = await app.sessions.renew(found[0])
    response = reply(_me(who, renewed.session if renewed else found[0]))
    if renewed:
        keep_session(response, request, app, renewed)
    return response


@router.delete(
    "",
    operation_id="signOut",
    summary="End the session",
    **operation(PUBLIC, {204: (None, "Signed out.")}, refusals=(403, 500, 503)),
)
async def sign_out(request: Request, app: TheApp) -> Response:
    """End the session of the cookie; harmless without one."""
    try:
        found = await session_in(request, app)
    except DeniedError as error:
        if error.code != "E310":
            raise
        found = None
    if found is not None:
        await app.sessions.end(found[0])
    response = Response(status_code=204)
    keep(response, request, app, SESSION, "", seconds=0)
    return response


@router.get(
    "/ways",
    operation_id="waysToSignIn",
    summary="How to sign in here",
    **operation(PUBLIC, {200: (Ways, "What the sign-in page offers besides a key.")}),
)
async def ways(app: TheApp) -> Response:
    """What the sign-in page may offer."""
    return reply(Ways(oidc.label(app)))


@router.get(
    "/oidc",
    operation_id="startOidc",
    summary="Sign in at the OpenID provider",
    **operation(PUBLIC, {303: (None, "To the provider, or back to the sign-in page with the `problem`.")}),
)
async def start_oidc(request: Request, app: TheApp) -> Response:
    """Send the browser to the provider."""
    try:
        return await oidc.start(request, app)
    except RemitError as error:
        return oidc.back(error)


@router.get(
    "/oidc/callback",
    operation_id="finishOidc",
    summary="Come back from the OpenID provider",
    **operation(PUBLIC, {303: (None, "To the console, or to the sign-in page with the `problem`.")}),
)
async def finish_oidc(request: Request, app: TheApp) -> Response:
    """Open a session of whoever the provider vouches for."""
    try:
        opened = await oidc.finish(request, app)
    except RemitError as error:
        response = oidc.back(error)
    else:
        response = RedirectResponse(oidc.CONSOLE, 303)
        keep_session(response, request, app, opened)
    oidc.forget(response, request, app)
    return response


def _me(who: Identity, session: Session | None = None) -> Me:
    return Me(
        who.tenant_id,
        who.actor.actor_id,
        list(who.actor.roles),
        sorted(scopes(who.actor)),
        session.csrf if session else None,
        session.expires_ts if session else None,
    )
