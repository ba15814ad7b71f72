"""The pytest plugin, as pytest itself runs it."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest_plugins = ["pytester"]

# The plugin comes by its entry point, as it does to users; what else is installed stays out of their tests.
OPTIONS = ("-p", "no:cacheprovider", "-p", "no:randomly", "-W", "error")


def test_the_fixtures(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import os

        def tagged(ecr, tag, **kwargs):
            wanted = {"repositoryName": "shop/web", "imageIds": [{"imageTag": tag}]}
            return ecr.client(**kwargs).describe_images(**wanted)["imageDetails"][0]["imageDigest"]

        def test_each_test_has_its_own(ecr_emulator, ecr_image):
            ecr_image("shop/web", "build-42")

        def test_each_test_has_its_own_indeed(ecr_emulator):
            assert ecr_emulator.client().describe_repositories()["repositories"] == []

        def test_images(ecr_emulator, ecr_image):
            build = ecr_image("shop/web", tag="build-42", platforms=("linux/arm64",))
            prod = ecr_image("shop/web", "prod")
            same = ecr_image("shop/web", "same", files={"x": b"y"})
            assert ecr_image("shop/web", "too", files={"x": b"y"}).digest == same.digest
            assert len({build.digest, prod.digest, same.digest}) == 3
            assert len(prod.children) == 2
            assert build.children == ()
            assert ecr_emulator.requests == ()
            assert tagged(ecr_emulator, "build-42") == build.digest

        def test_untagged_images_of_other_accounts(ecr_emulator, ecr_image):
            there = {"account_id": "210987654321", "region_name": "eu-west-1"}
            image = ecr_image("shop/web", **there)
            client = ecr_emulator.client(**there)
            ids = client.list_images(repositoryName="shop/web", filter={"tagStatus": "UNTAGGED"})["imageIds"]
            assert {"imageDigest": image.digest} in ids

        def test_the_connection(ecr_connection, ecr_emulator):
            assert os.environ["AIRFLOW_CONN_AWS_DEFAULT"] == ecr_connection == ecr_emulator.airflow_connection_uri()

        def test_the_connection_is_gone():
            assert "AIRFLOW_CONN_AWS_DEFAULT" not in os.environ
        """
    )
    pytester.runpytest_subprocess(*OPTIONS).assert_outcomes(passed=6)


def test_the_fixtures_are_listed_with_what_they_are_for(pytester: pytest.Pytester) -> None:
    output = pytester.runpytest_subprocess(*OPTIONS, "--fixtures").stdout.str()
    for name, purpose in (
        ("ecr_emulator", "Run a local ECR of the test's own"),
        ("ecr_connection", "Make Airflow's connection ``aws_default`` lead to the local ECR"),
        ("ecr_image", "Push images into the local ECR"),
    ):
        assert name in output
        assert purpose in output


def test_a_start_without_the_fixtures_costs_nothing(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_what_is_imported():
            assert "ecr_provider.emulator.pytest_plugin" in sys.modules
            heavy = {"airflow", "boto3", "botocore", "sqlite3", "ecr_provider.emulator.emulator"}
            assert heavy & sys.modules.keys() == set()
        """
    )
    pytester.runpytest_subprocess(*OPTIONS, "-p", "no:anyio", "-p", "no:hypothesispytest").assert_outcomes(passed=1)


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = """
import sys
import ecr_provider.emulator as package
assert not {"airflow", "boto3", "botocore"} & sys.modules.keys()
for name in package.__all__:
    assert getattr(package, name).__name__ == name
assert "boto3" in sys.modules and "airflow" not in sys.modules
try:
    package.Nonsense
except AttributeError as error:
    assert "no attribute 'Nonsense'" in str(error)
from ecr_provider.emulator import samples
"""
    subprocess.run([sys.executable, "-c", code], check=True)
