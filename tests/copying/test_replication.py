"""Leaving the copying to ECR's own replication, and copying what that does not bring."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from types import SimpleNamespace

import pytest
from copies import Side, assert_there, quick, signed_image
from emulator.replications import configure, to
from local_ecr import needs
from memory_images import MemoryImages

from ecr_provider.copying import copy_image
from ecr_provider.copying.protocols import ImageSource
from ecr_provider.copying.replication import await_replication
from ecr_provider.ecr import replication
from ecr_provider.emulator import EcrEmulator
from ecr_provider.oci import Manifest, parse_manifest

NAME = "shop/web"
WEST = "us-west-2"
SIGNED = signed_image()
IMAGE = parse_manifest(SIGNED.image.text)

Await = Callable[..., bool]


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replication, "_LOOK_EVERY", 0.0)


@pytest.fixture
def here(ecr: EcrEmulator) -> Side:
    return Side.create(ecr, NAME)


@pytest.fixture
def there(ecr: EcrEmulator, here: Side) -> Side:
    """The repository of the same name and account, in the West."""
    return Side.create(ecr, NAME, WEST, here.account_id)


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def await_it(ecr: EcrEmulator, lines: list[str]) -> Await:
    """Wait for the image, while the local ECR's clock moves."""

    def say(line: str) -> None:
        lines.append(line)
        if line.startswith("waiting"):
            ecr.advance(5)

    def call(source: ImageSource, target: Side, image: Manifest = IMAGE, *, backfill: bool = False) -> bool:
        patience = quick()
        ecr.clear_requests()
        return await_replication(source, target.images(patience), image, patience, backfill=backfill, say=say)

    return call


def copied(here: Side, there: Side) -> int:
    """Copy the image, and tell how many blobs that took."""
    patience = quick()
    result = copy_image(here.images(patience), there.images(patience), IMAGE, ["prod"], patience=patience)
    return result.report()["blobs"]


# --- What replication does not do ------------------------------------------------------------------------------------


def test_a_source_beyond_ecr_is_copied_at_once(
    ecr: EcrEmulator, there: Side, await_it: Await, lines: list[str]
) -> None:
    assert not await_it(MemoryImages(NAME), there)
    assert lines == ["copying: the source is no registry of ECR's, which could replicate by itself"]
    assert ecr.calls == []


def test_a_repository_of_another_name_is_copied_at_once(
    ecr: EcrEmulator, here: Side, await_it: Await, lines: list[str]
) -> None:
    other = Side.create(ecr, "shop/other", WEST, here.account_id)
    configure(here.client, *to(WEST, account=here.account_id))
    assert not await_it(here.images(quick()), other)
    names = "shop/web (ECR, us-east-1) is to become shop/other (ECR, us-west-2)"
    assert lines == [f"copying: replication keeps a repository's name, and {names}"]
    assert ecr.calls == []


@pytest.mark.parametrize("region", [None, "eu-west-1"])
def test_without_a_rule_it_is_copied_at_once(
    here: Side, there: Side, await_it: Await, lines: list[str], region: str | None
) -> None:
    if region:
        configure(here.client, *to(region, account=here.account_id))
    SIGNED.push(here.client, NAME, "build-42")
    assert not await_it(here.images(quick()), there)
    host = f"{here.account_id}.dkr.ecr.us-west-2.amazonaws.com"
    assert lines == [f"copying: no rule of the source's registry replicates shop/web (ECR, us-east-1) to {host}"]


def test_a_rule_for_another_account_s_registry_is_none_for_this_one(
    ecr: EcrEmulator, here: Side, await_it: Await, lines: list[str]
) -> None:
    stranger = Side.create(ecr, NAME, WEST)
    configure(here.client, *to(WEST, account=here.account_id))
    assert not await_it(here.images(quick()), stranger)
    assert lines[0].startswith("copying: no rule")
    assert stranger.account_id in lines[0]


def test_a_repository_is_not_replicated_to_itself(here: Side, await_it: Await, lines: list[str]) -> None:
    configure(here.client, *to(WEST, account=here.account_id))
    assert not await_it(here.images(quick()), here)
    assert lines[0].startswith("copying: no rule")


# --- What it does ----------------------------------------------------------------------------------------------------


def test_what_the_registry_replicates_is_waited_for_and_not_copied(
    here: Side, there: Side, await_it: Await, lines: list[str]
) -> None:
    configure(here.client, *to(WEST, account=here.account_id))
    SIGNED.push(here.client, NAME, "build-42")
    assert await_it(here.images(quick()), there)
    assert lines[0].startswith("waiting for the registry to replicate")
    assert lines[-1] == f"the registry has replicated {IMAGE.digest} to {here.account_id}.dkr.ecr.{WEST}.amazonaws.com"
    assert copied(here, there) == 0
    assert there.pointee("prod") == SIGNED.digest


def test_what_the_registry_failed_to_replicate_is_copied(
    ecr: EcrEmulator, here: Side, there: Side, await_it: Await, lines: list[str]
) -> None:
    ecr.switches.replication_failures[WEST] = "INTERNAL_ERROR"
    configure(here.client, *to(WEST, account=here.account_id))
    SIGNED.push(here.client, NAME, "build-42")
    assert not await_it(here.images(quick()), there)
    assert lines[-1].endswith("failed (INTERNAL_ERROR)")
    assert copied(here, there) == len(SIGNED.blobs)
    assert_there(there, SIGNED.manifests, SIGNED.blobs)


@needs("StartReplicationBackfill")
def test_what_is_older_than_the_rule_is_replicated_if_that_is_asked_for(
    here: Side, there: Side, await_it: Await, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replication, "_NOTICE_SECONDS", 0.0)
    SIGNED.push(here.client, NAME, "build-42")
    configure(here.client, *to(WEST, account=here.account_id))
    assert not await_it(here.images(quick()), there)
    assert await_it(here.images(quick()), there, backfill=True)
    assert copied(here, there) == 0


def test_it_is_waited_for_no_longer_than_aws_says_that_it_takes(
    ecr: EcrEmulator, here: Side, there: Side, await_it: Await, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ecr.switches.replication_seconds = 24 * 60 * 60
    minutes = count()
    monkeypatch.setattr(replication, "time", SimpleNamespace(monotonic=lambda: 60.0 * next(minutes)))
    configure(here.client, *to(WEST, account=here.account_id))
    SIGNED.push(here.client, NAME, "build-42")
    assert not await_it(here.images(quick()), there)
    assert lines[-1].endswith("took more than 1800 s")
    assert 25 <= next(minutes) <= 35
