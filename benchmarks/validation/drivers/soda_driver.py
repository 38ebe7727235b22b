"""Soda's row count of two tables (it has no comparison of two); prints both as JSON. Usage: HOST PORT USER DATABASE TABLE OTHER."""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCE = """type: postgres
name: bench
connection:
  host: {host}
  port: {port}
  user: {user}
  password: "unused"
  database: {database}
"""
CONTRACT = """dataset: bench/{database}/public/{table}
columns:
  - name: id
checks:
  - row_count:
      threshold:
        must_be: -1
"""


def main() -> None:
    """A contract that cannot hold says how many rows there are."""
    host, port, user, database, *tables = sys.argv[1:]
    soda = str(Path(sys.executable).parent / "soda")
    counts = []
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source.yml"
        source.write_text(SOURCE.format(host=host, port=port, user=user, database=database))
        for table in tables:
            contract = Path(folder) / f"{table}.yml"
            contract.write_text(CONTRACT.format(database=database, table=table))
            argv = [soda, "contract", "verify", "-ds", str(source), "-c", str(contract)]
            said = subprocess.run(argv, capture_output=True, text=True, check=False)
            found = re.search(r"check_rows_tested: (\d+)", said.stdout + said.stderr)
            if not found:
                sys.exit((said.stdout + said.stderr)[-1500:])
            counts.append(int(found[1]))
    print(json.dumps(counts))


main()
