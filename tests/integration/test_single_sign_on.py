"""Signing in by a real OpenID Connect provider: there and back, groups, connecting an account, and every forgery."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from fastapi import FastAPI
from httpx2 import Response
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

import provider as providers
from house import House
from page_browser import HOME, Browser, words
from provider import Provider
from real_stack import free_port
from signoff.adapters.identity.oidc import OidcProvider
from signoff.domain.account import Admission
from signoff.domain.account_errors import SignOnError
from signoff.domain.actor import Role
from signoff.domain.errors import UnavailableError
from signoff.domain.secret import Secret
from signoff.outbound import Answer, Outbound
from signoff.service.accounts import make_link, use_link
from signoff.service.sessions import list_sessions
from signoff.service.single_sign_on import CALLBACK

GROUPS = {"frida": ["ml-risk", "everyone"], "bob": []}
VIEWERS = frozenset({Role.VIEWER})
PASSWORD = "seven quiet herons wade"


@pytest.fixture(scope="module")
def real() -> Iterator[Provider]:
    """A provider process that the whole module shares."""
    with providers.running(HOME + CALLBACK, free_port(), GROUPS) as found:
        yield found


def client_of(real: Provider, **changes: Any) -> OidcProvider:
    made = OidcProvider(
        issuer=real.issuer,
        client_id="signoff",
        client_secret=Secret(providers.SECRET),
        outbound=Outbound(),
        scopes="openid profile email groups",
        groups_claim="groups",
    )
    return replace(made, **changes)


def admit(house: House, identity: OidcProvider | None, admission: Admission | None = None) -> None:
    """Let people sign in by `identity`."""
    house.desk = replace(house.desk, identity=identity, admission=admission or Admission())
    cast("FastAPI", house.client.app).state.desk = house.desk


def sign_on(real: Provider, browser: Browser, name: str, wanted: str = "/account") -> Response:
    """Sign in at the provider as `name`, and come back."""
    left = browser.get(f"/sign-in/single?next={wanted}")
    assert left.status_code == 303, left.text
    back = real.sign_in(left.headers["location"], name)
    return browser.get(back.removeprefix(HOME))


def test_somebody_new_comes_in_with_the_roles_and_groups_that_were_chosen(house: House, real: Provider) -> None:
    admit(house, client_of(real), Admission({"ml-risk": "risk", "ml-leads": "leads"}, VIEWERS))
    browser = Browser(house)
    assert "Sign in with single sign-on" in words(browser.get("/sign-in"))
    back = sign_on(real, browser, "frida")
    assert (back.status_code, back.headers["location"]) == (303, "/account")
    assert "frida" in words(browser.get("/account"))
    told = house.as_("erin").get("/users/frida").json()
    assert (told["roles"], told["groups"], told["email"]) == (["viewer"], ["risk"], "frida@example.org")
    mine = list_sessions(house.desk, house.actor("erin"), person="frida")
    assert [session.methods for session in mine] == [("oidc",)]
    assert sign_on(real, Browser(house), "frida").status_code == 303
    assert house.types().count("person.added") == 1


def test_groups_follow_the_provider_and_others_are_left_alone() -> None:
    admission = Admission({"ml-risk": "risk", "ml-leads": "leads"})
    assert admission.groups_of(frozenset({"leads", "chess"}), frozenset({"ml-risk"})) == {"risk", "chess"}
    assert admission.groups_of(frozenset({"leads", "chess"}), None) == {"leads", "chess"}
    assert admission.groups_of(frozenset({"leads"}), frozenset()) == frozenset()


def test_nobody_new_comes_in_unless_that_was_chosen(house: House, real: Provider) -> None:
    admit(house, client_of(real))
    browser = Browser(house)
    assert sign_on(real, browser, "frida").headers["location"] == "/sign-in"
    assert "Nobody here is connected to that account" in words(browser.get("/sign-in"))
    assert "person.added" not in house.types()


def test_a_name_that_somebody_has_opens_no_account(house: House, real: Provider) -> None:
    admit(house, client_of(real), Admission(new_people=VIEWERS))
    browser = Browser(house)
    assert sign_on(real, browser, "bob").headers["location"] == "/sign-in"
    assert "Somebody is called bob here already" in words(browser.get("/sign-in"))
    assert browser.get("/account").status_code == 303


def test_an_account_is_connected_by_who_is_signed_in_and_opened_by_it_from_then_on(
    house: House, real: Provider
) -> None:
    admit(house, client_of(real))
    browser = Browser(house).sign_in("bob")
    shown = browser.send("/account", "/account/single/connect")
    address = shown.text.partition(f'href="{real.issuer}')[2].partition('"')[0].replace("&amp;", "&")
    back = real.sign_in(real.issuer + address, "robert")
    assert browser.get(back.removeprefix(HOME)).headers["location"] == "/account"
    assert "You can sign in with your account at" in words(browser.get("/account"))
    other = Browser(house)
    assert sign_on(real, other, "robert").headers["location"] == "/account"
    assert "bob" in words(other.get("/account"))
    carol = Browser(house).sign_in("carol")
    shown = carol.send("/account", "/account/single/connect")
    address = shown.text.partition(f'href="{real.issuer}')[2].partition('"')[0].replace("&amp;", "&")
    refusal = carol.get(real.sign_in(real.issuer + address, "robert").removeprefix(HOME))
    assert refusal.status_code == 409
    assert "somebody else's way in" in words(refusal)


def test_the_only_way_in_is_not_taken_away(house: House, real: Provider) -> None:
    admit(house, client_of(real), Admission(new_people=VIEWERS))
    browser = Browser(house)
    sign_on(real, browser, "frida")
    assert browser.send("/account", "/account/single/disconnect").status_code == 409
    assert browser.send("/account", "/account/password", password=PASSWORD, again=PASSWORD).status_code == 303
    assert browser.send("/account", "/account/single/disconnect").status_code == 303
    assert sign_on(real, Browser(house), "frida").headers["location"] == "/sign-in"


def test_somebody_deactivated_stays_out(house: House, real: Provider) -> None:
    from signoff.service.people import deactivate_person

    admit(house, client_of(real), Admission(new_people=VIEWERS))
    sign_on(real, Browser(house), "frida")
    deactivate_person(house.desk, house.actor("erin"), "frida")
    browser = Browser(house)
    assert sign_on(real, browser, "frida").status_code in {303, 401}
    assert browser.get("/account").status_code == 303


def test_a_state_is_good_once_in_its_own_browser_and_for_a_while(house: House, real: Provider) -> None:
    admit(house, client_of(real), Admission(new_people=VIEWERS))
    one, other = Browser(house), Browser(house)
    back = real.sign_in(one.get("/sign-in/single").headers["location"], "frida").removeprefix(HOME)
    other.get("/sign-in")
    assert other.get(back).headers["location"] == "/sign-in"
    assert "another browser" in words(other.get("/sign-in"))
    assert one.get(back).headers["location"] == "/sign-in", "it was used up by the other browser's try"
    late = real.sign_in(one.get("/sign-in/single").headers["location"], "frida").removeprefix(HOME)
    house.clock.wait(minutes=11)
    assert one.get(late).headers["location"] == "/sign-in"
    assert "took too long" in words(one.get("/sign-in"))
    good = sign_on(real, one, "frida")
    assert good.headers["location"] == "/account"


def test_a_code_is_nothing_without_the_verifier_of_the_one_who_asked(house: House, real: Provider) -> None:
    admit(house, client_of(real), Admission(new_people=VIEWERS))
    victim, thief = Browser(house), Browser(house)
    stolen = parse_qs(urlsplit(real.sign_in(victim.get("/sign-in/single").headers["location"], "frida")).query)
    own = parse_qs(urlsplit(thief.get("/sign-in/single").headers["location"]).query)
    mixed = urlencode({"code": stolen["code"][0], "state": own["state"][0], "iss": real.issuer})
    assert thief.get(f"{CALLBACK}?{mixed}").headers["location"] == "/sign-in"
    assert "was not believed" in words(thief.get("/sign-in"))


def test_what_another_provider_or_a_refusal_sends_back_is_refused(house: House, real: Provider) -> None:
    admit(house, client_of(real), Admission(new_people=VIEWERS))
    browser = Browser(house)
    back = real.sign_in(browser.get("/sign-in/single").headers["location"], "frida").removeprefix(HOME)
    mixed_up = back.replace(urlencode({"iss": real.issuer}), urlencode({"iss": "https://evil.example"}))
    assert mixed_up != back
    for path in (mixed_up, f"{CALLBACK}?error=access_denied&state=x", CALLBACK):
        assert browser.get(path).headers["location"] == "/sign-in"
    assert browser.get("/account").status_code == 303


def test_a_provider_that_does_not_answer_is_told_as_a_page(house: House) -> None:
    away = OidcProvider(f"http://127.0.0.1:{free_port()}", "signoff", None, Outbound())
    admit(house, away)
    answer = Browser(house).get("/sign-in/single")
    assert answer.status_code == 503
    assert "No answer from 127.0.0.1" in words(answer)


class Forger(Outbound):
    """The way out to a provider that is under the test's thumb: discovery, keys, and this token."""

    def ask(self, method: str, url: str, **_: Any) -> Answer:  # noqa: ARG002 - the way out
        return Answer(200, {}, json.dumps(self.pages()[urlsplit(url).path]).encode())

    def pages(self) -> dict[str, Any]:
        issuer = "https://id.example.org"
        return {
            "/.well-known/openid-configuration": {
                "issuer": issuer,
                "authorization_endpoint": f"{issuer}/auth",
                "token_endpoint": f"{issuer}/token",
                "jwks_uri": f"{issuer}/keys",
            },
            "/keys": {"keys": [KEY.as_dict(private=False)]},
            "/token": {"id_token": TOKEN["now"], "access_token": "x"},
        }


