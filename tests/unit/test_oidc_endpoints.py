"""Where a provider's own document leads: to the provider itself, and to no private address that nobody named."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from issuer import Issuer, an_issuer
from signoff.adapters.identity.oidc import OidcProvider
from signoff.domain.errors import UnavailableError
from signoff.outbound import AddressRefusedError, Outbound


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with an_issuer() as made:
        yield made


@pytest.fixture
def inside() -> Iterator[Issuer]:
    """Another server on a private address."""
    with an_issuer() as made:
        yield made


def provider(issuer: Issuer) -> OidcProvider:
    return OidcProvider(issuer.address, "signoff", None, Outbound())


def test_a_provider_on_a_private_address_that_was_named_is_asked(issuer: Issuer) -> None:
    issuer.description["token_endpoint"] = f"{issuer.address}/token"
    with pytest.raises(UnavailableError):
        provider(issuer).redeem("http://here/back", code="c", nonce="n", verifier="v")
    assert issuer.asked == ["/.well-known/openid-configuration"]
    assert len(provider(issuer)._keys().keys) == 2


@pytest.mark.parametrize("name", ["token_endpoint", "jwks_uri"])
def test_its_document_leads_to_no_other_private_address(issuer: Issuer, inside: Issuer, name: str) -> None:
    issuer.description[name] = f"{inside.address}/keys"
    found = provider(issuer)
    asks: dict[str, Callable[[], object]] = {
        "jwks_uri": found._keys,
        "token_endpoint": lambda: found.redeem("http://here/back", code="c", nonce="n", verifier="v"),
    }
    with pytest.raises(AddressRefusedError):
        asks[name]()
    assert inside.asked == []
