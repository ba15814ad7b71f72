"""What lifecycle policies do with images, and which policies there can be. Nothing runs here."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ecr_provider.emulator.errors import EcrError
from ecr_provider.emulator.rules.lifecycle.evaluation import Candidate, evaluate
from ecr_provider.emulator.rules.lifecycle.policy import parse_policy
from ecr_provider.emulator.store.images import Image

DAY = 24 * 60 * 60.0
NOW = 1000 * DAY


def rule(priority: int, *, action: Any = "expire", **selection: Any) -> Any:
    acted = {"type": action} | ({"targetStorageClass": "archive"} if action == "transition" else {})
    return {"rulePriority": priority, "selection": selection, "action": acted}


def tagged(*patterns: str, count: int = 1, **selection: Any) -> Any:
    chosen = {"tagStatus": "tagged", "tagPatternList": list(patterns)}
    return chosen | {"countType": "imageCountMoreThan", "countNumber": count} | selection


def older(days: int, tag_status: str = "any", count_type: str = "sinceImagePushed", **selection: Any) -> Any:
    counted = {"countType": count_type, "countUnit": "days", "countNumber": days}
    return {"tagStatus": tag_status} | counted | selection


def policy(*rules: Any) -> str:
    return json.dumps({"rules": rules})


def image(name: str, age: float, *tags: str, in_index: bool = False, **times: Any) -> Candidate:
    """An image that was pushed so many days ago; other times are in days ago too."""
    ago = {member: None if days is None else NOW - days * DAY for member, days in times.items()}
    facts = {"pulled_at": None, "archived_at": None, "activated_at": None} | ago
    number = int(10_000 - age)
    row = Image(
        number,
        1,
        name,
        "",
        None,
        None,
        1,
        NOW - age * DAY,
        facts["pulled_at"],
        facts["archived_at"] is not None and facts["activated_at"] is None,
        facts["archived_at"],
        facts["activated_at"],
    )
    return Candidate(row, list(tags), in_index)


def taken(text: str, *images: Candidate) -> list[tuple[str, int]]:
    return [(candidate.image.digest, rule.priority) for candidate, rule in evaluate(parse_policy(text), images, NOW)]


# --- The user guide's examples ("Examples of lifecycle policies") ---


def test_filtering_on_image_age() -> None:
    text = policy(rule(1, **tagged("prod*") | older(14, "tagged")))
    images = (image("young", 13, "prod1"), image("old", 15, "prod1"), image("other", 15, "dev"), image("none", 15))
    assert taken(text, *images) == [("old", 1)]


def test_filtering_on_image_count() -> None:
    text = policy(rule(1, tagStatus="untagged", countType="imageCountMoreThan", countNumber=1))
    assert taken(text, image("a", 3), image("b", 2), image("c", 1), image("d", 9, "v1")) == [("a", 1), ("b", 1)]


A = image("A", 10, "beta-1", "prod-1")
B = image("B", 9, "beta-2", "prod-2")
C = image("C", 8, "beta-3")


def test_filtering_on_multiple_rules_example_a() -> None:
    assert taken(policy(rule(1, **tagged("prod*")), rule(2, **tagged("beta*"))), A, B, C) == [("A", 1)]


def test_filtering_on_multiple_rules_example_b() -> None:
    found = taken(policy(rule(1, **tagged("beta*")), rule(2, **tagged("prod*"))), A, B, C)
    assert found == [("A", 1), ("B", 1)]


def test_filtering_on_multiple_tags_in_a_single_rule() -> None:
    images = (
        image("A", 12, "alpha-1"),
        image("B", 11, "beta-1"),
        image("C", 10, "alpha-2", "beta-2"),
        image("D", 4, "alpha-3"),
        image("E", 3, "beta-3"),
        image("F", 2, "alpha-4", "beta-4"),
    )
    assert taken(policy(rule(1, **older(5, "tagged"), tagPatternList=["alpha*", "beta*"])), *images) == [("C", 1)]


def test_filtering_on_all_images() -> None:
    text = policy(rule(1, tagStatus="any", countType="imageCountMoreThan", countNumber=1))
    images = (image("A", 4, "alpha-1"), image("B", 3, "beta-1"), image("C", 2), image("D", 1, "alpha-2"))
    assert taken(text, *images) == [("A", 1), ("B", 1), ("C", 1)]


# --- The evaluation rules ---


def test_what_a_rule_keeps_no_later_one_takes() -> None:
    text = policy(rule(1, **tagged("prod*")), rule(2, **older(4, "untagged")), rule(3, **older(10)))
    images = (image("A", 12, "prod-1"), image("B", 11, "prod-2"), image("C", 11, "dev"), image("D", 5))
    assert taken(text, *images) == [("A", 1), ("C", 3), ("D", 2)]


def test_a_lower_priority_counts_what_a_higher_one_takes() -> None:
    text = policy(
        rule(1, **tagged("a*", count=1)), rule(2, tagStatus="any", countType="imageCountMoreThan", countNumber=2)
    )
    images = (image("old", 5, "v0"), image("a1", 4, "a1"), image("a2", 3, "a2"))
    assert taken(text, *images) == [("old", 2), ("a1", 1)]


def test_what_an_index_names_stays() -> None:
    text = policy(rule(1, **older(1)))
    assert taken(text, image("index", 5, "v1"), image("child", 5, in_index=True)) == [("index", 1)]


def test_prefixes_are_no_patterns() -> None:
    text = policy(rule(1, **older(1, "tagged"), tagPrefixList=["v1", "prod"]))
    images = (image("both", 5, "v1.2", "prod-1"), image("one", 5, "v1.2"), image("inside", 5, "dev1", "prod"))
    assert taken(text, *images) == [("both", 1)]


def test_patterns_match_the_whole_tag() -> None:
    images = (image("a", 9, "repo-production"), image("b", 8, "prod"), image("c", 7, "PROD"))
    assert taken(policy(rule(1, **tagged("prod", count=1) | older(1, "tagged"))), *images) == [("b", 1)]
    assert taken(policy(rule(1, **tagged("*prod*") | older(1, "tagged"))), *images) == [("a", 1), ("b", 1)]


def test_an_age_of_exactly_so_many_days_is_not_more() -> None:
    text = policy(rule(1, **older(5)))
    assert taken(text, image("a", 5), image("b", 5.001)) == [("b", 1)]


def test_a_restored_image_is_as_old_as_its_restoration() -> None:
    restored = image("a", 50, archived_at=40, activated_at=3)
    assert taken(policy(rule(1, **older(5))), restored) == []
    assert taken(policy(rule(1, **older(2))), restored) == [("a", 1)]


def test_images_that_nobody_pulls_are_archived() -> None:
    text = policy(rule(1, action="transition", **older(30, count_type="sinceImagePulled")))
    images = (
        image("never", 31),
        image("lately", 90, pulled_at=29),
        image("long ago", 90, pulled_at=31),
        image("restored", 90, pulled_at=80, archived_at=40, activated_at=29),
        image("in the archive", 90, archived_at=40),
    )
    assert taken(text, *images) == [("long ago", 1), ("never", 1)]


def test_images_leave_the_archive_for_good() -> None:
    text = policy(
        rule(1, action="transition", **older(30)),
        rule(2, **older(90, count_type="sinceImageTransitioned", storageClass="archive")),
    )
    images = (image("a", 200, archived_at=91), image("b", 200, archived_at=89), image("c", 31))
    assert taken(text, *images) == [("a", 2), ("c", 1)]


# --- Policies ---


def reason(text: str) -> str:
    with pytest.raises(EcrError) as caught:
        parse_policy(text)
    assert caught.value.code == "InvalidParameterException"
    member, _, constraint = caught.value.message.partition(" failed to satisfy constraint: ")
    assert member == "Invalid parameter at 'LifecyclePolicyText'"
    assert constraint.startswith("'Lifecycle policy validation failure: ")
    return constraint


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[" * 100_000,
        "[]",
        "{}",
        '{"rules": {}}',
        '{"rules": [1]}',
        '{"rules": [{"rulePriority": 1}]}',
        json.dumps({"rules": [rule(1, **older(1))], "version": 1}),
        json.dumps({"rules": [rule(1, **older(1)) | {"rulePriority": "1"}]}),
        json.dumps({"rules": [rule(1, **older(1)) | {"rulePriority": True}]}),
        policy(rule(1, **tagged(1))),  # type: ignore[arg-type]  # a tag is a string
        policy(rule(1, **tagged("a"), colour="blue")),
    ],
)
def test_what_is_no_policy(text: str) -> None:
    assert "Could not map policyString into LifecyclePolicy." in reason(text)


@pytest.mark.parametrize(
    ("rules", "why"),
    [
        ([], "between 1 and 50 rules"),
        ([rule(n, **tagged(f"t{n}")) for n in range(1, 52)], "between 1 and 50 rules"),
        ([rule(1, **tagged("a")), rule(1, **tagged("b"))], "rulePriority must be unique"),
        ([rule(0, **older(1))], "rulePriority must be positive"),
        ([rule(1, **older(0))], "countNumber must be 1 at least"),
        ([rule(1, **older(1, "some"))], "tagStatus must be one of any, tagged, untagged"),
        ([rule(1, **older(1, "tagged"))], "Must specify tagPrefixList or tagPatternList when tagStatus=TAGGED."),
        ([rule(1, **older(1, "tagged"), tagPatternList=[])], "Must specify tagPrefixList or tagPatternList"),
        ([rule(1, **older(1, "untagged"), tagPatternList=["a"])], "go with tagStatus=TAGGED only"),
        ([rule(1, **tagged("a"), tagPrefixList=["a"])], "Must not specify both"),
        ([rule(1, **tagged("test*1*2*3*4*5*6"))], "4 wildcards"),
        ([rule(1, **tagged("a", countType="sinceNoon"))], "countType must be one of"),
        ([rule(1, **tagged("a", countUnit="days"))], "countUnit must not be specified"),
        ([rule(1, **older(1) | {"countUnit": "hours"})], "countUnit must be days"),
        ([rule(1, **older(1), storageClass="archive")], "storageClass must be standard"),
        ([rule(1, **older(90, count_type="sinceImageTransitioned"))], "storageClass must be archive"),
        (
            [rule(1, **older(89, count_type="sinceImageTransitioned", storageClass="archive"))],
            "countNumber must be 90 at least",
        ),
        ([rule(1, **older(1, count_type="sinceImagePulled"))], "expire does not go with countType=sinceImagePulled"),
        (
            [rule(1, action="transition", **older(90, count_type="sinceImageTransitioned", storageClass="archive"))],
            "transition does not go with countType=sinceImageTransitioned",
        ),
        ([rule(1, action="explode", **older(1))], "type must be one of expire, transition"),
        ([rule(1, **older(1)) | {"action": {"type": "transition"}}], "targetStorageClass must be archive"),
        (
            [rule(1, **older(1, "untagged")), rule(2, **older(2, "untagged"))],
            "Only one rule can select Untagged images",
        ),
        ([rule(1, **older(1)), rule(2, **tagged("a"))], "Rule for tagStatus=ANY must have the lowest priority"),
        ([rule(1, **older(1)), rule(2, **older(2))], "Rule for tagStatus=ANY must have the lowest priority"),
        ([rule(1, **tagged("a", "b")), rule(2, **tagged("b", "a"))], "unique sets of prefixes or patterns"),
    ],
)
def test_policies_that_are_refused(rules: list[Any], why: str) -> None:
    assert why in reason(policy(*rules))


def test_rules_that_look_alike_and_go_together() -> None:
    found = parse_policy(
        policy(
            rule(7, **older(9)),
            rule(3, **tagged("a", "b")),
            rule(5, **tagged("a")),
            rule(9, **older(90, count_type="sinceImageTransitioned", storageClass="archive")),
            rule(1, **older(1, "untagged")),
        )
    )
    assert [each.priority for each in found] == [1, 3, 5, 7, 9]
