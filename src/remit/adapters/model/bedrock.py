"""Amazon Bedrock through the Converse operations of boto3, in threads of its own; retries of botocore are off."""

from __future__ import annotations

import asyncio
import base64
import importlib.util
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from remit.adapters.model import failures
from remit.adapters.model.assembly import Assembler
from remit.adapters.model.content import attachments, result_text
from remit.adapters.model.converse import REDACTED, body_of, mark_for_cache
from remit.adapters.model.failures import MAX_ANSWER_BYTES, Provider
from remit.adapters.model.guardrail import BedrockGuardrail, assessments_in, judged, note_of
from remit.core.budget import Usage
from remit.core.errors import ConfigError, ModelError, RemitError
from remit.core.extras import how_to_install
from remit.core.message import Block, Message, ToolResult
from remit.ports.blobs import Blobs
from remit.ports.guardrail import Guardrail
from remit.ports.model import Delta, ModelReply, ModelRequest, OnDelta, StopReason

GUARDRAIL_S = 30.0
"""How long a guardrail may take over a text."""

_GEOGRAPHIES = (("us-gov-", "us-gov"), ("us-", "us"), ("ca-", "us"), ("eu-", "eu"), ("ap-", "apac"))
_PROFILED = ("anthropic.", "amazon.nova", "meta.llama", "deepseek.", "mistral.pixtral", "writer.")
_STOPS: dict[str, StopReason] = {
    "end_turn": "end_turn",
    "stop_sequence": "end_turn",
    "tool_use": "tool_use",
    "max_tokens": "max_tokens",
    "model_context_window_exceeded": "max_tokens",
    "guardrail_intervened": "refusal",
    "content_filtered": "refusal",
}
_STATUS_OF = {
    "validationexception": 400,
    "servicequotaexceededexception": 429,
    "unrecognizedclientexception": 403,
    "invalidsignatureexception": 403,
    "incompletesignature": 403,
    "expiredtokenexception": 403,
    "accessdeniedexception": 403,
    "resourcenotfoundexception": 404,
    "modeltimeoutexception": 408,
    "throttlingexception": 429,
    "toomanyrequestsexception": 429,
    "modelerrorexception": 500,
    "modelstreamerrorexception": 500,
    "internalserverexception": 500,
    "modelnotreadyexception": 503,
    "serviceunavailableexception": 503,
}
_NO_CREDENTIALS = (
    "NoCredentialsError", "PartialCredentialsError", "ProfileNotFound", "CredentialRetrievalError", "TokenRetrievalError",
    "SSOTokenLoadError", "UnauthorizedSSOTokenError", "NoAuthTokenError", "LoginRefreshRequired",
)  # fmt: skip


def inference_profile(model_id: str, region: str, override: str = "") -> str:
    """The id to call: `override` if there is one, else `model_id` in the cross-region profile of the region's geography.

    `us.`, `eu.`, `apac.` and `us-gov.` by the region, `global.` for the rest of the world. Ids that name a geography already,
    ARNs, and models without profiles stay as they are. Where a model has a narrower profile (`jp.`, `au.`), name it.
    """
    if override:
        return override
    if not model_id.startswith(_PROFILED):
        return model_id
    return f"{next((geo for start, geo in _GEOGRAPHIES if region.startswith(start)), 'global')}.{model_id}"


class _Reasoning(Struct, rename="camel"):
    reasoning_text: _ReasoningText | None = None
    redacted_content: str = ""


class _ReasoningText(Struct):
    text: str = ""
    signature: str = ""


class _ToolUse(Struct, rename="camel"):
    tool_use_id: str = ""
    name: str = ""
    input: Raw = Raw(b"")


class _Block(Struct, rename="camel"):
    text: str = ""
    tool_use: _ToolUse | None = None
    reasoning_content: _Reasoning | None = None


class _Message(Struct):
    content: list[_Block] = []


class _Output(Struct):
    message: _Message | None = None


class _Usage(Struct, rename="camel", frozen=True):
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_input_tokens: int = 0
    cache_write_input_tokens: int = 0


class _Answer(Struct, rename="camel"):
    output: _Output | None = None
    stop_reason: str = ""
    usage: _Usage = _Usage()
    trace: dict[str, Any] = {}


_answers = msgspec.json.Decoder(_Answer)


class _Call:
    """One call as its thread sees it: the raw body that came back, and whether anybody still waits."""

    def __init__(self, assembler: Assembler) -> None:
        self.assembler = assembler
        self.abandoned = threading.Event()


