"""Each loader on a small corpus in its format, written by the test; and what it says of damaged ones."""

from __future__ import annotations

import gzip
import json
from datetime import date
from pathlib import Path

import pytest

from corpora import loaders
from corpora.loaders import (
    SHARED_DEV,
    load_brat,
    load_codiesp,
    load_corpus,
    load_csv,
    load_dev,
    load_jsonl,
    load_mimic,
    load_text_folder,
)
from corpora.schema import DEFAULT_DATE, Corpus
from lexicon.errors import InputError

OURS = {
    "id": "a1",
    "setting": "ortho",
    "kind": "daily",
    "style": "shorthand",
    "date_of_service": "2026-10-05",
    "text": "R knee OA, no LBP",
    "primary": ["M17.11"],
    "required": [{"accept": ["M17.11"], "role": "diagnosis", "evidence": "R knee OA", "why": "stated"}],
    "optional": [{"code": "Z91.81", "why": "falls"}],
    "forbidden": [{"code": "M54.5-", "reason": "negated", "evidence": "no LBP"}],
}


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    return path


def codes_of(corpus: Corpus) -> dict[str, list[str]]:
    return {note.id: note.best_codes for note in corpus}


def test_own_jsonl(tmp_path: Path) -> None:
    path = write(tmp_path / "own.jsonl", json.dumps(OURS) + "\n\n" + json.dumps({**OURS, "id": "a2", "required": []}) + "\r\n")
    corpus = load_jsonl(path)
    assert (corpus.name, codes_of(corpus)) == ("own", {"a1": ["M17.11"], "a2": []})
    assert corpus.notes[0].date_of_service == date(2026, 10, 5)
    assert corpus.notes[0].forbidden[0].code == "M54.5-"
    assert load_corpus(path) == corpus


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 1: not JSON"),
        ("[" * 9_999, "line 1: not JSON"),
        (json.dumps({**OURS, "a\nb" + "c" * 99: 1}), f"line 1: a b{'c' * 37}: Extra inputs"),
        ("[]", "line 1: not a JSON object"),
        (json.dumps({**OURS, "setting": None}), "line 1: setting missing"),
        (json.dumps({**OURS, "style": "poem"}), "line 1: style: Input should be"),
        (json.dumps({**OURS, "optionl": []}), "line 1: optionl: Extra inputs"),
        (json.dumps(OURS) + "\n" + json.dumps(OURS), "the id 'a1' twice"),
        ("", "holds no notes"),
    ],
)
def test_own_jsonl_damaged(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as raised:
        load_jsonl(write(tmp_path / "own.jsonl", line))
    assert "knee" not in str(raised.value), "no note text in a message"


def test_dev_format(tmp_path: Path) -> None:
    row = {key: value for key, value in OURS.items() if key not in {"setting", "kind", "style", "date_of_service"}}
    corpus = load_dev(write(tmp_path / "dev.jsonl", json.dumps({**row, "source": "mtsamples"})))
    note = corpus.notes[0]
    assert (note.source, note.setting, note.date_of_service) == ("mtsamples", None, DEFAULT_DATE)


@pytest.mark.skipif(not SHARED_DEV.is_file(), reason="shared data is not at hand")
def test_shared_dev_notes() -> None:
    corpus = load_corpus("real-dev")
    assert (corpus.name, len(corpus), sum(len(note.required) for note in corpus)) == ("real-dev", 30, 58)


def test_csv(tmp_path: Path) -> None:
    path = write(
        tmp_path / "notes.csv",
        "\ufeffid,text,codes,primary,date_of_service,setting,extra\n"
        'n1,"two\nlines, ""quoted""",m1711;R26.9,,2026-10-02,ortho,?\n'
        "n2,plain,R52|M54.50,M54.50,,ward,\n"
        "n3,nothing,,,,,\n",
    )
    corpus = load_corpus(path)
    assert codes_of(corpus) == {"n1": ["M17.11", "R26.9"], "n2": ["R52", "M54.50"], "n3": []}
    first, second, third = corpus
    assert first.text == 'two\nlines, "quoted"'
    assert (first.primary, second.primary, third.primary) == (("M17.11",), ("M54.50",), ())
    assert (first.setting, second.setting, first.date_of_service) == ("ortho", None, date(2026, 10, 2))
    assert codes_of(load_csv(write(tmp_path / "t.tsv", "id\ttext\tcodes\na\tx, y\tR52"))) == {"a": ["R52"]}
    with pytest.raises(InputError, match="column codes missing"):
        load_csv(write(tmp_path / "bad.csv", "id,text\na,b\n"))
    with pytest.raises(InputError, match="line 2: date_of_service"):
        load_csv(write(tmp_path / "bad.csv", "id,text,codes,date_of_service\na,b,R52,soon\n"))


def test_text_folder(tmp_path: Path) -> None:
    write(tmp_path / "n1.txt", "knee")
    write(tmp_path / "n2.txt", "back")
    write(tmp_path / "n3.txt", "nothing")
    write(tmp_path / "codes.tsv", "id\tcodes\n# two coders\nn1\tM17.11;R26.9\nn2.txt\tM54.50\nn1\tz9181\n")
    corpus = load_corpus(tmp_path)
    assert codes_of(corpus) == {"n1": ["M17.11", "R26.9", "Z91.81"], "n2": ["M54.50"], "n3": []}
    assert corpus.notes[0].primary == ("M17.11",)
    elsewhere = write(tmp_path / "elsewhere" / "gold.csv", "n1,R52\n")
    assert codes_of(load_text_folder(tmp_path, elsewhere))["n1"] == ["R52"]
    with pytest.raises(InputError, match=r"line 1: there is no note n9\.txt"):
        load_text_folder(tmp_path, write(tmp_path / "gold.csv", "n9,R52\n"))
    with pytest.raises(InputError, match="holds no codes"):
        load_text_folder(elsewhere.parent)


def test_text_folder_with_codes_txt(tmp_path: Path) -> None:
    write(tmp_path / "n1.txt", "knee")
    write(tmp_path / "codes.txt", "n1 M17.11 R26.9\n")
    assert codes_of(load_corpus(tmp_path)) == {"n1": ["M17.11", "R26.9"]}


def test_codiesp(tmp_path: Path) -> None:
    write(tmp_path / "text_files_en" / "S1-1.txt", "Patient with stenosis and pain.")
    write(tmp_path / "text_files_en" / "S2-1.txt", "Nothing.")
    write(tmp_path / "text_files" / "S1-1.txt", "Paciente con estenosis y dolor.")
    write(tmp_path / "text_files" / "S2-1.txt", "Nada.")
    write(
        tmp_path / "devX.tsv",
        "S1-1\tDIAGNOSTICO\tq62.11\testenosis\t13 22\nS1-1\tDIAGNOSTICO\tq62.11\tdolor\t25 30\n"
        "S1-1\tPROCEDIMIENTO\tbt41zzz\tpain\t1 2\nS1-1\tDIAGNOSTICO\tr52\tpain\t25 30;1 2\n",
    )
    write(tmp_path / "devD.tsv", "S2-1\tr52\n")
    corpus = load_corpus(tmp_path)
    assert codes_of(corpus) == {"S1-1": ["Q62.11", "R52"], "S2-1": []}
    assert [group.evidence for group in corpus.notes[0].required] == ["", "pain"]
    assert corpus.notes[0].primary == ()
    spanish = load_codiesp(tmp_path, english=False)
    assert [group.evidence for group in spanish.notes[0].required] == ["estenosis", ""]
    (tmp_path / "devX.tsv").unlink()
    assert codes_of(load_codiesp(tmp_path)) == {"S1-1": [], "S2-1": ["R52"]}


NOTES = "note_id,subject_id,hadm_id,note_type,note_seq,charttime,storetime,text\n"
CODES = "subject_id,hadm_id,seq_num,icd_code,icd_version\n"


@pytest.mark.parametrize("nested", [False, True])
def test_mimic(tmp_path: Path, nested: bool) -> None:
    notes = tmp_path / ("note/discharge.csv.gz" if nested else "discharge.csv.gz")
    notes.parent.mkdir(exist_ok=True)
    rows = '1-DS-1,1,10,DS,1,2180-05-07,,"Name: ___\n\nKnee, OA"\n2-DS-1,2,20,DS,1,2181-01-01,,old\n3-DS-1,3,30,DS,1,2181-01-01,,none\n'  # noqa: E501
    notes.write_bytes(gzip.compress((NOTES + rows).encode()))
    write(
        tmp_path / ("hosp/diagnoses_icd.csv" if nested else "diagnoses_icd.csv"),
        CODES + "1,10,2,Z96652,10\n1,10,1,M1711,10\n1,10,3,4019,9\n2,20,1,71536,9\n",
    )
    corpus = load_corpus(tmp_path)
    assert codes_of(corpus) == {"1-DS-1": ["M17.11", "Z96.652"]}
    note = corpus.notes[0]
    assert (note.primary, note.date_of_service, note.text) == (("M17.11",), DEFAULT_DATE, "Name: ___\n\nKnee, OA")
    assert corpus.restricted


def test_mimic_damaged(tmp_path: Path) -> None:
    write(tmp_path / "discharge.csv", NOTES)
    with pytest.raises(InputError, match="no diagnoses_icd"):
        load_mimic(tmp_path)
    write(tmp_path / "diagnoses_icd.csv", "hadm_id,icd_code\n1,M1711\n")
    with pytest.raises(InputError, match="line 2"):
        load_mimic(tmp_path)


def test_brat(tmp_path: Path) -> None:
    text = "R knee OA. Denies numbness, has LBP and gait trouble."
    write(tmp_path / "n1.txt", text)

    def span(words: str) -> str:
        return f"{text.index(words)} {text.index(words) + len(words)}"

    write(
        tmp_path / "n1.ann",
        f"T1\tDisorder {span('R knee OA')}\tR knee OA\nN1\tReference T1 ICD10CM:M17.11\tosteoarthritis\n"
        f"T2\tDisorder {span('numbness')}\tnumbness\n#1\tAnnotatorNotes T2\tcode R20.0, see there\nA1\tNegated T2\n"
        f"T3\tM54_50 {span('LBP')}\tLBP\n"
        f"T4\tDisorder {span('gait')};{span('trouble')}\tgait trouble\nN2\tReference T4 ICD10CM:R269\n"
        f"T5\tPerson 0 1\tR\nR1\tSide Arg1:T1 Arg2:T5\n",
    )
    note = load_corpus(tmp_path).notes[0]
    assert [(group.best, group.evidence) for group in note.required] == [
        ("M17.11", "R knee OA"),
        ("M54.50", "LBP"),
        ("R26.9", "gait"),
    ]
    assert [(item.code, item.reason, item.evidence) for item in note.forbidden] == [("R20.0", "negated", "numbness")]
    write(tmp_path / "n1.ann", "T1\tDisorder here\n")
    with pytest.raises(InputError, match=r"n1\.ann, line 1"):
        load_brat(tmp_path)


def test_codes_that_are_none_are_told_with_their_note(tmp_path: Path) -> None:
    write(tmp_path / "es" / "text_files_en" / "S1.txt", "Pain.")
    write(tmp_path / "es" / "devX.tsv", "S1\tDIAGNOSTICO\t\tPain\n")
    with pytest.raises(InputError, match=r"S1: required\.0\.accept\.0: String should have at least 3"):
        load_corpus(tmp_path / "es")
    write(tmp_path / "brat" / "n1.txt", "no pain")
    write(tmp_path / "brat" / "n1.ann", "T1\tDisorder 3 7\tpain\nN1\tReference T1 ICD10CM:\nA1\tNegated T1\n")
    with pytest.raises(InputError, match=r"n1\.ann: forbidden\.0\.code: String should have at least 3"):
        load_corpus(tmp_path / "brat")


def test_folder_of_jsonl_and_unknown_formats(tmp_path: Path) -> None:
    write(tmp_path / "c" / "b.jsonl", json.dumps(OURS))
    write(tmp_path / "c" / "a.jsonl", json.dumps({**OURS, "id": "a0"}))
    assert list(codes_of(load_corpus(tmp_path / "c"))) == ["a0", "a1"]
    empty = tmp_path / "empty"
    empty.mkdir()
    cases: list[tuple[Path | str, str]] = [
        (empty, "not known"),
        (write(tmp_path / "x.docx", "?"), "not known"),
        ("no-such-corpus", "no corpus"),
        ("therapy:exam", "no split|missing"),
        (write(tmp_path / "x.csv.gz", "not gzip"), "cannot be read"),
    ]
    for bad, message in cases:
        with pytest.raises(InputError, match=message):
            load_corpus(bad)
    latin = tmp_path / "latin.jsonl"
    latin.write_bytes(b'{"id": "\xe9"}')
    with pytest.raises(InputError, match="not UTF-8"):
        load_corpus(latin)


def test_therapy_corpus_and_its_splits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "one.jsonl", json.dumps(OURS) + "\n" + json.dumps({**OURS, "id": "a2"}))
    monkeypatch.setattr(loaders, "read_split", lambda name: {"train": ["a1"], "dev": [], "test": ["a2"]}[name])
    assert list(codes_of(loaders.load_therapy(folder=tmp_path))) == ["a1", "a2"]
    test = loaders.load_therapy("test", folder=tmp_path)
    assert (test.name, list(codes_of(test))) == ("therapy:test", ["a2"])
    with pytest.raises(InputError, match="there is no split 'exam'"):
        loaders.load_therapy("exam", folder=tmp_path)
    with pytest.raises(InputError, match="missing"):
        loaders.load_therapy(folder=tmp_path / "none")
