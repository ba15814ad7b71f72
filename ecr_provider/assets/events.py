"""What Airflow's asset events tell of images: written by operators and triggers, read by whoever follows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from airflow.sdk import Asset, AssetAlias, Context

from ecr_provider.assets.ecr import PARTITIONED, EcrImageAsset, reference_of
from ecr_provider.ecr.identifiers import EcrRegistry
from ecr_provider.ecr.put_plan import Outcome
from ecr_provider.exceptions import InvalidInputError
from ecr_provider.oci import ImageReference
from ecr_provider.version_compat import last_asset_event

if TYPE_CHECKING:
    from ecr_provider.ecr.report import ImageReport, TagReport
    from ecr_provider.ecr.repository import EcrRepository


class HasOutlets(Protocol):
    """A task."""

    outlets: list[Any]


# --- Writing -------------------------------------------------------------------------------------------------


def check_outlets(
    outlets: Sequence[object], repository: EcrRepository, registry_id: str | None, tags: Sequence[str]
) -> None:
    """Refuse an outlet that is another image than the task puts: its followers would deploy the wrong one.

    :param registry_id: the AWS account id of the registry, as far as it is known.
    :param tags: the tags that the task puts.
    :raises InvalidInputError: there is one.
    """
    for outlet in outlets:
        reference = reference_of(outlet) if isinstance(outlet, Asset) else None
        if reference is None:
            continue
        registry = EcrRegistry.of_host(reference.registry)
        account = registry_id or (registry.account_id if registry else "")
        own = EcrRegistry(account, repository.region_name, repository.partition)
        if (registry, reference.repository) != (own, str(repository)) or reference.tag not in (None, *tags):
            names = ", ".join(f":{tag}" for tag in tags) or "no tag"
            raise InvalidInputError(
                f"The outlet {reference} is not what this task puts, which is {own.host}/{repository} with {names}: "
                "whoever follows it would get another image. Correct the outlet, or the task."
            )


def emit_events(context: Context, task: HasOutlets, report: ImageReport, host: str, *, emit_unchanged: bool) -> None:
    """Have the outlets of a task tell what became of the tags that it put.

    An outlet about which there is nothing new is taken off the task, since Airflow sends an event for each that is
    on it. New is what changed, and what the outlet's last event does not tell: a task that put a tag and was killed
    before it ended finds the tag unchanged at its second try, and nobody has heard of it yet.

    :param host: the registry's host.
    :param emit_unchanged: also tell of a tag that points at the image already.
    """
    kept: list[Any] = []
    for outlet in task.outlets:
        if isinstance(outlet, AssetAlias):
            _tell_alias(context, outlet, report, host, emit_unchanged=emit_unchanged)
            kept.append(outlet)
        elif isinstance(outlet, Asset):
            extra = _extra(report, _tag_of(outlet, report))
            if emit_unchanged or _is_new(outlet, extra):
                _tell(context, outlet, extra)
                kept.append(outlet)
        else:
            kept.append(outlet)
    task.outlets = kept


def _tell(context: Context, asset: Asset, extra: dict[str, Any]) -> None:
    event = context["outlet_events"][asset]
    event.extra = extra
    if asset.extra.get(PARTITIONED):
        # The digest alone would do for different images. Of one that is released, left and released again, Airflow
        # would make one run, and in the wrong place, if it had not begun the first.
        event.add_partitions(f"{extra['imageDigest']}@{datetime.now(UTC).isoformat()}")


def _tell_alias(context: Context, alias: AssetAlias, report: ImageReport, host: str, *, emit_unchanged: bool) -> None:
    for tag in report["tags"]:
        asset = EcrImageAsset(str(ImageReference(host, report["repositoryName"], tag["imageTag"])))
        extra = _extra(report, tag)
        if emit_unchanged or _is_new(asset, extra):
            context["outlet_events"][alias].add(asset, extra=extra)


def _tag_of(asset: Asset, report: ImageReport) -> TagReport | None:
    """Return the tag that an asset is about; ``None``: it is about the repository, or is not of ECR."""
    reference = reference_of(asset)
    return next((tag for tag in report["tags"] if reference and tag["imageTag"] == reference.tag), None)


def _extra(report: ImageReport, tag: TagReport | None) -> dict[str, Any]:
    """Return what an event tells: the report, of one tag if it is about one."""
    return {key: value for key, value in report.items() if key != "tags"} | (dict(tag) if tag else {})


def _is_new(asset: Asset, extra: Mapping[str, Any]) -> bool:
    if extra["outcome"] != Outcome.UNCHANGED.value:
        return True
    last = last_asset_event(asset)
    return last is None or _image_in(last).get("imageDigest") != extra["imageDigest"]


# --- Reading -------------------------------------------------------------------------------------------------


def latest_image(triggering_asset_events: Mapping[Any, Sequence[Any]], asset: Asset | None = None) -> dict[str, Any]:
    """Return the newest image that an asset's events tell of, for the task that deploys it.

    Airflow may start one run for several events, in no order, and none for the last of them. So this looks at the
    times, and for events that came after those that started the run. ::

        @task
        def deploy(triggering_asset_events):
            run(latest_image(triggering_asset_events)["imageUri"])

    :param triggering_asset_events: what Airflow hands to a task of this name.
    :param asset: whose events, where a DAG follows several assets, and for runs that no event started.
    :return: the image, as :class:`~ecr_provider.ecr.report.ImageReport` has it.
    :raises InvalidInputError: there is no such event, or several assets have some and none is named.
    """
    followed = [Asset(name=each.name, uri=each.uri) for each in triggering_asset_events if isinstance(each, Asset)]
    if asset is None and len(followed) == 1:
        asset = followed[0]
    if asset is None:
        names = ", ".join(each.name for each in followed) or "no asset"
        raise InvalidInputError(
            f"This run was started by events of {names}: say whose image is wanted, latest_image(…, asset)."
        )
    events = [*_events_of(triggering_asset_events, asset), *filter(None, [last_asset_event(asset)])]
    told = [event for event in events if "imageDigest" in _image_in(event)]
    if not told:
        raise InvalidInputError(f"No event of {asset.name} tells of an image: nothing was released yet.")
    return dict(_image_in(max(told, key=_told_at)))


def _events_of(events: Mapping[Any, Sequence[Any]], asset: Asset) -> Iterator[Any]:
    for each, of_it in events.items():
        if isinstance(each, Asset) and (each.name, each.uri) == (asset.name, asset.uri):
            yield from of_it


def _told_at(event: Any) -> tuple[datetime, datetime]:
    """Return when it happened: queues are not in order, and what came through one says the time itself."""
    time = _image_in(event).get("time")
    return datetime.fromisoformat(time) if time else event.timestamp, event.timestamp


def _image_in(event: Any) -> Mapping[str, Any]:
    """Return what an event tells of an image, whether a task sent it or a trigger."""
    extra: Mapping[str, Any] = event.extra or {}
    payload = extra.get("payload") if extra.get("from_trigger") else extra
    return payload if isinstance(payload, Mapping) else {}
