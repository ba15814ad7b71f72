"""What is no call: requests that boto3 would not make."""

from __future__ import annotations

from contract.case import Case, call, http

CASES = [
    Case(
        "a request without a signature",
        "D: Common error types, MissingAuthenticationToken",
        "no repository",
        http("DescribeRepositories", signed=False).refused("MissingAuthenticationTokenException", status=400),
        row=47,
        moto_fails="lists S3's buckets",
    ),
    Case(
        "a body that is not JSON",
        "D: AWS JSON protocol, SerializationException",
        "no repository",
        http("DescribeRepositories", "{").refused("SerializationException", status=400),
        row=47,
        moto_fails="HTTP 500",
    ),
    Case(
        "a value of another type",
        "D: AWS JSON protocol, SerializationException",
        "no repository",
        http("DescribeRepositories", '{"repositoryNames": "shop/web"}').refused("SerializationException", status=400),
        moto_fails="takes it",
    ),
    Case(
        "an operation that there is not",
        "D: AWS JSON protocol, UnknownOperationException",
        "no repository",
        http("DescribeEverything").refused("UnknownOperationException", status=400),
        row=47,
        moto_fails="HTTP 500",
    ),
    Case(
        "no operation at all",
        "D: AWS JSON protocol, UnknownOperationException",
        "no repository",
        http().refused("UnknownOperationException", status=400),
        moto_fails="HTTP 404",
    ),
    Case(
        "a member that is missing",
        "M: DescribeImages needs repositoryName",
        "no repository",
        call("DescribeImages", repositoryName=None).refused("InvalidParameterException", "(?i)repositoryName"),
        row=47,
        moto_fails="HTTP 500",
    ),
    Case(
        "a member that is unknown is ignored",
        "D: AWS JSON protocol: unknown members are ignored",
        "no repository",
        http("DescribeRepositories", '{"repositories": 1}').answers(status=200),
    ),
]
