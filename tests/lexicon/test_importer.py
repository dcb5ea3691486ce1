"""Import of release files, written here in the official formats."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from lexicon.codes import edition_for, importer, load_edition
from lexicon.codes.importer import import_edition
from lexicon.codes.index import IndexPhrase, index_phrases
from lexicon.codes.registry import EditionInfo, editions
from lexicon.errors import EditionError
from lexicon.tables import read_table

ROOT = Path(__file__).resolve().parents[2]
SHARED_ADDENDA = ROOT.parent / "shared" / "data" / "icd10cm_order_addenda_2027.txt"
FIRST, LAST = date(2030, 10, 1), date(2031, 9, 30)

TABULAR = """<?xml version="1.0" encoding="utf-8"?>
<ICD10CM.tabular>
  <version>2031</version>
  <introduction><introSection type="title"><title>ICD-10-CM TABULAR LIST</title></introSection></introduction>
  <chapter>
    <name>13</name>
    <desc>Diseases of the musculoskeletal system and connective tissue (M00-M99)</desc>
    <excludes2><note>injury, poisoning and certain other consequences of external causes (S00-T88)</note></excludes2>
    <sectionIndex><sectionRef first="M15" last="M19" id="M15-M19">Osteoarthritis</sectionRef></sectionIndex>
    <section id="M15-M19">
      <desc>Osteoarthritis (M15-M19)</desc>
      <diag><name>M17</name><desc>Osteoarthritis of knee</desc>
        <diag><name>M17.1</name><desc>Unilateral primary osteoarthritis of knee</desc>
          <inclusionTerm><note>Primary osteoarthritis of knee NOS</note></inclusionTerm>
          <diag><name>M17.10</name><desc>Unilateral primary osteoarthritis, unspecified knee</desc></diag>
          <diag><name>M17.11</name><desc>Unilateral primary osteoarthritis, right knee</desc></diag>
        </diag>
        <diag><name>M17.9</name><desc>Osteoarthritis of knee, unspecified</desc></diag>
      </diag>
    </section>
  </chapter>
  <chapter>
    <name>19</name>
    <desc>Injury, poisoning and certain other consequences of external causes (S00-T88)</desc>
    <section id="S80-S89">
      <desc>Injuries to the knee and lower leg (S80-S89)</desc>
      <diag><name>S83</name><desc>Dislocation and sprain of joints and ligaments of knee</desc>
        <excludes1><note>derangement of patella (M22.0-M22.3)</note></excludes1>
        <sevenChrNote><note>The appropriate 7th character is to be added to each code from category S83</note></sevenChrNote>
        <sevenChrDef><extension char="A">initial encounter</extension><extension char="D">subsequent encounter</extension>
          <extension char="S">sequela</extension></sevenChrDef>
        <diag><name>S83.9</name><desc>Sprain of unspecified site of knee</desc>
          <diag><name>S83.91</name><desc>Sprain of unspecified site of right knee</desc></diag>
        </diag>
      </diag>
    </section>
  </chapter>
