"""An application that says on which node it runs: ``python named_application.py PORT NAME``. It knows nothing of roles."""

from __future__ import annotations

import socketserver
import sys


class _Handler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        self.request.sendall(sys.argv[2].encode() + b"\n")


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128


if __name__ == "__main__":
    _Server(("0.0.0.0", int(sys.argv[1])), _Handler).serve_forever()
