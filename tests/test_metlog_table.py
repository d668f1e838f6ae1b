"""The table [metlog] of the file of settings: what it says, and what is wrong with it in one sentence."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import get_type_hints

import pytest

from pipeline.errors import MismatchError, SettingError
from pipeline.metlog_settings import (
    DEFAULT_ROUTES,
    ENDPOINT_KINDS,
    MetlogSettings,
    RouteSettings,
    StoreEndpointSettings,
)
from pipeline.metlog_table import read_metlog
from pipeline.toml_tables import convert, list_keys


def read(text: str) -> MetlogSettings:
    """Return what a file says."""
    return read_metlog("c.toml", tomllib.loads(text)["metlog"])


def test_sources_alone_are_enough() -> None:
    """Then measurements go to the store, and all else to the programs."""
    settings = read('[metlog]\nsources = "unixgram:///run/metlog.sock"')
    assert settings == MetlogSettings(metlog_logs=("unixgram:///run/metlog.sock",), routes=DEFAULT_ROUTES)


def test_table_names_endpoints_and_routes() -> None:
    """One text stands for an array of one; dashes for underscores."""
    settings = read(
        """
        [metlog]
        sources = ["-", "/run/a,b"]
        [metlog.endpoint.store]
        kind = "store"
        prefix = "app_"
        labels = "route"
        buckets = [0.1, 1, 10]
        max-metrics = 5
        [[metlog.route]]
        type = "counter"
        logger = ["shop*", "blog"]
        severity = 3
        fields = { route = "/api/*", "user.name" = ["a", "b"] }
        to = "store"
        continue = true
        [[metlog.route]]
        severity = "<=error"
        to = ["programs", "drop"]
        """
    )
    assert settings.metlog_logs == ("-", "/run/a,b")
    assert settings.endpoints == {
        "store": StoreEndpointSettings(prefix="app_", labels=("route",), buckets=(0.1, 1.0, 10.0), max_metrics=5)
    }
    assert settings.routes == (
        RouteSettings(
            to=("store",),
            type=("counter",),
            logger=("shop*", "blog"),
            severity="3",
            fields=(("route", ("/api/*",)), ("user.name", ("a", "b"))),
            goes_on=True,
        ),
        RouteSettings(to=("programs", "drop"), severity="<=error"),
    )


STORE = '[metlog.endpoint.store]\nkind = "store"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("metlog = 5", "metlog must be a table, not 5."),
        ("[metlog]\nsorces = 5", "the setting metlog.sorces is unknown. Did you mean sources?"),
        ("[metlog]\nsources = 5", "the setting metlog.sources must be a source or an array of them, not 5."),
        ('[metlog]\nsources = [""]', "the setting metlog.sources must be a source or an array of them, not ['']."),
        ("[metlog]\nendpoint = []", "metlog.endpoint must be a table, not []."),
        ("[metlog.endpoint]\na = true", "metlog.endpoint.a must be a table, not true."),
        (
            "[metlog.endpoint.a]",
            "metlog.endpoint.a: the setting kind must be one of " + ", ".join(ENDPOINT_KINDS) + ".",
        ),
        (
            '[metlog.endpoint.a]\nkind = "stor"',
            "metlog.endpoint.a: the setting kind must be one of "
            + ", ".join(ENDPOINT_KINDS)
            + ', not "stor". Did you mean store?',
        ),
        (
            '[metlog.endpoint."a b"]\nkind = "store"',
            "metlog.endpoint.a b: the name may have letters, digits, _, - and . alone, and 64 of them at most.",
        ),
        (
            '[metlog.endpoint.programs]\nkind = "store"',
            "metlog.endpoint.programs: programs is an endpoint that there is already: take another name.",
        ),
        (STORE + 'prefx = "a"', "metlog.endpoint.store: the setting prefx is unknown. Did you mean prefix?"),
        (
            STORE + 'prefix = "1a"',
            "metlog.endpoint.store: prefix must have letters, digits, _ and : alone, and no digit at its beginning.",
        ),
        (STORE + "prefix = 1", "metlog.endpoint.store: the setting prefix must be a text, not 1."),
        (
            STORE + "labels = [1]",
            "metlog.endpoint.store: the setting labels must be a text or an array of texts, not [1].",
        ),
        (
            STORE + 'labels = ["a-b"]',
            "metlog.endpoint.store: labels must not have 'a-b': it is no name that a label of ours can have.",
        ),
        (
            STORE + 'labels = ["logger"]',
            "metlog.endpoint.store: labels must not have 'logger': it is no name that a label of ours can have.",
        ),
        (STORE + 'labels = ["a", "a"]', "metlog.endpoint.store: labels must not have 'a' twice."),
        (
            STORE + f"buckets = [{10**400}]",
            f"metlog.endpoint.store: the setting buckets must be a number, not [{10**400}].",
        ),
        (STORE + "buckets = [1, 1]", "metlog.endpoint.store: buckets must rise."),
        (
            STORE + "buckets = [0, 1]",
            "metlog.endpoint.store: buckets must be upper bounds in seconds, each more than 0.",
        ),
        (
            STORE + "buckets = [inf]",
            "metlog.endpoint.store: buckets must be upper bounds in seconds, each more than 0.",
        ),
        (STORE + "buckets = 1", "metlog.endpoint.store: the setting buckets must be an array of numbers, not 1."),
        (STORE + "max_metrics = 0", "metlog.endpoint.store: max_metrics must be at least 1, not 0."),
        (
            STORE + "max_metrics = true",
            "metlog.endpoint.store: the setting max_metrics must be a whole number, not true.",
        ),
        (
            STORE + "max_metrics = 1\nmax-metrics = 1",
            "metlog.endpoint.store: the setting max-metrics is given twice, once with a dash.",
        ),
        ("[metlog]\nroute = {}", "metlog.route must be an array of tables, each begun by [[metlog.route]]."),
        ('[[metlog.route]]\ntype = "a"', "metlog.route 1: the setting to is missing."),
        ("[[metlog.route]]\nto = []", "metlog.route 1: to must name an endpoint."),
        ('[[metlog.route]]\nto = ["drop", "drop"]', "metlog.route 1: to must not name drop twice."),
        ('[[metlog.route]]\nto = "stor"', "metlog.route 1 goes to stor, which is no endpoint. Did you mean store?"),
        (
            '[[metlog.route]]\nto = "drop"\ncontinue = 1',
            "metlog.route 1: the setting continue must be true or false, not 1.",
        ),
        ('[[metlog.route]]\nto = "drop"\ngoes_on = true', "metlog.route 1: the setting goes_on is unknown."),
        *(
            (
                f'[[metlog.route]]\nto = "drop"\n{key} = {nothing}',
                f"metlog.route 1: the setting {key} is empty: leave it out where it is to fit all messages.",
            )
            for key, nothing in (("type", "[]"), ("logger", "[]"), ("severity", '""'), ("fields", "{}"))
        ),
        (
            '[[metlog.route]]\nto = "drop"\nfields = { code = 500 }',
            "metlog.route 1: the setting fields.code must be a text or an array of texts, not 500.",
        ),
        (
            '[[metlog.route]]\nto = "drop"\nfields = { code = [] }',
            "metlog.route 1: the setting fields.code must be a text or an array of texts, not [].",
        ),
        (
            '[[metlog.route]]\nto = "drop"\nfields.user.plan = "free"',
            'metlog.route 1: the setting fields.user is a table: write a field within it as "user.plan".',
        ),
        (
            '[[metlog.route]]\nto = "drop"\nfields = "a"',
            'metlog.route 1: the setting fields must be a table of texts, not "a".',
        ),
        (
            '[[metlog.route]]\nto = "drop"\nseverity = 9',
            "metlog.route 1: severity must be a number from 0 to 7 or one of emergency, alert, critical, error, "
            'warning, notice, informational, debug, perhaps with a comparison such as "<=4", not "9".',
        ),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(text: str, message: str) -> None:
    """With the file, the table and the key."""
    with pytest.raises(SettingError) as caught:
        read(text)
    assert str(caught.value) == f"c.toml: {message}"


@pytest.mark.parametrize("spelling", ["x", "./x", "../{folder}/x", "link/x"])
def test_two_endpoints_on_one_file_are_wrong(spelling: str, tmp_path: Path) -> None:
    """Their lines would mix, and who drops the oldest would drop the other's."""
    (tmp_path / "link").symlink_to(tmp_path)
    paths = {"a": f"{tmp_path}/x", "b": f"{tmp_path}/{spelling.format(folder=tmp_path.name)}"}
    tables = (f'[metlog.endpoint.{name}]\nkind = "file"\npath = "{path}"\n' for name, path in paths.items())
    with pytest.raises(SettingError) as caught:
        read("".join(tables))
    assert str(caught.value) == "c.toml: metlog.endpoint.b.path and endpoint.a.path are the same path."


