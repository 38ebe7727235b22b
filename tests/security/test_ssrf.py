"""No address of this machine or a private network is ever reached: a canary that listens on every local address sees nobody."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.adapters.web.sites import Names, Site, fetcher, reaching, redirect, reply, site

from remit.adapters.web.addresses import is_public, may_be_private, target_of
from remit.adapters.web.outside import AllowedOutside
from remit.adapters.web.wire import Wire
from remit.core.errors import ArgumentsError

V6 = socket.has_ipv6

LOOPBACK = """
127.0.0.1 127.1 127.0.1 127.0.0.2 127.255.255.254 2130706433 0x7f000001 0x7F000001 0x7f.0.0.1 0x7f.1 0177.0.0.1 0177.0.0.01
017700000001 00000000177.0.0.1 127.000.000.001 127.0.0.1. 127.0.0.1.. 127..0.1 127.0.0.0x1 127.0.0.1e0 4294967296
0 0.0.0.0 0x0 00 0.0 1.1.1.1.127.0.0.1 127.0.0.1%00.example.com 127.0.0.1%2eexample.com %31%32%37.0.0.1 127%2e0.0.1
[::1] [::] [0:0:0:0:0:0:0:1] [0000::0001] [::ffff:127.0.0.1] [::ffff:7f00:1] [::ffff:0:127.0.0.1] [::127.0.0.1] [::7f00:1]
[64:ff9b::127.0.0.1] [64:ff9b::7f00:1] [64:ff9b:1::7f00:1] [2002:7f00:1::] [2002:7f00:0001::1] [2001:0:7f00:1::]
[2606:4700::5efe:127.0.0.1] [2606:4700::200:5efe:7f00:1] [fe80::1] [fe80::1%lo] [fe80::1%25lo] [::1%lo] [::1%25lo] [v1.x]
localhost LOCALHOST LocalHost localhost. localhost.localdomain ip6-localhost ip6-loopback
１２７.０.０.１ ①②⑦.⓪.⓪.① 127。0。0。1 127．0．0．1 ₁₂₇.₀.₀.₁ 𝟏𝟐𝟕.𝟎.𝟎.𝟏 ⓛⓞⓒⓐⓛⓗⓞⓢⓣ ｌｏｃａｌｈｏｓｔ loc\u00adalhost localhos\u200dt
""".split()  # noqa: SIM905

AROUND = [
    "http://example.com@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}@example.com:{port}/",
    "http://example.com:{port}\\@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}\\@example.com/",
    "http://127.0.0.1:{port}#@example.com/",
    "http://127.0.0.1:{port}?@example.com/",
    "http://127.0.0.1:{port};@example.com/",
    "http://user:password@127.0.0.1:{port}/",
    "http://[::1]@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}:80/",
    "http://127.0.0.1:0x{port:x}/",
    "http://127.0.0.1:+{port}/",
    "http://127.0.0.1:{port} /",
    "http://127.0.0.1\t:{port}/",
    "http://127.0.0.1\n:{port}/",
    "http://127.0.0.1:{port}/\r\nHost: example.com",
    " http://127.0.0.1:{port}/",
    "\x00http://127.0.0.1:{port}/",
    "http:/127.0.0.1:{port}/",
    "http:127.0.0.1:{port}/",
    "http:///127.0.0.1:{port}/",
    "http:\\\\127.0.0.1:{port}/",
    "//127.0.0.1:{port}/",
    "127.0.0.1:{port}",
    "HTTP://127.0.0.1:{port}/",
    "https://127.0.0.1:{port}/",
    "ftp://127.0.0.1:{port}/",
    "gopher://127.0.0.1:{port}/_GET",
    "dict://127.0.0.1:{port}/x",
    "ldap://127.0.0.1:{port}/",
    "ws://127.0.0.1:{port}/",
    "jar:http://127.0.0.1:{port}/!/",
    "view-source:http://127.0.0.1:{port}/",
    "feed:http://127.0.0.1:{port}/",
    "http+unix://127.0.0.1:{port}/",
    "file:///etc/passwd",
    "file://127.0.0.1/etc/passwd",
    "data:text/html,x",
    "javascript:alert(1)",
    "http://",
    "http://:{port}/",
    "http://[/",
    "http://[]:{port}/",
    "http://[::1:{port}/",
    "",
]

NOT_PUBLIC = """
0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.100.100.200 127.0.0.1 127.1.2.3 168.63.129.16 169.254.0.1 169.254.169.254
169.254.170.2 172.16.0.1 172.31.255.255 192.0.0.1 192.0.0.192 192.0.2.1 192.88.99.1 192.168.0.1 192.168.255.255 198.18.0.1
198.19.255.255 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.250 240.0.0.1 255.255.255.255
:: ::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 ::10.0.0.1 64:ff9b::10.0.0.1 64:ff9b::a9fe:a9fe 64:ff9b:1::1
100::1 2001::1 2001:2::1 2001:10::1 2001:20::1 2001:db8::1 2002:a00:1:: 2002:a9fe:a9fe:: 3fff::1 fc00::1 fd00::1 fd00:ec2::254
fd20:ce::254 fe80::1 fe80::a9fe:a9fe fec0::1 ff02::1 ff0e::1 2606:4700::5efe:a00:1 4000::1 fe80::1%eth0 ::1%1
nonsense 127.0.0 1.2.3.4.5 12345::
""".split()  # noqa: SIM905

PUBLIC = "1.1.1.1 8.8.8.8 93.184.215.14 151.101.1.140 2606:4700:4700::1111 2a00:1450:4001::200e ::ffff:8.8.8.8 64:ff9b::8.8.8.8".split()  # noqa: SIM905


@pytest.fixture
async def canary() -> AsyncIterator[Site]:
    """A site on every address of this machine that would answer anybody."""
    async with site(["0.0.0.0", *(["::"] if V6 and _has_v6() else [])]) as made:
        made.routes["/"] = reply(b"the secret of the inner network")
        yield made


def _has_v6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


async def test_the_canary_would_be_seen(canary: Site) -> None:
    """What may be reached is reached: the tests below do not pass because nothing works."""
    page = await fetcher(reaching(canary)).fetch(canary.url())
    assert page.text == "the secret of the inner network"
    assert canary.connections == 1


async def _refused(url: str, canary: Site, wire: Wire | None = None) -> ArgumentsError:
    with pytest.raises(ArgumentsError) as raised:
        await fetcher(wire or Wire(ports=None, timeout_s=5)).fetch(url)
    assert canary.connections == 0
    return raised.value


@pytest.mark.parametrize("host", LOOPBACK)
async def test_no_spelling_of_this_machine_is_reached(host: str, canary: Site) -> None:
    """Decimal, octal, hexadecimal, short, embedded, encoded, in other scripts, by name: it stays this machine."""
    await _refused(f"http://{host}:{canary.port}/", canary)


async def test_this_machine_is_not_reached_by_its_own_name_and_addresses(canary: Site) -> None:
    """Neither by the name of the host, nor by what it resolves to."""
    own = socket.gethostname()
    addresses = {str(info[4][0]) for info in socket.getaddrinfo(own, None)}
    for host in [own, *(f"[{a}]" if ":" in a else a for a in addresses)]:
        await _refused(f"http://{host}:{canary.port}/", canary)


@pytest.mark.parametrize("url", AROUND)
async def test_no_trick_around_the_host_gets_through(url: str, canary: Site) -> None:
    """User names, backslashes, blanks, other schemes and broken URLs are refused before anything is asked."""
    refusal = await _refused(url.format(port=canary.port), canary, Wire(ports=None, resolve=Names()))
    assert refusal.code in ("E920", "E921")


@pytest.mark.parametrize("address", NOT_PUBLIC)
async def test_a_name_that_leads_to_a_private_address_is_refused(address: str, canary: Site) -> None:
    """Alone, and among public addresses: one bad answer spoils a name."""
    assert not is_public(address)
    for answer in ([address], ["1.1.1.1", address], [address, "1.1.1.1"]):
        names = Names(trap_example=[answer])
        refusal = await _refused(
            f"http://trap.example:{canary.port}/", canary, Wire(ports=None, resolve=names)
        )
        assert refusal.code == "E920"
        assert not refusal.retryable


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_public(address: str) -> None:
    """What is not special is let through."""
    assert is_public(address)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1:{port}/",
        "//127.0.0.1:{port}/",
        "http://127.1:{port}/",
        "http://0x7f000001:{port}/",
        "http://[::ffff:127.0.0.1]:{port}/",
        "http://localhost:{port}/",
        "http://trap.example:{port}/",
        "http://a@127.0.0.1:{port}/",
        "\\\\127.0.0.1:{port}\\",
        "gopher://127.0.0.1:{port}/",
        "file:///etc/passwd",
    ],
)
async def test_a_redirect_leads_nowhere_else(status: int, location: str, canary: Site) -> None:
    """Each address on the way is checked like the first one."""
    names = Names(trap_example=[["127.0.0.1"]], localhost=[["127.0.0.1"]])
    async with site() as start:
        start.routes["/"] = redirect(location.format(port=canary.port), status)
        await _refused(start.url(), canary, reaching(start, resolve=names))
        assert len(start.requests) == 1


async def test_a_name_is_resolved_once(canary: Site) -> None:
    """DNS rebinding: a name that is public when it is checked and private when it is used is used as it was checked."""
    async with site(["127.0.0.2"]) as outside, site(["127.0.0.1"], port=outside.port) as inside:
        outside.routes["/"] = reply(b"public")
        names = Names(rebind_example=[["127.0.0.2"], ["127.0.0.1"]])
        wire = reaching(outside, address="127.0.0.2", resolve=names)
        page = await fetcher(wire).fetch(outside.url(host="rebind.example"))
        assert page.text == "public"
        assert names.asked == ["rebind.example"]
        assert outside.requests[0].headers["host"] == f"rebind.example:{outside.port}"
        assert inside.connections == 0


async def test_a_name_that_changes_between_redirects_is_checked_again(canary: Site) -> None:
    """The second look at a name is a new check, not a use of the old one."""
    async with site(["127.0.0.2"]) as outside, site(["127.0.0.1"], port=outside.port) as inside:
        outside.routes["/"] = redirect("/again")
        names = Names(rebind_example=[["127.0.0.2"], ["127.0.0.1"]])
        wire = reaching(outside, address="127.0.0.2", resolve=names)
        refusal = await _refused(outside.url(host="rebind.example"), canary, wire)
        assert refusal.code == "E920"
        assert inside.connections == 0


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
async def test_no_proxy_of_the_environment_is_used(
    name: str, canary: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy would resolve names by itself, and reach what it can reach."""
    monkeypatch.setenv(name, canary.url())
    async with site() as start:
        start.routes["/"] = reply(b"direct")
        assert (await fetcher(reaching(start)).fetch(start.url())).text == "direct"
    assert canary.connections == 0


