"""The rows of table G of the ECR contract that no call of the API can be asked about."""

from __future__ import annotations

ELSEWHERE = {
    43: "throttling: the rate that is throttled depends on the account",
    44: "events: they arrive on another service",
}
