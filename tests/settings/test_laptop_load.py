"""laptop.toml: what comes out, and that every fault is told at once with its place and a suggestion."""

import subprocess
import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ipwatch.core.candidate import Spot
from ipwatch.core.forward import HOW
from ipwatch.core.host import HostKey
from ipwatch.settings.faults import Fault, SettingsFault
from ipwatch.settings.laptop_load import load
from ipwatch.settings.laptop_model import DOH, PROBE, WAKE_COMMAND, App, Host, Laptop, Wake

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICEwzIEi07GVXA+EYBYOyAEHo5X+QF7mnOevPpO7C5mA"
HOME = '[home]\nnames = ["home.example.org"]\n'
NAS = '[[host]]\nname = "nas"\nlan = "10.0.0.2"\n'


def read(folder: Path, text: str, environ: Mapping[str, str] | None = None, mode: int = 0o600) -> Laptop:
    """What a laptop.toml with that text says."""
    file = folder / "laptop.toml"
    file.write_text(text, encoding="utf-8")
    file.chmod(mode)
    return load(None, environ or {}, folder)


def told(folder: Path, text: str) -> list[str]:
    """The faults as "line: message"."""
    with pytest.raises(SettingsFault) as caught:
        read(folder, text)
    return [str(fault).removeprefix(f"{folder / 'laptop.toml'}:") for fault in caught.value.faults]


def warned(folder: Path, text: str) -> list[str]:
    return [one.removeprefix(f"{folder / 'laptop.toml'}:") for one in read(folder, text).warnings]


def host(folder: Path, lines: str) -> Host:
    """The only host of a configuration with these lines in it."""
    return read(folder, HOME + '[[host]]\nname = "pc"\n' + lines).hosts["pc"]


def test_without_a_file_there_is_nothing(tmp_path: Path) -> None:
    """No host, no path: commands can say that there is no laptop.toml. The defaults are there."""
    made = load(None, {"HOME": "/home/anna"}, tmp_path)
    assert made == Laptop(None, Path("/home/anna/.local/state/ipwatch"), {}, (), DOH, PROBE, ())


def test_a_host_has_defaults(tmp_path: Path) -> None:
    """A name is enough: it is found by the names of [home]."""
    assert host(tmp_path, "") == Host("pc", names=("home.example.org",))


def test_a_whole_host_is_read(tmp_path: Path) -> None:
    """Each key becomes its value: units, names, addresses, paths and keys are what they stand for."""
    (tmp_path / "id").touch()
    lines = f"""\
user = "anna"
port = 2223
names = ["Büro.Example.ORG.", "203.0.113.7", "[2001:DB8::1]"]
identity = ["id", "{tmp_path}/id"]
keys = ["{KEY} anna@pc", "{KEY}"]
engine = "openssh"
lan = "[fd00::2]:2222"
mac = "AABB.CCDD.EEFF"
secureon = "01-23-45-67"
wake = {{ via = "direct", broadcast = ["192.168.1.255"], takes = "90s" }}
sleep = "sudo systemctl suspend"
keep_awake = " keep-awake 600 "
[host.app.notes]
command = "serve {{port}}"
path = "/lab"
folder = "work"
"""
    assert host(tmp_path, lines) == Host(
        name="pc", user="anna", port=2223, names=("xn--bro-hoa.example.org", "203.0.113.7", "2001:db8::1"),
        identity=(tmp_path / "id",), keys=(HostKey.parse(KEY),), engine="openssh", lan=Spot("fd00::2", 2222),
        mac="aa:bb:cc:dd:ee:ff", secureon=b"\x01\x23\x45\x67",
        wake=Wake("direct", broadcast=("192.168.1.255",), takes=timedelta(seconds=90)), sleep="sudo systemctl suspend",
        keep_awake="keep-awake 600",
        apps={"notes": App("serve {port}", 0, "/lab", "work")},
    )  # fmt: skip


@pytest.mark.parametrize("mac", ["aa:bb:cc:dd:ee:ff", "AA-BB-CC-DD-EE-FF", "aabb.ccdd.eeff", "aabbccddeeff",
                                 " aa bb cc dd ee ff"])  # fmt: skip
def test_a_mac_address_has_many_spellings(tmp_path: Path, mac: str) -> None:
    """All that people copy from somewhere."""
    assert host(tmp_path, f'mac = "{mac}"').mac == "aa:bb:cc:dd:ee:ff"