@pytest.mark.parametrize("port", [22, 25, 6379, 8080, 9200])
async def test_only_ports_of_the_web_are_asked(port: int) -> None:
    """A public machine's other services are none of an agent's business."""
    wire = Wire(resolve=Names(public_example=[["1.1.1.1"]]))
    with pytest.raises(ArgumentsError, match=f"has port {port}"):
        await fetcher(wire).fetch(f"http://public.example:{port}/")


OUTSIDE = [
    "http://api.example:{port}/v1/../admin",
    "http://api.example:{port}/v1/./x",
    "http://api.example:{port}/v1/%2e%2e/admin",
    "http://api.example:{port}/v1/.%2E/admin",
    "http://api.example:{port}/v1/%252e%252e/admin",
    "http://api.example:{port}/v1/..%2fadmin",
    "http://api.example:{port}/v1%2f..%2fadmin",
    "http://api.example:{port}/v1/..;/admin",
    "http://api.example:{port}/v1/%5c..%5cadmin",
    "http://api.example:{port}/v1//admin",
    "http://api.example:{port}/v1/%0d%0ax",
    "http://api.example:{port}//v1/",
    "http://api.example:{port}/v10",
    "http://api.example:{port}/v1x/",
    "http://api.example:{port}/V1/",
    "http://api.example:{port}/",
    "http://api.example/v1/",
    "https://api.example:{port}/v1/",
    "http://api.example.:{port}/v1/",
    "http://api.example.evil.example:{port}/v1/",
    "http://evil.example:{port}/v1/",
    "http://evil.example:{port}/http://api.example:{port}/v1/",
    "http://api.example:{port}@evil.example:{port}/v1/",
    "http://evil.example:{port}#http://api.example:{port}/v1/",
    "http://evil.example:{port}?http://api.example:{port}/v1/",
    "http://127.0.0.1:{port}/v1/",
]


