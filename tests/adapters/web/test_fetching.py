"""Reading pages from real servers, friendly and hostile: what is text becomes text, and everything is bounded."""

from __future__ import annotations

import asyncio
import datetime
import gzip
import io
import ssl
import zlib
from ipaddress import ip_address
from pathlib import Path

import pytest
from tests.adapters.web.sites import Names, Site, fetcher, reaching, redirect, reply, site

from remit.core.errors import ArgumentsError, RemitError

HTML = b"""<!doctype html><html><head><title> A  page </title><style>.x{}</style></head><body><nav>menu</nav>
<h1>Head</h1><p>One <a href="https://a.example">link</a> &amp; more.<script>evil()</script><ul><li>first<li>second</ul>
<table><tr><th>k<th>v<tr><td>1<td>2</table><div style="DISPLAY: none">hidden</div><p hidden>hidden<p>Last\xe2\x80\x8b.</body>"""


async def test_a_page_becomes_text() -> None:
    """Title, headings, items and rows stay; links are their text; what a browser does not show is left out."""
    async with site() as there:
        there.routes["/"] = reply(HTML, "text/html; charset=utf-8")
        page = await fetcher(reaching(there)).fetch(there.url("/#part"))
    assert (page.title, page.url, page.truncated) == ("A page", there.url(), False)
    for part in ("Head", "One link & more.", "- first", "k | v", "1 | 2", "Last."):
        assert part in page.text
    for part in ("hidden", "evil", "menu", "\u200b", "a.example"):
        assert part not in page.text


@pytest.mark.parametrize(
    ("body", "media_type", "text"),
    [
        ("Grüße".encode(), "text/plain", "Grüße"),
        ("Grüße".encode("latin-1"), "text/plain; charset=ISO-8859-1", "Grüße"),
        ("Grüße".encode("utf-16"), "text/plain", "Grüße"),
        ("Привет".encode("koi8-r"), 'text/plain;CHARSET="koi8-r"', "Привет"),
        ("日本".encode("shift_jis"), "text/plain; charset=Shift_JIS", "日本"),
        ("Grüße".encode("windows-1252"), "text/html; charset=windows-1252", "Grüße"),
        (b"<meta charset=iso-8859-1><p>" + "Grüße".encode("latin-1"), "text/html", "Grüße"),
        (b"abc\xff", "text/plain", "abc\ufffd"),
        (b"abc", "text/plain; charset=zlib", "abc"),
        (b"abc", "text/plain; charset=idna", "abc"),
        (b"abc", "text/plain; charset=no-such-thing", "abc"),
        (b'{"a": 1}', "application/json", '{"a": 1}'),
        (b"a,b\r\n1,2", "text/csv", "a,b\n1,2"),
        (b"<x/>", "application/atom+xml", "<x/>"),
        (b"a\x00b\x1b[31mc\xe2\x80\xaed", "text/plain", "ab[31mcd"),
    ],
)
async def test_text_of_many_kinds_is_read(body: bytes, media_type: str, text: str) -> None:
    """In the character set that is named, or that the bytes or the page name, if it is one of the web's."""
    async with site() as there:
        there.routes["/"] = reply(body, media_type)
        assert (await fetcher(reaching(there)).fetch(there.url())).text == text


async def test_a_pdf_becomes_text() -> None:
    """With the text of its pages."""
    async with site() as there:
        there.routes["/"] = reply(_pdf("Hello from a page"), "application/pdf")
        page = await fetcher(reaching(there)).fetch(there.url())
    assert "Hello from a page" in page.text


@pytest.mark.parametrize(
    "media_type", ["image/png", "application/octet-stream", "application/zip", "video/mp4", "", "text"]
)
async def test_what_is_no_text_is_refused(media_type: str) -> None:
    """By what it says it is; a page without a type is none."""
    await _fails("E923", reply(b"x", media_type))


async def test_a_broken_pdf_is_refused() -> None:
    """And nothing worse happens."""
    await _fails("E923", reply(b"%PDF-1.7\nbroken", "application/pdf"))


@pytest.mark.parametrize("status", [204, 206, 304, 400, 401, 403, 404, 410, 429, 500, 503])
async def test_another_status_than_ok_is_a_failure(status: int) -> None:
    """It says which; what is passing may be tried again."""
    error = await _fails("E922", reply(b"", status=status))
    assert str(status) in error.message
    assert error.retryable == (status in (429, 503))


async def test_redirects_are_followed_five_times() -> None:
    """Relative ones too; the page says where it was found in the end."""
    async with site() as there:
        for n in range(7):
            there.routes[f"/{n}"] = redirect(f"{n + 1}", 301 + n % 3)
        there.routes["/7"] = reply(b"at last")
        page = await fetcher(reaching(there)).fetch(there.url("/2"))
        assert (page.text, page.url) == ("at last", there.url("/7"))
        with pytest.raises(ArgumentsError, match="more than 5 redirects"):
            await fetcher(reaching(there)).fetch(there.url("/1"))


