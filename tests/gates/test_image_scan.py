"""An image and its scans, look by look."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta, tzinfo
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
import strategies  # noqa: F401 - its profile of hypothesis
from emulator_calls import ONCE
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from local_ecr import ACCOUNT, REPOSITORY

from ecr_provider.ecr.identifiers import ImageIdentifier
from ecr_provider.ecr.repository import EcrRepository
from ecr_provider.emulator import EcrEmulator, ScanStep
from ecr_provider.emulator import Finding as Scripted
from ecr_provider.emulator.samples import SampleImage, SampleManifest, push, sample_image
from ecr_provider.exceptions import AccessDeniedError, ImageNotFoundError
from ecr_provider.gates.gate import GatedImage, Look, Verdict, look_at
from ecr_provider.gates.image_scan import ScanGate
from ecr_provider.gates.kinds import gate_of
from ecr_provider.gates.scan_policy import ON_STATE
from ecr_provider.oci import Digest
from ecr_provider.oci.media_types import OCI_IMAGE_INDEX

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

Build = Callable[..., SampleImage]
Skip = Callable[[float], None]
ALL: Any = [{"filter": "*", "filterType": "WILDCARD"}]
HIDDEN, SHOWN = ScanStep("COMPLETE", findings=None), ScanStep("COMPLETE", after=30, findings={"CRITICAL": 1})


@pytest.fixture
def repository(ecr: EcrEmulator) -> EcrRepository:
    """The repository, scanned on push, by a client that tries once."""
    client = ecr.client(config=ONCE)
    client.put_image_scanning_configuration(repositoryName=REPOSITORY, imageScanningConfiguration={"scanOnPush": True})
    return EcrRepository(client, REPOSITORY)


@pytest.fixture
def skip(ecr: EcrEmulator, monkeypatch: pytest.MonkeyPatch) -> Skip:
    """Move the time of ECR and of the gate."""
    skipped = timedelta(0)

    class Ahead(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Any:
            return datetime.now(tz) + skipped

    def move(seconds: float) -> None:
        nonlocal skipped
        ecr.advance(seconds)
        skipped += timedelta(seconds=seconds)

    monkeypatch.setattr("ecr_provider.gates.image_scan.datetime", Ahead)
    return move


@pytest.fixture
def image(build: Build, repository: EcrRepository) -> SampleImage:  # noqa: ARG001 - scanned on push
    return build("new", "build-42", platforms=["linux/amd64"])


@pytest.fixture
def index(build: Build, repository: EcrRepository) -> SampleImage:  # noqa: ARG001 - scanned on push
    return build("new", "build-42")


def gate(image: SampleImage, **policy: Any) -> ScanGate:
    gated = GatedImage(Digest.parse(image.digest), "build-42", ACCOUNT, image.media_type)
    return ScanGate.from_json(image=gated.to_json(), **({"max_findings": {"CRITICAL": 0}} | policy))


def look(repository: EcrRepository, image: SampleImage, **policy: Any) -> Look:
    return look_at(gate(image, **policy), repository)


def finds(ecr: EcrEmulator, findings: Any, image: SampleImage | SampleManifest | None = None) -> None:
    """Have the scan of an image, or of all, be complete with these findings."""
    step = ScanStep("COMPLETE", findings=findings)
    ecr.scans.script(step, image_digest=image.digest if image else None)


# --- One image ---------------------------------------------------------------------------------------------------


def test_an_image_passes_with_what_was_found(ecr: EcrEmulator, repository: EcrRepository, image: SampleImage) -> None:
    finds(ecr, [Scripted("CVE-2026-1", "HIGH"), Scripted("CVE-2026-2", "CRITICAL")])
    seen = look(repository, image, ignore=["CVE-2026-2"])
    assert (seen.verdict, seen.details) == (Verdict.PASSED, ())
    assert seen.says == "scan passed: 0 CRITICAL of 0 allowed, 1 HIGH; 1 ignored"
    assert seen.report is not None
    (scan,) = seen.report["scans"]
    assert datetime.fromisoformat(scan.pop("imageScanCompletedAt")).tzinfo
    assert scan == {
        "imageDigest": image.digest,
        "platform": None,
        "imageScanStatus": "COMPLETE",
        "findingSeverityCounts": {"HIGH": 1},
        "ignoredFindings": ["CVE-2026-2"],
        "outcome": "passed",
    }
    assert dict(seen.report) == {
        "imageDigest": image.digest,
        "imageTag": "build-42",
        "imageTags": ["build-42"],
        "registryId": ACCOUNT,
        "repositoryName": REPOSITORY,
        "imageUri": f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/{REPOSITORY}@{image.digest}",
        "imageManifestMediaType": image.media_type,
        "outcome": "passed",
        "findingSeverityCounts": {"HIGH": 1},
        "scans": [scan],
    }
    assert ecr.calls == ["DescribeImageScanFindings"]


def test_an_image_fails_with_a_table_of_what_is_too_much(
    ecr: EcrEmulator, repository: EcrRepository, image: SampleImage
) -> None:
    found = [
        Scripted("CVE-2026-3", "HIGH"),
        Scripted("CVE-2026-20", "CRITICAL", "zlib", "1:1.3-4"),
        Scripted("A", "LOW"),
    ]
    finds(ecr, found)
    seen = look(repository, image, max_findings={"CRITICAL": 0, "HIGH": 0})
    assert seen.verdict is Verdict.FAILED
    assert seen.says == "scan failed: 1 CRITICAL of 0 allowed, 1 HIGH of 0 allowed, 1 LOW"
    assert seen.details == (
        "SEVERITY  FINDING      PACKAGE  VERSION  FIXED IN  IMAGE",
        f"CRITICAL  CVE-2026-20  zlib     1:1.3-4  -         {image.digest}",
        f"HIGH      CVE-2026-3   openssl  1.1.1    -         {image.digest}",
    )
    assert seen.report is not None
    assert seen.report["findingSeverityCounts"] == {"CRITICAL": 1, "HIGH": 1, "LOW": 1}


@pytest.mark.parametrize(("found", "more"), [(100, ()), (101, ("… and 1 more",)), (2345, ("… and 2245 more",))])
def test_a_table_has_an_end(
    ecr: EcrEmulator, repository: EcrRepository, image: SampleImage, found: int, more: tuple[str, ...]
) -> None:
    finds(ecr, {"HIGH": found - 1, "CRITICAL": 1})
    seen = look(repository, image, max_findings={"CRITICAL": 0, "HIGH": 0})
    assert (len(seen.details), seen.details[101:]) == (101 + len(more), more)
    assert seen.details[1].startswith("CRITICAL")


def test_what_a_look_sees_goes_through_json(ecr: EcrEmulator, repository: EcrRepository, index: SampleImage) -> None:
    finds(ecr, {"CRITICAL": 1})
    seen = look(repository, index)
    assert Look.from_json(json.loads(json.dumps(seen.to_json()))) == seen


def test_a_trigger_makes_the_same_gate_of_json(repository: EcrRepository, image: SampleImage) -> None:
    resolved = GatedImage.resolve(repository, ImageIdentifier(tag="build-42")).to_json()
    again = gate_of("image_scan", json.loads(json.dumps({"image": resolved, "max_findings": {"CRITICAL": 1}})))
    assert isinstance(again, ScanGate)
    assert (again.target, again.policy.max_findings) == (f":build-42@{image.digest}", {"CRITICAL": 1})


def test_an_enhanced_scan_passes_as_a_basic_one(
    ecr: EcrEmulator, client: ECRClient, repository: EcrRepository, image: SampleImage
) -> None:
    ecr.scans.script(ScanStep("ACTIVE", findings={"UNDEFINED": 1}))
    rules: Any = [{"scanFrequency": "CONTINUOUS_SCAN", "repositoryFilters": ALL}]
    client.put_registry_scanning_configuration(scanType="ENHANCED", rules=rules)
    assert look(repository, image).verdict is Verdict.PASSED
    assert look(repository, image, max_findings={"UNTRIAGED": 0}).verdict is Verdict.FAILED


@pytest.mark.parametrize("state", sorted({*ON_STATE} - {"COMPLETE", "ACTIVE", "SCAN_NOT_FOUND"}))
def test_a_state_that_is_no_end_of_a_scan_does_not_pass(
    ecr: EcrEmulator, repository: EcrRepository, image: SampleImage, state: Any
) -> None:
    ecr.scans.script(ScanStep(state, description="Because."))
    seen = look(repository, image)
    assert seen.verdict is {"wait": Verdict.WAITING, "fail": Verdict.FAILED}[ON_STATE[state]]
    assert f"{state} (Because.)" in seen.says
    assert look(repository, image, on_state={state: "pass"}).verdict is Verdict.PASSED


def test_an_image_that_nothing_scanned_is_waited_for(client: ECRClient, build: Build) -> None:
    image = build("new", "build-42", platforms=["linux/amd64"])
    repository = EcrRepository(client, REPOSITORY)
    assert look(repository, image).says == "waiting for the scan; SCAN_NOT_FOUND (ECR knows no scan of it)"
    assert look(repository, image, on_state={"SCAN_NOT_FOUND": "fail"}).verdict is Verdict.FAILED


def test_a_throttled_look_saw_nothing(ecr: EcrEmulator, repository: EcrRepository, index: SampleImage) -> None:
    finds(ecr, {"LOW": 1001})
    for operation, passed in [("BatchGetImage", 0), *(("DescribeImageScanFindings", calls) for calls in range(4))]:
        ecr.faults.fail(operation, skip=passed)
        seen = look(repository, index)
        assert (seen.verdict, seen.report, ecr.faults.pending) == (Verdict.WAITING, None, ())
        assert seen.says.startswith("no answer")
    assert look(repository, index).verdict is Verdict.PASSED


def test_a_refusal_is_not_waited_out(ecr: EcrEmulator, repository: EcrRepository, image: SampleImage) -> None:
    ecr.faults.fail("DescribeImageScanFindings", "AccessDeniedException")
    with pytest.raises(AccessDeniedError):
        look(repository, image)


def test_an_image_that_is_deleted_meanwhile_is_an_error(
    client: ECRClient, repository: EcrRepository, image: SampleImage
) -> None:
    one = gate(image)
    assert one.look(repository).verdict is Verdict.WAITING
    client.batch_delete_image(repositoryName=REPOSITORY, imageIds=[{"imageDigest": image.digest}])
    with pytest.raises(ImageNotFoundError, match=image.digest):
        one.look(repository)


# --- An index ----------------------------------------------------------------------------------------------------


def test_every_image_of_an_index_is_scanned(ecr: EcrEmulator, repository: EcrRepository, index: SampleImage) -> None:
    finds(ecr, {"HIGH": 2, "LOW": 1}, index.children[0])
    finds(ecr, {"HIGH": 1, "LOW": 2}, index.children[1])
    one = gate(index)
    seen = one.look(repository)
    assert seen.says == (
        "scan passed: linux/amd64 0 CRITICAL of 0 allowed, 2 HIGH, 1 LOW; "
        "linux/arm64 0 CRITICAL of 0 allowed, 1 HIGH, 2 LOW"
    )
    assert seen.report is not None
    assert (seen.report["imageDigest"], seen.report["findingSeverityCounts"]) == (index.digest, {"HIGH": 2, "LOW": 2})
    scans = [(scan["platform"], scan["imageDigest"], scan["findingSeverityCounts"]) for scan in seen.report["scans"]]
    assert scans == [
        ("linux/amd64", index.children[0].digest, {"HIGH": 2, "LOW": 1}),
        ("linux/arm64", index.children[1].digest, {"HIGH": 1, "LOW": 2}),
    ]
    assert ecr.calls == ["BatchGetImage", *["DescribeImageScanFindings"] * 2]
    one.look(repository)
    assert ecr.calls.count("BatchGetImage") == 1


@pytest.mark.parametrize(
    ("says", "verdict", "outcomes"),
    [
        (("passes", "passes"), Verdict.PASSED, ["passed", "passed"]),
        (("passes", "fails"), Verdict.FAILED, ["passed", "failed"]),
        (("waits", "fails"), Verdict.FAILED, ["waiting", "failed"]),
        (("fails", "waits"), Verdict.FAILED, ["failed", "waiting"]),
        (("passes", "waits"), Verdict.WAITING, []),
        (("waits", "passes"), Verdict.WAITING, []),
        (("passes", "has no scan"), Verdict.WAITING, []),
        (("has no scan", "fails"), Verdict.FAILED, ["waiting", "failed"]),
    ],
)
def test_an_index_is_as_good_as_its_worst_image(
    ecr: EcrEmulator,
    repository: EcrRepository,
    index: SampleImage,
    says: tuple[str, str],
    verdict: Verdict,
    outcomes: list[str],
) -> None:
    steps = {
        "passes": ScanStep("COMPLETE", findings={"LOW": 1}),
        "fails": ScanStep("COMPLETE", findings={"CRITICAL": 1}),
        "waits": HIDDEN,
        "has no scan": ScanStep("IN_PROGRESS", after=1000),
    }
    for child, said in zip(index.children, says, strict=True):
        ecr.scans.script(steps[said], image_digest=child.digest)
    seen = look(repository, index)
    assert seen.verdict is verdict
    assert [scan["outcome"] for scan in (seen.report or {"scans": []})["scans"]] == outcomes


def test_an_index_of_nothing_cannot_be_scanned(ecr: EcrEmulator, repository: EcrRepository) -> None:
    text = json.dumps({"schemaVersion": 2, "mediaType": OCI_IMAGE_INDEX, "manifests": []})
    empty = SampleImage(SampleManifest(text, OCI_IMAGE_INDEX), (), {})
    push(repository.client, REPOSITORY, empty)
    ecr.clear_requests()
    seen = look(repository, empty)
    assert (seen.verdict, ecr.calls) == (Verdict.FAILED, ["BatchGetImage"])
    assert seen.report is not None
    assert (seen.report["outcome"], seen.report["scans"]) == ("failed", [])


# --- Findings that come later --------------------------------------------------------------------------------------


def test_findings_that_come_after_the_end_of_the_scan_fail_the_image(
    ecr: EcrEmulator, repository: EcrRepository, image: SampleImage, skip: Skip
) -> None:
    ecr.scans.script(HIDDEN, SHOWN)
    one = gate(image)
    assert one.look(repository).says == "waiting for the scan; COMPLETE, but its findings are not there yet"
    skip(30)
    assert one.look(repository).verdict is Verdict.FAILED


@pytest.mark.parametrize("tells_when", [True, False])
def test_a_scan_that_finds_nothing_yet_is_looked_at_again(
    ecr: EcrEmulator, repository: EcrRepository, image: SampleImage, skip: Skip, tells_when: bool
) -> None:
    ecr.scans.script(ScanStep("COMPLETE"), SHOWN)
    if not tells_when:
        without_times(ecr)
    one = gate(image, settle_time=60)
    assert one.look(repository).verdict is Verdict.WAITING
    skip(30)
    assert one.look(repository).verdict is Verdict.FAILED


@pytest.mark.parametrize("tells_when", [True, False])
def test_a_scan_that_finds_nothing_for_long_enough_passes(
    ecr: EcrEmulator, repository: EcrRepository, image: SampleImage, skip: Skip, tells_when: bool
) -> None:
    finds(ecr, ())
    if not tells_when:
        without_times(ecr)
    one, seen = gate(image, settle_time=60), []
    for _ in range(4):
        seen.append(one.look(repository).verdict)
        skip(20.1)
    assert seen == [Verdict.WAITING] * 3 + [Verdict.PASSED]


def test_a_scan_that_ended_long_ago_has_settled(
    ecr: EcrEmulator, repository: EcrRepository, image: SampleImage, skip: Skip
) -> None:
    finds(ecr, ())
    skip(61)
    assert look(repository, image, settle_time=60).verdict is Verdict.PASSED


@pytest.mark.parametrize("tells_when", [True, False])
def test_a_scan_that_begins_anew_has_to_settle_anew(
    ecr: EcrEmulator, repository: EcrRepository, image: SampleImage, skip: Skip, tells_when: bool
) -> None:
    ecr.scans.script(ScanStep("COMPLETE"), ScanStep("IN_PROGRESS", 10), ScanStep("COMPLETE", 100))
    if not tells_when:
        without_times(ecr)
    one = gate(image, settle_time=60)
    for seconds in (0, 50, 51):
        skip(seconds)
        assert one.look(repository).verdict is Verdict.WAITING
    skip(61)
    assert one.look(repository).verdict is Verdict.PASSED


def without_times(ecr: EcrEmulator) -> None:
    """Have ECR not say when scans were complete."""

    def without(answer: dict[str, Any]) -> dict[str, Any]:
        found = answer.get("imageScanFindings")
        return answer | {"imageScanFindings": found and (found | {"imageScanCompletedAt": None})}

    ecr.faults.corrupt("DescribeImageScanFindings", without, times=1_000_000)


_scanned = st.tuples(
    st.sampled_from(["COMPLETE", "ACTIVE"]), st.sampled_from([None, (), {"LOW": 1}]), st.integers(1, 9)
)
_other = st.tuples(
    st.sampled_from(sorted({*ON_STATE} - {"COMPLETE", "ACTIVE", "SCAN_NOT_FOUND"})), st.none(), st.integers(1, 300)
)
_steps = st.lists(st.tuples(_scanned | _other, st.booleans()), max_size=6)
_numbers = count(1)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_steps, st.sampled_from(["COMPLETE", "ACTIVE"]), st.booleans())
def test_a_critical_finding_that_shows_within_the_settle_time_never_passes(
    ecr: EcrEmulator, repository: EcrRepository, skip: Skip, steps: list[Any], end: Any, tells_when: bool
) -> None:
    script, after = [], 0
    for (status, findings, seconds), _ in steps:
        script.append(ScanStep(status, after, findings))
        after += seconds
    ecr.scans.script(*script, ScanStep(end, after, {"CRITICAL": 1}))
    ecr.faults.clear()
    if not tells_when:
        without_times(ecr)
    image = sample_image(["linux/amd64"], annotations={"number": str(next(_numbers))})
    push(repository.client, REPOSITORY, image)
    one = gate(image, settle_time=60)
    for (_, _, seconds), looks in steps:
        if looks or not tells_when:  # what is neither told nor seen, nobody can know
            assert one.look(repository).verdict is not Verdict.PASSED
        skip(seconds)
    assert one.look(repository).verdict is Verdict.FAILED
