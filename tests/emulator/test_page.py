"""The page for people: what it shows, and what it does not let in."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import time
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest
from emulator_calls import TARGET, Wire
from http_connection import Answer, Connection
from local_ecr import needs_archives

from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.page import views
from ecr_provider.emulator.page.html import Markup, element
from ecr_provider.emulator.registries import Registry
from ecr_provider.emulator.samples import push, sample_image

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

SHOP = "/repositories/123456789012/us-east-1/shop/web"


class Reader(HTMLParser):
    """Reads a page: its text, its links, and whether every element that is begun is ended."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = ""
        self.links: list[str] = []
        self.titles: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        assert not any(name.startswith("on") for name in attributes)
        if tag not in ("br", "link", "meta"):
            self._open.append(tag)
        if tag == "a":
            self.links.append(attributes["href"] or "")
        if "title" in attributes:
            self.titles.append(attributes["title"] or "")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.text += f"{data} "


@pytest.fixture
def ask(ecr: EcrEmulator) -> Iterator[Callable[..., Answer]]:
    """Send what a browser sends, with these headers in place of its own."""
    connection = Connection(ecr.endpoint_url)

    def ask(path: str, headers: dict[str, str] | None = None, method: str = "GET") -> Answer:
        return connection.send(method, path, headers=headers)

    yield ask
    connection.close()


@pytest.fixture
def read(ask: Callable[..., Answer]) -> Callable[..., Reader]:
    def read(path: str, status: int = 200) -> Reader:
        answer = ask(path)
        assert (answer.status, answer.headers["Content-Type"]) == (status, "text/html; charset=utf-8")
        return Reader(answer.body.decode())

    return read


# --- The front page ---


def test_an_empty_registry_says_what_to_type(ecr: EcrEmulator, read: Callable[..., Reader]) -> None:
    page = read("/")
    assert f"aws ecr create-repository --endpoint-url {ecr.endpoint_url} --repository-name shop/web" in page.text
    assert f"export AIRFLOW_CONN_AWS_DEFAULT='{ecr.airflow_connection_uri()}'" in page.text
    assert "Latest requests" not in page.text


def test_repositories_by_account_and_region(
    ecr: EcrEmulator, client: ECRClient, web: str, read: Callable[..., Reader]
) -> None:
    push(client, web, sample_image(("linux/amd64",)), "v1")
    other = ecr.client("eu-west-1", "210987654321")
    other.create_repository(repositoryName="b/immutable", imageTagMutability="IMMUTABLE")
    page = read("/")
    assert SHOP in page.links
    assert "/repositories/210987654321/eu-west-1/b/immutable" in page.links
    assert "123456789012 in us-east-1   1 repository" in page.text
    assert re.search(r"shop/web\s+1\s+mutable\s+no", page.text)
    assert re.search(r"b/immutable\s+0\s+immutable\s+no", page.text)
    assert re.search(r"CreateRepository\s+b/immutable\s+api\s+210987654321\s+eu-west-1\s+OK", page.text)


def test_many_repositories_are_cut(client: ECRClient, read: Callable[..., Reader]) -> None:
    for number in range(101):
        client.create_repository(repositoryName=f"shop/r{number:03}")
    front = read("/")
    assert "shop/r019" in front.text
    assert "/repositories/123456789012/us-east-1/shop/r020" not in front.links
    assert "All 101 repositories" in front.text
    listed = read("/repositories/123456789012/us-east-1")
    assert "shop/r099" in listed.text
    assert "shop/r100" not in listed.text
    (more,) = [link for link in listed.links if "after" in link]
    assert "shop/r100" in read(more).text
    assert not [link for link in read(more).links if "after" in link]


def test_many_registries_are_cut(ecr: EcrEmulator, read: Callable[..., Reader]) -> None:
    for number in range(21):
        ecr.client("us-east-1", f"{number:012}").create_repository(repositoryName="shop/web")
    front = read("/")
    assert "000000000019 in us-east-1" in front.text
    assert "000000000020 in" not in front.text
    (more,) = [link for link in front.links if "after" in link]
    assert "000000000020 in us-east-1" in read(more).text


# --- A repository ---


def test_an_empty_repository_says_what_to_type(ecr: EcrEmulator, web: str, read: Callable[..., Reader]) -> None:
    host = ecr.endpoint_url.removeprefix("http://")
    assert f"docker://{host}/{web}:latest" in read(SHOP).text


