"""Which generations stay, beside a model that groups them by what a calendar prints."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from agent.config.values import Keep
from agent.core.ids import CommitNumber
from agent.generations.naming import generation_name
from agent.generations.retention import BEFORE_STAYS, NO_RULE, RetentionMoment, judged_generations, releases
from agent.generations.retention_clock import RetentionTime, Ticks, first_retention_time
from agent.store.catalog.generation import Cause, Generation

HOUR = 3600 * 10**9
DAY = 24 * HOUR
YEAR = 365 * DAY
#: Sun 2026-11-22 03:00 UTC.
NOW = 1_795_316_400 * 10**9
#: What a calendar prints of a moment, by rule.
PRINTED = {"hourly": "%Y-%m-%d %H %z", "daily": "%Y-%m-%d", "weekly": "%G-%V", "monthly": "%Y-%m", "yearly": "%Y"}


def a_generation(dated: int, number: int = 1) -> Generation:
    """One that was taken when the retention clock showed that."""
    return Generation(f"g{number}", CommitNumber(number), dated, dated, Cause.SCHEDULE)


def why(generations: list[Generation], rules: Keep, at: RetentionMoment) -> list[str]:
    """What is said of each."""
    return [one.why for one in judged_generations(generations, rules, at)]


def test_the_newest_of_each_unit_stays_and_why() -> None:
    """Of the newest units that have one, however far they are apart."""
    dated = (NOW - 9 * DAY, NOW - 3 * DAY - HOUR, NOW - 3 * DAY, NOW - HOUR, NOW)
    generations = [a_generation(one, number) for number, one in enumerate(dated, 1)]
    assert [
        "weekly 2 of 2",
        "no rule keeps it",
        "daily 2 of 2",
        "hourly 2 of 2",
        "last 1 of 1; hourly 1 of 2; daily 1 of 2; weekly 1 of 2",
    ] == why(generations, Keep(last=1, hourly=2, daily=2, weekly=2), RetentionMoment(NOW, UTC))


def test_what_was_asked_for_does_not_push_out_what_the_schedule_took() -> None:
    """Whoever has the primary's credentials may ask for one each minute; among themselves those asked for come and go."""
    asked = [replace(a_generation(NOW - number, number), cause=Cause.DEMAND) for number in (4, 3, 2)]
    generations = [a_generation(NOW - 2 * DAY, 9), a_generation(NOW - DAY, 8), *asked]
    assert [
        "last 2 of 2 by schedule",
        "last 1 of 2 by schedule; daily 1 of 1 by schedule",
        "no rule keeps it",
        "last 2 of 2",
        "last 1 of 2; daily 1 of 1",
    ] == why(generations, Keep(last=2, daily=1), RetentionMoment(NOW, UTC))


def test_what_holds_a_generation_whatever_others_there_are() -> None:
    """A pin, a promise, a reader, a label, and that it was kept before something was overwritten."""
    at = RetentionMoment(NOW, UTC, read=(CommitNumber(4),))
    generations = [
        replace(a_generation(NOW - YEAR, 1), pinned=True),
        replace(a_generation(NOW - YEAR, 2), immutable_until=NOW + 1),
        replace(a_generation(NOW - YEAR, 3), immutable_until=NOW),
        a_generation(NOW - YEAR, 4),
        replace(a_generation(NOW - YEAR, 5), label="release-7"),
        replace(a_generation(NOW - BEFORE_STAYS + 1, 6), cause=Cause.BEFORE),
        replace(a_generation(NOW - BEFORE_STAYS, 7), cause=Cause.BRAKE),
        a_generation(NOW, 8),
    ]
    assert [
        "pinned",
        "immutable until Sun 2026-11-22 03:00:00 UTC",
        "no rule keeps it",
        "it is being read",
        "labelled release-7",
        "taken before something was overwritten: a week",
        "no rule keeps it",
        "last 1 of 1",
    ] == why(generations, Keep(last=1, labels=("release-*",)), at)
    assert {NO_RULE} == set(why(generations[2:3], Keep(), at))


def test_an_hour_that_clocks_show_twice_is_two() -> None:
    """Days and hours are local; summer time's end takes no generation."""
    berlin = ZoneInfo("Europe/Berlin")
    first = int(datetime(2026, 10, 25, 0, 30, tzinfo=UTC).timestamp()) * 10**9
    generations = [a_generation(first, 1), a_generation(first + HOUR, 2)]
    assert ["hourly 2 of 2", "hourly 1 of 2"] == why(generations, Keep(hourly=2), RetentionMoment(first + DAY, berlin))


