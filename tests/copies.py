"""Images to copy with what refers to them, places to copy between, and how to tell that a copy is complete."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any, Literal

import boto3
import pytest
from botocore.config import Config
from emulator_calls import ONCE
from http_connection import fetched
from local_ecr import supports
from registry_client import RegistryClient, authorization_of

from ecr_provider.copying import CopyResult, copy_image
from ecr_provider.copying.ecr import EcrImages
from ecr_provider.ecr.repository import EcrRepository
from ecr_provider.emulator import EcrEmulator, Request
from ecr_provider.emulator.faults import Faults
from ecr_provider.emulator.samples import SampleImage, SampleManifest, push, sample_artifact, sample_image
from ecr_provider.exceptions import EcrProviderError
from ecr_provider.oci import Digest
from ecr_provider.patience import Patience

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

SBOM = "application/spdx+json"
SIGNATURE = "application/vnd.dev.sigstore.bundle.v0.3+json"

# --- Images --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SignedImage:
    """An image, and what refers to it and to its parts."""

    image: SampleImage
    referrers: tuple[SampleImage, ...]
    """Subjects first."""
    subjects: Mapping[str, str]
    """What each referrer refers to, by digests."""

    @property
    def digest(self) -> str:
        return self.image.digest

    @property
    def manifests(self) -> list[SampleManifest]:
        return [self.image.manifest, *self.image.children, *(each.manifest for each in self.referrers)]

    @property
    def blobs(self) -> dict[str, bytes]:
        return {digest: blob for each in (self.image, *self.referrers) for digest, blob in each.blobs.items()}

    @property
    def size(self) -> int:
        """The bytes of all blobs."""
        return sum(map(len, self.blobs.values()))

    def push(self, client: ECRClient, repository_name: str, tag: str | None = None) -> None:
        """Push all of it."""
        push(client, repository_name, self.image, tag)
        for referrer in self.referrers:
            push(client, repository_name, referrer)


def signed_image(name: str = "new", size: int = 0, media_types: Literal["oci", "docker"] = "oci") -> SignedImage:
    """Make an index of two images, with its signature, an SBOM of the first of them, and a signature of the SBOM.

    :param size: how many bytes of the layer that both share are zeros.
    """
    image = sample_image(files={"name": name.encode(), "zeros": bytes(size)}, media_types=media_types)
    signature = sample_artifact(SIGNATURE, f"signature of {name}".encode(), image.manifest)
    sbom = sample_artifact(SBOM, f'{{"of": "{name}"}}'.encode(), image.children[0])
    of_sbom = sample_artifact(SIGNATURE, f"signature of the SBOM of {name}".encode(), sbom)
    subjects = {
        signature.digest: image.digest,
        sbom.digest: image.children[0].digest,
        of_sbom.digest: sbom.digest,
    }
    return SignedImage(image, (signature, sbom, of_sbom), subjects)


# --- Places --------------------------------------------------------------------------------------------------

_accounts = count(300_000_000_000)  # the pace that PutImage is kept to is an account's: no test waits for another


@dataclass(frozen=True)
class Side:
    """A repository, and a client of an account.

    :param registry_id: the repository's account, if it is another one.
    """

    client: ECRClient
    name: str
    account_id: str
    registry_id: str | None = None

    @classmethod
    def create(
        cls, ecr: EcrEmulator, name: str, region_name: str = "us-east-1", account_id: str = "", config: Config = ONCE
    ) -> Side:
        """Create a repository, in an account of its own if none is given; its client tries once."""
        account_id = account_id or str(next(_accounts))
        client = ecr.client(region_name, account_id, config=config)
        client.create_repository(repositoryName=name)
        return cls(client, name, account_id)

    def images(self, patience: Patience, **more: Any) -> EcrImages:
        """Return the place to copy from or to."""
        return EcrImages(EcrRepository(self.client, self.name, self.registry_id), patience, **more)

    def pointee(self, tag: str) -> str | None:
        """Tell which digest a tag points at."""
        images = self._read([{"imageTag": tag}])
        return images[0]["imageId"]["imageDigest"] if images else None

    def texts(self, digests: Sequence[str]) -> dict[str, str]:
        """Read manifests."""
        read = self._read([{"imageDigest": digest} for digest in digests])
        return {one["imageId"]["imageDigest"]: one["imageManifest"] for one in read}

    def blob(self, digest: str) -> bytes:
        """Download a blob."""
        answer = self.client.get_download_url_for_layer(repositoryName=self.name, layerDigest=digest)
        return fetched(answer["downloadUrl"])

    def blobs_there(self, digests: Sequence[str]) -> set[str]:
        """Tell which blobs are there."""
        answer = self.client.batch_check_layer_availability(repositoryName=self.name, layerDigests=list(digests))
        return {layer["layerDigest"] for layer in answer["layers"] if layer["layerAvailability"] == "AVAILABLE"}

    def subjects(self) -> dict[str, str]:
        """Tell of each referrer what it refers to, as ListImageReferrers has it."""
        listed = self.client.list_images(repositoryName=self.name)["imageIds"]
        digests = {image["imageDigest"] for image in listed}
        return {referrer: digest for digest in digests for referrer in self.referrers(digest)}

    def referrers(self, digest: str) -> list[str]:
        """List what refers to a manifest; by the registry where botocore is older than the API."""
        if supports("ListImageReferrers"):
            subject: Any = {"imageDigest": digest}
            answer = self.client.list_image_referrers(repositoryName=self.name, subjectId=subject)
            return [referrer["digest"] for referrer in answer["referrers"]]
        with closing(RegistryClient(self.client.meta.endpoint_url, authorization_of(self.client))) as registry:
            listed = registry.ask("GET", f"/v2/{self.name}/referrers/{digest}").json
        return [referrer["digest"] for referrer in listed["manifests"]]

    def _read(self, ids: list[Any]) -> list[Any]:
        return list(self.client.batch_get_image(repositoryName=self.name, imageIds=ids)["images"])


def assert_complete(side: Side, signed: SignedImage, *tags: str) -> None:
    """Read everything back, byte for byte: the image under each tag, its parts, what refers to it, all blobs."""
    assert [side.pointee(tag) for tag in tags] == [signed.digest] * len(tags)
    assert_there(side, signed.manifests, signed.blobs)
    assert {
        referrer: digest for digest in signed.subjects.values() for referrer in side.referrers(digest)
    } == signed.subjects


def assert_there(side: Side, manifests: Sequence[SampleManifest], blobs: Mapping[str, bytes]) -> None:
    """Read manifests and blobs back, byte for byte."""
    texts = {manifest.digest: manifest.text for manifest in manifests}
    assert side.texts(list(texts)) == texts
    assert {digest: side.blob(digest) for digest in blobs} == blobs


# --- Copies --------------------------------------------------------------------------------------------------


def quick(**more: Any) -> Patience:
    """Return a patience of milliseconds."""
    return Patience(first_wait=0.001, **more)


def copy(
    source: Side,
    target: Side,
    reference: str,
    *tags: str,
    patience: Patience | None = None,
    into: Mapping[str, Any] | None = None,
    **more: Any,
) -> CopyResult:
    """Copy an image of the source, by its tag or its digest.

    :param into: what else the target is made with.
    """
    patience = patience or quick()
    images = source.images(patience)
    return copy_image(
        images,
        target.images(patience, **(into or {})),
        images.manifest(Digest.parse(reference) if ":" in reference else reference),
        tags,
        patience=patience,
        **more,
    )


# --- Copies that something happens to ------------------------------------------------------------------------

OLD = sample_artifact("text/plain", b"old")


@dataclass(frozen=True)
class Case:
    """A copy to a target of its own, where an old image is ``prod``."""

    ecr: EcrEmulator
    source: Side
    target: Side
    signed: SignedImage

    def copy(self, **patience: Any) -> CopyResult:
        return copy(self.source, self.target, "build-42", "prod", patience=quick(**patience))

    def requests(self, *operations: str) -> list[Request]:
        """Return what was asked of the target, and by these operations if any are given."""
        return [
            each
            for each in self.ecr.requests
            if each.account_id == self.target.account_id and each.operation in (operations or (each.operation,))
        ]

    def assert_nothing_came_after_the_tag(self) -> None:
        """Look at all that was done: when the tag was moved, everything else was there."""
        writes = [each.parameters.get("imageTag") for each in self.requests("CompleteLayerUpload", "PutImage")]
        first = writes.index("prod") if "prod" in writes else len(writes)
        assert set(writes[first:]) <= {"prod"}


@contextmanager
def cases(size: int = 0) -> Iterator[Callable[[], AbstractContextManager[Case]]]:
    """Push a signed image to a local ECR, with a layer of so many bytes; each case has a target of its own.

    When a case ends, so do its faults.
    """
    with EcrEmulator() as ecr:
        source, signed = Side.create(ecr, "team/web", "eu-west-1"), signed_image(size=size)
        signed.push(source.client, source.name, "build-42")

        @contextmanager
        def case() -> Iterator[Case]:
            target = Side.create(ecr, "shop/web")
            push(target.client, target.name, OLD, "prod")
            ecr.clear_requests()
            yield Case(ecr, source, target, signed)
            ecr.faults.clear()
            target.client.close()

        yield case


@dataclass(frozen=True)
class Harm:
    """Something that happens to one request, or from one on to all of an operation's.

    :param do: adds the fault.
    :param fatal: whether a copy has to give up; else it has to come through.
    """

    name: str
    do: Callable[..., None]
    fatal: bool = False

    def __str__(self) -> str:
        return self.name


ALWAYS = 100_000


def harms(*more: Harm, writes: bool = False) -> tuple[Harm, ...]:
    """Return what may happen to a request.

    :param more: what else may happen to this one.
    :param writes: whether it makes a difference that it was applied, and only the answer is lost.
    """
    failed = partial(Faults.fail, code="ServerException", status=500)
    always = (
        Harm("throttled", Faults.fail),
        Harm("failed", failed),
        Harm("failed for good", partial(failed, times=ALWAYS), fatal=True),
        Harm("cut", Faults.cut),
        Harm("late", partial(Faults.delay, seconds=0.02)),
    )
    lost = (
        Harm("lost", Faults.lose),
        Harm("lost by a cut", partial(Faults.lose, how="cut")),
        Harm("lost for good", partial(Faults.lose, times=ALWAYS), fatal=True),
    )
    return (*always, *(lost if writes else ()), *more)


def ordinal(nth: int) -> str:
    """Name a number that is counted from 0."""
    number = nth + 1
    return f"{number}{'th' if number % 100 in (11, 12, 13) else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"


def assert_survives(case: Case, harm: Harm, operation: str, nth: int, repository_name: str | None) -> None:
    """Harm one request of a copy; see how it ends, and that another run completes it."""
    which = {"repository_name": repository_name} if repository_name else {}
    harm.do(case.ecr.faults, operation, skip=nth, **which)
    with pytest.raises(EcrProviderError) if harm.fatal else nullcontext():
        case.copy(tries=3)
    left = [fault.times for fault in case.ecr.faults.pending]
    case.ecr.faults.clear()
    assert left == [] or (left[0] < ALWAYS and len(left) == 1)  # it was met
    case.assert_nothing_came_after_the_tag()
    assert case.target.pointee("prod") == (OLD.digest if harm.fatal else case.signed.digest)
    again = case.copy().report()
    assert harm.fatal or (again["blobs"], again["manifests"]) == (0, 0)
    assert_complete(case.target, case.signed, "prod")


INTERRUPTED = 130


def copy_in_child(endpoint_url: str, source_account: str, target_account: str) -> None:
    """Copy as ``Case.copy`` does, in a process that a test starts and kills."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Airflow has it: an exception in the main thread

    def side(name: str, region_name: str, account_id: str) -> Side:
        client: ECRClient = boto3.client(
            "ecr",
            region_name,
            endpoint_url=endpoint_url,
            aws_access_key_id=account_id,
            aws_secret_access_key="any",
            config=ONCE,
        )
        return Side(client, name, account_id)

    source = side("team/web", "eu-west-1", source_account)
    target = side("shop/web", "us-east-1", target_account)
    try:
        copy(source, target, "build-42", "prod")
    except KeyboardInterrupt:
        os._exit(INTERRUPTED)  # as Airflow ends the process of a task: without a wait for threads