@pytest.mark.parametrize("location", ["", "http://[", "http://a.example:99999/", "mailto:a@b.example"])
async def test_a_redirect_to_nowhere_is_a_failure(location: str) -> None:
    """Not an endless one, and not an exception of some library."""
    async with site() as there:
        there.routes["/"] = redirect(location)
        with pytest.raises(ArgumentsError):
            await fetcher(reaching(there)).fetch(there.url())


async def test_nothing_is_sent_along() -> None:
    """No cookie that was set before, no credentials; the host is named as it was asked for."""
    async with site() as there:
        there.routes["/"] = reply(status=302, headers=["Location: /next", "Set-Cookie: id=1; Path=/"])
        there.routes["/next"] = reply(b"ok", headers=["Set-Cookie: id=2"])
        reader = fetcher(reaching(there, resolve=Names(a_example=[["127.0.0.1"]])))
        await reader.fetch(there.url(host="a.example"))
        await reader.fetch(there.url("/next", host="a.example"))
        for request in there.requests:
            assert "cookie" not in request.headers
            assert "authorization" not in request.headers
            assert request.headers["host"] == f"a.example:{there.port}"
            assert request.headers["user-agent"].startswith("remit/")


async def test_a_name_in_another_script_is_asked_for_as_dns_has_it() -> None:
    """`bücher.example` is `xn--bcher-kva.example`, for the resolver and for the host."""
    async with site() as there:
        there.routes["/"] = reply(b"ok")
        names = Names(**{"xn--bcher-kva_example": [["127.0.0.1"]]})
        await fetcher(reaching(there, resolve=names)).fetch(there.url(host="bücher.example"))
        assert there.requests[0].headers["host"] == f"xn--bcher-kva.example:{there.port}"


async def test_the_next_address_is_tried() -> None:
    """When a name has several and the first takes no connection."""
    async with site(["127.0.0.3"]) as there:
        there.routes["/"] = reply(b"ok")
        names = Names(a_example=[["127.0.0.2", "127.0.0.3"]])
        wire = reaching(there, there, address="127.0.0.3", resolve=names, private=True)
        assert (await fetcher(wire).fetch(there.url(host="a.example"))).text == "ok"


# limits


async def _drip(there: Site, writer: asyncio.StreamWriter) -> None:
    """A byte at a time, for ever."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
    while True:
        writer.write(b".")
        await writer.drain()
        await asyncio.sleep(0.01)


async def _silence(there: Site, writer: asyncio.StreamWriter) -> None:
    """Not a word."""
    await asyncio.Event().wait()


async def _endless_head(there: Site, writer: asyncio.StreamWriter) -> None:
    """One header after another."""
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X-Header: " + b"x" * 1000 + b"\r\n")
        await writer.drain()


async def _endless_body(there: Site, writer: asyncio.StreamWriter) -> None:
    """More than anybody reads."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
    while True:
        writer.write(b"x" * 65_536)
        await writer.drain()


