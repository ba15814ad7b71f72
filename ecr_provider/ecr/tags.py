"""What many tags of a repository name now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ecr_provider.ecr.identifiers import ImageIdentifier
from ecr_provider.ecr.limits import MAX_IMAGE_IDS
from ecr_provider.ecr.listing import list_all_tagged
from ecr_provider.ecr.repository import EcrRepository, ImageDetail
from ecr_provider.exceptions import ImageNotFoundError


def describe_tags(repository: EcrRepository, tags: Iterable[str]) -> dict[str, ImageDetail | None]:
    """Tell what each tag names, archived images too, by DescribeImages, a hundred in a call; none counts as a pull.

    ECR refuses a call that names one tag that is not there, without saying which. Then the repository is listed, if one
    answer holds it; in a larger one such calls are halved.

    Source: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImages.html

    :return: for each tag its image; ``None``: there is no such tag.
    :raises RepositoryNotFoundError: there is no such repository.
    :raises EcrCallError: another failure of a call.
    """
    wanted = list(dict.fromkeys(tags))
    batches = [wanted[start : start + MAX_IMAGE_IDS] for start in range(0, len(wanted), MAX_IMAGE_IDS)]
    found: dict[str, ImageDetail | None] = {}
    is_listed = False
    for batch in batches:
        try:
            found |= _named(batch, _described(repository, batch))
        except ImageNotFoundError:
            if not is_listed and (listed := list_all_tagged(repository)) is not None:
                return _named(wanted, listed)
            is_listed = True
            found |= _halved(repository, batch)
    return found


def _described(repository: EcrRepository, tags: Sequence[str]) -> list[ImageDetail]:
    return repository.describe_images([ImageIdentifier(tag=tag) for tag in tags])


def _named(tags: Sequence[str], details: Iterable[ImageDetail]) -> dict[str, ImageDetail | None]:
    by_tag = {tag: detail for detail in details for tag in detail.tags}
    return {tag: by_tag.get(tag) for tag in tags}


def _halved(repository: EcrRepository, tags: Sequence[str]) -> Iterator[tuple[str, ImageDetail | None]]:
    """Describe tags of which one, at least, is not there."""
    if len(tags) == 1:
        yield tags[0], None
        return
    for half in (tags[: len(tags) // 2], tags[len(tags) // 2 :]):
        try:
            yield from _named(half, _described(repository, half)).items()
        except ImageNotFoundError:
            yield from _halved(repository, half)
