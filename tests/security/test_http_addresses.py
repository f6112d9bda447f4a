"""A real guest that wants to get at addresses which no guest may reach, in every disguise."""

import socket
from collections.abc import Mapping, Sequence
from ipaddress import ip_network

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from tests.support.guests import behaviours
from tests.support.hostile import EVENT, Gauntlet
from tests.support.receiver import Received, Receiver, reply

from guesthouse.model.capability import Capabilities, Grant
from guesthouse.model.hosts import normalise_host
from guesthouse.model.report import Report
from guesthouse.model.verdict import Verdict

pytestmark = pytest.mark.anyio


class Names(AbstractResolver):
    """Answers the first lookup of any name with the first list of addresses, and so on; then the last for ever."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = list(answers)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Answer without asking anybody."""
        del family
        found = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in found
        ]

    async def close(self) -> None:
        """Nothing to close."""


ILLEGIBLE: Mapping[str, str] = {
    "decimal": "2130706433",
    "octal": "017700000001",
    "octal by parts": "0177.0.0.01",
    "hexadecimal": "0x7f000001",
    "hexadecimal by parts": "0x7f.0x0.0x0.0x1",
    "short": "127.1",
    "a dot at the end": "127.0.0.1.",
    "percent escapes": "%31%32%37.0.0.1",
    "more than four parts": "127.0.0.0.1",
    "a part too large": "127.0.0.257",
    "a zone": "[fe80::1%25eth0]",
    "a zone on loopback": "[::1%25lo]",
    "user information before it": "api.example.com@127.0.0.1",
    "a backslash before it": "api.example.com\\@127.0.0.1",
    "a tab in it": "127.0.0.\t1",
    "a future version of IP": "[v1.127.0.0.1]",
}
"""Hosts that some parser somewhere takes for loopback: none of them is looked up."""

FORBIDDEN: Mapping[str, str] = {
    "loopback": "127.0.0.1",
    "another loopback": "127.255.255.254",
    "this machine": "0.0.0.0",  # noqa: S104 - a host to refuse
    "this machine, in wide digits": "".join(chr(0xFF10 + int(c)) if c != "." else "\u3002" for c in "127.0.0.1"),
    "cloud metadata": "169.254.169.254",
    "a private network of class A": "10.0.0.1",
    "a private network of class B": "172.16.0.1",
    "a private network of class C": "192.168.0.1",
    "a carrier's network": "100.64.0.1",
    "multicast": "224.0.0.1",
    "broadcast": "255.255.255.255",
    "a network for benchmarks": "198.18.0.1",
    "loopback of IPv6": "[::1]",
    "nowhere in IPv6": "[::]",
    "loopback mapped into IPv6": "[::ffff:127.0.0.1]",
    "loopback mapped into IPv6, in hexadecimal": "[0:0:0:0:0:ffff:7f00:1]",
    "loopback compatible with IPv6": "[::127.0.0.1]",
    "loopback by NAT64": "[64:ff9b::7f00:1]",
    "loopback by 6to4": "[2002:7f00:1::]",
    "loopback by Teredo": "[2001:0:7f00:1::]",
    "cloud metadata mapped into IPv6": "[::ffff:a9fe:a9fe]",
    "link-local IPv6": "[fe80::1]",
    "unique-local IPv6": "[fd00::1]",
    "site-local IPv6": "[fec0::1]",
    "multicast IPv6": "[ff02::1]",
}
"""Literal addresses, each of them granted by a careless tenant."""


async def ask(gauntlet: Gauntlet, url: str, *hosts: str, port: int) -> Report:
    """Let the guest get a URL, with every one of *hosts* granted on that port and on port 80."""
    module = await gauntlet.load(behaviours())
    grants = tuple(Grant(scheme="http", host=host, port=granted) for host in hosts for granted in (port, 80))
    return await module.invoke(
        "onTrack",
        dict(EVENT),
        settings={"behaviour": "http_get", "url": url},
        capabilities=Capabilities(grants=grants),
    )


def assert_refused(report: Report, code: str) -> None:
    """Check that the guest was told the refusal, and nothing about the address."""
    assert report.error is None
    assert report.reply is not None
    assert (report.verdict, report.reply.code) == (Verdict.FAIL, code), report.reply
    assert "127" not in (report.reply.message or "")


@pytest.mark.parametrize("host", ILLEGIBLE.values(), ids=ILLEGIBLE)
async def test_what_parsers_read_differently_is_a_bad_request(host: str, gauntlet: Gauntlet) -> None:
    """There is one spelling of an address; every other is refused before it is looked up."""
    async with Receiver() as there:

        async def attack() -> None:
            report = await ask(
                gauntlet, f"http://{host}:{there.port}/", "127.0.0.1", "api.example.com", port=there.port
            )
            assert_refused(report, "bad_request")

        await gauntlet.survive(attack)
    assert there.connections == 0


