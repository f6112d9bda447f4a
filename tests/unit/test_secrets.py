"""Secrets: what the guest holds, where the values go, and that they come back masked."""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guesthouse.model.capability import Exposure, Secret
from guesthouse.runtime.secrets import Vault

VALUE = 'sk/live+"ü"&<1234>'
PLAIN = "sk_live_1234"


def reference(value: str = PLAIN, *hosts: str, name: str = "key") -> Secret:
    """Make a referenced secret."""
    return Secret(name=name, value=value, exposure=Exposure.REFERENCE, hosts=hosts or ("api.example.com",))


def test_the_guest_sees_a_value_or_a_token() -> None:
    """Exposure decides; a token has 128 random bits."""
    vault = Vault([Secret(name="open", value=PLAIN), reference()])
    assert vault.settings["open"] == PLAIN
    assert vault.settings["key"].startswith("ghs_")
    assert len(vault.settings["key"]) == 4 + 32


def test_every_invocation_has_its_own_token() -> None:
    """A token that leaks is worth nothing later."""
    assert Vault([reference()]).settings["key"] != Vault([reference()]).settings["key"]


def reveal(vault: Vault, value: str, *, scheme: str = "https", host: str = "api.example.com") -> str:
    """Send one header and return what becomes of it."""
    ((_, revealed),) = vault.reveal([("Authorization", value)], scheme=scheme, host=host)
    return revealed


@pytest.mark.parametrize("template", ["Bearer {}", "{}", "key={}, key2={}"])
def test_tokens_are_replaced_towards_bound_hosts(template: str) -> None:
    """Exactly the token, wherever it stands in a header's value."""
    vault = Vault([reference()])
    token = vault.settings["key"]
    assert reveal(vault, template.format(token, token)) == template.format(PLAIN, PLAIN)


@pytest.mark.parametrize(
    ("scheme", "host"),
    [("https", "evil.example"), ("https", "sub.api.example.com"), ("http", "api.example.com")],
)
def test_tokens_stay_tokens_anywhere_else(scheme: str, host: str) -> None:
    """Other hosts and plain http get the worthless token."""
    vault = Vault([reference()])
    sent = f"Bearer {vault.settings['key']}"
    assert reveal(vault, sent, scheme=scheme, host=host) == sent


def test_a_grant_may_allow_plain_http() -> None:
    """The caller says so for the grant that matched."""
    vault = Vault([reference()])
    headers = [("X", vault.settings["key"])]
    assert vault.reveal(headers, scheme="http", host="api.example.com", over_http=True) == [("X", PLAIN)]


def test_a_binding_may_be_a_wildcard() -> None:
    """As in grants: every name below, not the apex."""
    vault = Vault([reference(PLAIN, "*.example.com")])
    assert reveal(vault, vault.settings["key"], host="a.b.example.com") == PLAIN
    assert reveal(vault, vault.settings["key"], host="example.com") != PLAIN


def test_each_secret_goes_to_its_own_hosts() -> None:
    """Two tokens in one header are decided on one by one."""
    vault = Vault([reference("value-one", "a.example", name="one"), reference("value-two", "b.example", name="two")])
    one, two = vault.settings["one"], vault.settings["two"]
    assert reveal(vault, f"{one} {two}", host="a.example") == f"value-one {two}"


@pytest.mark.parametrize("scheme", ["Basic", "basic", "BASIC"])
def test_basic_credentials_made_with_a_token_are_made_again(scheme: str) -> None:
    """The guest can encode only what it holds; the host takes it apart."""
    vault = Vault([reference()])
    made = base64.b64encode(f"user:{vault.settings['key']}".encode()).decode()
    expected = base64.b64encode(f"user:{PLAIN}".encode()).decode()
    assert reveal(vault, f"{scheme} {made}") == f"{scheme} {expected}"
    assert reveal(vault, f"{scheme} {made}", host="evil.example") == f"{scheme} {made}"


@pytest.mark.parametrize(
    "value", ["Basic dXNlcjpwYXNz", "Basic !!!", "Basic /w==", "Basic abc", "Bearer x", "ghs_", ""]
)
def test_other_headers_are_left_alone(value: str) -> None:
    """Ordinary and malformed credentials go out as they are."""
    assert reveal(Vault([reference()]), value) == value


def quote_in_lower_case(text: str) -> str:
    """Write percent escapes as some servers do."""
    return re.sub("%..", lambda match: match[0].lower(), quote(text, safe=""))


FORMS: list[Callable[[str], str]] = [
    str,
    lambda text: quote(text, safe=""),
    quote,
    quote_plus,
    quote_in_lower_case,
    json.dumps,
    lambda text: json.dumps(text, ensure_ascii=False),
    lambda text: json.dumps(text).replace("/", "\\/"),
    lambda text: json.dumps(text).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"),
]