</ICD10CM.tabular>
"""
# The codes of TABULAR: (code, billable, title)
CODES = [
    ("M17", 0, "Osteoarthritis of knee"),
    ("M171", 0, "Unilateral primary osteoarthritis of knee"),
    ("M1710", 1, "Unilateral primary osteoarthritis, unspecified knee"),
    ("M1711", 1, "Unilateral primary osteoarthritis, right knee"),
    ("M179", 1, "Osteoarthritis of knee, unspecified"),
    ("S83", 0, "Dislocation and sprain of joints and ligaments of knee"),
    ("S839", 0, "Sprain of unspecified site of knee"),
    ("S8391", 0, "Sprain of unspecified site of right knee"),
    ("S8391XA", 1, "Sprain of unspecified site of right knee, initial encounter"),
    ("S8391XD", 1, "Sprain of unspecified site of right knee, subsequent encounter"),
    ("S8391XS", 1, "Sprain of unspecified site of right knee, sequela"),
]
# M17.9 is split; a sprain of the left knee is new. (action, code, billable, title)
CHANGES = [
    ("Add:         ", "M1712", 1, "Unilateral primary osteoarthritis, left knee"),
    ("Delete:      ", "M179", 1, "Osteoarthritis of knee, unspecified"),
    ("Add:         ", "M179", 0, "Osteoarthritis of knee, unspecified"),
    ("Add:         ", "M1790", 1, "Osteoarthritis of knee, stage unspecified"),
    ("Add:         ", "S8392", 0, "Sprain of unspecified site of left knee"),
    ("Add:         ", "S8392XA", 1, "Sprain of unspecified site of left knee, initial encounter"),
    ("Add:         ", "S8392XD", 1, "Sprain of unspecified site of left knee, subsequent encounter"),
    ("Add:         ", "S8392XS", 1, "Sprain of unspecified site of left knee, sequela"),
    ("Revise from: ", "M1710", 1, "Unilateral primary osteoarthritis, unspecified knee"),
    ("Revise to:   ", "M1710", 1, "Unilateral primary osteoarthritis, knee side unspecified"),
]
INDEX = """<?xml version="1.0" encoding="utf-8"?>
<ICD10CM.index>
  <version>2031</version>
  <title>ICD-10-CM INDEX TO DISEASES and INJURIES</title>
  <letter><title>A</title>
    <mainTerm><title>Arthrosis <nemod>(deformans)</nemod></title><see>Osteoarthritis, knee</see></mainTerm>
  </letter>
  <letter><title>O</title>
    <mainTerm><title>Osteoarthritis</title>
      <term level="1"><title>knee</title><code>M17.9</code>
        <term level="2"><title>right <nemod>(side)</nemod></title><code>M17.11</code></term>
      </term>
    </mainTerm>
  </letter>
</ICD10CM.index>
"""
EXTERNAL = """<?xml version="1.0" encoding="utf-8"?>
<ICD10CM.index><version>2031</version><title>ICD-10-CM EXTERNAL CAUSE INDEX</title>
  <letter><title>S</title>
    <mainTerm><title>Sprain</title><term level="1"><title>knee</title><code>S83.9-</code></term></mainTerm>
  </letter>
