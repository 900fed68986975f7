"""The heartbeat: one ping a round, /fail when something is not well, its address never in the log."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from ipwatch.demo.house import House
from ipwatch.demo.service import Service
from tests.fakes.waiting import wait


def test_heartbeat(tmp_path: Path) -> None:
    """Each round pings the URL; with all pages failing it is URL/fail."""
    got: list[str] = []

    class Ping(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            got.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Ping)
    thread = Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        with House(lag=0) as house:
            config = tmp_path / "ipwatch.toml"
            ping = f'heartbeat = "http://127.0.0.1:{server.server_port}/ping/s3cr3t"'
            config.write_text(house.toml(tmp_path).replace("quorum = 2", f"quorum = 2\n{ping}"))
            with Service(config) as service:
                assert wait(lambda: "/ping/s3cr3t" in got), service.said(20)
                house.line_down()
                assert wait(lambda: got[-1] == "/ping/s3cr3t/fail"), service.said(20)
                service.stop(10)
                assert "s3cr3t" not in "\n".join(service.said(100))
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
