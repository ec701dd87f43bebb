"""What the JMX agent is told to give, and what the dashboards ask of it."""

import re

import yaml

from tests.support.compose import ROOT
from tests.support.dashboards import all_queries

RULES = ROOT / "deploy" / "kafka" / "jmx.yml"


def names_given() -> set[str]:
    """Every name that the rules can give; an alternative in a pattern stands for each of its words."""
    document = yaml.safe_load(RULES.read_text())
    assert document["lowercaseOutputName"]
    names = set()
    for rule in document["rules"]:
        words = re.search(r"name=\(?([\w|]+)\)?", rule["pattern"])
        assert words is not None
        names |= {rule["name"].replace("$1", word).lower() for word in words[1].split("|")}
    return names


def test_the_dashboards_ask_for_what_the_agent_gives() -> None:
    """Each metric of the broker in a dashboard is one that its rules name, and none is there for nothing."""
    asked = {name for query in all_queries() for name in re.findall(r"\bkafka_\w+", query.substituted())}
    assert asked == names_given()