class BedrockModel:
    """Models on Amazon Bedrock: Converse, or ConverseStream when somebody listens.

    `region` chooses the cross-region inference profile unless `profile_override` (BEDROCK_MODEL_ID) names one for
    every call. Credentials come from boto3's own chain, or from `session`. `prompt_cache` sets cache points (Claude and
    Nova). `guardrail` is Converse's `guardrailConfig`; results of tools, which Converse does not judge, are judged by the
    same guardrail before the model reads them. `extra` is its `additionalModelRequestFields`. `blobs` supplies images and
    documents. `threads` calls run at once. Raises ConfigError E210 at the first use when boto3 is missing.
    """

    def __init__(
        self,
        *,
        region: str,
        profile_override: str = "",
        endpoint_url: str | None = None,
        session: Any = None,
        prompt_cache: bool = False,
        guardrail: Mapping[str, Any] | None = None,
        extra: Mapping[str, Any] | None = None,
        blobs: Blobs | None = None,
        threads: int = 64,
    ) -> None:
        self._region = region
        self._override = profile_override
        self._endpoint_url = endpoint_url
        self._session = session
        self._prompt_cache = prompt_cache
        self._guardrail = {"trace": "enabled", **guardrail} if guardrail else {}
        self._judge: Guardrail | None = BedrockGuardrail(self._apply, guardrail) if guardrail else None
        self._extra = dict(extra or {})
        self._blobs = blobs
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="bedrock")
        self._clients: dict[float, Any] = {}
        self._connecting = threading.Lock()
        self._raw = threading.local()
        self._who = Provider(
            "aws.bedrock",
            "give the process AWS credentials (a role, or AWS_PROFILE) that allow `bedrock:InvokeModel` "
            "(and `bedrock:ApplyGuardrail`, with a guardrail), "
            "and enable access to the model in the Bedrock console",
            f"set BEDROCK_MODEL_ID or the route's model to an inference profile of {region}, "
            "as `aws bedrock list-inference-profiles` shows them",
        )

    @property
    def provider(self) -> str:
        """`aws.bedrock`."""
        return "aws.bedrock"

    def __repr__(self) -> str:
        return f"BedrockModel({self._region!r})"

    async def ask(self, request: ModelRequest, on_delta: OnDelta | None = None) -> ModelReply:
        """One attempt. Raises ModelError (see `failures`); nothing of the client's exceptions hangs on it."""
        loop = asyncio.get_running_loop()
        tell = _across(loop, on_delta)
        call = _Call(Assembler(self._who, request, tell))
        failure: RemitError
        try:
            async with asyncio.timeout(request.timeout_s):
                notes: tuple[str, ...] = ()
                if self._judge is not None:
                    messages, notes = await _judged(self._judge, request.messages)
                    request = replace(request, messages=messages)
                sent = self._body(request, await attachments(self._blobs, request.messages))
                if self._guardrail and on_delta is not None:
                    # never a word before it was judged
                    sent["guardrailConfig"] = {"streamProcessingMode": "sync", **self._guardrail}
                exchange = self._streamed if on_delta is not None else self._at_once
                reply = await loop.run_in_executor(self._pool, exchange, sent, request, call)
                return replace(reply, notes=notes + reply.notes) if notes else reply
        except RemitError as error:
            failure = error
        except Exception as error:
            failure = self._failure(error, request)
        finally:
            call.abandoned.set()
        failure.__context__ = None
        raise failure

    async def close(self) -> None:
        """Let go of connections; calls in flight end with their own timeouts."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        for client in self._clients.values():
            client.close()
        self._clients.clear()

    def _client(self, timeout_s: float) -> Any:
        """The client whose read timeout is `timeout_s`, to a tenth of a second; there are as many as routes have timeouts."""
        read_s = max(0.1, round(timeout_s, 1)) if timeout_s < 10 else float(round(timeout_s))
        with self._connecting:
            if read_s not in self._clients:
                if len(self._clients) >= 16:
                    self._clients.pop(next(iter(self._clients)))
                self._clients[read_s] = self._connect(read_s)
            return self._clients[read_s]

    def _connect(self, read_s: float) -> Any:
        session, config = _vendor()
        # botocore's clients are boto3's, without the hundred modules more that boto3 loads
        make = self._session.client if self._session is not None else session().create_client
        client = make(
            "bedrock-runtime",
            region_name=self._region,
            endpoint_url=self._endpoint_url,
            config=config(
                retries={"total_max_attempts": 1, "mode": "standard"},
                connect_timeout=min(10.0, read_s),
                read_timeout=read_s,
                max_pool_connections=self._threads,
            ),
        )
        client.meta.events.register("before-parse.bedrock-runtime.Converse", self._keep_raw)
        return client

    def _keep_raw(self, response_dict: Mapping[str, Any], **_: Any) -> None:
        """botocore's parser lets duplicate keys and NaN through, so the body is kept and decoded here once more."""
        body = self._raw.body = response_dict.get("body", b"")
        promised = str(response_dict.get("headers", {}).get("content-length", ""))
        if len(body) > MAX_ANSWER_BYTES:
            raise failures.too_large(self._who)
        if promised.isdigit() and int(promised) > len(body):
            raise failures.cut_short(self._who)

    def _at_once(self, sent: dict[str, Any], request: ModelRequest, call: _Call) -> ModelReply:
        self._raw.body = b""
        self._client(request.timeout_s).converse(**sent)
        body, self._raw.body = self._raw.body, b""
        answer = _answers.decode(body) if body.strip() else _Answer()
        blocks = answer.output.message.content if answer.output and answer.output.message else []
        for index, block in enumerate(blocks):
            _take_block(index, block, call.assembler)
        return _finish(call.assembler, answer.stop_reason, answer.usage, str(sent["modelId"]), answer.trace)

    async def _apply(self, asked: dict[str, Any]) -> Mapping[str, Any]:
        """Ask the guardrail about a text; what fails is told as any other failure of the provider."""

        def call() -> Mapping[str, Any]:
            answer: Mapping[str, Any] = self._client(GUARDRAIL_S).apply_guardrail(**asked)
            return answer

        return await asyncio.get_running_loop().run_in_executor(self._pool, call)

    def _streamed(self, sent: dict[str, Any], request: ModelRequest, call: _Call) -> ModelReply:
        stream = self._client(request.timeout_s).converse_stream(**sent)["stream"]
        stop: str | None = None
        usage: _Usage | None = None
        trace: dict[str, Any] = {}
        try:
            for event in stream:
                if call.abandoned.is_set():
                    break
                if "messageStop" in event:
                    stop = event["messageStop"].get("stopReason", "")
                elif "metadata" in event:
                    usage = msgspec.convert(event["metadata"].get("usage", {}), _Usage)
                    trace = event["metadata"].get("trace", {})
                else:
                    _take_event(event, call.assembler)
        finally:
            with suppress(Exception):
                stream.close()
        if stop is None or usage is None:
            raise failures.cut_short(self._who)
        return _finish(call.assembler, stop, usage, str(sent["modelId"]), trace)

    def _body(self, request: ModelRequest, files: Mapping[str, bytes]) -> dict[str, Any]:
        body = body_of(inference_profile(request.model, self._region, self._override), request, files)
        if self._guardrail:
            body["guardrailConfig"] = self._guardrail
        if self._extra:
            body["additionalModelRequestFields"] = self._extra
        if self._prompt_cache:
            mark_for_cache(body)
        return body

    def _failure(self, error: Exception, request: ModelRequest) -> ModelError:
        name = type(error).__name__
        response = getattr(error, "response", None)
        if isinstance(response, dict):  # a ClientError, or an exception event in a stream
            return self._refusal(response, request)
        if isinstance(error, TimeoutError) or name in ("ReadTimeoutError", "ConnectTimeoutError"):
            return failures.timed_out(self._who)
        if name in _NO_CREDENTIALS:
            return ModelError(f"no AWS credentials (`{name}`)", code="E610", help=self._who.key_help)
        if name in ("ParamValidationError", "InvalidRegionError", "ValidationError"):
            return ModelError(
                f"boto3 refuses the request (`{name}`): {failures.redact(str(error))}", code="E602",
                help="change what the message names",
            )  # fmt: skip
        if name in ("EndpointConnectionError", "ProxyConnectionError", "SSLError", "ConnectionError"):
            return failures.unreachable(self._who, name)
        if (
            isinstance(error, msgspec.DecodeError | RecursionError | ValueError)
            or name == "ResponseParserError"
        ):
            return failures.not_understood(self._who, f"`{name}`")
        # what remains comes from a connection or event stream that broke: closed, incomplete, bad checksum
        return failures.cut_short(self._who, f" (`{name}`)")

    def _refusal(self, response: Mapping[str, Any], request: ModelRequest) -> ModelError:
        error, meta = response.get("Error", {}), response.get("ResponseMetadata", {})
        kind = str(error.get("Code", ""))
        status = _STATUS_OF.get(kind.lower()) or meta.get("HTTPStatusCode") or 500
        if self._guardrail and int(status) in (400, 404) and "guardrail" in str(error.get("Message")).lower():
            return ModelError(
                f"the guardrail cannot be used ({kind}): {failures.redact(str(error.get('Message')))}",
                code="E688",
                help="check REMIT_GUARDRAIL (ID:VERSION) and its region",
            )
        return failures.refused(
            self._who, int(status), f"{kind} {error.get('Message', '')}",
            model=inference_profile(request.model, self._region, self._override),
            retry_after_s=failures.retry_after(meta.get("HTTPHeaders", {})),
        )  # fmt: skip