def test_images(client: ECRClient, web: str, read: Callable[..., Reader]) -> None:
    index, single = sample_image(), sample_image(("linux/amd64",), media_types="docker")
    push(client, web, index, "v1")
    push(client, web, index, "prod")
    push(client, web, single)
    page = read(SHOP)
    assert "4 images in" in page.text
    assert re.search(rf"no tag\s+{single.digest}\s+Docker image\s+[\d.]+ KiB\s+[\d-]+ [\d:]+\s+active", page.text)
    assert re.search(rf"prod\s+v1\s+{index.digest}\s+OCI index\s+linux/amd64, linux/arm64\s", page.text)
    for child in index.children:
        assert re.search(rf"part of {index.digest[:17]}…\s+{child.digest}\s+OCI image\s", page.text)
    assert index.media_type in page.titles
    assert page.text.index(single.digest) < page.text.index(index.digest)  # the newest first


def test_artifacts_say_what_they_are(client: ECRClient, web: str, read: Callable[..., Reader]) -> None:
    subject = sample_image(("linux/amd64",))
    push(client, web, subject, "v1")
    descriptor = {"mediaType": subject.media_type, "digest": subject.digest, "size": len(subject.text)}
    manifest = json.loads(subject.text) | {"artifactType": "application/spdx+json", "subject": descriptor}
    client.put_image(repositoryName=web, imageManifest=json.dumps(manifest))
    assert f"application/spdx+json refers to {subject.digest[:17]}…" in read(SHOP).text


@needs_archives
def test_where_an_image_is(client: ECRClient, web: str, read: Callable[..., Reader]) -> None:
    push(client, web, sample_image(("linux/amd64",)), "v1")
    for target, shown in (("ARCHIVE", "archived"), ("STANDARD", "activating")):
        wanted: Any = target
        client.update_image_storage_class(repositoryName=web, imageId={"imageTag": "v1"}, targetStorageClass=wanted)
        assert shown in read(SHOP).text


def test_scans(ecr: EcrEmulator, client: ECRClient, web: str, read: Callable[..., Reader]) -> None:
    push(client, web, sample_image(("linux/amd64",)), "v1")
    assert "scan:" not in read(SHOP).text
    client.start_image_scan(repositoryName=web, imageId={"imageTag": "v1"})
    assert "scan: in progress" in read(SHOP).text
    ecr.advance(3600)
    assert "scan: complete" in read(SHOP).text


def test_many_images_come_in_pages(client: ECRClient, web: str, read: Callable[..., Reader]) -> None:
    images = [sample_image(("linux/amd64",), annotations={"n": str(number)}) for number in range(51)]
    for image in images:
        push(client, web, image)
    newest = read(SHOP)
    assert images[50].digest in newest.text
    assert images[0].digest not in newest.text
    (more,) = [link for link in newest.links if "before" in link]
    oldest = read(more)
    assert images[0].digest in oldest.text
    assert images[1].digest not in oldest.text
    assert not [link for link in oldest.links if "before" in link]


def test_a_hundred_thousand_images_do_not_hang_it(ecr: EcrEmulator, web: str, read: Callable[..., Reader]) -> None:
    assert ecr._running
    with ecr._running.agenda._state.store.transaction() as records:
        repository = records.repository(Registry("123456789012", "us-east-1"), web)
        assert repository
        columns = "repository, digest, media_type, size, pushed_at, manifest"
        records._executemany(
            f"INSERT INTO images ({columns}) VALUES (?, ?, 'x', 1, 1, '{{}}')",  # noqa: S608 - no input
            ((repository.id, f"sha256:{number:064x}") for number in range(100_000)),
        )
    begun = time.monotonic()
    assert "100,000 images" in read(SHOP).text
    assert f"{1:064x}" in read(f"{SHOP}?before=40").text
    assert "100,000" in read("/").text
    assert time.monotonic() - begun < 1


# --- Requests ---


def test_requests(client: ECRClient, web: str, read: Callable[..., Reader]) -> None:
    assert "There was no request yet" not in read("/requests").text
    with pytest.raises(client.exceptions.InvalidParameterException):
        client.put_image(repositoryName=web, imageManifest="{}")
    page = read("/requests").text
    assert re.search(r"PutImage\s+shop/web\s+api\s+123456789012\s+us-east-1\s+InvalidParameterException", page)


