"""Apache Kafka: one cluster, by `aiokafka`. What is produced is acknowledged by all replicas in step; it may be there twice."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from msgspec import Struct

from remit.core.errors import ConfigError, InputError, RemitError, StoreError
from remit.core.extras import how_to_install
from remit.ports.topics import ToTopic

REQUEST_MS = 10_000
"""How long a request may take, and a message to be acknowledged."""

METADATA_MS = 30_000
"""How soon a change of topics and partitions is noticed."""

MOST_BYTES = 1_000_000
"""Bytes of one message: what a broker takes where nobody raised `message.max.bytes`."""

CLOSE_S = 5.0
EXISTS, RACED = 36, 42
"""Errors of a request for a topic that is there: it exists, and others are making it."""


class Access(Struct, frozen=True):
    """How the cluster is reached. `servers` is `host:port[,host:port]`; `password` is asked for when it is needed.

    `security`: `plaintext`, `ssl`, `sasl_plaintext`, `sasl_ssl`. `ca` is a file of certificates, by default the system's.
    """

    servers: str
    security: str = "plaintext"
    mechanism: str = "SCRAM-SHA-512"
    user: str = ""
    password: Callable[[], str] = str
    ca: str = ""


class Kafka:
    """A cluster. Its producer is made when something is first produced, and made anew when it is in trouble."""

    def __init__(self, access: Access, *, most_bytes: int = MOST_BYTES, partitions: int = 0) -> None:
        """With `partitions`, topics that are wanted and missing are made with so many. Raises ConfigError E695 without `aiokafka`."""
        try:
            import aiokafka
        except ImportError as error:
            raise ConfigError(
                "`REMIT_BUS=kafka://...` needs the package `aiokafka`, which is not installed",
                code="E695",
                help=how_to_install("kafka"),
            ) from error
        self._kafka = aiokafka
        self.access = access
        self.most_bytes = most_bytes
        self._partitions = partitions
        self._wanted: set[str] = set()
        self._producer: Any = None
        self._making = asyncio.Lock()
        self._closing: set[asyncio.Task[None]] = set()

    async def produce(self, message: ToTopic) -> None:
        """Produce one message, durable on return. Raises ConfigError E992, E993, InputError E994, StoreError E991."""
        producer = await self._started()
        headers = [(name, value.encode()) for name, value in message.headers.items()]
        key = message.key.encode() or None
        try:
            await producer.send_and_wait(message.topic, message.value, key=key, headers=headers)
        except Exception as error:
            failed = self.failure(error, f"topic `{message.topic}`")
            if failed.code == "E993":  # said also of brokers that do not answer: those that do are asked
                await self._check_reached()
            if isinstance(failed, StoreError):
                self._drop(producer)
            raise failed from error

    def want(self, *topics: str) -> None:
        """Have these topics made before anything else is done, if they are missing."""
        if self._partitions:
            self._wanted.update(topics)

    async def ready(self) -> None:
        """Make the topics that are wanted. Raises ConfigError E992, StoreError E991."""
        async with self._making:
            if self._wanted:
                wanted = sorted(self._wanted)
                await self._make(wanted)
                self._wanted.difference_update(wanted)

    async def _started(self) -> Any:
        await self.ready()
        async with self._making:
            if self._producer is None:
                producer = self._kafka.AIOKafkaProducer(
                    **self.options(), acks="all", max_request_size=self.most_bytes
                )
                await self.begun(producer)
                self._producer = producer
            return self._producer

    async def _check_reached(self) -> None:
        """Raise ConfigError E992, StoreError E991 unless the cluster answers."""
        from aiokafka.admin import AIOKafkaAdminClient

        admin = AIOKafkaAdminClient(**self.options())
        await self.begun(admin)
        await admin.close()

    async def begun(self, client: Any) -> None:
        """Start a client of the package; one that cannot be started is closed. Raises ConfigError E992, StoreError E991."""
        try:
            await client.start()
        except BaseException as error:
            stop = getattr(client, "stop", None) or client.close
            with suppress(Exception):
                await asyncio.wait_for(stop(), CLOSE_S)
            if isinstance(error, Exception):
                raise self.failure(await self._reason(error), "the cluster") from error
            raise

    async def _reason(self, error: Exception) -> Exception:
        """Why the cluster cannot be reached: with credentials the package does not say whether these were refused."""
        from aiokafka.conn import create_conn

        if not self.access.security.startswith("sasl"):
            return error
        given = {
            n: v for n, v in self.options().items() if n not in ("bootstrap_servers", "metadata_max_age_ms")
        }
        for server in self.access.servers.split(","):
            host, _, port = server.rpartition(":")
            try:
                connection = await create_conn(host, int(port), **given)
            except Exception as found:
                error = found
            else:
                connection.close()
        return error

    def _drop(self, producer: Any) -> None:
        """Begin anew with the next message: what is still under way to a broker that went away is not waited for."""
        if self._producer is producer:
            self._producer = None
            task = asyncio.ensure_future(self._stopped(producer))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def _stopped(self, producer: Any) -> None:
        with suppress(Exception):
            await producer.stop()

    async def _make(self, topics: Sequence[str]) -> None:
        from aiokafka.admin import AIOKafkaAdminClient, NewTopic
        from aiokafka.errors import for_code

        admin = AIOKafkaAdminClient(**self.options())
        await self.begun(admin)
        try:
            standing = set(await admin.list_topics())
            missing = [NewTopic(name, self._partitions, -1, {}) for name in topics if name not in standing]
            answer = await admin.create_topics(missing) if missing else None
        except Exception as error:
            raise self.failure(error, "the cluster") from error
        finally:
            await admin.close()
        for name, code, *_ in [] if answer is None else answer.topic_errors:
            if code not in (0, EXISTS, RACED):
                raise self.failure(for_code(code)(), f"topic `{name}`")

    def consumer(self, group: str, session_s: float) -> Any:
        """A member of a group, not started. It commits nothing by itself; where nothing was committed it begins at the beginning.

        A broker holds a request for messages back while there are none, and all others of the member with it: not for long
        where a silent member is to be noticed soon.
        """
        return self._kafka.AIOKafkaConsumer(
            **self.options(),
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=int(session_s * 1000),
            heartbeat_interval_ms=int(session_s * 300),
            fetch_max_wait_ms=min(500, int(session_s * 100)),
            isolation_level="read_committed",
        )

    def options(self) -> dict[str, Any]:
        """What every client of the package is made with. Raises ConfigError E990."""
        access = self.access
        made: dict[str, Any] = {
            "bootstrap_servers": access.servers.split(","),
            "client_id": "remit",
            "security_protocol": access.security.upper(),
            "request_timeout_ms": REQUEST_MS,
            "metadata_max_age_ms": METADATA_MS,
        }
        if access.security.endswith("ssl"):
            try:
                made["ssl_context"] = ssl.create_default_context(cafile=access.ca or None)
            except OSError as error:
                raise ConfigError(
                    f"`kafka.ca` is `{access.ca}`, which cannot be read: {error}",
                    code="E990",
                    help="name a file of certificates in PEM",
                ) from error
        if access.security.startswith("sasl"):
            made["sasl_mechanism"] = access.mechanism
            made["sasl_plain_username"] = access.user
            made["sasl_plain_password"] = access.password()
        return made

    def failure(self, error: Exception, thing: str) -> RemitError:
        """What a failure of the package means."""
        from aiokafka import errors as theirs

        if isinstance(error, RemitError):
            return error
        large = (
            theirs.MessageSizeTooLargeError,
            theirs.RecordTooLargeError,
            theirs.RecordListTooLargeError,
        )
        refused = (
            theirs.TopicAuthorizationFailedError,
            theirs.GroupAuthorizationFailedError,
            theirs.ClusterAuthorizationFailedError,
            theirs.SaslAuthenticationFailed,
            theirs.AuthenticationFailedError,
            theirs.AuthenticationMethodNotSupported,
            theirs.UnsupportedSaslMechanismError,
            theirs.IllegalSaslStateError,
        )
        said = _said(error)
        if isinstance(error, large):
            return InputError(
                f"a message for {thing} is larger than {self.most_bytes:,} bytes, or than its broker takes",
                code="E994",
                help="keep large content as an artifact, and say its digest",
            )
        if isinstance(error, refused):
            return ConfigError(
                f"Kafka at `{self.access.servers}` refuses {thing}: {said}",
                code="E992",
                help="see `kafka.user`, the secret `kafka_password` and the ACLs of the cluster",
            )
        if isinstance(error, (theirs.UnknownTopicOrPartitionError, theirs.InvalidTopicError)):
            return ConfigError(
                f"Kafka at `{self.access.servers}` has no {thing}",
                code="E993",
                help="make it, or name another one",
            )
        return StoreError(
            f"Kafka at `{self.access.servers}` cannot be used now for {thing}: {said}",
            code="E991",
            help="it is tried again; see that the brokers are up and can be reached from here",
        )

    async def close(self) -> None:
        """Let go of the cluster. Producing again begins anew."""
        producer, self._producer = self._producer, None
        if producer is not None:
            with suppress(Exception):
                await asyncio.wait_for(producer.stop(), CLOSE_S)
        if self._closing:
            await asyncio.wait(set(self._closing), timeout=CLOSE_S)


def _said(error: Exception) -> str:
    """The first sentence of a failure of the package."""
    return f"{type(error).__name__}: {str(error).splitlines()[0][:200] if str(error) else ''}".rstrip(": ")
