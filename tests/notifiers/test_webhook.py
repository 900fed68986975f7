"""notifiers.webhook."""

import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipwatch.notifiers.webhook import PLUGIN, Settings, Webhook
from ipwatch.ports import Busy, Garbled, HttpResponse, Message, Notifier, PortError, Refused, Secret, Unreachable
from tests.contracts.notifier import AT, CHANGED, HOME, ONLINE, SOON, NotifierContract, message, refused
from tests.fakes.notifying import FixedClock, KeptHttp, tools

URL = "https://hooks.example.net/T0P/s3cr3t?key=k3y"


def settings(**more: object) -> Settings:
    return Settings(**{"url": Secret(URL), **more})  # type: ignore[arg-type]


def sent(http: KeptHttp) -> object:
    body = http.requests[-1].body
    assert body is not None
    return json.loads(body)


class TestWebhook(NotifierContract):
    """The contract, with HTTP that keeps what it is given."""

    plugin = PLUGIN

    def notifier(self) -> Notifier:
        self.http = KeptHttp()
        return PLUGIN.build(settings(), tools(self.http))

    def delivered(self) -> int:
        return len(self.http.requests)

    def broken(self) -> Notifier:
        return PLUGIN.build(settings(), tools(KeptHttp(Unreachable("did not answer"))))

    def test_the_default_body_is_the_document(self) -> None:
        """JSON with topic, time, data, words, events and addresses, under a JSON content type."""
        self.notifier().send(message(CHANGED), SOON)
        assert self.http.requests[0].headers["Content-Type"] == "application/json"
        told = message(CHANGED)
        assert sent(self.http) == {
            "id": "m-1",
            "topic": "address-changed",
            "at": "2026-11-23T03:41:00+00:00",
            "data": {"family": "ipv4", "old": "25.1.2.3", "new": "25.5.6.7"},
            "subject": told.subject,
            "text": told.text,
            "events": [{"topic": "address-changed", "at": "2026-11-23T03:41:00+00:00", "data": dict(CHANGED.data)}],
            "addresses": {"ipv4": "25.5.6.7", "ipv6": "2a02:1::7"},
        }


@given(st.text(), st.text())
def test_a_json_template_stays_json_whatever_the_words(subject: str, text: str) -> None:
    """Quotes, line breaks and braces in the words neither break the JSON nor are filled in a second time."""
    hook = Webhook(
        settings(template='{"title": "{subject}", "body": "{text}", "all": {json}}'), KeptHttp(), FixedClock()
    )
    told = Message("m", AT, subject, text, "", (ONLINE,), HOME)
    body = json.loads(hook.body(told))
    assert (body["title"], body["body"], body["all"]["subject"]) == (subject, text, subject)


def test_a_text_template_is_filled_in_as_it_is() -> None:
    """Without JSON nothing is escaped, unknown braces stay, and the type is plain text unless a header says else."""
    http = KeptHttp()
    hook = PLUGIN.build(settings(template='"{subject}" {ipv4} {ipv6} {other}'), tools(http))
    hook.send(Message("m", AT, 'a "b" {ipv4}', "", "", (), {}), SOON)
    assert http.requests[0].body == b'"a "b" {ipv4}"   {other}'
    assert http.requests[0].headers["Content-Type"] == "text/plain; charset=utf-8"
    headers = {"content-type": Secret("text/x-mine"), "Authorization": Secret("Bearer t0ken")}
    PLUGIN.build(settings(headers=headers, method="PUT"), tools(http)).send(message(CHANGED), SOON)
    assert http.requests[1].headers == {"Authorization": "Bearer t0ken", "Content-Type": "text/x-mine"}
    assert http.requests[1].method == "PUT"


@pytest.mark.parametrize(
    ("status", "error"), [(429, Busy), (500, Busy), (503, Busy), (301, Refused), (401, Refused), (404, Refused)]
)
def test_what_a_status_means(status: int, error: type[PortError]) -> None:
    """429 and 5xx: later, as Retry-After says; any other but 2xx: refused. The address's path is not in the error."""
    http = KeptHttp(HttpResponse(status, {"retry-after": "120"}, b"s3cr3t"))
    with pytest.raises(error) as caught:
        PLUGIN.build(settings(), tools(http)).send(message(CHANGED), SOON)
    assert str(caught.value) == f"https://hooks.example.net answered {status}"
    assert getattr(caught.value, "after", None) in {None, timedelta(seconds=120)}
    assert isinstance(caught.value, Refused) or caught.value.after  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", [Unreachable, Busy, Refused, Garbled])
def test_the_key_in_the_address_never_shows(kind: type[PortError]) -> None:
    """An error of the HTTP port that quotes the address or a header loses them here; its kind stays."""
    http = KeptHttp(kind(f"{URL} (/T0P/s3cr3t, key=k3y, t0ken) did not answer"))
    hook = PLUGIN.build(settings(headers={"Authorization": Secret("t0ken")}), tools(http))
    with pytest.raises(kind) as caught:
        hook.send(message(CHANGED), SOON)
    for secret in ("s3cr3t", "k3y", "t0ken"):
        assert secret not in str(caught.value)
    assert caught.value.__suppress_context__
    assert "s3cr3t" not in repr(settings())


@pytest.mark.parametrize("url", ["", "hooks.example.net", "ftp://x.example/", "https://", "https://x.example:99999/",
                                 "https://me:s3cr3t@x.example/", "http://x.example/s3cr3t", "https://x.example/a b",
                                 "https://x.example/\r\nX: y", "https://[::1/"])  # fmt: skip
def test_an_address_that_can_not_be_used_is_refused_without_showing_it(url: str) -> None:
    """Not http or https, a password in it, plain http without leave: a clause that does not repeat the address."""
    assert "s3cr3t" not in refused(lambda: settings(url=Secret(url)))


def test_plain_http_needs_leave() -> None:
    """allow_insecure = true is passed on to the port."""
    http = KeptHttp()
    PLUGIN.build(settings(url=Secret("http://nas.example/x"), allow_insecure=True), tools(http)).send(message(), SOON)
    assert http.requests[0].insecure


def test_headers_and_templates_that_can_not_work_are_refused() -> None:
    """A header no server takes, and a template that is not the JSON its type promises."""
    assert "name" in refused(lambda: settings(headers={"a b": Secret("x")}))
    assert "s3cr3t" not in refused(lambda: settings(headers={"X": Secret("s3cr3t\r\nY: z")}))
    json_type = {"Content-Type": Secret("application/json; charset=utf-8")}
    assert "not JSON" in refused(lambda: settings(headers=json_type, template='{"a": {subject}}'))
