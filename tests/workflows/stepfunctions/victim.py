"""A function's process that REMIT_FAULT kills: `victim.py call EVENT` answers a call of Step Functions, `victim.py advance RUN`."""

from __future__ import annotations

import json
import sys

from remit.functions.container import shared
from remit.functions.task import handle


class Context:
    """Lambda's context."""

    def get_remaining_time_in_millis(self) -> int:
        return 30_000


if __name__ == "__main__":
    if sys.argv[1] == "advance":
        shared().run(lambda app: app.engine.advance(sys.argv[2]))
    else:
        print(json.dumps(handle(json.loads(sys.argv[2]), Context())))
