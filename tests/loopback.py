"""A web server on loopback, for tests of downloads and uploads."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class LoopbackServer(ThreadingHTTPServer):
    """A context in which requests are answered by a thread, at `url`.

    Args:
        handler: Class of the requests' handler.
    """

    daemon_threads = True

    def __init__(self, handler):
        super().__init__(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})

    def __enter__(self):
        self._thread.start()
        return super().__enter__()

    def __exit__(self, *exception):
        self.shutdown()
        self._thread.join()
        super().__exit__(*exception)

    def handle_error(self, request, client_address):
        """Ignore clients that hang up, as some tests make them do."""


class LoopbackHandler(BaseHTTPRequestHandler):
    """Answers requests without printing them."""

    def log_message(self, *args):
        pass

    def answer(self, status, body, headers=None, length=None):
        """Send an answer.

        Args:
            status: HTTP status.
            body: Bytes to send; left out for a HEAD request.
            headers: Headers besides the length.
            length: Length to announce, if not that of the body.
        """
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
