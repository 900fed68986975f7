"""The part of Cloudflare's API that concerns zones and DNS records, with its checks and its error codes."""

import json
from typing import Any

from tests.fakes.http_server import FakeHttpServer, Reply, Seen

_WRITABLE = {"content", "ttl", "proxied", "comment", "tags"}


class CloudflareServer(FakeHttpServer):
    """`zones`: identifier -> name; `records`: identifier -> record (with "zone"). Pages are as small as `page`."""

    def __init__(self, token: str = "cf-token-0123456789abcdef") -> None:
        super().__init__()
        self.token = token
        self.zones: dict[str, str] = {}
        self.records: dict[str, dict[str, Any]] = {}
        self.page = 50

    def zone(self, name: str) -> str:
        """Make a zone."""
        id_ = f"{len(self.zones) + 1:032x}"
        self.zones[id_] = name
        return id_

    def record(
        self, zone: str, name: str, content: str, *, rdtype: str = "A", ttl: int = 300, proxied: bool = False
    ) -> str:
        """Make a record."""
        id_ = f"{len(self.records) + 1000:032x}"
        self.records[id_] = {"id": id_, "zone": zone, "name": name, "type": rdtype, "content": content,
                             "ttl": 1 if proxied else ttl, "proxied": proxied, "comment": "hands off"}  # fmt: skip
        return id_

    def contents(self) -> dict[tuple[str, str], str]:
        """(name, type) -> content."""
        return {(r["name"], r["type"]): r["content"] for r in self.records.values()}

    def answer(self, seen: Seen) -> Reply:
        if seen.headers.get("authorization") != f"Bearer {self.token}":
            return _error(403, 10000, "Authentication error")
        if seen.method != "GET" and seen.headers.get("content-type") != "application/json":
            self.fault("a body that is not declared as JSON")
            return _error(400, 6003, "Invalid request headers")
        steps = seen.path.removeprefix("/client/v4/").split("/")
        if seen.method == "GET" and steps == ["zones"]:
            rows = [{"id": i, "name": n, "status": "active"} for i, n in self.zones.items()]
            return self._list(seen, [r for r in rows if seen.param("name") in {None, r["name"]}])
        if len(steps) < 3 or steps[0] != "zones" or steps[2] != "dns_records" or steps[1] not in self.zones:
            return _error(404, 7003, f"Could not route to {seen.path}, perhaps your object identifier is invalid?")
        return self._records(seen, steps[1], steps[3:])

    def _records(self, seen: Seen, zone: str, rest: list[str]) -> Reply:
        if seen.method == "GET" and not rest:
            rows = [r for r in self.records.values() if r["zone"] == zone]
            for key in ("type", "name"):
                rows = [r for r in rows if seen.param(key) in {None, r[key]}]
            return self._list(seen, rows)
        if seen.method == "POST" and not rest:
            return self._result(self._create(zone, seen.json))
        if seen.method == "POST" and rest == ["batch"]:
            return self._batch(zone, seen.json)
        if seen.method == "PATCH" and len(rest) == 1:
            return self._result(self._patch(rest[0], seen.json))
        self.fault(f"{seen.method} {seen.path}")
        return _error(405, 10405, "Method not allowed")

    def _list(self, seen: Seen, rows: list[dict[str, Any]]) -> Reply:
        per, page = min(int(seen.param("per_page") or 20), self.page), int(seen.param("page") or 1)
        info = {"page": page, "per_page": per, "total_count": len(rows), "total_pages": -(-len(rows) // per)}
        return _json(200, {"success": True, "errors": [], "messages": [], "result_info": info,
                           "result": rows[(page - 1) * per : page * per]})  # fmt: skip

    def _create(self, zone: str, body: dict[str, Any]) -> dict[str, Any] | Reply:
        if set(body) - _WRITABLE - {"name", "type"} or not {"name", "type", "content"} <= set(body):
            self.fault(f"create {body}")
        if any(r["name"] == body["name"] and r["type"] == "CNAME" for r in self.records.values()):
            return _error(400, 81054, "A CNAME record with that host already exists.")
        id_ = self.record(zone, body["name"], body["content"], rdtype=body["type"], ttl=body.get("ttl", 1),
                          proxied=body.get("proxied", False))  # fmt: skip
        return self.records[id_]

    def _patch(self, id_: str, body: dict[str, Any]) -> dict[str, Any] | Reply:
        if id_ not in self.records:
            return _error(404, 81044, "Record does not exist.")
        if set(body) - _WRITABLE:
            self.fault(f"patch {body}")
        self.records[id_].update(body)
        return self.records[id_]

    def _batch(self, zone: str, body: dict[str, Any]) -> Reply:
        if set(body) - {"patches", "posts"}:
            self.fault(f"batch {set(body)}")
        kept = {i: dict(r) for i, r in self.records.items()}
        done: dict[str, list[Any]] = {"patches": [], "posts": []}
        for entry in body.get("patches", []):
            done["patches"].append(self._patch(entry["id"], {k: v for k, v in entry.items() if k != "id"}))
        for entry in body.get("posts", []):
            done["posts"].append(self._create(zone, entry))
        failed = [r for rows in done.values() for r in rows if isinstance(r, Reply)]
        if failed:
            self.records = kept
            return failed[0]
        return _json(200, {"success": True, "errors": [], "messages": [], "result": done})

    def _result(self, result: dict[str, Any] | Reply) -> Reply:
        if isinstance(result, Reply):
            return result
        return _json(200, {"success": True, "errors": [], "messages": [], "result": result})


def _json(status: int, body: Any) -> Reply:
    return Reply(status, json.dumps(body), {"Content-Type": "application/json"})


def _error(status: int, code: int, message: str) -> Reply:
    return _json(
        status, {"success": False, "errors": [{"code": code, "message": message}], "messages": [], "result": None}
    )