</ICD10CM.index>
"""
BOMB = """<?xml version="1.0"?>
<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>
<ICD10CM.tabular><chapter><name>&b;</name></chapter></ICD10CM.tabular>
"""


def order_text(codes: list[tuple[str, int, str]]) -> str:
    return "".join(
        f"{n:05} {code:<7} {flag} {title[:60]:<60} {title}\r\n" for n, (code, flag, title) in enumerate(codes, start=1)
    )


def addenda_text(
    changes: list[tuple[str, str, int, str]], *, codes: tuple[int, int] = (6, 10), headers: tuple[int, int] = (5, 7)
) -> str:
    lines = [f"{action}{flag} {code:<7} {title[:60]:<60} {title}" for action, code, flag, title in changes]
    for flag, word, sizes in ((0, "headers", headers), (1, "codes", codes)):
        count = {
            action: sum(1 for change in changes if change[0].startswith(action) and change[2] == flag)
            for action in ("Add", "Delete", "Revise to")
        }
        lines += [
            "", word.capitalize(),
            f"  {sizes[0]} {word} in icd10cm_order_2031.txt", f"  {sizes[1]} {word} in icd10cm_order_2032.txt",
            f"    {count['Add']} additions", f"    {count['Delete']} deletions", f"    {count['Revise to']} revisions",
            "of which",
            f"    {count['Revise to']} revisions to both long and short titles",
        ]  # fmt: skip
    return "\r\n".join(lines) + "\r\n"


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Data and cache folders of the test alone; editions loaded before are forgotten, and so are those of the test."""
    monkeypatch.setenv("THERACODE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("THERACODE_CACHE_DIR", str(tmp_path / "cache"))
    load_edition.cache_clear()
    yield tmp_path
    load_edition.cache_clear()


def put(folder: Path, name: str, content: str) -> Path:
    path = folder / name
    path.write_text(content, encoding="utf-8", newline="")
    return path


def import_small(folder: Path, *more: Path, name: str = "Small-2031", tabular: str = TABULAR) -> EditionInfo:
    return import_edition([put(folder, "tabular_2031.xml", tabular), *more], name=name, first=FIRST, last=LAST)


def test_a_tabular_list_alone_makes_an_edition(folders: Path) -> None:
    info = import_small(folders)
    edition = load_edition("Small-2031")
    assert list(edition.billable()) == ["M17.10", "M17.11", "M17.9", "S83.91XA", "S83.91XD", "S83.91XS"]
    assert edition.title("S83.91XD") == "Sprain of unspecified site of right knee, subsequent encounter"
    assert edition.inclusion_terms("M17.1") == ["Primary osteoarthritis of knee NOS"]
    assert (edition.notes_as_of, edition.source) == ("Small-2031", "imported: tabular_2031.xml")
    assert (info.first, info.last) == (FIRST, LAST)
    assert edition_for(date(2031, 3, 1)) == (info, None)


def test_an_order_file_must_list_the_same_codes(folders: Path) -> None:
    import_small(folders, put(folders, "icd10cm-order-2031.txt", order_text(CODES)))
    assert len(list(load_edition("Small-2031").billable())) == 6
    short = put(folders, "icd10cm-order-short.txt", order_text(CODES[:-1]))
    with pytest.raises(
        EditionError, match=r"billable codes differ from the order file: 0 missing, 1 too many \(first: S83.91XS\)"
    ):
        import_small(folders, short)
    headers = put(folders, "icd10cm-order-headers.txt", order_text([*CODES, ("S8392", 0, "Sprain of left knee")]))
    with pytest.raises(EditionError, match="headers differ from the order file: 1 missing"):
        import_small(folders, headers)


def test_addenda_apply_to_the_edition_that_they_start_from(folders: Path) -> None:
    import_small(folders)
    addenda = put(folders, "order_addenda_2032.txt", addenda_text(CHANGES))
    info = import_edition([addenda], name="Small-2032", first=date(2031, 10, 1), last=date(2032, 9, 30))
    edition = load_edition("Small-2032")
    assert set(edition.billable()) == {
        "M17.10", "M17.11", "M17.12", "M17.90", "S83.91XA", "S83.91XD", "S83.91XS", "S83.92XA", "S83.92XD", "S83.92XS",
    }  # fmt: skip
    assert edition.title("M17.10") == "Unilateral primary osteoarthritis, knee side unspecified"
    assert edition.title("S83.92XD") == "Sprain of unspecified site of left knee, subsequent encounter"
    assert edition.notes_as_of == info.notes_as_of == "Small-2031"
    assert edition.has_older_notes("M17.12") and not edition.has_older_notes("M17.11")
    assert edition_for(date(2032, 1, 1))[0] == info

    # The next year stands on top of it, and a list of that year agrees with addenda of that year.
    more = [("Add:         ", "M1791", 1, "Osteoarthritis of knee, stage 1")]
    third = put(folders, "order_addenda_2033.txt", addenda_text(more, codes=(10, 11), headers=(7, 7)))
    import_edition([third], name="Small-2033", first=date(2032, 10, 1), last=date(2033, 9, 30))
    assert "M17.91" in load_edition("Small-2033") and "M17.12" in load_edition("Small-2033")


def test_an_order_file_is_held_against_the_result_of_addenda(folders: Path) -> None:
    import_small(folders)
    addenda = put(folders, "order_addenda_2032.txt", addenda_text(CHANGES))
    old_order = put(folders, "icd10cm-order-2031.txt", order_text(CODES))
    with pytest.raises(EditionError, match="differ from the order file"):
        import_edition([addenda, old_order], name="Small-2032", first=date(2031, 10, 1), last=date(2032, 9, 30))
    assert "Small-2032" not in {info.name for info in editions()}


@pytest.mark.parametrize(
    ("changes", "codes", "headers", "message"),
    [
        (CHANGES, (7, 11), (5, 7), "the addenda start from 7 codes; edition Small-2031 has another number"),
        (CHANGES, (6, 11), (5, 7), "its sizes do not add up"),
        (CHANGES, (6, 10), (4, 6), "but the addenda state 6"),
        ([("Delete:      ", "M4999", 1, "No such thing")], (6, 5), (5, 5), "M49.99 is to be deleted but is not in"),
        (
            [("Add:         ", "M1711", 1, "Unilateral primary osteoarthritis, right knee")],
            (6, 7),
            (5, 5),
            "M17.11 is to be added but is in",
        ),
        ([("Add:         ", "M4801", 1, "Spinal stenosis")], (6, 7), (5, 5), "its category M48 does not exist"),
        ([("Add:         ", "Q0001", 1, "Anencephaly")], (6, 7), (5, 5), "has no parent"),
        ([CHANGES[0], CHANGES[0]], (6, 8), (5, 5), "M17.12 is changed twice in the same way"),
        ([("Revise to:   ", "M1755", 1, "No such thing")], (6, 6), (5, 5), "M17.55 is revised by the addenda but is not in"),
    ],
)
def test_addenda_that_do_not_fit(
    folders: Path, changes: list[tuple[str, str, int, str]], codes: tuple[int, int], headers: tuple[int, int], message: str
) -> None:
    import_small(folders)
    addenda = put(folders, "addenda.txt", addenda_text(changes, codes=codes, headers=headers))
    with pytest.raises(EditionError, match=message) as error:
        import_edition([addenda], name="Small-2032", first=date(2031, 10, 1), last=date(2032, 9, 30), base="Small-2031")
    assert "\n" not in str(error.value)
    assert not list((folders / "data" / "editions").glob(".import-*"))


def test_truncated_addenda_are_refused(folders: Path) -> None:
    import_small(folders)
    text = addenda_text(CHANGES)
    for cut in (text.index("Headers"), text.index("Codes"), text.index("Codes") + 60):
        with pytest.raises(EditionError, match="the counts at the end are missing"):
            import_edition([put(folders, "a.txt", text[:cut])], name="X", first=date(2031, 10, 1), last=date(2032, 9, 30))
    without_first = text[text.index("\n") + 1 :]
    with pytest.raises(EditionError, match="4 additions of codes, but its end states 5"):
        import_edition([put(folders, "a.txt", without_first)], name="X", first=date(2031, 10, 1), last=date(2032, 9, 30))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("tabular.xml", TABULAR[:900], "is not a usable XML file"),
        ("tabular.xml", BOMB, r"is not a usable XML file \(EntitiesForbidden\)"),
        ("tabular.xml", "", "is empty"),
        ("tabular.xml", "<html><body>404 not found</body></html>", "none of the official ICD-10-CM release files"),
        ("tabular.xml", "PK\x03\x04 a zip file", "none of the official ICD-10-CM release files"),
        ("tabular.xml", "<ICD10CM.tabular></ICD10CM.tabular>", "holds no chapters"),
        ("tabular.xml", TABULAR.replace("M17.11", "M17.10"), "M17.10 stands twice"),
        ("tabular.xml", TABULAR.replace("M17.11", "M18.11"), "M18.11 stands below M17.1"),
        ("tabular.xml", TABULAR.replace("M17.11", "knee"), "'knee' is not a code with a title"),
        ("tabular.xml", TABULAR.replace('char="A"', 'char="AB"'), "7th characters at S83 are malformed"),
        ("order.txt", order_text(CODES).replace("00004 M1711", "00005 M1711"), "number 00005 where 00004 is due"),
        ("order.txt", order_text(CODES)[:-60], "not a line of an order file"),
        ("index.xml", INDEX[:400], "is not a usable XML file"),
        ("index.xml", INDEX.replace("<code>", "<cell>").replace("</code>", "</cell>"), "holds no term with a code"),
    ],
)
def test_unusable_files_leave_the_edition_as_it_was(folders: Path, name: str, content: str, message: str) -> None:
    before = import_small(folders)
    with pytest.raises(EditionError, match=message) as error:
        import_edition([put(folders, name, content)], name="Small-2031", first=FIRST, last=LAST)
    assert "\n" not in str(error.value) and name in str(error.value).replace("the base edition", name)
    assert [info for info in editions() if info.name == "Small-2031"] == [before]
    load_edition.cache_clear()
    assert len(list(load_edition("Small-2031").billable())) == 6


