"""Where registries are, and which ways to them are private."""

from __future__ import annotations

import pytest
from hypothesis import given
from strategies import registries

from ecr_provider.registry.addresses import is_loopback, is_private_way, origin_of, origin_of_registry, repository_of


@pytest.mark.parametrize(
    ("registry", "origin"),
    [
        ("123456789012.dkr.ecr.us-east-1.amazonaws.com", "https://123456789012.dkr.ecr.us-east-1.amazonaws.com"),
        ("registry.example:5000", "https://registry.example:5000"),
        ("10.0.0.1:5000", "https://10.0.0.1:5000"),
        ("localhost", "http://localhost"),
        ("localhost:5000", "http://localhost:5000"),
        ("ecr.localhost:5000", "http://ecr.localhost:5000"),
        ("127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("127.8.8.8", "http://127.8.8.8"),
        ("[::1]:5000", "http://[::1]:5000"),
        ("[::2]:5000", "https://[::2]:5000"),
        ("localhost.example", "https://localhost.example"),
        ("notlocalhost", "https://notlocalhost"),
        ("127.0.0.1.example", "https://127.0.0.1.example"),
        ("docker.io", "https://registry-1.docker.io"),
        ("index.docker.io", "https://registry-1.docker.io"),
    ],
)
def test_plain_http_is_for_loopback_only(registry: str, origin: str) -> None:
    assert origin_of_registry(registry) == origin


@given(registries())
def test_the_way_to_any_registry_is_private(registry: str) -> None:
    assert is_private_way(origin_of_registry(registry))


@pytest.mark.parametrize(
    ("address", "is_private"),
    [
        ("https://registry.example/v2/", True),
        ("http://registry.example/v2/", False),
        ("http://localhost:5000/v2/", True),
        ("http://[::1]/v2/", True),
        ("http://localhost@registry.example/", False),
        ("http://registry.example/localhost", False),
        ("ftp://registry.example/", False),
        ("", False),
    ],
)
def test_a_way_is_private_by_tls_or_on_this_machine(address: str, is_private: bool) -> None:
    assert is_private_way(address) is is_private


@pytest.mark.parametrize("host", ["localhost", "a.localhost", "127.0.0.1", "127.255.255.254", "::1"])
def test_names_and_addresses_of_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["", "localhost.", "128.0.0.1", "0.0.0.0", "::", "::2", "xlocalhost"])  # noqa: S104
def test_what_might_be_another_machine(host: str) -> None:
    assert not is_loopback(host)


def test_an_origin_is_scheme_host_and_port() -> None:
    assert origin_of("https://registry.example:444/v2/?a=b#c") == "https://registry.example:444"
    assert origin_of("https://registry.example/") != origin_of("http://registry.example/")


@pytest.mark.parametrize(
    ("registry", "repository", "there"),
    [
        ("docker.io", "busybox", "library/busybox"),
        ("index.docker.io", "busybox", "library/busybox"),
        ("docker.io", "team/web", "team/web"),
        ("quay.io", "busybox", "busybox"),
    ],
)
def test_official_images_have_a_longer_name(registry: str, repository: str, there: str) -> None:
    assert repository_of(registry, repository) == there