def test_home_and_state_are_read(tmp_path: Path) -> None:
    """Own servers, own DNS over HTTPS, no probe, a folder beside the file; one text may stand for a list."""
    text = """\
[home]
names = "home.example.org"
nameservers = ["127.0.0.1:5353", "::1"]
doh = ["http://127.0.0.1:8053/dns-query"]
allow_insecure = true
probe = ""
[state]
path = "pins"
"""
    made = read(tmp_path, text)
    assert made.nameservers == (Spot("127.0.0.1", 5353), Spot("::1", 53))
    assert (made.doh, made.probe) == (("http://127.0.0.1:8053/dns-query",), "")
    assert made.state == tmp_path / "pins"
    assert made.path == tmp_path / "laptop.toml"


def test_the_default_command_of_a_waker_is_synologys(tmp_path: Path) -> None:
    """`via` a host is enough."""
    text = HOME + NAS + '[[host]]\nname = "pc"\nmac = "aa:bb:cc:dd:ee:ff"\nwake = { via = "nas" }\n'
    assert read(tmp_path, text).hosts["pc"].wake == Wake("nas", WAKE_COMMAND)


def test_a_url_needs_no_mac(tmp_path: Path) -> None:
    """Whoever answers there knows it; nor does a command of the user's own that does not name it."""
    made = host(tmp_path, 'wake = { url = "http://192.168.1.10:8245/wake" }')
    assert made.wake == Wake(url="http://192.168.1.10:8245/wake")
    text = HOME + NAS + '[[host]]\nname = "pc"\nwake = { via = "nas", command = "wakeup pc" }\n'
    assert read(tmp_path, text).hosts["pc"].wake == Wake("nas", "wakeup pc")


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ('names = ["a..b"]', ("4: host[1].names[1]: '' in 'a..b' is not a DNS label: letters, digits and inner hyphens,"
                             " at most 63")),
        ('names = ["192.0.2.300"]',
         ('4: host[1].names[1]: this is neither a name like "home.example.org" nor an address'
                                    ' like "192.0.2.1"')),
        ('names = ["*.example.org"]', "4: host[1].names[1]: a name with * is not one that can be asked for"),
        ("names = 7", '4: host[1].names: this is a list of texts: names = ["..."]'),
        ("names = [7]", '4: host[1].names[1]: this is text in "quotes", not a number'),
        ('user = "-oProxyCommand=x"', ('4: host[1].user: a user name does not begin with "-" and holds neither spaces'
                                      " nor quotes nor signs of a shell")),
        ('user = "an na"', ('4: host[1].user: a user name does not begin with "-" and holds neither spaces nor quotes'
                           " nor signs of a shell")),
        ('user = ""', "4: host[1].user: it is empty: leave the key out"),
        ("port = 0", "4: host[1].port: a port is a number from 1 to 65535"),
        ("port = 65536", "4: host[1].port: a port is a number from 1 to 65535"),
        ('port = "22"', "4: host[1].port: this is a whole number, not text"),
        ('identity = ""', "4: host[1].identity[1]: this is the path of a file"),
        ('keys = ["ssh-ed25519"]', '4: host[1].keys[1]: a key is written "ssh-ed25519 AAAA..."'),
        (f'keys = ["nas {KEY}"]', "4: host[1].keys[1]: leave out the first word, the host's name of known_hosts"),
        ('keys = ["SHA256:abc"]', ("4: host[1].keys[1]: a fingerprint can not be pinned; write the key:"
                                  ' "ssh-ed25519 AAAA..."')),
        ('engine = "paramico"', ("4: host[1].engine: this is not one of the permitted words: 'paramico' is not; did you"
                                " mean 'paramiko'?")),
        ('lan = "nas.local:22"', ("4: host[1].lan: 'nas.local:22' is not an address such as"
                                  ' "192.0.2.1:22" or "[2001:db8::1]:22"')),
        ('lan = "192.168.1.20:x"', "4: host[1].lan: '192.168.1.20:x' names no port from 1 to 65535"),
        ('mac = "aa:bb:cc:dd:ee"', ("4: host[1].mac: a MAC address is twelve hexadecimal digits, as in"
                                   ' "aa:bb:cc:dd:ee:ff"')),
        ('mac = "01:00:5e:00:00:01"', ("4: host[1].mac: this is the MAC address of a group of machines, not of one"
                                      " (its first byte is odd)")),
        ('mac = "00:00:00:00:00:00"', "4: host[1].mac: no machine has a MAC address of zeros alone"),
        ('secureon = "secret"', ("4: host[1].secureon: a SecureOn password is 4 or 6 bytes in hexadecimal, as in"
                                 ' "0a:1b:2c:3d:4e:5f"')),
        ("keep_awake = 10", ("4: host[1].keep_awake: this is true or false, or a command that keeps it awake for"
                                " ten minutes")),
        ('keep_awake = " "', ("4: host[1].keep_awake: this is true or false, or a command that keeps it awake for"
                                " ten minutes")),
        ("sleep = 1", '4: host[1].sleep: this is text in "quotes", not a number'),
        ('usr = "anna"', "4: host[1].usr: unknown key; did you mean 'user'?"),
        ("wake = []", ('4: host[1].wake: this is a table: wake = { via = "direct" }, { via = "nas" } or'
                      ' { url = "https://..." }')),
        ('wake = "nas"', ('4: host[1].wake: this is a table: wake = { via = "direct" }, { via = "nas" } or'
                         ' { url = "https://..." }')),
        ("wake = {}", '4: host[1].wake: give either via ("direct", or the host that wakes it) or url'),
        ('wake = { via = "direct", url = "https://x.example" }',
         '4: host[1].wake: give either via ("direct", or the host that wakes it) or url'),
        ('wake = { via = "direct" }',
         "4: host[1].wake: it needs the machine's MAC address: mac = \"aa:bb:cc:dd:ee:ff\""),
        ('wake = { via = "direct", comand = "x" }\nmac = "aabbccddeeff"',
         "4: host[1].wake.comand: unknown key; did you mean 'command'?"),
        ('wake = { via = "direct", command = "x" }\nmac = "aabbccddeeff"',
         "4: host[1].wake.command: only a host that wakes another runs a command: via is its name"),
        ('wake = { url = "https://x.example", broadcast = ["10.0.0.255"] }',
         '4: host[1].wake.broadcast: only via = "direct" sends packets'),
        ('wake = { via = "direct", broadcast = ["lan"] }\nmac = "aabbccddeeff"',
         '4: host[1].wake.broadcast[1]: this is an address, as in "192.168.1.255"'),
        ('wake = { via = "direct", takes = 240 }\nmac = "aabbccddeeff"',
         '4: host[1].wake.takes: a duration needs its unit: takes = "4m" if seconds are meant'),
        ('wake = { via = "direct", takes = "0s" }\nmac = "aabbccddeeff"',
         '4: host[1].wake.takes: a boot takes more than nothing and at most "1h"'),
        ('wake = { url = "ftp://x.example/t0ken" }',
         '4: host[1].wake.url: this is a URL, as in "https://example.org/path"'),
        ('wake = { via = "pc" }\nmac = "aabbccddeeff"', "4: host[1].wake.via: no host wakes itself"),
        ("forward = 7", "4: host[1].forward: this is a table, with keys of its own"),
        ("forward = { lab = true }", f"4: host[1].forward.lab: {HOW}"),
        ('forward = { lab = "8890:x" }', f"4: host[1].forward.lab: 'x' is not a port (1 to 65535); {HOW}"),
        ("forward = { 8890 = 8890 }", ("4: host[1].forward.8890: a forward's name is not a number alone: `ipwatch up`"
                                      " takes numbers for ports")),
        ('forward = { "a b" = 8890 }', ('4: host[1].forward."a b": it has 1 to 64 of the letters A-Z a-z 0-9 . _ - and'
                                       ' does not begin with "-"')),
        ('forward = { a = 1080, b = "socks:1080" }', "4: host[1].forward.b: it listens where 'a' does"),
        ("app = 7", "4: host[1].app: this is a table, with keys of its own"),
        ("app = { x = {} }", "4: host[1].app.x: the key 'command' is missing"),
        ('app = { x = { command = "" } }', "4: host[1].app.x: its command is empty"),
        ('app = { x = { command = "serve" } }', ("4: host[1].app.x: write {port} into the command, or its fixed port"
                                                " beside it: port = 8888")),
        ('app = { x = { command = "serve", port = 8080, path = "lab" } }',
         ('4: host[1].app.x.path: the path of a page begins with "/" and holds no space (%20); '
          'path = "" for what is no page')),
        ('app = { x = { command = "serve", prt = 8080, port = 8080 } }',
         "4: host[1].app.x.prt: unknown key; did you mean 'port'?"),
    ],
)  # fmt: skip
def test_each_fault_of_a_host_is_told(tmp_path: Path, line: str, fault: str) -> None:
    """With the line, the key, and how it is written."""
    assert told(tmp_path, f'home.names = "h.example"\n[[host]]\nname = "pc"\n{line}\n') == [fault]


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ('[[host]]\nuser = "anna"', ["1: host[1]: the key 'name' is missing"]),
        ('[[host]]\nname = ""', ["2: host[1].name: it is empty: leave the key out"]),
        ('[[host]]\nname = "-nas"', [('2: host[1].name: it has 1 to 64 of the letters A-Z a-z 0-9 . _ - and does not'
                                     ' begin with "-"')]),
        (NAS + NAS.replace("nas", "NAS"),
         [("5: host[2].name: two hosts are called 'nas' (capitals make no difference to"
                                           " ssh)")]),
        ('[host]\nname = "nas"', ["1: host: write [[host]] with two brackets: there may be several"]),
        ('[hosts]\nname = "nas"', ["1: hosts: unknown table; did you mean 'host'?"]),
        ("[qqqq]", ["1: qqqq: unknown table; there are 'home', 'state' and 'host'"]),
        ('names = ["home.example.org"]', ["1: names: this key belongs under [home]"]),
        ('nmaes = ["home.example.org"]', ["1: nmaes: unknown table; did you mean 'names' under [home]?"]),
        ("[forward]\nlab = 8890", ["1: forward: write [host.forward] below the [[host]] it belongs to"]),
        ("[[record]]", ["1: record: this table belongs to the service: write it into ipwatch.toml"]),
        ("home = 7", ["1: home: this is a table, with keys of its own"]),
        ('[home]\ndoh = ["http://1.1.1.1/dns-query"]', [("2: home.doh[1]: plain http shows the question to everybody on"
                                                        " the way: write https")]),
        ('[home]\nprobe = "example.org"', ['2: home.probe: this is a URL, as in "https://example.org/path"']),
        ('[home]\nnameserver = []', ["2: home.nameserver: unknown key; did you mean 'nameservers'?"]),
        ('[home]\nnameservers = ["ns1"]',
         ["2: home.nameservers[1]: 'ns1' is not an address such as \"192.0.2.1:53\" or \"[2001:db8::1]:53\""]),
        ('[home]\nallow_insecure = "yes"', ["2: home.allow_insecure: this is true or false, not text"]),
        ("[state]\npath = 7", ['2: state.path: this is the path of a file, text in "quotes"']),
        ("[[host]", ["1: column 7: expected ']]' at the end of an array declaration"]),
    ],
)  # fmt: skip
def test_each_fault_of_the_file_is_told(tmp_path: Path, text: str, faults: list[str]) -> None:
    """Tables that are unknown, at the wrong place or of the other configuration are told with the right one."""
    assert told(tmp_path, text + "\n") == faults


