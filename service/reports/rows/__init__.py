"""One filtered select and what leaves by it: lists, exports, notes.

query.py       the one select                       conditions.py  filters as SQL
row.py         what a row is                        told.py      what a reader is told of it
search.py      words in comments                    mood.py      how happy an answer is
worst.py       the worst answers first              position.py  where a page ends
changes.py     what changed, in the order of commits    cursor.py  where a list goes on
export.py      files, with a manifest               formats.py   what a download can be
as_csv.py, as_jsonl.py, as_parquet.py, as_xlsx.py, sheet.py    pages as bytes
notes.py, marks.py   what supervisors write and do about an answer

In: a reader and a filter; out: rows, with whose they are only where that may be said.
"""
