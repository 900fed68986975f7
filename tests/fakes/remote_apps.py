"""Small apps that behave as Jupyter, Streamlit and Uvicorn do at their command line and over HTTP, and start fast."""

import sys
from pathlib import Path

from tests.fakes.local_link import House

_JUPYTER = """\
import glob, http.server, json, os, sys, time
runtime = os.path.expanduser("~/.local/share/jupyter/runtime")
words = sys.argv[1:]
if words[:1] == ["server"] or words[1:2] == ["list"]:
    for file in glob.glob(runtime + "/jpserver-*.json"):
        print(json.dumps(json.load(open(file))))
    sys.exit()
token = os.environ["JUPYTER_TOKEN"]
options = dict(word[2:].partition("=")[::2] for word in words[1:])
if "refuse" in options:
    sys.exit("[C] no: http://localhost:8888/?token=" + token)
if "busy" in options and options["port"] == "8888":
    sys.exit("OSError: [Errno 98] Address already in use")
time.sleep(float(options.get("slow", 0)))
token = options.get("own-token", token)
base = options.get("base", "")

class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        right = self.headers["Authorization"] == "token " + token
        known = self.path.startswith((base + "/lab", base + "/tree"))
        self.send_response(200 if right and known else 403 if known else 404)
        self.end_headers()

server = http.server.HTTPServer((options["ip"], int(options["port"])), Page)
os.makedirs(runtime, exist_ok=True)
info = {"pid": os.getpid(), "port": server.server_port, "hostname": options["ip"], "token": token, "secure": False,
        "base_url": base + "/", "root_dir": os.getcwd(), "sock": "", "password": False,
        "url": f"http://127.0.0.1:{server.server_port}{base}/"}
json.dump(info, open(f"{runtime}/jpserver-{os.getpid()}.json", "w"), indent=2)
print("serving", words, flush=True)
server.serve_forever()
"""

_WEB = """\
import http.server, json, os, sys, time
words = sys.argv[1:]
told = {"words": words, "folder": os.getcwd(), "port": os.environ.get("PORT")}
json.dump(told, open(os.path.expanduser("~/told"), "w"))
port = int(next(word for word in reversed(words) if word.isdigit()))
ready = time.monotonic() + float(os.environ.get("LOADS", "0"))
pages = os.environ.get("PAGES", "/").split()

class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        moved = self.path == "/" and os.environ.get("MOVED")
        status = 503 if time.monotonic() < ready else 302 if moved else 200 if self.path in pages else 404
        self.send_response(status)
        if moved:
            self.send_header("Location", moved)
        self.end_headers()

print("serving", flush=True)
http.server.HTTPServer(("127.0.0.1", port), Page).serve_forever()
"""


def jupyter(house: House, place: str = ".local/bin/jupyter") -> Path:
    """Installed there. It behaves badly with --refuse, --busy, --own-token=T, --base=/x or --slow=SECONDS."""
    return house.program(place, f"#!{sys.executable} -I\n{_JUPYTER}")


def web(house: House, place: str) -> Path:
    """An app that takes its port as the last number of its words, and notes in ~/told how it was started. LOADS: so
    many seconds it answers 503. PAGES: what it has. MOVED: where / leads."""
    return house.program(place, f"#!{sys.executable} -I\n{_WEB}")
