#!/usr/bin/env python3
"""A tiny API on loopback for trying functions: prints each request that it gets and answers 200.

python examples/receiver.py 8099
"""

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_PORT = 8099
_BODY_BYTES = 1 << 20


class Receiver(ThreadingHTTPServer):
    """Listens on 127.0.0.1; port 0 means any that is free. Each request becomes one line of `lines`, or is printed."""

    daemon_threads = True

    def __init__(self, port: int, *, is_printing: bool = False) -> None:
        """Start to listen; ``serve_forever`` answers."""
        self.lines: list[str] = []
        self.is_printing = is_printing
        super().__init__(("127.0.0.1", port), _Handler)

    def keep(self, line: str) -> None:
        """Take note of a request."""
        self.lines.append(line)
        if self.is_printing:
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - the library's types
        """Say nothing of clients that left; of all else, what the library says."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: Receiver
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        size = min(int(self.headers.get("content-length", 0)), _BODY_BYTES)
        body = self.rfile.read(size).decode(errors="backslashreplace")
        self.server.keep(f"{self.command} {self.path} {self.headers.get('content-type', '')} {body}")
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    do_GET = do_PUT = do_PATCH = do_DELETE = do_POST  # noqa: N815 - the library's names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Say nothing: `Receiver.keep` tells more."""


def main() -> int:
    """Listen until Ctrl-C."""
    port = int(sys.argv[1]) if sys.argv[1:] else _PORT
    with Receiver(port, is_printing=True) as receiver:
        sys.stdout.write(f"listening on http://127.0.0.1:{receiver.server_port}, Ctrl-C ends\n")
        sys.stdout.flush()
        try:
            receiver.serve_forever()
        except KeyboardInterrupt:
            return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