@dataclass
class Model:
    """The same by hand. ``kept``: by name ``(moment, pinned, label, promised until)``, by a clock that only what really passed
    moves."""

    rules: Keep
    immutable: int
    zone: tzinfo
    kept: dict[str, tuple[int, bool, str, int]] = field(default_factory=dict)

    def apply(self, now: int) -> None:
        """Let go of what nothing keeps."""
        newest_first = list(self.kept)[::-1]
        stays = set(newest_first[: self.rules.last])
        for rule, form in PRINTED.items():
            first: dict[str, str] = {}
            for name in newest_first:
                day = datetime.fromtimestamp(self.kept[name][0] // 10**9, UTC).astimezone(self.zone)
                first.setdefault(day.strftime(form), name)
            stays.update(list(first.values())[: getattr(self.rules, rule)])
        for name, (_, pinned, label, until) in self.kept.items():
            if pinned or until > now or (label and label in self.rules.labels):
                stays.add(name)
        if self.rules != Keep():
            self.kept = {name: one for name, one in self.kept.items() if name in stays}


def test_sixty_generations_under_a_hundred_retentions(seed: int) -> None:
    """With clocks that jump by years, stand and begin anew: what is kept equals the model's; nothing promised or pinned goes."""
    chance = random.Random(seed)
    for _ in range(10):
        last, hourly, daily, weekly, monthly, yearly = (chance.choice((0, 0, 1, 3, 7)) for _ in range(6))
        rules = Keep(last, hourly, daily, weekly, monthly, yearly, chance.choice(((), ("keep",))))
        _one_life(chance, rules, chance.choice((0, 3 * DAY)))


def _one_life(chance: random.Random, rules: Keep, immutable: int) -> None:
    zone = ZoneInfo(chance.choice(("UTC", "Europe/Berlin", "Asia/Tokyo")))
    model, kept = Model(rules, immutable, zone), list[Generation]()
    clock: RetentionTime = first_retention_time(Ticks(NOW, 0, "boot"))
    wall, boot, since_boot, passed, begun = NOW, 0, 0, NOW, 60
    for step in range(100):
        real = chance.choice((HOUR // 2, 5 * HOUR, DAY, 9 * DAY))
        jump = chance.choice((0, 0, 0, 1, -1)) * chance.randrange(5 * YEAR)
        dead = chance.random() < 0.1
        wall, since_boot = wall + jump + (0 if dead else real), since_boot + real
        if chance.random() < 0.1:
            boot, since_boot = boot + 1, chance.randrange(real)
            passed += max(0, min(jump + (0 if dead else real), since_boot))
        else:
            passed += max(0, min(jump + (0 if dead else real), real))
        clock = clock.moved(Ticks(wall, since_boot, f"boot {boot}"))
        assert passed == clock.now
        if begun and chance.random() < 0.7:
            begun -= 1
            pinned, label = chance.random() < 0.1, chance.choice(("", "", "keep", "other"))
            until = clock.now + immutable if immutable else 0
            one = replace(a_generation(clock.now, step), pinned=pinned, label=label, immutable_until=until)
            kept.append(one)
            model.kept[one.name] = (passed, pinned, label, until)
        before = kept
        verdicts = judged_generations(kept, rules, RetentionMoment(clock.now, zone))
        kept = [one.generation for one in verdicts if not one.goes]
        model.apply(passed)
        assert list(model.kept) == [one.name for one in kept]
        held = [one.name for one in before if one.pinned or one.immutable_until > passed]
        assert set(held) <= set(model.kept)


def test_generations_are_named_by_their_second() -> None:
    """What a simulation takes has names that tell its moments apart."""
    assert "20261122T030000Z" == generation_name(NOW, ())


def test_what_may_go_when_agrees_with_the_verdicts(seed: int) -> None:
    """At every moment: what is released by then is what the verdicts let go of what history has passed."""
    chance = random.Random(seed)
    hour, history = 3600 * 10**9, 24 * 3600 * 10**9
    for _ in range(40):
        generations = [
            replace(
                a_generation(dated * hour, dated),
                cause=chance.choice(list(Cause)),
                pinned=chance.random() < 0.1,
                label=chance.choice(("", "", "release")),
                immutable_until=chance.choice((0, (dated + chance.randrange(400)) * hour)),
            )
            for dated in sorted(chance.sample(range(1, 900), 40))
        ]
        rules = chance.choice((Keep(), Keep(last=2), Keep(daily=5, weekly=2), Keep(hourly=3, labels=("rel*",))))
        found = releases(generations, rules, history)
        for now in (chance.randrange(1, 1400) * hour + chance.choice((-1, 0, 1)) for _ in range(20)):
            verdicts = judged_generations(generations, rules, RetentionMoment(now))
            expected = {one.generation.name for one in verdicts if one.goes and one.generation.dated < now - history}
            assert expected == {one.name for at, one in found if at <= now}
