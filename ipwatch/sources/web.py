"""Echo pages on the web: one of the user's, or the built-in table."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from ipwatch.core.address import Address, Family
from ipwatch.ports import Garbled, Http, HttpRequest, Plugin, SourceOptions, Tools
from ipwatch.protocols import echo
from ipwatch.protocols.echo import Form
from ipwatch.protocols.operators import operator_of


class WebOptions(SourceOptions, frozen=True, kw_only=True):
    """`[[source]]` of kind "web". Without `url` it stands for the whole built-in table."""

    url: str | None = None
    form: Form = Form.PLAIN
    key: str = "ip"
    allow_insecure: bool = False
    min_interval: timedelta = timedelta(0)

    def __post_init__(self) -> None:
        if self.url is None:
            if self.operator is not None:
                raise ValueError("operator needs a url: the built-in pages have operators of their own")
            return
        url = _split(self.url)
        if url.scheme == "http" and not self.allow_insecure:
            raise ValueError("url is plain http, which anyone on the way can change: allow_insecure = true permits it")
        if self.families is not None and not set(self.families) <= _able(url):
            raise ValueError("url names an address of the other family than families asks for")


DOC = {
    "url": "the page to ask; none: the built-in table",
    "form": 'how the page writes the address: "plain", "json" or "trace" (Cloudflare\'s /cdn-cgi/trace)',
    "key": 'with form = "json": the name the address stands under',
    "allow_insecure": "permit plain http for this page",
    "min_interval": "least time between two questions to this page",
}


class Page(NamedTuple):
    """One row of the built-in table. urls: what to ask per family, always over that family."""

    manual: str
    urls: Mapping[Family, str]
    form: Form = Form.PLAIN
    pause: timedelta = timedelta(minutes=5)


def _both(host4: str, host6: str, path: str = "") -> dict[Family, str]:
    return {Family.IPV4: f"https://{host4}{path}", Family.IPV6: f"https://{host6}{path}"}


_DYN = timedelta(minutes=10)  # pages of dynamic DNS services: the pause Dyn's guidelines ask for

# Addresses and manuals as of 2026-11. A page's operator is that of its IPv4 host, see protocols.operators.
PAGES: tuple[Page, ...] = (
    Page("https://www.ipify.org", _both("api.ipify.org", "api6.ipify.org")),
    Page("https://major.io/p/icanhazip-com-faq/", _both("ipv4.icanhazip.com", "ipv6.icanhazip.com")),
    Page(
        "https://developers.cloudflare.com/fundamentals/reference/cdn-cgi-endpoint/",
        _both("one.one.one.one", "one.one.one.one", "/cdn-cgi/trace"),
        Form.TRACE,
    ),
    Page("https://api.ident.me", _both("v4.ident.me", "v6.ident.me")),
    Page("https://api.ident.me", _both("v4.tnedi.me", "v6.tnedi.me")),
    Page("https://ifconfig.me", _both("ifconfig.me", "ifconfig.me", "/ip")),
    Page("https://ifconfig.co", _both("ifconfig.co", "ifconfig.co", "/ip")),
    Page("https://checkip.amazonaws.com", {Family.IPV4: "https://checkip.amazonaws.com"}),
    Page("https://www.my-ip.io/api-usage", _both("api4.my-ip.io", "api6.my-ip.io", "/v2/ip.json"), Form.JSON),
    Page("https://wtfismyip.com/automation", _both("ipv4.wtfismyip.com", "ipv6.wtfismyip.com", "/text")),
    Page("https://ipinfo.io/developers", _both("ipinfo.io", "v6.ipinfo.io", "/ip")),
    Page("https://ip.sb/api/", _both("api-ipv4.ip.sb", "api-ipv6.ip.sb", "/ip")),
    Page("https://myexternalip.com", {Family.IPV4: "https://myexternalip.com/raw"}),
    Page("https://ipecho.net/developers.html", {Family.IPV4: "https://ipecho.net/plain"}),
    Page("https://desec.readthedocs.io", _both("checkipv4.dedyn.io", "checkipv6.dedyn.io"), pause=_DYN),
    Page("https://www.nsupdate.info", _both("ipv4.nsupdate.info", "ipv6.nsupdate.info", "/myip"), pause=_DYN),
)


@dataclass(frozen=True, slots=True)
class WebSource:
    """One page. urls: what to ask per family."""

    id: str
    operator: str
    families: frozenset[Family]
    min_interval: timedelta
    urls: Mapping[Family, str]
    form: Form
    key: str
    insecure: bool
    timeout: timedelta
    http: Http

    def observe(self, family: Family, within: timedelta) -> Address:
        """Ask the page once; raises PortError."""
        # A cache on the way would tell yesterday's address (RFC 9111 5.2.1.4).
        request = HttpRequest(
            self.urls[family], headers={"Cache-Control": "no-cache"}, family=family, insecure=self.insecure,
            repeatable=True,
        )  # fmt: skip
        response = self.http.send(request, min(within, self.timeout))
        try:
            return echo.read(response.body, response.status, family, self.form, self.key)
        except echo.BadAnswer as error:
            raise Garbled(str(error), excerpt=response.text()) from None


def _build(options: WebOptions, tools: Tools) -> list[WebSource]:
    if options.url is None:
        sources = [_built_in(page, options, tools) for page in PAGES]
        return [source for source in sources if source.families]
    url = _split(options.url)
    families = _able(url) if options.families is None else frozenset(options.families)
    return [
        WebSource(
            id=f"web:{_shown(url)}",
            operator=options.operator or operator_of(url.hostname or ""),
            families=families,
            min_interval=options.min_interval,
            urls=dict.fromkeys(families, options.url),
            form=options.form,
            key=options.key,
            insecure=options.allow_insecure,
            timeout=options.timeout,
            http=tools.http,
        )
    ]


def _built_in(page: Page, options: WebOptions, tools: Tools) -> WebSource:
    url = _split(page.urls[Family.IPV4])
    wanted = frozenset(Family if options.families is None else options.families)
    return WebSource(
        id=f"web:{url.hostname}",
        operator=operator_of(url.hostname or ""),
        families=frozenset(page.urls) & wanted,
        min_interval=max(page.pause, options.min_interval),
        urls=page.urls,
        form=page.form,
        key="ip",
        insecure=False,
        timeout=options.timeout,
        http=tools.http,
    )


def _split(text: str) -> SplitResult:
    try:
        url = urlsplit(text)
        _ = url.port
    except ValueError:
        raise ValueError("url can not be read as a URL") from None
    if url.scheme not in {"http", "https"} or not url.hostname:
        raise ValueError('url must be like "https://host/path"')
    if url.username is not None:
        raise ValueError("url must not hold a user name")
    return url


def _able(url: SplitResult) -> frozenset[Family]:
    """The families that can reach the host: one where it is an address."""
    try:
        version = ip_address(url.hostname or "").version
    except ValueError:
        return frozenset(Family)
    return frozenset({Family.IPV4 if version == 4 else Family.IPV6})


def _shown(url: SplitResult) -> str:
    """Host, port and path: unique enough, and without the query, which may hold a key."""
    host = f"[{url.hostname}]" if ":" in (url.hostname or "") else url.hostname
    port = f":{url.port}" if url.port else ""
    return f"{host}{port}{url.path.rstrip('/')}"


PLUGIN = Plugin(
    title="a page on the web that shows the address (or the built-in table of them)",
    manual="https://www.ipify.org",
    settings=WebOptions,
    build=_build,
)