async def _half(there: Site, writer: asyncio.StreamWriter) -> None:
    """Less than it promised."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 100\r\n\r\nhalf")
    await writer.drain()


@pytest.mark.parametrize("behave", [_drip, _silence])
async def test_a_slow_server_is_given_up(behave: object) -> None:
    """The whole exchange has one limit, however often a byte comes."""
    async with site() as there:
        there.routes["/"] = behave  # type: ignore[assignment]
        before = asyncio.get_running_loop().time()
        with pytest.raises(ArgumentsError) as raised:
            await fetcher(reaching(there, timeout_s=0.4)).fetch(there.url())
        assert raised.value.code == "E921"
        assert raised.value.retryable
        assert asyncio.get_running_loop().time() - before < 3


async def test_slow_redirects_share_one_limit() -> None:
    """However many there are, each in its time."""

    async def later(there: Site, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.2)
        writer.write(redirect("/"))

    async with site() as there:
        there.routes["/"] = later
        with pytest.raises(ArgumentsError, match=r"took longer than 0\.5 s"):
            await fetcher(reaching(there), timeout_s=0.5).fetch(there.url())
        assert 1 < len(there.requests) < 5


async def test_a_resolver_that_does_not_answer_is_given_up() -> None:
    """Like a server."""

    async def never(host: str, port: int) -> list[str]:
        await asyncio.Event().wait()
        return []

    async with site() as there:
        with pytest.raises(ArgumentsError, match="no answer within"):
            await fetcher(reaching(there, timeout_s=0.2, resolve=never)).fetch("http://a.example/")


async def test_an_endless_head_is_refused() -> None:
    """Headers are bounded."""
    await _fails("E921", _endless_head)


async def test_an_endless_page_is_cut() -> None:
    """What was read of it is the page, and it says that it was longer."""
    async with site() as there:
        there.routes["/"] = _endless_body
        page = await fetcher(reaching(there, max_bytes=100_000)).fetch(there.url())
        assert page.truncated
        assert len(page.text) == 100_000


async def test_a_page_that_breaks_off_is_no_page() -> None:
    """Half a page might say the opposite."""
    await _fails("E921", _half)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\x16\x03\x01",
        b"SSH-2.0-OpenSSH_9\r\n",
        b"HTTP/1.1 banana\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
    ],
)
async def test_a_server_that_speaks_no_http_is_refused(answer: bytes) -> None:
    """Nothing of what it said is passed on."""
    await _fails("E921", answer)


async def test_a_packed_page_is_unpacked() -> None:
    """By gzip, which is the only one that is asked for."""
    async with site() as there:
        there.routes["/"] = reply(gzip.compress(b"packed"), headers=["Content-Encoding: gzip"])
        assert (await fetcher(reaching(there)).fetch(there.url())).text == "packed"
        assert there.requests[0].headers["accept-encoding"] == "gzip"


@pytest.mark.parametrize(
    ("packed", "encoding"),
    [
        (gzip.compress(b"0" * 50_000_000), "gzip"),
        (gzip.compress(gzip.compress(b"0" * 50_000_000)), "gzip, gzip"),
        (zlib.compress(b"text"), "deflate"),
        (b"text", "br"),
        (b"text", "zstd"),
        (b"text", "gzip"),
        (gzip.compress(b"text" * 99)[:-12], "gzip"),
        (gzip.compress(b"text")[:6] + b"\xff" * 20, "gzip"),
    ],
    # Named by hand: gzip writes the time of day into what it packs.
    ids=["large", "twice", "deflate", "br", "zstd", "not-packed", "cut-off", "broken"],
)
async def test_a_bomb_is_refused(packed: bytes, encoding: str) -> None:
    """By its ratio, before it fills memory; and what is packed in ways that were not asked for, or badly."""
    await _fails("E921", reply(packed, headers=[f"Content-Encoding: {encoding}"]))


async def test_a_page_that_keeps_its_reader_busy_is_given_up() -> None:
    """HTML and PDF are read elsewhere, within a limit; here nothing is held up."""
    async with site() as there:
        there.routes["/"] = reply(b"<div>" * 300_000, "text/html")
        reader = fetcher(reaching(there), wall_s=0.6)
        with pytest.raises(ArgumentsError) as raised:
            await reader.fetch(there.url())
        assert raised.value.code == "E923"


# TLS


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """What a server of `good.example` shows, and what a client that knows its authority trusts."""
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = _certificate("good.example")
    (folder / "pem").write_bytes(certificate + key)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "pem")
    client = ssl.create_default_context(cadata=certificate.decode())
    return server, client


async def test_a_certificate_must_be_for_the_name(
    authority: tuple[ssl.SSLContext, ssl.SSLContext], tmp_path: Path
) -> None:
    """Although the connection goes to an address, the name of the URL is what is verified."""
    server, client = authority
    names = Names(good_example=[["127.0.0.1"]], other_example=[["127.0.0.1"]])
    async with site(tls=server) as there:
        there.routes["/"] = reply(b"sealed")
        wire = reaching(there, resolve=names, tls=client)
        page = await fetcher(wire).fetch(there.url(host="good.example", scheme="https"))
        assert page.text == "sealed"
        for host in ("other.example", "127.0.0.1"):
            with pytest.raises(ArgumentsError, match="certificate is not valid"):
                await fetcher(wire).fetch(there.url(host=host, scheme="https"))
        with pytest.raises(ArgumentsError, match="certificate is not valid"):
            await fetcher(reaching(there, resolve=names)).fetch(
                there.url(host="good.example", scheme="https")
            )
        assert len(there.requests) == 1


async def _fails(code: str, answer: object) -> RemitError:
    async with site() as there:
        there.routes["/"] = answer  # type: ignore[assignment]
        with pytest.raises(ArgumentsError) as raised:
            await fetcher(reaching(there)).fetch(there.url())
    assert raised.value.code == code
    return raised.value


def _certificate(name: str) -> tuple[bytes, bytes]:
    """A certificate that signs itself, and its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(name), x509.IPAddress(ip_address("192.0.2.1"))]), False
        )
        .add_extension(x509.BasicConstraints(True, None), True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return made.public_bytes(pem), secret


def _pdf(text: str) -> bytes:
    """A PDF of one page, written by hand."""
    stream = f"BT /F1 24 Tf 72 700 Td ({text}) Tj ET".encode()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%b\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    out, places = io.BytesIO(), []
    out.write(b"%PDF-1.4\n")
    for number, body in enumerate(objects, 1):
        places.append(out.tell())
        out.write(b"%d 0 obj\n%b\nendobj\n" % (number, body))
    start = out.tell()
    out.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1))
    for place in places:
        out.write(b"%010d 00000 n \n" % place)
    out.write(b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start))
    return out.getvalue()