KEY = RSAKey.generate_key(2048, {"kid": "one"})
OTHER = RSAKey.generate_key(2048, {"kid": "one"})
TOKEN = {"now": ""}
NOW = 4_000_000_000


def claims(**changes: Any) -> dict[str, Any]:
    import time

    now = int(time.time())
    made = {"iss": "https://id.example.org", "sub": "1", "aud": "signoff", "iat": now, "exp": now + 300, "nonce": "n"}
    return {name: value for name, value in {**made, **changes}.items() if value is not None}


def redeem(token: str) -> Any:
    TOKEN["now"] = token
    client = OidcProvider("https://id.example.org", "signoff", Secret("s"), Forger())
    return client.redeem("https://here/back", code="c", nonce="n", verifier="v")


def test_a_token_that_is_right_is_believed() -> None:
    vouched = redeem(jwt.encode({"alg": "RS256", "kid": "one"}, claims(preferred_username="frida"), KEY))
    assert (vouched.issuer, vouched.subject, vouched.name) == ("https://id.example.org", "1", "frida")


def test_an_address_that_was_not_verified_is_not_taken() -> None:
    token = jwt.encode({"alg": "RS256", "kid": "one"}, claims(email="a@example.org", email_verified=False), KEY)
    assert redeem(token).email is None


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"iss": "https://evil.example"},
        {"iss": None},
        {"aud": "another"},
        {"aud": ["signoff", "another"], "azp": "another"},
        {"exp": 1_000_000_000},
        {"exp": None},
        {"iat": NOW},
        {"nbf": NOW},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
    ],
    ids=str,
)
def test_a_token_with_one_wrong_claim_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(SignOnError, match="was not believed"):
        redeem(jwt.encode({"alg": "RS256", "kid": "one"}, claims(**changes), KEY))


