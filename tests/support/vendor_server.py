"""Where a vendor is told that access ended: a real HTTPS server on this machine."""

import http.server
import ssl
import threading
from pathlib import Path

import pytest
from client_keys import certified


class VendorServer:
    """An HTTPS server on the loopback address that answers with `status`, and keeps what it was sent."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        own = certified("CN=localhost", dns="localhost")
        chain = directory / "localhost.pem"
        chain.write_text(own.key_pem + own.pem)
        monkeypatch.setenv("SSL_CERT_FILE", str(chain))
        vendor = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                vendor.got.append((self.headers["Content-Type"], body.decode()))
                self.send_response(vendor.status)
                self.send_header("Location", "https://169.254.169.254/")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.status = 202
        self.got: list[tuple[str, str]] = []
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"https://localhost:{self.server.server_port}/ended"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
