"""How to reach the registry end point of a repository, for layers: where it is, and the token for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from ecr_provider.ecr.faults import translated
from ecr_provider.ecr.identifiers import EcrRegistry

if TYPE_CHECKING:
    from ecr_provider.ecr.repository import EcrRepository

#: How long before its end a token is replaced. Source: it is good for 12 hours,
#: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetAuthorizationToken.html
_MARGIN: Final = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class RegistryAccess:
    """The registry end point, and what it lets one in by.

    :param registry_id: the account.
    :param host: the registry's host, as in image references.
    :param connect_to: where it answers, if that is elsewhere; so it is with a local ECR.
    :param header: the ``Authorization`` header.
    :param ends: until when it is good.
    """

    registry_id: str
    host: str
    connect_to: str | None
    header: str = field(repr=False)
    ends: datetime

    @property
    def is_good(self) -> bool:
        """Whether it will be good for a while."""
        return datetime.now(self.ends.tzinfo) < self.ends - _MARGIN


def registry_access(repository: EcrRepository, registry_id: str | None = None) -> RegistryAccess:
    """Get access to a repository's registry, by GetAuthorizationToken.

    The token is good for every registry that the principal may use, so also for another account's.

    :param repository: the repository; where it does not name its account,
    :param registry_id: this is it, if it is known.
    :raises EcrCallError: the call failed.
    """
    with translated("GetAuthorizationToken", str(repository)):
        granted = repository.client.get_authorization_token()["authorizationData"][0]
        header, ends, proxy = f"Basic {granted['authorizationToken']}", granted["expiresAt"], granted["proxyEndpoint"]
    own = EcrRegistry.of_host(urlsplit(proxy).netloc)
    account_id = repository.registry_id or registry_id or (own.account_id if own else _account_of(repository))
    host = EcrRegistry(account_id, repository.region_name, repository.partition).host
    return RegistryAccess(account_id, host, None if own else proxy, header, ends)


def _account_of(repository: EcrRepository) -> str:
    with translated("DescribeRegistry", str(repository)):
        return repository.client.describe_registry()["registryId"]
