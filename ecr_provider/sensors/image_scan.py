"""Hold an image back until its scans for vulnerabilities let it pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, ClassVar, Final

from ecr_provider.sensors.base import EcrImageGateSensor

#: What may be found if nothing is said.
NOTHING_CRITICAL: Final[Mapping[str, int]] = {"CRITICAL": 0}


class EcrImageScanSensor(EcrImageGateSensor):
    """Wait for the scan of an image, and let the image pass only with few enough findings.

    Basic scans of Amazon ECR and enhanced ones of Amazon Inspector; of an index, every image in it. Too many findings
    fail the task at once, with the findings as a table in the log and their counts in XCom.

    .. seealso::
        For how to use this sensor, take a look at the guide: :ref:`howto/sensor:EcrImageScanSensor`

    What else it takes is documented with :class:`~ecr_provider.sensors.base.EcrImageGateSensor`.

    :param max_findings: how many findings of each severity an image may have; a severity that is not named, any number.
        Severities are ``CRITICAL``, ``HIGH``, ``MEDIUM``, ``LOW``, ``INFORMATIONAL``, ``UNDEFINED``, and with enhanced
        scanning ``UNTRIAGED``. (templated)
    :param ignore: names of findings that do not count, such as ``["CVE-2026-1234"]``; or a mapping of them to the last
        day on which that holds, in UTC, such as ``{"CVE-2026-1234": "2026-12-31"}``. (templated)
    :param on_state: what to do with an image whose scan is in one of the states that are neither yes nor no:
        ``"wait"``, ``"fail"`` or ``"pass"``, and for ``ACTIVE`` also ``"decide"``; by default what
        :data:`~ecr_provider.gates.scan_policy.ON_STATE` says. (templated)
    :param start_scan: start a basic scan, at the first look, of what has none, or one that failed.
    :param settle_time: how long a scan has to be complete, in seconds, before its findings count as all that there are:
        ECR was seen to call scans complete before it showed their findings. An answer without any findings, not even
        none, is waited for in any case.

    Source: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImageScanFindings.html
    """

    template_fields: Sequence[str] = (*EcrImageGateSensor.template_fields, "max_findings", "ignore", "on_state")
    gate_kind: ClassVar[str] = "image_scan"

    def __init__(
        self,
        *,
        max_findings: Mapping[str, int] = NOTHING_CRITICAL,
        ignore: Sequence[str] | Mapping[str, str | date | None] = (),
        on_state: Mapping[str, str] | None = None,
        start_scan: bool = False,
        settle_time: float = 60,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.max_findings = max_findings
        self.ignore = ignore
        self.on_state = on_state
        self.start_scan = start_scan
        self.settle_time = settle_time
        self.remember_given()

    def gate_arguments(self) -> dict[str, Any]:
        """Return the policy."""
        return {
            "max_findings": self.max_findings,
            "ignore": _as_json(self.ignore),
            "on_state": {} if self.on_state is None else self.on_state,
            "settle_time": self.settle_time,
            "start_scan": self.start_scan,
        }


def _as_json(ignore: Any) -> Any:
    if isinstance(ignore, Mapping):
        return {name: until.isoformat() if isinstance(until, date) else until for name, until in ignore.items()}
    return list(ignore) if isinstance(ignore, tuple) else ignore