def test_deep_nesting_is_refused(folders: Path) -> None:
    deep = "".join(f"<diag><name>M17.{n}</name><desc>x</desc>" for n in range(3000)) + "</diag>" * 3000
    bomb = f'<ICD10CM.tabular><chapter><name>1</name><section id="M">{deep}</section></chapter></ICD10CM.tabular>'
    with pytest.raises(EditionError, match="nested too deeply"):
        import_small(folders, tabular=bomb)


def test_a_huge_file_is_refused_unread(folders: Path) -> None:
    path = folders / "huge.xml"
    with path.open("wb") as stream:
        stream.truncate(importer.MAX_BYTES + 1)
    with pytest.raises(EditionError, match="an official file has less than"):
        import_edition([path], name="X", first=FIRST, last=LAST)


@pytest.mark.parametrize("name", ["", "../evil", "a b", "x" * 41, ".hidden"])
def test_names_are_plain(folders: Path, name: str) -> None:
    with pytest.raises(EditionError, match="the name of an edition"):
        import_small(folders, name=name)


def test_requests_that_make_no_edition(folders: Path) -> None:
    tabular = put(folders, "t.xml", TABULAR)
    with pytest.raises(EditionError, match="no release file was given"):
        import_edition([], name="X", first=FIRST, last=LAST)
    with pytest.raises(EditionError, match="cannot end"):
        import_edition([tabular], name="X", first=LAST, last=FIRST)
    with pytest.raises(EditionError, match="2 files are each a complete tabular list"):
        import_edition([tabular, tabular], name="X", first=FIRST, last=LAST)
    with pytest.raises(EditionError, match="there is no edition 'X' to add to"):
        import_edition([put(folders, "i.xml", INDEX)], name="X", first=FIRST, last=LAST)
    with pytest.raises(EditionError, match="is not a file"):
        import_edition([folders / "absent.xml"], name="X", first=FIRST, last=LAST)


