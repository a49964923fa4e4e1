"""Which network addresses an address from outside may lead to: what the whole internet reaches, and nothing else.

An IPv4 address hides in IPv6 in several ways; each is looked through.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

from signoff.domain.errors import ConfigurationError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_NEVER_PUBLIC = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",
        "100.64.0.0/10",
        "168.63.129.16/32",  # a cloud's own services, under an address that looks public
        "169.254.0.0/16",
        "192.0.0.0/24",
        "192.88.99.0/24",
        "198.18.0.0/15",
        "240.0.0.0/4",
        "64:ff9b:1::/48",
        "100::/64",
        "2001::/23",
        "2001:db8::/32",
        "3fff::/20",
        "5f00::/16",
        "fc00::/7",
        "fe80::/10",
        "fec0::/10",
    )
)
"""Besides what the standard library knows to be private, loopback, reserved or multicast: that depends on its age."""

_METADATA = tuple(
    ip_network(text)
    for text in ("169.254.0.0/16", "168.63.129.16/32", "100.100.100.200/32", "fe80::/10", "fd00:ec2::/32")
)
"""Link-local addresses and the clouds' metadata services: no name, however trusted, leads there."""

_NAT64 = IPv6Network("64:ff9b::/96")
_COMPATIBLE = IPv6Network("::/96")
_V4_BITS = 0xFFFF_FFFF


@dataclass(frozen=True, slots=True)
class AllowList:
    """What an administrator lets signoff ask, although it is private: networks, and names (with ``*``)."""

    networks: tuple[Network, ...] = ()
    names: tuple[str, ...] = field(default=())

    @classmethod
    def of(cls, entries: Iterable[str]) -> AllowList:
        """The list that `entries` are: addresses, networks and names.

        Raises:
            ConfigurationError: one of them is none of these.
        """
        networks: list[Network] = []
        names: list[str] = []
        for entry in entries:
            try:
                networks.append(ip_network(entry))
            except ValueError as error:
                is_name = entry.replace(".", "").replace("-", "").replace("*", "").isalnum()
                if not is_name or entry.strip("*.") == "" or entry[-1].isdigit():
                    raise ConfigurationError(
                        f"{entry!r} is no network and no name of a host: {error}.",
                        "Write 10.1.0.0/16, gitlab.example.com or *.example.com.",
                    ) from error
                names.append(entry.casefold())
        return cls(tuple(networks), tuple(names))

    def names_host(self, host: str) -> bool:
        """Whether a name on the list stands for `host`."""
        return any(fnmatchcase(host.casefold().rstrip("."), name) for name in self.names)

    def holds(self, address: str) -> bool:
        """Whether a network on the list holds `address`, or an IPv4 address that hides in it."""
        return any(_is_in(inner, self.networks) for inner in faces(address))


def is_public(address: str) -> bool:
    """Whether the whole internet means the same machine by `address`."""
    return all(_is_public(face) for face in faces(address))


def is_metadata(address: str) -> bool:
    """Whether `address` is link-local or a cloud's metadata service."""
    return any(_is_in(face, _METADATA) for face in faces(address))


def faces(address: str) -> Iterator[Address]:
    """The address itself, and every IPv4 address that it may be another way to write."""
    plain = ip_address(address.partition("%")[0])
    yield plain
    if isinstance(plain, IPv4Address):
        return
    hidden = [plain.ipv4_mapped, plain.sixtofour, *(plain.teredo or ())]
    if plain in _NAT64 or (plain in _COMPATIBLE and int(plain) > 1):
        hidden.append(IPv4Address(int(plain) & _V4_BITS))
    yield from (face for face in hidden if face is not None)


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return True  # it is what its IPv4 face is
    is_special = address.is_multicast or address.is_reserved or address.is_unspecified or address.is_loopback
    if isinstance(address, IPv6Address) and address in _NAT64:
        is_special = False  # likewise
    return address.is_global and not is_special and not _is_in(address, _NEVER_PUBLIC)


def _is_in(address: Address, networks: Iterable[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)
