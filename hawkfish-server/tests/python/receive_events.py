"""A receiver of events that anybody could have written, with Python's own HTTP server.

Prints its port, then each request as a line of JSON: path, headers, body. What is sent to /refuse it does not take.
"""

import http.server
import json
import sys
import threading

LOCK = threading.Lock()


def say(what):
    with LOCK:
        print(json.dumps(what), flush=True)


class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        length = int(self.headers["Content-Length"])
        body = json.loads(self.rfile.read(length))
        refused = self.path == "/refuse"
        headers = {name.title(): value for name, value in self.headers.items()}
        say({"path": self.path, "headers": headers, "body": body})
        self.send_response(503 if refused else 204)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
say({"port": server.server_port})
threading.Thread(target=server.serve_forever, daemon=True).start()
# Its end is that of its input.
sys.stdin.read()