@pytest.mark.parametrize("exposure", list(Exposure))
@pytest.mark.parametrize("value", [VALUE, PLAIN])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_masked(exposure: Exposure, value: str, form: Callable[[str], str]) -> None:
    """Raw, URL- and JSON-escaped, of both kinds, in text and in bytes."""
    vault = Vault([Secret(name="k", value=value, exposure=exposure)])
    written = form(value)
    quotes = '"' if written.startswith('"') else ""
    assert vault.mask_text(f"<<{written}>>") == f"<<{quotes}***{quotes}>>"
    assert vault.mask_bytes(f"<<{written}>>".encode()) == f"<<{quotes}***{quotes}>>".encode()


@given(
    value=st.binary(min_size=4, max_size=40).map(lambda data: data.hex()),
    before=st.binary(max_size=5),
    after=st.binary(max_size=5),
    encode=st.sampled_from([base64.b64encode, base64.urlsafe_b64encode]),
)
def test_base64_is_masked_at_every_alignment(
    value: str, before: bytes, after: bytes, encode: Callable[[bytes], bytes]
) -> None:
    """Whatever stands before and after a secret, no eight bytes of it can be decoded from what is left."""
    vault = Vault([Secret(name="k", value=value)])
    masked = vault.mask_bytes(encode(before + value.encode() + after))
    head, blot, tail = masked.partition(b"***")
    assert blot
    assert len(head) <= (len(before) * 8) // 6 + 1
    assert len(tail.rstrip(b"=")) <= (len(after) * 8) // 6 + 2


def test_overlapping_secrets_are_masked_whole() -> None:
    """One secret that runs into another leaves nothing of either."""
    vault = Vault([Secret(name="a", value="abcdef"), Secret(name="b", value="defghi"), Secret(name="c", value="aaaa")])
    assert vault.mask_text("-abcdefghi-") == "-***-"
    assert vault.mask_text("-aaaaaaa-") == "-***-"
    assert vault.mask_text("abcdef-abcdef") == "***-***"


def test_a_cut_never_leaves_half_a_secret() -> None:
    """A secret across the cut is masked like any other."""
    vault = Vault([Secret(name="k", value=PLAIN)])
    data = b"x" * 95 + PLAIN.encode() + b"y" * 100
    assert vault.mask_bytes(data, 100) == b"x" * 95 + b"***"
    assert vault.mask_bytes(data, 95) == b"x" * 95


def test_names_and_values_of_headers_are_masked() -> None:
    """For the record, both."""
    vault = Vault([Secret(name="k", value=PLAIN)])
    assert vault.mask_headers([(f"x-{PLAIN}", "a"), ("b", f"c {PLAIN}")]) == (("x-***", "a"), ("b", "c ***"))


def test_values_of_three_characters_are_not_masked() -> None:
    """They would blot out half of every text."""
    vault = Vault([Secret(name="k", value="the")])
    assert vault.mask_text("the end") == "the end"


def test_without_secrets_nothing_is_touched() -> None:
    """The very objects come back, at no cost."""
    vault = Vault()
    text, data, headers = "x" * 100, b"x" * 100, (("a", "b"),)
    assert vault.mask_text(text) is text
    assert vault.mask_bytes(data, 200) == data
    assert vault.mask_headers(headers) is headers
    assert vault.reveal(headers, scheme="https", host="e.com") is headers
    assert vault.concealment() is None


def test_only_referenced_secrets_are_concealed_from_the_guest() -> None:
    """The others it knows; blotting them out would only break its replies."""
    vault = Vault([Secret(name="open", value="open-value"), reference()])
    mask = vault.concealment()
    assert mask is not None
    assert mask.text(f"open-value {PLAIN}") == "open-value ***"
    assert Vault([Secret(name="open", value="open-value")]).concealment() is None


@pytest.mark.parametrize("exposure", list(Exposure))
@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "sha512"])
def test_signing_is_hmac(exposure: Exposure, algorithm: str) -> None:
    """Under the value, whichever way the guest holds it."""
    vault = Vault([Secret(name="k", value=PLAIN, exposure=exposure)])
    expected = hmac.new(PLAIN.encode(), b"data", getattr(hashlib, algorithm)).digest()
    assert vault.sign("k", algorithm, b"data") == expected
    assert vault.verify("k", algorithm, b"data", expected) is True
    assert vault.verify("k", algorithm, b"data", expected[:-1]) is False
    assert vault.verify("k", algorithm, b"other", expected) is False


def test_an_unknown_secret_signs_nothing() -> None:
    """The caller can tell it from a wrong signature."""
    assert Vault().sign("k", "sha256", b"") is None
    assert Vault().verify("k", "sha256", b"", b"") is None


@pytest.mark.parametrize("algorithm", ["", "sha3_256", "SHA256", "blake2b", "none"])
def test_an_unknown_algorithm_is_an_error(algorithm: str) -> None:
    """It is a mistake of the author's, and the message lists what there is."""
    with pytest.raises(ValueError, match="sha256"):
        Vault([reference()]).sign("key", algorithm, b"")
