"""Opening the library of documents: the indexes and the model of embeddings that settings name."""

from __future__ import annotations

from pathlib import Path

from remit.adapters.extraction.files import FileExtraction
from remit.adapters.fulltext.sqlite import SqliteFullText
from remit.bootstrap.adapters import shared_session
from remit.bootstrap.extensions import names, opened, scheme_of
from remit.core.errors import ConfigError
from remit.engine.documents import Indexes, Library
from remit.engine.embedding import Patient
from remit.engine.faults import crashpoint
from remit.ports.blobs import Blobs
from remit.ports.clock import Clock
from remit.ports.embeddings import Embeddings
from remit.ports.secrets import Secrets
from remit.ports.store import Store
from remit.ports.vectors import Vectors
from remit.settings import Settings


def open_library(settings: Settings, store: Store, blobs: Blobs, clock: Clock, secrets: Secrets) -> Library:
    """The library. Raises ConfigError E937 for settings that name nothing, E695 for a missing extra."""
    embeddings = Patient(open_embeddings(settings, secrets), clock)
    return Library(
        store,
        blobs,
        clock,
        FileExtraction(),
        open_indexes(settings, embeddings, clock, secrets),
        crash=crashpoint(settings.fault),
    )


def open_indexes(settings: Settings, embeddings: Embeddings, clock: Clock, secrets: Secrets) -> Indexes:
    """Where words and vectors are: both in files of this machine, both in PostgreSQL, or vectors where another distribution keeps them."""
    chosen, root = settings.documents.vectors, settings.home / "documents"
    if chosen.startswith(("postgresql://", "postgres://")):
        from remit.adapters.database.postgres import Database
        from remit.adapters.fulltext.postgres import PgFullText
        from remit.adapters.vectors.pgvector import PgVectors

        database = Database(chosen)
        return Indexes(PgFullText(database), PgVectors(database), embeddings, (database.close,))
    words = SqliteFullText(root / "words")
    if chosen == "usearch":
        from remit.adapters.vectors.usearch import UsearchVectors

        return Indexes(words, UsearchVectors(root / "vectors"), embeddings)
    if chosen == "local":
        from remit.adapters.vectors.local import LocalVectors

        return Indexes(words, LocalVectors(root / "vectors"), embeddings)
    port: type[Vectors] = Vectors  # type: ignore[type-abstract]
    made = opened("remit.vectors", scheme_of(chosen), port, chosen, settings, clock, secrets)
    if made is not None:
        return Indexes(words, made, embeddings)
    others = "".join(f"{name}:..., " for name in names("remit.vectors"))
    raise ConfigError(
        f"`documents.vectors` is `{chosen[:100]}`",
        code="E937",
        help=f"set it to `local`, `usearch`, {others}or postgresql://...",
    )


def open_embeddings(settings: Settings, secrets: Secrets) -> Embeddings:
    """The model of embeddings."""
    provider, _, model = settings.documents.embeddings.partition(":")
    if provider == "lexical" and not model:
        from remit.adapters.embeddings.lexical import LexicalEmbeddings

        return LexicalEmbeddings()
    if provider == "bedrock" and model:
        from remit.adapters.embeddings.bedrock import BedrockEmbeddings

        return BedrockEmbeddings(shared_session(settings.region, settings.bedrock_endpoint), model)
    if provider == "openai" and model:
        from remit.adapters.embeddings.openai import OpenAIEmbeddings

        def key() -> str:
            given = settings.openai_api_key
            return given if given or settings.secrets_from == "env" else secrets.get("openai_api_key")

        return OpenAIEmbeddings(model, key=key, base_url=settings.openai_base_url)
    if provider == "local" and model:
        from remit.adapters.embeddings.minilm import MiniLMEmbeddings

        return MiniLMEmbeddings(Path(model))
    raise ConfigError(
        f"`documents.embeddings` is `{settings.documents.embeddings[:100]}`",
        code="E937",
        help="set it to `lexical`, bedrock:MODEL, openai:MODEL or local:FOLDER",
    )
