"""The known dyndns2 services: where they are and what each wants of a client. Data; all of it as of 2026-11.

Addresses come from the manuals named; habits and limits from there and from the field notes of other clients. A service
whose manual does not say what happens to a family left out of the request is sent one address exactly as documented.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from ipwatch.protocols.dyndns2 import MOST_NAMES, Dialect, Habit

_NONE = timedelta(0)
_MINUTE = timedelta(minutes=1)
_PLAIN = Dialect()


@dataclass(frozen=True, slots=True)
class Service:
    """One service. server: https origin. batch: names in one request. pause, refresh: see ports.Provider.

    user_is_name: the login is the host name (a key per record). note: for `ipwatch kinds` and the reference.
    closed: why it can not be used any more, and what to do instead.
    """

    server: str
    manual: str
    path: str = "/nic/update"
    dialect: Dialect = _PLAIN
    batch: int = 1
    pause: timedelta = _NONE
    refresh: timedelta | None = None
    user_is_name: bool = False
    note: str = ""
    closed: str = ""


_SEPARATE = Dialect(Habit.SEPARATE)
_NO_HOSTNAME = Dialect(Habit.PARAMS, v6="myipv6", hostname=None, repeat=True)
_EASYDNS = {"NOERROR": "good", "OK": "good", "NOACCESS": "badauth", "NO_AUTH": "badauth", "NOSERVICE": "!active",
            "ILLEGAL": "badparam"}  # fmt: skip

SERVICES: Mapping[str, Service] = {
    "noip": Service(
        "https://dynupdate.no-ip.com", "https://www.noip.com/integrate/request", batch=MOST_NAMES,
        note="a DDNS key or the account's login; free hosts are confirmed by hand every 30 days"),
    "dyn": Service(
        "https://members.dyndns.org", "https://help.dyn.com/perform-update.html", "/v3/update", batch=MOST_NAMES,
        # free hosts expire after 30 days without an update: https://help.dyn.com/remote-access-api/policies.html
        refresh=timedelta(days=25), note="the updater client key is the password"),
    "desec": Service(
        "https://update.dedyn.io", "https://desec.readthedocs.io/en/latest/dyndns/update-api.html", "/",
        # several hosts are updated atomically, so the one word `good` is about all of them
        Dialect(Habit.PARAMS, v4="myipv4", v6="myipv6", keep="preserve", one_line_for_all=True), MOST_NAMES,
        _MINUTE, note="user name: the domain; password: a token; the other family is kept"),
    "desec6": Service(
        "https://update6.dedyn.io", "https://desec.readthedocs.io/en/latest/dyndns/update-api.html", "/",
        Dialect(Habit.PARAMS, v4="myipv4", v6="myipv6", keep="preserve", one_line_for_all=True), MOST_NAMES,
        _MINUTE, note="as desec, reached over IPv6 only"),
    "dynu": Service(
        "https://api.dynu.com", "https://www.dynu.com/DynamicDNS/IP-Update-Protocol",
        # "no" leaves a family as it is; without it a missing one is erased
        dialect=Dialect(Habit.PARAMS, v6="myipv6", keep="no"), batch=MOST_NAMES),
    "ovh": Service(
        "https://dns.eu.ovhapis.com", "https://help.ovhcloud.com/csm/en-dns-dynhost?id=kb_article_view",
        dialect=Dialect(Habit.SEPARATE, extra={"system": "dyndns"}), note="a DynHost user, such as example.org-me"),
    "strato": Service(
        "https://dyndns.strato.com", "https://www.strato.de/faq/hosting/so-einfach-richten-sie-dyndns-ein/",
        # alternating updates of the families end in `abuse`, so both go along whenever both are known
        dialect=Dialect(Habit.COMMA, repeat=True), pause=_MINUTE, note="user name: the domain"),
    "he": Service(
        "https://dyn.dns.he.net", "https://dns.he.net/docs.html", dialect=_SEPARATE, user_is_name=True,
        note="a key per record: one account here for each name; the record has to exist"),
    "tunnelbroker": Service(
        "https://ipv4.tunnelbroker.net", "https://forums.he.net/index.php?topic=3153.0", dialect=_SEPARATE,
        note="the record's name is the tunnel's number; IPv4 only"),
    "selfhost": Service(
        "https://carol.selfhost.de", "https://selfhost.de/cgi-bin/selfhost", "/nic/update",
        # both families at once are answered `abuse`
        Dialect(Habit.SEPARATE, codes={"200": "good", "204": "nochg"})),
    "variomedia": Service(
        "https://dyndns.variomedia.de", "https://dyndns.variomedia.de", dialect=Dialect(Habit.COMMA, repeat=True)),
    "inwx": Service(
        "https://dyndns.inwx.com", "https://kb.inwx.com/en-us/3-nameserver/37", dialect=_NO_HOSTNAME,
        note="the login alone tells the host: one account here for each name"),
    "infomaniak": Service(
        "https://infomaniak.com", "https://faq.infomaniak.com/2376", dialect=_SEPARATE),
    "loopia": Service(
        "https://dyndns.loopia.se", "https://support.loopia.com/wiki/about-the-dyndns-support/", "/",
        Dialect(Habit.SEPARATE, extra={"system": "custom"})),
    "nsupdate": Service(
        "https://www.nsupdate.info", "https://nsupdateinfo.readthedocs.io/en/latest/user.html", user_is_name=True,
        note="the host's secret is the password; one account here for each name"),
    "easydns": Service(
        "https://api.cp.easydns.com", "https://kb.easydns.com/knowledge/dynamic-dns/", "/dyn/generic.php",
        Dialect(Habit.SEPARATE, codes=_EASYDNS), pause=timedelta(minutes=10)),
    "spdyn": Service(
        "https://update.spdyn.de", "https://wiki.securepoint.de/SPDyn/Parameter", batch=MOST_NAMES,
        note="with an update token: user name is the host, one account here for each name"),
    "domeneshop": Service(
        "https://api.domeneshop.no", "https://api.domeneshop.no/docs/#tag/ddns", "/v0/dyndns/update",
        Dialect(Habit.COMMA, statuses={204: "good"}), note="user name: the API token; password: its secret"),
    "ipv64": Service(
        "https://ipv64.net", "https://ipv64.net/dyndns_updater_api",
        # at most 3 requests in 10 s and 48 in 24 h
        dialect=Dialect(Habit.PARAMS, v6="myipv6"), pause=timedelta(seconds=10),
        note="user name: anything; password: the domain's update token"),
    "all-inkl": Service(
        "https://dyndns.kasserver.com", "https://all-inkl.com/wichtig/anleitungen/kas/tools/ddns-einstellungen", "/",
        Dialect(Habit.SEPARATE, hostname=None), note="the login alone tells the host: one account for each name"),
    "simply": Service(
        "https://api.simply.com", "https://www.simply.com/en/docs/api/", "/2/ddns/", _SEPARATE,
        note="user name: the account; password: the API key"),
    "dnsomatic": Service(
        "https://updates.dnsomatic.com", "https://www.dnsomatic.com/docs/api", dialect=_SEPARATE, batch=MOST_NAMES,
        note="IPv4 only"),
    "dynv6": Service(
        "https://dynv6.com", "https://dynv6.com/docs/apis", dialect=_SEPARATE, note="IPv4 only by this protocol"),
    "joker": Service(
        "https://svc.joker.com", "https://joker.com/faq/content/11/427/en/what-is-dynamic-dns-dyndns.html",
        dialect=_SEPARATE, note="the domain's own dynamic DNS login, as Joker shows it"),
    "hosting.de": Service(
        "https://ddns.hosting.de", "https://www.hosting.de/helpdesk/produkte/dns/", dialect=_SEPARATE),
    "google": Service(
        "https://domains.google.com", "https://support.squarespace.com/hc/en-us/articles/17131164996365",
        closed="Google Domains went to Squarespace, which has no dynamic DNS: move the zone's name servers to another "
               "provider (for example deSEC or Cloudflare, both free) and name that here"),
    "namecheap": Service(
        "https://dynamicdns.park-your-domain.com", "https://www.namecheap.com/support/knowledgebase/article.aspx/29",
        closed="Namecheap does not speak dyndns2 and takes IPv4 only: move the zone's name servers to another provider "
               "(for example deSEC or Cloudflare, both free) and name that here"),
}  # fmt: skip