WAKE = '[[host]]\nname = "{name}"\nlan = "10.0.0.2"\nmac = "aabbccddeeff"\nwake = {{ via = "{via}" }}\n'


def test_who_wakes_must_be_a_host(tmp_path: Path) -> None:
    """A name that is nearly one is suggested; else all there are."""
    assert told(tmp_path, NAS + WAKE.format(name="pc", via="nsa")) == [
        "8: host[2].wake.via: no host is called so; did you mean 'nas'?"
    ]
    assert told(tmp_path, NAS + WAKE.format(name="pc", via="router")) == [
        "8: host[2].wake.via: no host is called so; there are 'direct' and 'nas'"
    ]


def test_hosts_that_wait_for_one_another_are_told_once(tmp_path: Path) -> None:
    """The circle is shown; a host outside of it that leads into it is not at fault."""
    text = "".join(WAKE.format(name=n, via=v) for n, v in (("d", "a"), ("a", "b"), ("b", "c"), ("c", "a")))
    assert told(tmp_path, text) == ["10: host[2].wake.via: these wait for one another: c wakes b wakes a wakes c"]


def test_all_faults_are_told_at_once_in_the_files_order(tmp_path: Path) -> None:
    """Whatever is wrong in one table does not hide what is wrong in another."""
    text = """\
[home]
names = ["bad name"]
[[host]]
name = "nas"
port = 0
wake = { via = "pc", taks = "1m" }
[[host]]
name = "pc"
mac = "x"
[host.forward]
lab = "?"
"""
    assert [line.split(":")[0] for line in told(tmp_path, text)] == ["2", "5", "6", "6", "9", "11"]


