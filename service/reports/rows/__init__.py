"""One filtered select and everything that leaves through it: lists, exports, changes, notes.

query.py        rows by the page                     order.py       how they are sorted
select.py       the one select                       conditions.py  filters as SQL
row.py          what a row is                        redaction.py   what a reader is told of it
search.py       words in comments                    mood.py        how happy an answer is
worst_first.py  the worst answers first              position.py    where a page ends
changes.py      what changed, in commit order        cursor.py      where a list continues
export.py       files, with a manifest               formats.py     what a download can be
atomic_file.py  a file that appears whole or not at all
as_csv.py, as_jsonl.py, as_parquet.py, as_xlsx.py, xlsx_parts.py   pages as bytes
notes.py, marks.py   what supervisors write and do about an answer

Rows say whose they are only where that may be told.
"""
