"""How ECR writes findings: of its own basic scans, and of Amazon Inspector's enhanced ones.

The shapes are those of the API reference's two examples for DescribeImageScanFindings.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Any

from ecr_provider.emulator.scripts import Finding, ScanStep, named
from ecr_provider.emulator.store.images import Image
from ecr_provider.emulator.store.repositories import Repository

_SCORES = {"CRITICAL": 9.8, "HIGH": 7.5, "MEDIUM": 5.3, "LOW": 3.1}  # in the middle of what CVSS calls so


def severity_counts(step: ScanStep, scan_type: str) -> dict[str, int]:
    """Count findings by severity; a severity without any is left out."""
    return dict(Counter(_severity(finding, scan_type) for finding in named(step.findings or ())))


def basic(finding: Finding) -> dict[str, Any]:
    """Write an ``ImageScanFinding``."""
    return {
        "name": finding.name,
        "description": finding.description,
        "uri": _url(finding),
        "severity": finding.severity,
        "attributes": [
            {"key": "package_version", "value": finding.version},
            {"key": "package_name", "value": finding.package},
        ],
    }


def enhanced(finding: Finding, repository: Repository, image: dict[str, Any], seen_at: float) -> dict[str, Any]:
    """Write an ``EnhancedImageScanFinding`` in a resource, seen once, at this time in epoch seconds."""
    registry = repository.registry
    identity = hashlib.sha256(f"{image['id']} {finding.name} {finding.package}".encode()).hexdigest()[:32]
    return {
        "awsAccountId": registry.account,
        "description": finding.description,
        "findingArn": f"arn:{registry.partition}:inspector2:{registry.region}:{registry.account}:finding/{identity}",
        "firstObservedAt": seen_at,
        "lastObservedAt": seen_at,
        "packageVulnerabilityDetails": _vulnerability(finding),
        "remediation": {"recommendation": {"text": "None Provided"}},
        "resources": [image],
        "score": _SCORES.get(finding.severity, 0.0),
        "severity": _severity(finding, "ENHANCED"),
        "status": "ACTIVE",
        "title": f"{finding.name} - {finding.package}",
        "type": "PACKAGE_VULNERABILITY",
        "updatedAt": seen_at,
        "fixAvailable": "NO",
        "exploitAvailable": "NO",
    }


def _vulnerability(finding: Finding) -> dict[str, Any]:
    package = {"name": finding.package, "version": finding.version}
    return {
        "cvss": [],
        "referenceUrls": [_url(finding)],
        "relatedVulnerabilities": [],
        "source": "NVD",
        "sourceUrl": _url(finding),
        "vulnerabilityId": finding.name,
        "vulnerablePackages": [package | {"packageManager": "OS", "fixedInVersion": "NotAvailable"}],
    }


def resource(repository: Repository, image: Image, tags: list[str]) -> dict[str, Any]:
    """Write the ``Resource`` that an image is to Amazon Inspector."""
    details = {
        "imageHash": image.digest,
        "imageTags": tags,
        "pushedAt": image.pushed_at,
        "registry": repository.account,
        "repositoryName": repository.name,
    }
    return {
        "details": {"awsEcrContainerImage": details},
        "id": f"{repository.arn}/{image.digest}",
        "tags": {},
        "type": "AWS_ECR_CONTAINER_IMAGE",
    }


def _severity(finding: Finding, scan_type: str) -> str:
    """Return the severity in the words of the scan's type: Inspector's for UNDEFINED is UNTRIAGED."""
    return "UNTRIAGED" if scan_type == "ENHANCED" and finding.severity == "UNDEFINED" else finding.severity


def _url(finding: Finding) -> str:
    return f"https://nvd.nist.gov/vuln/detail/{finding.name}"