@pytest.mark.parametrize("part", ["", "?x y", " "])
def test_a_wake_url_never_appears_in_a_message(tmp_path: Path, part: str) -> None:
    """It may hold a token, which may stand at a wrong place too; nor does the program's own view show it."""
    url = f"https://hook.example.net/t0ken-of-the-house{part}"
    text = f'[[host]]\nname = "pc"\nlan = "10.0.0.2"\nwake = {{ url = "{url}", "t0ken-of-the-house{part}" = 1 }}\n'
    (fault,) = {one for one in told(tmp_path, text) if "unknown" in one}
    assert "t0ken" not in fault
    assert "t0ken" not in repr(host(tmp_path, 'wake = { url = "https://hook.example.net/t0ken" }'))


def test_common_words_of_a_wake_url_do_not_garble_other_messages(tmp_path: Path) -> None:
    """Only pieces that may be a token are taken for one."""
    line = 'wake = { url = "https://nas.example.org/wake/host", waek = 1, takes = "0s" }'
    assert told(tmp_path, f"{NAS}{line}\n") == [
        "4: host[1].wake.waek: unknown key; there are 'broadcast', 'command', 'takes', 'url' and 'via'",
        '4: host[1].wake.takes: a boot takes more than nothing and at most "1h"',
    ]