@pytest.mark.parametrize("url", OUTSIDE)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_request_goes_to_allowed_addresses_only(url: str, method: str, canary: Site) -> None:
    """Neither a path that climbs, nor a like name, nor another scheme or port is taken for the address that is allowed."""
    names = Names(api_example=[["127.0.0.1"]], evil_example=[["127.0.0.1"]])
    wire = reaching(canary, resolve=names)
    outside = AllowedOutside([f"http://api.example:{canary.port}/v1/"], _NoSecrets(), wire=wire)
    with pytest.raises(ArgumentsError) as raised:
        await outside.request(method, url.format(port=canary.port))
    assert raised.value.code in ("E920", "E927")
    assert canary.connections == 0


async def test_an_allowed_name_does_not_open_the_private_network(canary: Site) -> None:
    """What settings allow is a name; that it leads inside must be allowed too, and metadata of clouds never is."""
    names = Names(api_example=[["127.0.0.1"]], meta_example=[["169.254.169.254"]])
    allow = [f"http://api.example:{canary.port}/", "http://meta.example/"]
    shut = AllowedOutside(allow, _NoSecrets(), wire=Wire(ports=None, resolve=names))
    open_ = AllowedOutside(allow, _NoSecrets(), wire=Wire(private=True, ports=None, resolve=names))
    with pytest.raises(ArgumentsError, match="private network"):
        await shut.request("GET", canary.url(host="api.example"))
    assert canary.connections == 0
    assert (await open_.request("GET", canary.url(host="api.example"))).status == 200
    with pytest.raises(ArgumentsError, match="private network"):
        await open_.request("GET", "http://meta.example/latest/meta-data/")


