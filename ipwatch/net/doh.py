"""DNS over HTTPS (RFC 8484): for networks that block port 53 or answer it themselves.

The messages are made and read by net.dns_wire, the port ports.Http carries them.
"""

from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address
from urllib.parse import urlsplit

from ipwatch.net.dns_wire import Misfit, fitting, read_answer, recursive_query, translated
from ipwatch.ports import DnsAnswer, Garbled, Http, HttpRequest, HttpResponse

_TYPE = "application/dns-message"  # RFC 8484 6


class Doh:
    """Asks resolvers that speak DNS over HTTPS. May be used from several threads."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def ask(self, name: str, rdtype: str, url: str, within: timedelta) -> DnsAnswer:
        """Ask the resolver behind the URL; raises Unreachable, Refused (TLS not verifiable, plain http to another
        machine) or Garbled. The TTL is what is left of it after HTTP's caches (RFC 8484 5.1)."""
        where = operator(url)
        with translated(where, sent=False):
            query = recursive_query(name, rdtype)
            wire = query.to_wire()
        headers = {"Content-Type": _TYPE, "Accept": _TYPE}
        request = HttpRequest(url, "POST", headers, body=wire, insecure=_here(url), repeatable=True)
        response = self._http.send(request, within)
        content = _content(response, where)
        with translated(where, sent=False):
            try:
                answer = read_answer(fitting(query, content))
            except Misfit as why:
                raise Garbled(f"{where} gave no answer that fits the question ({why})") from None
        return _aged(answer, response)


def operator(url: str) -> str:
    """Who is asked, for the user: the URL's host."""
    return urlsplit(url).hostname or url


def _content(response: HttpResponse, where: str) -> bytes:
    if response.status != 200:
        raise Garbled(f"{where} answers HTTP {response.status}")
    if response.headers.get("content-type", "").partition(";")[0].strip().lower() != _TYPE:
        raise Garbled(f"{where} answers with something else than a DNS message", excerpt=response.text())
    return response.body


def _aged(answer: DnsAnswer, response: HttpResponse) -> DnsAnswer:
    age = response.headers.get("age", "").strip()
    if answer.ttl is None or not (age.isascii() and age.isdigit()):
        return answer
    return replace(answer, ttl=max(timedelta(0), answer.ttl - timedelta(seconds=int(age[:9]))))


def _here(url: str) -> bool:
    """Whether it is this very machine, to which plain http is as good as any."""
    try:
        return ip_address(urlsplit(url).hostname or "").is_loopback
    except ValueError:
        return False