_WORDS = st.sampled_from(
    [
        "name",
        "user",
        "port",
        "names",
        "identity",
        "keys",
        "engine",
        "lan",
        "mac",
        "secureon",
        "wake",
        "sleep",
        "forward",
        "app",
        "via",
        "url",
        "command",
        "broadcast",
        "takes",
        "path",
        "folder",
        "nameservers",
        "doh",
        "probe",
        "allow_insecure",
        "other",
        "8890",
    ]
)
_VALUES = st.recursive(
    st.one_of(
        st.booleans(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=12),
        st.sampled_from(["nas", "pc", "direct", "socks:1080", "8000:8501", "[::1", "10.0.0.1:99999", "fe80::1%eth0",
                         KEY, "ssh-ed25519 AAAA", "https://x.example/t", "*.x", "4m", "~/x", "00:00:00:00:00:00"]),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_WORDS, inner, max_size=4)),
    max_leaves=6,
)  # fmt: skip
_HOSTS = st.lists(st.dictionaries(_WORDS, _VALUES, max_size=6), max_size=3)


def toml_of(value: object) -> str:
    """A value as an inline value of TOML."""
    match value:
        case bool():
            return str(value).lower()
        case int() | float():
            return repr(value)
        case str():
            return '"' + "".join(f"\\U{ord(c):08X}" if c in '"\\\x7f' or ord(c) < 32 else c for c in value) + '"'
        case list():
            return "[" + ", ".join(toml_of(item) for item in value) + "]"
        case dict():
            return "{" + ", ".join(f"{toml_of(key)} = {toml_of(item)}" for key, item in value.items()) + "}"
    raise TypeError(value)


@given(st.dictionaries(_WORDS, _VALUES, max_size=4), st.one_of(_HOSTS, _VALUES))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_stands_in_it_is_read_or_told(tmp_path: Path, home: dict[str, object], hosts: object) -> None:
    """Any value at any key: settings or faults with a place and a sentence, never another exception."""
    text = f"home = {toml_of(home)}\nhost = {toml_of(hosts)}\n"
    faults: tuple[Fault, ...] = ()
    try:
        read(tmp_path, text)
    except SettingsFault as fault:
        faults = fault.faults
    assert all(one.place.startswith(str(tmp_path)) and one.message for one in faults)