@pytest.mark.parametrize("host", FORBIDDEN.values(), ids=FORBIDDEN)
async def test_a_grant_does_not_open_a_forbidden_address(host: str, gauntlet: Gauntlet) -> None:
    """The table of addresses outranks grants."""
    async with Receiver() as there, gauntlet.outbound():

        async def attack() -> None:
            report = await ask(gauntlet, f"http://{host}:{there.port}/", normalise_host(host), port=there.port)
            assert_refused(report, "denied_address")

        await gauntlet.survive(attack)
    assert there.connections == 0


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "169.254.169.254", "10.1.2.3", "fe80::1%1", "64:ff9b::a00:1"]
)
async def test_a_name_does_not_open_a_forbidden_address(address: str, gauntlet: Gauntlet) -> None:
    """What the name server says is checked where the socket is made."""
    async with Receiver() as there, gauntlet.outbound(resolver=Names([address])):

        async def attack() -> None:
            report = await ask(gauntlet, f"http://innocent.example:{there.port}/", "innocent.example", port=there.port)
            assert_refused(report, "denied_address")

        await gauntlet.survive(attack)
    assert there.connections == 0


async def test_a_name_that_changes_between_check_and_connection(gauntlet: Gauntlet) -> None:
    """There is no time between: a name that was good a moment ago is refused when it leads elsewhere."""
    allowed = [ip_network("127.0.0.1/32")]
    async with Receiver(lambda _: reply(connection="close")) as there:

        async def attack() -> None:
            async with gauntlet.outbound(resolver=Names(["127.0.0.1"], ["127.0.0.2"]), allow_private=allowed):
                url = f"http://rebinding.example:{there.port}/"
                assert (await ask(gauntlet, url, "rebinding.example", port=there.port)).verdict is Verdict.DONE
                (line,) = gauntlet.engine.outbound._lines.values()
                line.session.connector.clear_dns_cache()  # type: ignore[union-attr] # it is a TCPConnector
                assert_refused(await ask(gauntlet, url, "rebinding.example", port=there.port), "denied_address")

        await gauntlet.survive(attack)
    assert there.connections == len(there.requests)


@pytest.mark.parametrize(
    "addresses", [("192.0.2.1", "127.0.0.1"), ("127.0.0.1", "::1"), ("::ffff:10.0.0.1", "10.0.0.1")]
)
async def test_a_name_with_many_addresses(addresses: Sequence[str], gauntlet: Gauntlet) -> None:
    """Each of them is checked, whichever is tried first."""
    async with Receiver() as there, gauntlet.outbound(resolver=Names(addresses)):

        async def attack() -> None:
            report = await ask(gauntlet, f"http://many.example:{there.port}/", "many.example", port=there.port)
            assert_refused(report, "denied_address")

        await gauntlet.survive(attack)
    assert there.connections == 0


REDIRECTS: Mapping[str, tuple[str, str]] = {
    "cloud metadata": ("http://169.254.169.254/latest/", "denied_address"),
    "loopback, on another port": ("http://127.0.0.9:80/", "denied_address"),
    "a name that leads inside": ("http://inside.example/", "denied_address"),
    "IPv6 with loopback in it": ("http://[::ffff:127.0.0.9]/", "denied_address"),
    "a host that nobody granted": ("http://elsewhere.example/", "denied_host"),
    "a decimal address": ("http://2130706433/", "protocol_error"),
    "a file": ("file:///etc/passwd", "protocol_error"),
    "a host behind user information": ("http://a@127.0.0.9/", "protocol_error"),
    "a protocol that isn't HTTP": ("gopher://127.0.0.9:6379/_FLUSHALL", "protocol_error"),
}


@pytest.mark.parametrize(("location", "code"), REDIRECTS.values(), ids=REDIRECTS)
async def test_a_redirect_does_not_open_a_forbidden_address(location: str, code: str, gauntlet: Gauntlet) -> None:
    """Every hop is looked at like the first."""
    granted = ("127.0.0.1", "127.0.0.9", "169.254.169.254", "inside.example", "[::ffff:7f00:9]")
    allowed = [ip_network("127.0.0.1/32")]

    def script(_: Received) -> bytes:
        return reply(302, b"", location=location)

    async with Receiver(script) as there, gauntlet.outbound(resolver=Names(["10.0.0.7"]), allow_private=allowed):

        async def attack() -> None:
            report = await ask(gauntlet, there.url(), *granted, port=there.port)
            assert report.reply is not None
            assert (report.error, report.reply.code) == (None, code), report.reply

        await gauntlet.survive(attack)


async def test_the_hosts_own_listeners(gauntlet: Gauntlet) -> None:
    """No exception of the operator's opens what the host itself listens on."""
    allowed = [ip_network("127.0.0.0/8")]
    async with Receiver() as there:
        own = ("0.0.0.0", there.port)  # noqa: S104 - a listener to keep guests from
        async with gauntlet.outbound(allow_private=allowed, own_listeners=lambda: {own}):

            async def attack() -> None:
                assert_refused(await ask(gauntlet, there.url(), "127.0.0.1", port=there.port), "denied_address")

            await gauntlet.survive(attack)
    assert there.connections == 0
