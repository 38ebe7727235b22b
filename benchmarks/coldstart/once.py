"""One cold start in this process, which has nothing loaded: import the handler, answer one request, answer another.

Usage: python -I -S once.py BUNDLE RUNTIME MODULE. Prints one JSON object; times are milliseconds, `rss_mb` is the peak.
Standard library only. BUNDLE and RUNTIME are on the path in this order, as the function's code and Lambda's own boto3 are.
"""

import importlib
import json
import sys
import time
from pathlib import Path

sys.path[:0] = sys.argv[1:3]


def event(number: int) -> dict:
    """A request as a REST API of API Gateway hands it over."""
    return {
        "resource": "/chat",
        "path": "/chat",
        "httpMethod": "POST",
        "headers": {"Content-Type": "application/json"},
        "multiValueHeaders": {"Content-Type": ["application/json"]},
        "requestContext": {"stage": "prod", "identity": {"sourceIp": "203.0.113.7"}},
        "body": json.dumps({"user_id": f"user-{number}", "query": "What is 2 + 3?"}),
        "isBase64Encoded": False,
    }


def timed(call) -> tuple[float, object]:
    """Milliseconds of a call, and what it gave."""
    began = time.perf_counter()
    given = call()
    return (time.perf_counter() - began) * 1000, given


def most_memory_mb() -> float:
    """The most memory that the process has had, as the kernel counts it."""
    (line,) = [x for x in Path("/proc/self/status").read_text().splitlines() if x.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


module, handler = timed(lambda: importlib.import_module(sys.argv[3]).handler)
first, answer = timed(lambda: handler(event(1), None))
warm, again = timed(lambda: handler(event(2), None))
for one in (answer, again):
    assert one["statusCode"] == 200, one
    assert "it is 5" in one["body"], one
print(
    json.dumps(
        {
            "import_ms": module,
            "first_turn_ms": first,
            "cold_ms": module + first,
            "warm_turn_ms": warm,
            "rss_mb": most_memory_mb(),
            "modules": len(sys.modules),
        }
    ),
    flush=True,
)