def test_indexes_are_stored_as_phrases(folders: Path) -> None:
    import_small(folders, put(folders, "index.xml", INDEX), put(folders, "eindex.xml", EXTERNAL))
    assert index_phrases("Small-2031") == (
        IndexPhrase("Arthrosis", "M17.9", "disease"),
        IndexPhrase("Osteoarthritis, knee", "M17.9", "disease"),
        IndexPhrase("Osteoarthritis, knee, right", "M17.11", "disease"),
        IndexPhrase("Sprain, knee", "S83.9", "external"),
    )


def test_an_index_may_come_later(folders: Path) -> None:
    first = import_small(folders)
    assert index_phrases("Small-2031") == ()
    import_edition([put(folders, "index.xml", INDEX)], name="Small-2031", first=FIRST, last=LAST)
    assert len(index_phrases("Small-2031")) == 3
    assert len(list(load_edition("Small-2031").billable())) == 6
    assert first.path is not None and not first.path.exists()
    assert index_phrases("FY2026-April") == ()


def test_an_index_of_another_year_is_refused(folders: Path) -> None:
    foreign = INDEX.replace("M17.9", "M93.2").replace("M17.11", "M93.21")
    with pytest.raises(EditionError, match="3 of 3 index terms lead to codes that Small-2031 does not have"):
        import_small(folders, put(folders, "index.xml", foreign))


def test_a_damaged_index_is_an_error_and_no_traceback(folders: Path) -> None:
    info = import_small(folders, put(folders, "index.xml", INDEX))
    assert info.path is not None
    (info.path / "index.json").write_text("{", encoding="utf-8")
    with pytest.raises(EditionError, match=r"the index of the edition in .* is damaged"):
        index_phrases("Small-2031")


def test_a_second_import_replaces_the_first(folders: Path) -> None:
    import_small(folders)
    assert load_edition("Small-2031").title("M17.9") == "Osteoarthritis of knee, unspecified"
    import_small(folders, tabular=TABULAR.replace("Osteoarthritis of knee, unspecified", "Osteoarthritis of knee, NOS"))
    assert load_edition("Small-2031").title("M17.9") == "Osteoarthritis of knee, NOS"
    assert len(list((folders / "data" / "editions").iterdir())) == 1