def test_route_to_no_endpoint_is_wrong_wherever_it_comes_from() -> None:
    """It may be made without a file."""
    with pytest.raises(SettingError) as caught:
        MetlogSettings(routes=(RouteSettings(to=("nowhere",)),))
    assert str(caught.value) == "route 1 goes to nowhere, which is no endpoint."


@pytest.mark.parametrize(
    ("name", "hint", "value", "result"),
    [
        ("mode", int, "0640", 0o640),
        ("mode", int, "0o640", 0o640),
        ("mode", int, 0o640, 0o640),
        ("delay_seconds", float, "250ms", 0.25),
        ("share", float, 1, 1.0),
        ("switch", bool, True, True),
        ("path", Path | None, "/x", Path("/x")),
        ("headers", tuple[tuple[str, str], ...], {"a": "b"}, (("a", "b"),)),
        ("names", tuple[str, ...], "a", ("a",)),
        ("fields", tuple[tuple[str, tuple[str, ...]], ...], {"a": ["b"], "c": "d"}, (("a", ("b",)), ("c", ("d",)))),
    ],
)
def test_value_becomes_that_of_its_field(name: str, hint: object, value: object, result: object) -> None:
    """As the type of the field demands."""
    assert convert(name, hint, value) == result


@pytest.mark.parametrize(
    ("name", "hint", "value", "message"),
    [
        ("mode", int, "0999", "a mode: write it in octal, for example 0640"),
        ("mode", int, True, "a mode: write it in octal, for example 0640"),
        ("delay_seconds", float, "5", "a duration: write for example 250ms, 10s or 1h30m"),
        ("delay_seconds", float, 5, "a duration: write for example 250ms, 10s or 1h30m"),
        ("share", float, "1", "a number"),
        ("share", float, True, "a number"),
        ("switch", bool, 1, "true or false"),
        ("path", Path, "", "a path"),
        ("path", Path, "a\0b", "a path"),
        ("headers", tuple[tuple[str, str], ...], {"a": 5}, "a table of texts"),
        ("fields", tuple[tuple[str, tuple[str, ...]], ...], {"a": 5}, "a text or an array of texts"),
    ],
)
def test_value_of_another_type_is_none(name: str, hint: object, value: object, message: str) -> None:
    """What it must be is said."""
    with pytest.raises(MismatchError) as caught:
        convert(name, hint, value)
    assert str(caught.value) == message


def test_what_does_nothing_can_be_told() -> None:
    """An endpoint that no route names, and a route behind one that takes all."""
    settings = read(
        STORE + '[[metlog.route]]\nto = "drop"\ncontinue = true\n[[metlog.route]]\nto = "drop"\n'
        '[[metlog.route]]\nto = "programs"\n[[metlog.route]]\nto = "drop"\ntype = "x"'
    )
    assert settings.list_unused() == ["store"]
    assert settings.list_idle_routes() == [3, 4]


@pytest.mark.parametrize("kind", ENDPOINT_KINDS)
def test_every_field_of_an_endpoint_can_be_set(kind: str) -> None:
    """Its type is one that a table can fill."""
    settings = ENDPOINT_KINDS[kind]
    hints = get_type_hints(settings)
    for name in list_keys(settings, {}).values():
        with pytest.raises(MismatchError):
            convert(name, hints[name], None)