def test_a_token_signed_by_another_key_or_none_or_a_shared_secret_is_refused() -> None:
    good = jwt.encode({"alg": "RS256", "kid": "one"}, claims(), KEY)
    header = "eyJhbGciOiJub25lIn0"
    forged = [
        jwt.encode({"alg": "RS256", "kid": "one"}, claims(), OTHER),
        jwt.encode({"alg": "ES256", "kid": "one"}, claims(), ECKey.generate_key("P-256")),
        _by_shared_secret(good),
        f"{header}.{good.split('.')[1]}.",
        good[:-4] + "AAAA",
        "no token at all",
    ]
    for token in forged:
        with pytest.raises(SignOnError):
            redeem(token)


def _by_shared_secret(token: str) -> str:
    """The token's claims under HS256, with the public key as the secret."""
    head = base64.urlsafe_b64encode(b'{"alg":"HS256","kid":"one"}').decode().rstrip("=")
    signed = f"{head}.{token.split('.')[1]}"
    signature = hmac.digest(KEY.as_pem(private=False), signed.encode(), "sha256")
    return f"{signed}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def test_a_provider_that_calls_itself_otherwise_is_refused() -> None:
    client = OidcProvider("https://id.example.org/", "signoff", Secret("s"), Forger())
    with pytest.raises(UnavailableError, match=r"says that it is https://id\.example\.org"):
        client.address("https://here/back", state="s", nonce="n", verifier="v")


def test_the_way_there_names_a_challenge_and_never_the_verifier() -> None:
    client = OidcProvider("https://id.example.org", "signoff", Secret("s"), Forger())
    address = client.address("https://here/back", state="s", nonce="n", verifier="v" * 43)
    asked = parse_qs(urlsplit(address).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert (asked["state"], asked["nonce"], asked["response_type"]) == (["s"], ["n"], ["code"])
    assert "v" * 43 not in address


def test_a_password_stays_a_way_in_beside_single_sign_on(house: House, real: Provider) -> None:
    admit(house, client_of(real))
    link = make_link(house.desk, house.actor("erin"), "bob")
    use_link(house.desk, link.url.partition("code=")[2], PASSWORD)
    signed = Browser(house).send("/sign-in", "/sign-in", name="bob", password=PASSWORD)
    assert signed.status_code == 303