def _vendor() -> tuple[Any, Any]:
    if importlib.util.find_spec("boto3") is None:
        raise ConfigError("`boto3` is not installed", code="E210", help=how_to_install("bedrock"))
    from botocore.config import Config
    from botocore.session import Session

    return Session, Config


def _across(loop: asyncio.AbstractEventLoop, on_delta: OnDelta | None) -> OnDelta | None:
    """Deltas come from a thread and are told on the loop, in order, before the answer."""
    if on_delta is None:
        return None
    tell: Callable[[Delta], None] = on_delta

    def told(delta: Delta) -> None:
        with suppress(Exception):
            tell(delta)

    def send(delta: Delta) -> None:
        loop.call_soon_threadsafe(told, delta)

    return send


async def _judged(
    guardrail: Guardrail, messages: tuple[Message, ...]
) -> tuple[tuple[Message, ...], tuple[str, ...]]:
    """The messages with each result of a tool as the guardrail lets it go on, and what it did to those of the last message.

    Raises what `check` raises.
    """
    judged_messages: list[Message] = []
    notes: list[str] = []
    for message in messages:
        notes.clear()
        blocks: list[Block] = []
        for block in message.blocks:
            if isinstance(block, ToolResult):
                verdict = await guardrail.check(result_text(block), "input")
                if verdict.outcome != "passed":
                    block = replace(block, content=verdict.text)
                    notes.append(note_of(verdict.outcome, verdict.why, "a result of a tool"))
            blocks.append(block)
        judged_messages.append(replace(message, blocks=tuple(blocks)))
    return tuple(judged_messages), tuple(notes)


