"""What the conformance suite starts as a client: `python errand.py PORT URL` has the work done where everything is loaded already."""

from __future__ import annotations

import json
import os
import socket
import sys

with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as desk, desk.makefile("rw") as line:
    asked = {"url": sys.argv[2], "context": json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT") or "{}")}
    print(json.dumps(asked), file=line, flush=True)
    answer = json.loads(line.readline() or '{"failed": true, "said": "nobody answered"}')
print(answer["said"])
sys.exit(answer["failed"])