def test_no_requests(read: Callable[..., Reader]) -> None:
    assert "There was no request yet" in read("/requests").text


def test_many_requests_come_in_pages(ecr: EcrEmulator, client: ECRClient, read: Callable[..., Reader]) -> None:
    client.create_repository(repositoryName="shop/first")
    for _ in range(100):
        client.describe_repositories()
    page = read("/requests")
    assert page.text.count("DescribeRepositories") == 100
    (more,) = [link for link in page.links if "before" in link]
    assert "shop/first" in read(more).text
    assert [request.operation for request in ecr.requests].count("DescribeRepositories") == 100  # the page is none


# --- What does not get in ---


def test_everything_is_escaped() -> None:
    evil = "<script>alert('x')</script>\"&"
    text = element("p", evil, [evil], title=evil)
    assert "<script>" not in text
    assert text == f'<p title="{html.escape(evil)}">{html.escape(evil) * 2}</p>'
    assert element("p", Markup("<b>x</b>"), None, 3, element("br")) == "<p><b>x</b>3<br></p>"


@pytest.mark.parametrize(
    ("count", "written"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (5_242_880, "5.0 MiB"), (2**51, "2,048.0 TiB")],
)
def test_sizes(count: int, written: str) -> None:
    assert views._size(count) == written


def test_what_a_client_sent_is_escaped(
    ecr: EcrEmulator, client: ECRClient, wire: Wire, web: str, read: Callable[..., Reader]
) -> None:
    evil = "<b onload=x>"
    wire.send("POST", "/", "{}", {"X-Amz-Target": f"{TARGET}{evil}"})
    assert evil in read("/requests").text
    push(client, web, sample_image(("linux/amd64",)), "v1")
    manifest = json.loads(sample_image(("linux/amd64",)).text) | {"artifactType": evil}
    client.put_image(repositoryName=web, imageManifest=json.dumps(manifest))
    assert evil in read(SHOP).text
    assert evil in read(f"/repositories/1/2/{evil.replace(' ', '%20')}", 404).text
    assert ecr.requests


def test_no_script_can_run(ask: Callable[..., Answer]) -> None:
    answer = ask("/")
    (style,) = re.findall(r"<style>(.*?)</style>", answer.body.decode(), re.DOTALL)
    hashed = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert answer.headers["Content-Security-Policy"] == (
        f"default-src 'none'; style-src 'sha256-{hashed}'; img-src data:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"
    assert b"<script" not in answer.body


def test_other_hosts_and_other_sites_are_refused(ask: Callable[..., Answer], wire: Wire) -> None:
    two_hosts = wire.send_exactly("/requests", [("Host", "localhost")], "GET")  # beside http.client's own
    for answer in (
        ask("/requests", {"Host": "example.invalid"}),
        ask("/requests", {"Host": "localhost", "Origin": "https://example.invalid"}),
        two_hosts,
    ):
        assert answer.status == 403
        assert b"Refused" in answer.body


def test_pages_that_are_not_there(read: Callable[..., Reader]) -> None:
    for path in ("/repositories/1/2", "/repositories/1", "/repositories/1/2/x/y", "/requests/x"):
        assert "There is no" in read(path, 404).text


def test_positions_that_are_none_are_the_beginning(web: str, read: Callable[..., Reader]) -> None:
    for before in ("x", "-1", "99999999999999999999", "%C2%B2", ""):
        assert web in read(f"{SHOP}?before={before}").text
        read(f"/requests?before={before}")


def test_a_body_is_not_taken_for_the_next_request(ask: Callable[..., Answer]) -> None:
    assert ask("/", {"Content-Length": "5"}).status == 413


def test_a_head_has_no_body(ask: Callable[..., Answer]) -> None:
    answer = ask("/", method="HEAD")
    assert (answer.status, answer.body) == (200, b"")
    assert int(answer.headers["Content-Length"]) > 1000


def test_clients_of_the_api_get_no_page(ask: Callable[..., Answer]) -> None:
    for path, headers in (
        ("/", {"Authorization": "x"}),
        ("/", {"X-Amz-Target": "x"}),
        ("/favicon.ico", {}),
        ("/requestsx", {}),
        ("*", {}),
    ):
        assert json.loads(ask(path, headers).body)["__type"] == "UnknownOperationException"
