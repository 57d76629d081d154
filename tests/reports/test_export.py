"""Exports: the same rows in every format, protected, guarded against formulas, complete while others write."""

import csv
import errno
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import tracemalloc
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from service.clock import rfc3339
from service.db import EPOCH, MICROSECOND, reading, writing
from service.errors import Invalid
from service.models import access_log, result
from service.replica import ReadFrom
from service.reports import formula_injection
from service.reports.filters import Filter
from service.reports.rows import as_csv, as_xlsx, export, formats, row
from service.reports.rows.as_csv import Form
from service.reports.rows.formats import FORMATS
from service.reports.statistics.definitions import DEFINITION_VERSION
from service.reports.visible import View, view_of
from tests.reports.world import ADMIN, NOW, World, settings_of

calm = examples(deadline=None, database=None)

NASTY = [
    "=1+1",
    "+1",
    "-2 stars",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    'quote " and, comma',
    "two\nlines",
    "späßchen ☃ 𝒳",
    "'already",
    "\x01\x1f",
]


def read_csv(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def sheets(data: bytes) -> dict:
    """The sheets of a book: rows of {place: (type, text)}; and the first one's XML."""
    main = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    found = {}
    with zipfile.ZipFile(io.BytesIO(data)) as book:
        assert book.testzip() is None
        for name in ("sheet1", "sheet2"):
            tree = ET.fromstring(book.read(f"xl/worksheets/{name}.xml"))
            found[name] = [
                {cell.get("r"): (cell.get("t", "n"), "".join(cell.itertext())) for cell in line.iter(f"{main}c")}
                for line in tree.iter(f"{main}row")
            ]
        found["xml"] = book.read("xl/worksheets/sheet1.xml").decode()
    return found


def exported(world: World, format="csv", filter: Filter = Filter(), **options) -> bytes:  # noqa: B008
    return b"".join(export_of(world, filter).stream(format, **options))


def export_of(world: World, filter: Filter = Filter()) -> export.Export:  # noqa: B008
    return export.export_of(ReadFrom(world.engine), world.settings, ADMIN, filter, world.clock.now)


@pytest.fixture
def told(world):
    return world.begun("nasty texts", nasty)


def nasty(world):
    for text in NASTY:
        world.add(1, score=4, text=text)
    world.add(3)
    world.add(2, state="skipped", reason="cooldown")


def test_csv_has_a_row_for_every_conversation_answered_or_not(told):
    rows = read_csv(exported(told))
    assert len(rows) == len(NASTY) + 5
    assert tuple(rows[0]) == row.COLUMNS
    assert [row["reason"] for row in rows].count("cooldown") == 2
    assert len(read_csv(exported(told, filter=Filter(answered=True)))) == len(NASTY)


def test_column_names_never_change():
    assert ",".join(row.COLUMNS) == (
        "request_id,conversation_id,conversation_url,source,account,campaign,team_id,agent_id,type,"
        "question_variant_id,display_name,ended_at,sent_at,state,reason,score,score_at,score_after_s,text,text_at,"
        "text_after_s,updated_at,update_count,language,test,suppressed,tags,channel,customer_ref,erased_at,way,"
        "score_way,agent_name,team_name,question"
    )
    assert set(row.SAYS) == set(row.COLUMNS), "each column is said in words"


def test_csv_is_rfc_4180(told):
    data = exported(told)
    assert data.count(b"\r\n") >= len(NASTY) + 6
    assert data.endswith(b"\r\n")
    assert not data.startswith(as_csv.BOM)
    assert exported(told, form=Form(bom=True)) == as_csv.BOM + data


def test_no_cell_is_a_formula_and_numbers_stay_numbers(told):
    texts = {row["text"] for row in read_csv(exported(told))}
    assert {formula_injection.guarded(text) for text in NASTY} <= texts
    for line in csv.reader(io.StringIO(exported(told).decode(), newline="")):
        assert not any(cell.startswith(("=", "@", "-2 ", "\t", "\r")) for cell in line)
    assert {row["score"] for row in read_csv(exported(told))} == {"4", ""}


def test_names_from_the_crm_are_guarded_too(quick):
    quick.add(9, score=5, agent_id="=cmd()", conversation_id="@x", team_id="+t")
    [row, *_] = read_csv(exported(quick))
    assert (row["agent_id"], row["team_id"]) == ("'=cmd()", "'+t")


@pytest.mark.parametrize(
    ("text", "leaves"),
    [
        ("=1+1", "'=1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("-2 stars", "'-2 stars"),
        ("+1+cmd|'/C calc'!A0", "'+1+cmd|'/C calc'!A0"),
        ("fine;=1+1;=2+2", "fine;'=1+1;'=2+2"),
        ("a, b;=cmd|'/C calc'!A0;", "a, b;'=cmd|'/C calc'!A0;"),
        ("thanks\n=3+3;bye", "thanks\n'=3+3;bye"),
        ("thanks\r\n@x", "thanks\r\n'@x"),
        ("a\t=1", "a\t'=1"),
        ("a|-b", "a|'-b"),
        ('ok;"=1+1"', 'ok;"\'=1+1"'),
        ("a\u2028=1", "a\u2028'=1"),
        ("＝1+1", "'＝1+1"),
        ("hello, =1", "hello, '=1"),
        ("\u00a0=1;\u200b=2", "\u00a0'=1;\u200b'=2"),
        ("\t=1", "'\t'=1"),
        ("+4915112345678", "+4915112345678"),
        ("+49 151 123", "+49 151 123"),
        ("-1.5", "-1.5"),
        ("5;-3;ok", "5;-3;ok"),
        ("great, - thanks", "great, - thanks"),
        ("a=b, c@d.example", "a=b, c@d.example"),
        ("c-17", "c-17"),
        ("", ""),
    ],
)
def test_only_formulas_are_guarded(text, leaves):
    assert formula_injection.guarded(text) == leaves


@pytest.mark.parametrize("much", ["\n", '\n"', ", ", "\t \u200b", ' "'], ids=ascii)
def test_a_text_of_a_million_line_breaks_is_guarded_at_once(much):
    """What took as long as the square of its length would not come to its end here."""
    assert formula_injection.guarded(f"a{much * 1_000_000}b") == f"a{much * 1_000_000}b"
    assert formula_injection.unguarded(f"a{much * 1_000_000}'b") == f"a{much * 1_000_000}'b"


@calm
@given(st.text(st.sampled_from("=+-@;,|\t\r\n\"' a1.\u2028＝"), max_size=12))
def test_no_part_of_a_text_begins_a_formula_however_it_is_split(text):
    [cell] = [line[1] for line in csv.reader(io.StringIO(f'"x",{as_csv._quoted_and_guarded(text)}\r\n', newline=""))]
    for piece in re.split(r"[,;\t|\r\n\u2028]", cell):
        begins = piece.lstrip('" ')
        assert not begins.startswith(("=", "@", "＝")), piece
        number = re.match(r"[+-][0-9][0-9 ]*(\.[0-9]+)?(\"|$)", piece)
        assert number or not piece.lstrip('"').startswith(("+", "-")), piece
    assert cell.replace("'", "") == text.replace("'", "")


def test_every_text_is_quoted_and_nothing_else_is(quick):
    quick.add(9, score=4, text="fine", language=None)
    [_, line, *_] = exported(quick).decode().splitlines()
    cells = line.split(",")
    quoted = {name for name, cell in zip(row.COLUMNS, cells, strict=True) if cell.startswith('"')}
    assert {"request_id", "conversation_id", "text", "state", "account"} <= quoted
    for name, kind in zip(row.COLUMNS, row.KINDS, strict=True):
        assert kind == "text" or name not in quoted
    assert cells[row.COLUMNS.index("language")] == ""


def test_a_file_may_be_cut_by_semicolons_and_left_raw(told):
    lines = list(csv.reader(io.StringIO(exported(told, form=Form(separator="semicolon")).decode()), delimiter=";"))
    assert tuple(lines[0]) == row.COLUMNS
    assert {len(line) for line in lines} == {len(row.COLUMNS)}
    raw = {each["text"] for each in read_csv(exported(told, form=Form(raw=True)))}
    assert set(NASTY) <= raw


def test_moments_have_one_width_whatever_their_microseconds(quick):
    quick.add(1, score=5, card_sent_at=NOW, ended_at=NOW + timedelta(microseconds=1))
    [one] = read_csv(exported(quick))
    [line] = exported(quick, "jsonl").decode().splitlines()
    assert one["sent_at"] == json.loads(line)["sent_at"] == "2026-11-22T12:00:00.000000Z"
    assert one["ended_at"] == "2026-11-22T12:00:00.000001Z"
    shown = quick.client().json("/v1/results")["items"][0]
    assert (shown["sent_at"], shown["ended_at"]) == (one["sent_at"], one["ended_at"])


@calm
@given(st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1)))  # noqa: DTZ001 - made aware below
def test_a_moment_is_written_alike_from_microseconds_and_from_a_datetime(moment):
    aware = moment.replace(tzinfo=UTC)
    assert row.stamp((aware - EPOCH) // MICROSECOND) == rfc3339(aware)


def test_json_lines_tell_the_same_unguarded(told):
    lines = [json.loads(line) for line in exported(told, "jsonl").decode().splitlines()]
    assert [line["text"] for line in lines if line["text"]] == NASTY
    assert lines[0]["score"] == 4
    assert lines[0]["ended_at"].endswith("Z")
    assert lines[-1]["score"] is None


def test_parquet_is_typed(told, tmp_path):
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(io.BytesIO(exported(told, "parquet")))
    assert tuple(table.column_names) == row.COLUMNS
    assert str(table.schema.field("score").type) == "int64"
    assert str(table.schema.field("ended_at").type) == "timestamp[us, tz=UTC]"
    assert [text for text in table.column("text").to_pylist() if text] == NASTY
    assert str(table.schema.field("tags").type) == "list<element: string>"
    assert str(table.schema.field("test").type) == "bool"


def test_a_sheet_is_typed_with_a_frozen_header_and_definitions(quick):
    quick.add(9, score=4, text="fine", card_sent_at=datetime(2026, 11, 22, 18, tzinfo=UTC))
    book = sheets(exported(quick, "xlsx"))
    head, line, *_ = book["sheet1"]
    named = {text: line.get(place.replace("1", "2")) for place, (_, text) in head.items()}
    assert named["score"] == ("n", "4")
    assert named["sent_at (UTC)"] == ("n", "46348.75")
    assert named["test"] == ("b", "0")
    assert named["text"] == ("inlineStr", "fine")
    assert 'state="frozen"' in book["xml"]
    said = dict([text for _, text in line.values()] for line in book["sheet2"])
    assert {name for _, name in head.values()} == {name for name in said if name.partition(" ")[0] in row.COLUMNS}
    assert row.SAYS.items() <= {name.removesuffix(" (UTC)"): words for name, words in said.items()}.items()
    assert said["Net Promoter Score"].startswith("100 × (promoters − detractors)")
    assert "Left out, and limits: Answers with a comment only." in said["Net Promoter Score"]


def test_a_sheet_quotes_the_thresholds_in_force(quick):
    quick.settings = settings_of(reports__min_score_n=10, reports__min_comments_n=20)
    quick.add(1, score=4)
    said = [text for line in sheets(exported(quick, "xlsx"))["sheet2"] for _, text in line.values()]
    assert any("No score of fewer than 10 answers, comments of an agent with fewer than 20" in each for each in said)


def test_a_sheet_says_where_it_cut_a_text():
    assert as_xlsx.escaped("x" * 32_767) == "x" * 32_767
    for text in ("x" * 32_768, "😀" * 16_384):
        cut = as_xlsx.escaped(text)
        assert cut.endswith("[cut: a cell holds 32,767 characters]")
        assert 32_760 < len(cut.encode("utf-16-le")) // 2 <= 32_767


def test_characters_invalid_in_xml_are_escaped_as_in_excel():
    assert as_xlsx.escaped("a\x01b\r<&>_x0001_\uffff") == "a_x0001_b_x000D_&lt;&amp;&gt;_x005F_x0001__xFFFF_"


def test_xlsx_holds_text_and_no_formula(told):
    with zipfile.ZipFile(io.BytesIO(exported(told, "xlsx"))) as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in sheet
    assert "=1+1" in sheet
    assert sheet.count("<row ") == len(NASTY) + 6


def test_an_empty_export_has_its_columns_in_every_format(quick):
    assert exported(quick) == (",".join(row.COLUMNS) + "\r\n").encode()
    assert exported(quick, "jsonl") == b""
    assert exported(quick, "xlsx")
    assert exported(quick, "parquet").startswith(b"PAR1")


def test_a_format_we_do_not_have_is_refused(quick):
    with pytest.raises(Invalid) as caught:
        exported(quick, "pdf")
    assert caught.value.code == "unknown_format"


def test_heavy_packages_are_loaded_only_when_asked_for():
    code = "import sys; import service.reports.rows.export; print({'pyarrow'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


def test_small_agents_are_not_named_in_a_file_either(quick):
    quick.add(9, score=5, text="fine")
    quick.add(9, score=1, text="bad", agent_id="cat")
    quick.add(2, score=1, text="awful", agent_id="bob")
    for format_ in ("csv", "jsonl"):
        data = exported(quick, format_).decode()
        assert "bob" not in data
        assert "awful" not in data


def seen(world: World) -> View:
    with reading(world.engine) as connection:
        return view_of(connection, world.settings, ADMIN, world.clock.now)


def test_rows_are_neither_lost_nor_repeated_while_everything_changes(world):
    made = world.add(7, score=5)
    found = []
    export_pages = export.Export(ReadFrom(world.engine), world.settings, seen(world), Filter(), world.clock.now).pages()
    page_before, export.PAGE = export.PAGE, 2
    try:
        for number, page in enumerate(export_pages):
            found += page[0]
            with writing(world.engine) as connection:
                connection.execute(sa.update(result).values(updated_at=NOW + timedelta(seconds=number)))
            world.add(1, score=1, days_ago=3 - number / 100, received_at=NOW + timedelta(seconds=1))
    finally:
        export.PAGE = page_before
    assert found == made


def test_a_reader_between_pages_holds_no_transaction(sqlite_engine):
    """Otherwise SQLite's log could not be cut while somebody downloads."""
    world = World(sqlite_engine)
    world.add(5, score=5)
    page_before, export.PAGE = export.PAGE, 2
    try:
        found = export.Export(ReadFrom(world.engine), world.settings, seen(world), Filter(), world.clock.now).pages()
        next(found)
        with sqlite_engine.connect() as connection:
            busy, _, _ = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
        assert busy == 0
        assert sum(len(page[0]) for page in found) == 3
    finally:
        export.PAGE = page_before


def test_memory_stays_flat(sqlite_engine, monkeypatch):
    monkeypatch.setattr(export, "PAGE", 100)
    world = World(sqlite_engine)
    world.add(1200, score=5, text="x" * 200)
    size = len(exported(world))
    tracemalloc.start()
    assert sum(len(piece) for piece in export_of(world).stream("csv")) == size
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size > 400_000
    assert peak < 1_300_000  # 0.7 MB: a few pages of a hundred rows by column; the whole would be 2.3


def test_changes_during_an_export_come_with_the_next_read(told):
    told.read_until("acme", NOW - timedelta(hours=2))
    later = []

    def polled(_piece: bytes) -> None:
        if not later:
            later.append(told.read_until("acme", NOW - timedelta(hours=1)))

    wanted = Filter(chosen={"account": ("acme",)})
    manifest = export_of(told, wanted).described("csv", sink=polled)
    assert later
    assert manifest.complete_until == NOW - timedelta(hours=2)


def test_a_file_comes_with_its_manifest_and_an_entry_in_the_log(told, tmp_path):
    path, seen = tmp_path / "out.csv", []
    told.read_until("acme", NOW - timedelta(hours=2))
    wanted = Filter(chosen={"account": ("acme",)}, since=NOW - timedelta(days=30))
    manifest = export.write_file(told.engine, told.settings, ADMIN, wanted, path, "csv", told.clock.now, seen.append)
    beside = json.loads((tmp_path / "out.csv.manifest.json").read_text("utf-8"))
    assert beside["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest() == manifest.sha256
    assert beside["rows"] == manifest.rows == len(NASTY) + 5
    assert beside["bytes"] == path.stat().st_size
    assert beside["filter"] == {"account": ["acme"], "since": "2026-10-23T12:00:00Z"}
    assert beside["complete_until"] == "2026-11-22T10:00:00.000000Z"
    assert beside["definition_version"] == DEFINITION_VERSION
    assert beside["withheld"] is False
    assert seen == [manifest.rows]
    assert sorted(each.name for each in tmp_path.glob("out*")) == ["out.csv", "out.csv.manifest.json"]
    assert path.stat().st_mode & 0o777 == 0o600
    with reading(told.engine) as connection:
        assert connection.scalars(sa.select(access_log.c.action)).all() == ["export.file"]


def test_a_manifest_says_that_rows_of_small_groups_were_left_out(quick):
    quick.add(9, score=5)
    quick.add(1, score=1, agent_id="bob")
    client = quick.client()
    said = [client.json("/v1/results.csv", manifest="true", **asked) for asked in ({}, {"agent_id": "bob"})]
    assert [(each["rows"], each["withheld"]) for each in said] == [(10, False), (0, True)]


def test_an_interrupted_export_keeps_the_old_file_and_manifest(told, tmp_path):
    path, beside = tmp_path / "out.csv", tmp_path / "out.csv.manifest.json"
    for file in (path, beside):
        file.write_text("of before")

    def stopped(_rows):
        raise InterruptedError

    with pytest.raises(InterruptedError):
        export.write_file(told.engine, told.settings, ADMIN, Filter(), path, "csv", told.clock.now, stopped)
    assert [file.read_text() for file in (path, beside)] == ["of before", "of before"]


def test_a_file_and_its_manifest_always_match(told, tmp_path, monkeypatch):
    path, beside = tmp_path / "out.csv", tmp_path / "out.csv.manifest.json"
    beside.write_text("of before")
    beside.chmod(0o644)
    names, replace = [], Path.replace

    def watched(part, target):
        names.append((target.name, beside.exists()))
        return replace(part, target)

    monkeypatch.setattr(Path, "replace", watched)
    export.write_file(told.engine, told.settings, ADMIN, Filter(), path, "csv", told.clock.now)
    assert names == [("out.csv", False), ("out.csv.manifest.json", False)]
    assert beside.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", ["link.csv", "pipe.csv", "loop.csv", "noted.csv"])
def test_what_is_no_file_is_never_replaced_nor_written_through(told, tmp_path, name):
    """Root would put customers' answers in the place of /dev/stdout, or of what somebody's link leads to."""
    folder = tmp_path / "out"
    folder.mkdir()
    target = folder / "real.csv"
    target.write_text("somebody's", "utf-8")
    (folder / "link.csv").symlink_to(target)
    (folder / "loop.csv").symlink_to(folder / "loop.csv")
    (folder / "noted.csv.manifest.json").symlink_to(target)
    os.mkfifo(folder / "pipe.csv")
    before = {each.name for each in folder.iterdir()}
    with pytest.raises(Invalid, match="is not a regular file"):
        export.write_file(told.engine, told.settings, ADMIN, Filter(), folder / name, "csv", told.clock.now)
    assert {each.name for each in folder.iterdir()} == before
    assert (target.read_text("utf-8"), (folder / "pipe.csv").is_fifo()) == ("somebody's", True)


def test_the_api_streams_every_format_and_its_manifest(quick):
    quick.add(9, score=5, text="fine")
    client = quick.client()
    answer = client.get("/v1/results.csv")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="feedback-20261122T120000Z.csv"'
    assert answer.headers["Cache-Control"] == "no-store"
    digest = hashlib.sha256(answer.get_data()).hexdigest()  # read to its end: its slot is free
    assert client.json("/v1/results.csv", manifest="true")["sha256"] == digest
    for format_ in FORMATS:
        got = client.get(f"/v1/results.{format_}")
        assert got.status_code == 200
        assert got.content_type == formats.CONTENT_TYPES[format_]
        assert got.get_data()


def test_dashboard_filters_apply_to_the_file(quick):
    quick.add(9, score=5, days_ago=20)
    wanted = quick.add(2, score=1, days_ago=1)
    data = quick.client().get("/v1/results.csv", score="1", since="2026-11-20", date_field="scored_at").get_data()
    assert [row["request_id"] for row in read_csv(data)] == wanted


def test_concurrent_exports_are_limited_and_a_lost_client_frees_its_slot(quick):
    quick.add(9, score=5)
    client = quick.client()
    left = client.get("/v1/results.csv")
    assert client.refused("/v1/results.csv", 429) == "exports_busy"
    left.close()
    read = client.get("/v1/results.csv")
    assert read.status_code == 200
    read.get_data()
    assert client.get("/v1/results.csv").status_code == 200


@pytest.mark.parametrize("manifest", ["false", "true"])
def test_a_sheet_that_would_be_too_long_is_refused_before_the_answer_begins(quick, monkeypatch, manifest):
    quick.add(9, score=5)
    monkeypatch.setattr(as_xlsx, "MOST", 8)
    client = quick.client()
    for _ in range(3):  # a refusal keeps no slot
        assert client.refused("/v1/results.xlsx", 422, manifest=manifest) == "too_many_rows"


@pytest.mark.parametrize("form", ["xlsx", "parquet"])
def test_a_file_for_which_there_is_no_room_is_refused_with_what_needs_none(quick, monkeypatch, tmp_path, form):
    quick.add(9, score=5)
    client = quick.client()
    monkeypatch.setattr(tempfile, "tempdir", f"{tmp_path}/nowhere")
    assert client.refused(f"/v1/results.{form}", 503) == "no_temporary_file"
    assert client.get("/v1/results.csv").status_code == 200


@pytest.mark.parametrize("room", [0, 100, 1_000, 2_000])
def test_a_disk_that_is_full_before_a_sheet_is_whole_is_told(quick, monkeypatch, room):
    quick.add(200, score=5)

    class Small(io.FileIO):
        """A file on a disk that takes so many bytes more."""

        def write(self, data):
            if self.tell() + len(data) > room:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return super().write(data)

    monkeypatch.setattr(tempfile, "TemporaryFile", lambda: io.BufferedRandom(Small(os.memfd_create("room"), "w+b"), 64))
    assert quick.client().refused("/v1/results.xlsx", 503) == "no_temporary_file"


def test_under_an_embargo_a_file_is_as_late_as_the_page(quick):
    quick.settings = settings_of(reports__embargo="next_day")
    quick.add(9, score=5, days_ago=2)
    quick.add(9, score=1, days_ago=0.2)
    scores = [row["score"] for row in read_csv(exported(quick))]
    assert scores.count("5") == 9
    assert scores.count("") == 9