def _finish(
    assembler: Assembler, stop: str, usage: _Usage, model: str, trace: Mapping[str, Any]
) -> ModelReply:
    used = Usage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cache_read_input_tokens,
        cache_write_tokens=usage.cache_write_input_tokens,
        model_calls=1,
    )
    outcome, why = judged(assessments_in(trace))
    intervened = stop == "guardrail_intervened"
    if intervened and outcome == "masked":
        stop = "end_turn"
    notes = (note_of(outcome, why, "the exchange"),) if intervened or why else ()
    reply = assembler.finish(_STOPS.get(stop, "other"), used, model, suspect=stop == "malformed_tool_use")
    return replace(reply, notes=notes) if notes else reply


def _take_block(index: int, block: _Block, assembler: Assembler) -> None:
    assembler.text(index, block.text)
    if block.tool_use is not None:
        assembler.tool(index, block.tool_use.tool_use_id, block.tool_use.name)
        assembler.arguments(index, bytes(block.tool_use.input).decode("utf-8", "replace"))
    if block.reasoning_content is not None:
        told = block.reasoning_content.reasoning_text or _ReasoningText()
        assembler.thinking(index, told.text)
        if told.signature:
            assembler.sign(index, told.signature)
        if block.reasoning_content.redacted_content:
            assembler.sign(index, REDACTED + block.reasoning_content.redacted_content)


def _take_event(event: Mapping[str, Any], assembler: Assembler) -> None:
    if start := event.get("contentBlockStart"):
        tool = start.get("start", {}).get("toolUse")
        if tool:
            assembler.tool(start.get("contentBlockIndex", 0), tool.get("toolUseId", ""), tool.get("name", ""))
    if grown := event.get("contentBlockDelta"):
        index, delta = grown.get("contentBlockIndex", 0), grown.get("delta", {})
        assembler.text(index, delta.get("text") or "")
        assembler.arguments(index, (delta.get("toolUse") or {}).get("input") or "")
        reasoning = delta.get("reasoningContent") or {}
        assembler.thinking(index, reasoning.get("text") or "")
        if reasoning.get("signature"):
            assembler.sign(index, reasoning["signature"])
        if reasoning.get("redactedContent"):
            assembler.sign(index, REDACTED + base64.b64encode(reasoning["redactedContent"]).decode())
