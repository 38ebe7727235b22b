"""What may be done about bad data. Each changes something outside Remit, so each waits for a person.

The profile `validation` says so of every significant call; that these are over their limit says so to the others.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

from remit.sdk import Table, ToolContext, ToolError, tool
from remit_packs.validation.agents.copying import copy_partition
from remit_packs.validation.control import control
from remit_packs.validation.granted import granted

LOAD_URL = "rerun_load_url"
"""The secret that holds the URL to which `rerun_load` posts."""

_PARTITION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:+ -]{0,127}")
FILES = ("file",)


@tool(risk="L2", effect="keyed", timeout_s=600)
async def quarantine_partition(
    table_id: str, partition: str, reason: str, context: ToolContext
) -> dict[str, Any]:
    """Set one partition of a table aside: of files, `KEY=PARTITION` is moved to a folder `<table>.quarantine` beside the table;

    of a database table, its rows are copied to a table `<table>__quarantine` and stay where they are. Doing it twice
    changes nothing more.
    """
    with control(context) as platform:
        table = granted(await platform.table(table_id), context.tenant_id)
    if not table.partition_key:
        raise ToolError(
            f"table `{table_id}` has no partition key",
            code="E601",
            help="`remit tables add ... --partition-key COLUMN`",
        )
    if not _PARTITION.fullmatch(partition):
        raise ToolError(f"`{partition[:60]}` cannot name a partition", code="E601")
    if table.source in FILES:
        moved = move_partition(table, partition)
    else:
        moved = await copy_partition(table, partition, context)
    return {"table_id": table_id, "partition": partition, "reason": reason, **moved}


def move_partition(table: Table, partition: str) -> dict[str, Any]:
    """Move the folder of a partition. Raises ToolError E601 when there is none; nothing was moved then."""
    root = Path(re.split(r"[*?\[]", table.location)[0])
    root = root if root.is_dir() else root.parent
    name = f"{table.partition_key}={partition}"
    source = root / name
    target = root.with_name(root.name + ".quarantine") / name
    if source.is_dir() and target.exists():
        raise ToolError(
            f"`{target}` is there already, and so is `{source}`",
            code="E601",
            help="look at both and remove one",
        )
    if not source.is_dir() and not target.is_dir():
        raise ToolError(f"there is no partition `{source}`", code="E601", help="name it as its folder does")
    if source.is_dir():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(source, target)
    files = sum(1 for file in target.rglob("*") if file.is_file())
    return {"moved_to": str(target), "files": files}


@tool(risk="L2", effect="keyed", timeout_s=60)
async def rerun_load(table_id: str, partition: str, reason: str, context: ToolContext) -> dict[str, Any]:
    """Ask the pipeline to load a table (or one partition of it) again: a POST to the URL in the secret `rerun_load_url`.

    The header `Idempotency-Key` is the same whenever this very call is sent again.
    """
    import httpx

    with control(context) as platform:
        await platform.table(table_id)
        url = context.secrets.get(LOAD_URL)
    body = {"table_id": table_id, "partition": partition, "reason": reason}
    headers = {"Idempotency-Key": context.idempotency_key}
    try:
        async with httpx.AsyncClient(timeout=30, follow_redirects=False) as client:
            answer = await client.post(url, json=body, headers=headers)
    except (httpx.ConnectError, httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
        raise ToolError(
            f"the pipeline cannot be reached: {type(error).__name__}",
            code="E602",
            help=f"is `{LOAD_URL}` right?",
            retryable=True,
        ) from error
    if 300 <= answer.status_code < 500:
        raise ToolError(
            f"the pipeline refused: {answer.status_code}", code="E602", help="nothing was started"
        )
    answer.raise_for_status()  # a 5xx does not tell whether a load was started: sent again under the same key
    return {"table_id": table_id, "partition": partition, "answered": answer.status_code}


@quarantine_partition.facts
@rerun_load.facts
def _always(**arguments: Any) -> dict[str, Any]:
    """No partition is small enough to be set aside, or loaded again, without anybody's word."""
    return {"over_limit": True}
