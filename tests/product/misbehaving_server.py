"""An HTTP server that breaks off, lies, hangs and sends too much, as a script tells it."""

import http.server
import re
import threading

CONTENT = bytes((i * 7 + i // 251) % 256 for i in range(300_000))
HALF = len(CONTENT) // 2


class Server:
    """Serves `content` by path. `script` holds how the next requests are answered; after it, all is well."""

    def __init__(self, test, tls=None):
        self.content, self.script, self.asked = {}, [], []
        self.ended = threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *arguments):
                pass

            def do_GET(self):
                self.close_connection = True
                outer.asked.append((self.path, self.headers.get("Range")))
                body = outer.content.get(self.path)
                how = outer.script.pop(0) if outer.script else "well"
                try:
                    getattr(self, how if body is not None else "absent")(body)
                    self.wfile.flush()
                except OSError:
                    pass  # the other side had enough

            def begin(self, status, **headers):
                self.send_response(status)
                for name, value in {"Connection": "close", **headers}.items():
                    self.send_header(name.replace("_", "-"), str(value))
                self.end_headers()

            def wanted(self, body):
                """Begins the answer, and gives the bytes that the request is for."""
                match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
                first = int(match[1]) if match else 0
                if match and first >= len(body):
                    self.begin(416, Content_Range=f"bytes */{len(body)}", Content_Length=0)
                    return b""
                if match:
                    self.begin(206, Content_Length=len(body) - first,
                               Content_Range=f"bytes {first}-{len(body) - 1}/{len(body)}")
                else:
                    self.begin(200, Content_Length=len(body))
                return body[first:]

            def well(self, body):
                self.wfile.write(self.wanted(body))

            def cut(self, body):
                rest = self.wanted(body)
                self.wfile.write(rest[: len(rest) // 2])

            def gone(self, body):
                pass

            def whole(self, body):
                self.begin(200, Content_Length=len(body))
                self.wfile.write(body)

            def no_range(self, body):
                self.begin(416, Content_Length=0)

            def other_range(self, body):
                self.begin(206, Content_Length=10, Content_Range=f"bytes 5-14/{len(body)}")
                self.wfile.write(body[5:15])

            def without_end(self, body):
                self.begin(200)
                while True:
                    self.wfile.write(body)

            def hang(self, body):
                outer.ended.wait(60)

            def half_and_hang(self, body):
                self.wfile.write(self.wanted(body)[:HALF])
                self.wfile.flush()
                outer.ended.wait(60)

            def elsewhere(self, body):
                self.begin(302, Location=outer.location + self.path, Content_Length=0)

            def absent(self, body):
                self.begin(404, Content_Length=4)
                self.wfile.write(b"none")

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        scheme = "https" if tls else "http"
        host = "localhost" if tls else "127.0.0.1"
        self.url = f"{scheme}://{host}:{self.server.server_address[1]}"
        self.location = self.url
        thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        test.addCleanup(thread.join)
        test.addCleanup(self.server.server_close)
        test.addCleanup(self.server.shutdown)
        test.addCleanup(self.ended.set)

    def serves(self, name, content=CONTENT):
        self.content["/" + name] = content

    def ranges(self):
        return [range_ for _, range_ in self.asked]
