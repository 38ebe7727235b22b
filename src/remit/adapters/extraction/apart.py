"""A process that reads one HTML or PDF file from standard input and prints `[title, text]`.

Parsers are large, and files are written to break them: here they have no environment, little memory, and not for long.
"""

from __future__ import annotations

import json
import sys

CPU_S = 30
MEMORY_BYTES = 2 * 1024**3


def main() -> None:
    """Read, or die."""
    _limit()
    data = sys.stdin.buffer.read()
    if sys.argv[1] == "pdf":
        from remit.adapters.extraction.pdf import pdf_text

        found = pdf_text(data)
    else:
        from remit.adapters.extraction.html import html_text

        found = html_text(data.decode())
    sys.stdout.write(json.dumps([part.encode("utf-8", "replace").decode() for part in found]))


def _limit() -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


if __name__ == "__main__":
    main()