@given(st.integers(0, 2**32 - 1))
def test_an_embedded_address_is_no_better_than_its_own(number: int) -> None:
    """An IPv4 address inside an IPv6 one is public only where it is by itself; in transition addresses never."""
    plain = ".".join(str(number >> shift & 255) for shift in (24, 16, 8, 0))
    for prefix in ("::ffff:", "64:ff9b::"):
        assert is_public(prefix + plain) == is_public(plain)
        assert may_be_private(prefix + plain) == may_be_private(plain)
    assert not is_public(f"::{plain}")
    assert not is_public(f"2002:{number >> 16:x}:{number & 0xFFFF:x}::1")


@given(
    st.text(max_size=60),
    st.sampled_from(["", "http://", "https://", "http://127.0.0.1", "http://a.example:80"]),
)
def test_a_url_is_read_one_way_or_refused(text: str, start: str) -> None:
    """Whatever is given, reading what was read gives the same parts, and nothing but ArgumentsError is raised."""
    try:
        target = target_of(start + text)
    except ArgumentsError:
        return
    assert target_of(target.url) == target
    assert target.url.isascii()
    built = httpx.URL(scheme=target.scheme, host="192.0.2.1", port=target.port, raw_path=target.path.encode())
    assert built.host == "192.0.2.1"


class _NoSecrets:
    def get(self, name: str) -> str:
        raise AssertionError(name)

    def known(self) -> tuple[str, ...]:
        return ()