def test_a_damaged_import_is_passed_over_and_damaged_files_are_told(folders: Path) -> None:
    info = import_small(folders)
    assert info.path is not None
    (info.path / "tabular.xml").write_text("<ICD10CM.tabular>", encoding="utf-8")
    load_edition.cache_clear()
    with pytest.raises(EditionError, match="is not a usable XML file"):
        load_edition("Small-2031")
    (info.path / "edition.json").write_text("[]", encoding="utf-8")
    assert "Small-2031" not in {known.name for known in editions()}


def test_a_change_table_that_is_not_text_is_told(folders: Path) -> None:
    import_small(folders)
    addenda = put(folders, "addenda_2032.txt", addenda_text(CHANGES))
    info = import_edition([addenda], name="Small-2032", first=LAST, last=LAST)
    assert info.path is not None
    (info.path / "changes_1.tsv").write_bytes(b"\xff")
    load_edition.cache_clear()
    with pytest.raises(EditionError, match="a change table of edition Small-2032 is missing or damaged; import it again"):
        load_edition("Small-2032")


def test_an_import_wins_over_a_packaged_edition_on_its_dates(folders: Path) -> None:
    import_edition([put(folders, "t.xml", TABULAR)], name="Mine", first=date(2027, 1, 1), last=date(2027, 6, 30))
    assert edition_for(date(2027, 3, 1))[0].name == "Mine"
    assert edition_for(date(2027, 7, 1))[0].name == "FY2027"


def test_a_data_folder_that_cannot_be_written_is_told(folders: Path) -> None:
    put(folders, "data", "a file where the folder should be")
    with pytest.raises(EditionError, match="the data folder cannot be written"):
        import_small(folders)


def test_two_processes_import_at_once(folders: Path) -> None:
    paths = [put(folders, "tabular_2031.xml", TABULAR), put(folders, "index.xml", INDEX)]
    program = (
        "import sys; from datetime import date; from pathlib import Path;"
        "from lexicon.codes.importer import import_edition;"
        "given = [Path(path) for path in sys.argv[1:]];"
        "make = lambda: import_edition(given, name='Small-2031', first=date(2030, 10, 1), last=date(2031, 9, 30));"
        "[make() for _ in range(5)]"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", program, *map(str, paths)], cwd=ROOT, stderr=subprocess.PIPE) for _ in range(2)
    ]
    assert [(process.wait(timeout=60), process.stderr.read() if process.stderr else b"") for process in running] == [(0, b"")] * 2
    assert [info.name for info in editions()].count("Small-2031") == 1
    assert len(list(load_edition("Small-2031").billable())) == 6
    assert len(index_phrases("Small-2031")) == 3
    assert not list((folders / "data" / "editions").glob(".import-*"))


def test_the_official_addenda_of_2027_give_the_packaged_edition(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the official file at hand it is imported; without it, addenda written from the packaged change table."""
    with monkeypatch.context() as patch:  # what is packaged comes from the cache that everyone shares
        patch.delenv("THERACODE_CACHE_DIR")
        april, packaged = load_edition("FY2026-April"), load_edition("FY2027")
    official = SHARED_ADDENDA
    if not official.is_file():
        words = {"add": "Add:         ", "delete": "Delete:      ", "revise": "Revise to:   "}
        rows = [
            (words[row["action"]], row["code"].replace(".", ""), int(row["billable"]), row["title"])
            for row in read_table("codes/changes_fy2027.tsv")
        ]
        sizes = {"codes": (74_719, 74_879), "headers": (len(april.headers()), len(packaged.headers()))}
        official = put(folders, "order_addenda_2027.txt", addenda_text(rows, **sizes))
    import_edition([official], name="Official-2027", first=date(2026, 10, 1), last=date(2027, 9, 30))
    imported = load_edition("Official-2027")
    assert list(imported.billable()) == list(packaged.billable())
    assert imported.headers() == packaged.headers()
    assert [code for code in imported.leaves if imported.title(code) != packaged.title(code)] == []
    assert edition_for(date(2026, 11, 22))[0].name == "Official-2027"
