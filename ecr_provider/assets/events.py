"""What Airflow's asset events tell of images: written by operators and triggers, read by whoever follows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Protocol

from airflow.sdk import Asset, AssetAlias, Context
from airflow.sdk.definitions.asset import AssetRef
from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType

from ecr_provider.assets.ecr import PARTITIONED, EcrImageAsset, reference_of, uri_of
from ecr_provider.ecr.identifiers import EcrRegistry
from ecr_provider.ecr.put_plan import Outcome
from ecr_provider.exceptions import InvalidInputError
from ecr_provider.oci import ImageReference
from ecr_provider.version_compat import recent_asset_events, referred_asset

if TYPE_CHECKING:
    from ecr_provider.ecr.report import ImageReport, TagReport
    from ecr_provider.ecr.repository import EcrRepository

#: How many of an asset's last events are looked at: queues are not in order, and not every event tells of an image.
_RECENT: Final = 20
_WHAT_A_TAG_IS: Final = ("registryId", "repositoryName", "imageTag")


class HasOutlets(Protocol):
    """A task."""

    outlets: list[Any]


# --- Writing -------------------------------------------------------------------------------------------------


def images_of(context: Context, outlets: Sequence[Any]) -> Iterator[ImageReference]:
    """Yield the images of Amazon ECR that outlets are."""
    for outlet in outlets:
        asset = _asset_of(context, outlet)
        if asset and (reference := reference_of(asset)):
            yield reference


def check_outlets(
    references: Sequence[ImageReference], repository: EcrRepository, registry_id: str | None, tags: Sequence[str]
) -> None:
    """Refuse an outlet that is another image than the task puts: its followers would deploy the wrong one.

    :param references: what the outlets are.
    :param registry_id: the AWS account id of the registry, as far as it is known.
    :param tags: the tags that the task puts.
    :raises InvalidInputError: there is one.
    """
    for reference in references:
        registry = EcrRegistry.of_host(reference.registry)
        account = registry_id or (registry.account_id if registry else "")
        own = EcrRegistry(account, repository.region_name, repository.partition)
        if (registry, reference.repository) != (own, str(repository)) or reference.tag not in (None, *tags):
            names = ", ".join(f":{tag}" for tag in tags) or "no tag"
            raise InvalidInputError(
                f"The outlet {reference} is not what this task puts, which is {own.host}/{repository} with {names}: "
                "whoever follows it would get another image. Correct the outlet, or the task; a task that is mapped "
                "over tags takes an AssetAlias, or the repository's asset, without a tag."
            )


def emit_events(context: Context, task: HasOutlets, report: ImageReport, host: str, *, emit_unchanged: bool) -> None:
    """Have the outlets of a task tell what became of the tags that it put.

    An outlet about which there is nothing new is taken off the task, since Airflow sends an event for each that is
    on it. New is what changed, and what the outlet's last events do not tell: a task that put a tag and was killed
    before it ended finds the tag unchanged at its second try, and nobody has heard of it yet.

    :param host: the registry's host.
    :param emit_unchanged: also tell of a tag that points at the image already.
    """
    kept: list[Any] = []
    for outlet in task.outlets:
        if isinstance(outlet, AssetAlias):
            _tell_alias(context, outlet, report, host, emit_unchanged=emit_unchanged)
        elif asset := _asset_of(context, outlet):
            extra = _extra(report, _tag_of(asset, report))
            if not emit_unchanged and not _is_new(context, asset, extra):
                continue
            _tell(context, outlet, extra, is_partitioned=bool(asset.extra.get(PARTITIONED)))
        kept.append(outlet)
    task.outlets = kept


def _asset_of(context: Context, outlet: Any) -> Asset | None:
    """Return the asset that an outlet is, or that it refers to by name or URI; ``None``: it is something else."""
    if isinstance(outlet, Asset):
        return outlet
    return referred_asset(context, outlet) if isinstance(outlet, AssetRef) else None


def _tell(context: Context, outlet: Any, extra: dict[str, Any], *, is_partitioned: bool) -> None:
    event = context["outlet_events"][outlet]
    event.extra = {**event.extra, **extra}
    if is_partitioned:
        # The digest alone would do for different images. Of one that is released, left and released again, Airflow
        # would make one run, and in the wrong place, if it had not begun the first.
        event.add_partitions(f"{extra['imageDigest']}@{datetime.now(UTC).isoformat()}")


def _tell_alias(context: Context, alias: AssetAlias, report: ImageReport, host: str, *, emit_unchanged: bool) -> None:
    for tag in report["tags"] or (None,):
        reference = ImageReference(host, report["repositoryName"], tag["imageTag"] if tag else None)
        asset = _known_asset(context, reference)
        extra = _extra(report, tag)
        if emit_unchanged or _is_new(context, asset, extra):
            context["outlet_events"][alias].add(asset, extra=extra)


def _known_asset(context: Context, reference: ImageReference) -> Asset:
    """Return the asset of an image, under the name that Airflow knows it by, if it does."""
    try:
        return referred_asset(context, Asset.ref(uri=uri_of(reference)))
    except AirflowRuntimeError as error:
        if error.error.error is not ErrorType.ASSET_NOT_FOUND:
            raise
        return EcrImageAsset(str(reference))


def _tag_of(asset: Asset, report: ImageReport) -> TagReport | None:
    """Return the tag that an asset is about; ``None``: it is about the repository, or is not of ECR."""
    reference = reference_of(asset)
    return next((tag for tag in report["tags"] if reference and tag["imageTag"] == reference.tag), None)


def _extra(report: ImageReport, tag: TagReport | None) -> dict[str, Any]:
    """Return what an event tells: the report, of one tag if it is about one."""
    told = {key: value for key, value in report.items() if key not in ("tags", "imageTags")}
    return told | (dict(tag) if tag else {})


def _is_new(context: Context, asset: Asset, extra: Mapping[str, Any]) -> bool:
    if extra["outcome"] != Outcome.UNCHANGED.value:
        return True
    told = [image for event in recent_asset_events(asset, _RECENT) if "imageDigest" in (image := image_in(event))]
    of_tag = next((image for image in told if all(image.get(name) == extra[name] for name in _WHAT_A_TAG_IS)), None)
    if of_tag is not None:
        return bool(of_tag["imageDigest"] != extra["imageDigest"])
    # Of an asset that others write, too, an older image must not become the newest by being told of again. But a
    # further try may be that of a task that put the tag and died.
    return not told or context["ti"].try_number > 1


# --- Reading -------------------------------------------------------------------------------------------------


def latest_image(triggering_asset_events: Mapping[Any, Sequence[Any]], asset: Asset | None = None) -> dict[str, Any]:
    """Return the newest image that an asset's events tell of, for the task that deploys it.

    Airflow may start one run for several events, in no order, and none for the last of them. So this looks at the
    times, and for events that came after those that started the run. A run of a partition is for its own event. ::

        @task
        def deploy(triggering_asset_events):
            run(latest_image(triggering_asset_events)["imageUri"])

    :param triggering_asset_events: what Airflow hands to a task of this name.
    :param asset: whose events, where a DAG follows several assets, and for runs that no event started.
    :return: the image, as :class:`~ecr_provider.ecr.report.ImageReport` has it.
    :raises InvalidInputError: there is no such event, or several assets have some and none is named.
    """
    followed = [Asset(name=each.name, uri=each.uri) for each in triggering_asset_events if isinstance(each, Asset)]
    names = ", ".join(each.name for each in followed) or "no asset"
    if asset is None and len(followed) == 1:
        asset = followed[0]
    if not isinstance(asset, Asset):
        raise InvalidInputError(
            f"This run was started by events of {names}: say which asset's image is wanted, latest_image(…, asset)."
        )
    events = list(_events_of(triggering_asset_events, asset))
    if not any(getattr(event, "partition_key", None) for event in events):
        events += recent_asset_events(asset, _RECENT)
    told = [event for event in events if "imageDigest" in image_in(event)]
    if not told:
        raise InvalidInputError(
            f"No event of {asset.name} tells of an image, and this run was started by events of {names}: nothing was "
            "released yet, or the DAG follows another asset."
        )
    return dict(image_in(max(told, key=_told_at)))


def image_in(event: Any) -> Mapping[str, Any]:
    """Return what an event tells of an image, whether a task sent it or a trigger; nothing, if it tells of none."""
    extra = event.extra
    if isinstance(extra, Mapping) and extra.get("from_trigger"):
        extra = extra.get("payload")
    return extra if isinstance(extra, Mapping) else {}


def _events_of(events: Mapping[Any, Sequence[Any]], asset: Asset) -> Iterator[Any]:
    for each, of_it in events.items():
        if isinstance(each, Asset) and (each.name, each.uri) == (asset.name, asset.uri):
            yield from of_it


def _told_at(event: Any) -> tuple[datetime, datetime]:
    """Return when it happened: queues are not in order, and what came through one says the time itself."""
    time = event.timestamp
    with suppress(KeyError, TypeError, ValueError):  # none, or somebody's own
        said = datetime.fromisoformat(image_in(event)["time"])
        time = said if said.tzinfo else said.replace(tzinfo=UTC)
    return time, event.timestamp
