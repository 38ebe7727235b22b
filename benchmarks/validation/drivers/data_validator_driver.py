"""google-pso-data-validator; prints its answer as JSON. Usage: TASK HOST PORT USER DATABASE TABLE OTHER.

`count`: rows of both tables. `columns`: the columns of which an aggregate differs. `diff`: missing, extra and changed rows.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

COLUMNS = "id,customer_id,qty,amount,rate,name,note,created_at"
TASKS = {
    "count": ["validate", "column"],
    "columns": [
        "validate",
        "column",
        "--count",
        "*",
        "--sum",
        "*",
        "--min",
        "*",
        "--max",
        "*",
        "--wildcard-include-string-len",
    ],
    "diff": ["validate", "row", "--primary-keys", "id", "--hash", COLUMNS, "--filter-status", "fail"],
}


def main() -> None:
    """One validation through its command line."""
    task, host, port, user, database, table, other = sys.argv[1:]
    tool = str(Path(sys.executable).parent / "data-validation")
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "PSO_DV_CONN_HOME": folder}
        run = {"env": environment, "capture_output": True, "text": True}
        login = [
            "--host",
            host,
            "--port",
            port,
            "--user",
            user,
            "--password",
            "unused",
            "--database",
            database,
        ]
        subprocess.run([tool, "connections", "add", "-c", "bench", "Postgres", *login], check=True, **run)
        argv = [tool, *TASKS[task], "-sc", "bench", "-tc", "bench", "-tbls", f"public.{table}=public.{other}"]
        said = subprocess.run([*argv, "--format", "json"], check=False, **run)
    start = said.stdout.find("{")
    if said.returncode or start < 0:
        sys.exit((said.stdout + said.stderr)[-1500:])
    print(json.dumps(answer(task, list(json.loads(said.stdout[start:]).values()))))


def answer(task: str, results: list[dict]) -> list:
    """What the validations say."""
    if task == "count":
        return [int(results[0]["source_agg_value"]), int(results[0]["target_agg_value"])]
    failed = [r for r in results if r["validation_status"] == "fail"]
    if task == "columns":
        names = {str(r["source_column_name"] or "").rpartition("__")[2] for r in failed}
        return sorted(names - {""})
    missing = sum(r["target_agg_value"] is None for r in failed)
    extra = sum(r["source_agg_value"] is None for r in failed)
    return [missing, extra, len(failed) - missing - extra]


main()