def test_the_same_local_port_at_two_hosts_is_a_warning(tmp_path: Path) -> None:
    """They can be used one at a time."""
    first, second = (f'[[host]]\nname = "{n}"\nlan = "10.0.0.2"\nforward = {{ lab = 8890 }}\n' for n in ("nas", "pc"))
    assert warned(tmp_path, first + second) == [
        "8: host[2].forward.lab: 'lab' of nas listens there too: only one at a time can"
    ]


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        ("8000", '"socks:8000"', True),
        ("8000", '"127.0.0.1:8000:localhost:80"', True),
        ("8000", '"*:8000:localhost:80"', True),
        ("8000", '"[::]:8000:localhost:80"', True),
        ('"127.0.0.1:8000:localhost:80"', '"[::1]:8000:localhost:80"', False),
        ('"192.168.1.5:8000:localhost:80"', "8000", False),
        ("8000", '"remote:8000:8000"', False),
        ('"remote:8000:8000"', '"remote:8000:8001"', True),
        ('"/run/x.sock:/var/run/x.sock"', '"/run/x.sock:localhost:80"', True),
        ('"/run/x.sock:/var/run/x.sock"', '"/run/y.sock:localhost:80"', False),
    ],
)
def test_two_forwards_on_one_port_are_a_fault(tmp_path: Path, one: str, other: str, meet: bool) -> None:
    """Where they really meet: of one address and one machine."""
    text = f"{NAS}[host.forward]\na = {one}\nb = {other}\n"
    if meet:
        assert told(tmp_path, text) == ["6: host[1].forward.b: it listens where 'a' does"]
    else:
        assert set(read(tmp_path, text).hosts["nas"].forwards) == {"a", "b"}


def test_remote_ports_of_two_hosts_have_nothing_to_do_with_one_another(tmp_path: Path) -> None:
    """They are on different machines."""
    text = "".join(f'[[host]]\nname = "{n}"\nlan = "10.0.0.2"\nforward = {{ x = "remote:9000" }}\n' for n in "ab")
    assert warned(tmp_path, text) == []


def test_what_does_no_harm_yet_is_a_warning(tmp_path: Path) -> None:
    """A host that nobody can find, a key file that is not there, a SecureOn password that nobody sends."""
    assert warned(tmp_path, '[[host]]\nname = "pc"\n') == [
        "1: host[1]: it can not be found: neither [home] nor this host gives names, and there is no lan"
    ]
    assert warned(tmp_path, NAS + 'identity = "gone"\n') == [
        f"4: host[1].identity[1]: there is no file {tmp_path / 'gone'}"
    ]
    text = NAS + WAKE.format(name="pc", via="nas") + 'secureon = "01234567"\n'
    assert warned(tmp_path, text) == ['9: host[2].secureon: only via = "direct" sends it']


@pytest.mark.parametrize(("mode", "warns"), [(0o600, False), (0o644, False), (0o646, True), (0o602, True)])
def test_a_file_that_others_can_change_is_a_warning(tmp_path: Path, mode: int, warns: bool) -> None:
    """It names commands that are run."""
    warnings = read(tmp_path, NAS, mode=mode).warnings
    assert bool(warnings) is warns
    assert all("others can change this file" in one for one in warnings)


def test_the_file_is_found_where_it_may_be(tmp_path: Path) -> None:
    """--config, $IPWATCH_LAPTOP_CONFIG, here, the user's folder: in this order."""
    places = [tmp_path / p for p in ("given.toml", "env.toml", "here/laptop.toml", "config/ipwatch/laptop.toml")]
    for place in places:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(NAS)
        place.chmod(0o600)
    here = tmp_path / "here"
    environ = {"IPWATCH_LAPTOP_CONFIG": str(places[1]), "XDG_CONFIG_HOME": str(tmp_path / "config")}
    assert load("../given.toml", environ, here).path == here / "../given.toml"
    assert load(None, environ, here).path == places[1]
    del environ["IPWATCH_LAPTOP_CONFIG"]
    assert load(None, environ, here).path == places[2]
    assert load(None, environ, tmp_path).path == places[3]


@pytest.mark.parametrize(
    ("path", "environ", "by"),
    [
        ("gone.toml", {}, "--config"),
        (None, {"IPWATCH_LAPTOP_CONFIG": "gone.toml"}, "IPWATCH_LAPTOP_CONFIG"),
    ],
)
def test_a_named_file_must_be_there(tmp_path: Path, path: str | None, environ: dict[str, str], by: str) -> None:
    """One sentence, with who named it."""
    with pytest.raises(SettingsFault) as caught:
        load(path, environ, tmp_path)
    assert str(caught.value) == (
        f"{tmp_path / 'gone.toml'}: the configuration can not be read: there is no such file (named by {by})"
    )


def test_reading_it_is_light() -> None:
    """It imports nothing but the standard library, so that `ipwatch proxy` starts fast."""
    code = "import sys, ipwatch.settings.laptop_load\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"msgspec", "requests", "dns", "paramiko", "inspect", "dataclasses", "socket"} & set(done.stdout.split())
