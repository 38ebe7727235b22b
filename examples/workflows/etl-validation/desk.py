"""The data desk: a webhook on this machine that writes down what it is told, a line for each message.

python desk.py PORT FILE
"""

from __future__ import annotations

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


def serve(port: int, file: Path) -> ThreadingHTTPServer:
    """A server on `port` (0: any free one) that appends every body it is posted to `file`."""

    class Desk(BaseHTTPRequestHandler):
        """Takes a message down."""

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            with file.open("ab") as out:
                out.write(body.replace(b"\n", b" ") + b"\n")
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    return ThreadingHTTPServer(("127.0.0.1", port), Desk)


if __name__ == "__main__":
    serve(int(sys.argv[1]), Path(sys.argv[2])).serve_forever()
