"""What pyarrow sees of a snapshot: its schema and values as JSON; and the snapshot
rewritten as other programs would write it.

    other_readers.py show SNAPSHOT
    other_readers.py rewrite SNAPSHOT VARIANT
"""
import json
import pathlib
import sys

import pyarrow.parquet as pq

TABLES = ("objects", "edges", "untraversed", "types", "roots", "names", "regions")
VARIANTS = {
    "default": {},
    "plain": {"use_dictionary": False, "compression": "none"},
    "second": {"data_page_version": "2.0", "compression": "zstd", "version": "2.6"},
    "delta": {
        "use_dictionary": False,
        "column_encoding": {
            "source": "DELTA_BINARY_PACKED", "target": "BYTE_STREAM_SPLIT", "index": "DELTA_BINARY_PACKED",
            "kind": "DELTA_LENGTH_BYTE_ARRAY", "label": "DELTA_BYTE_ARRAY",
        },
    },
    "pieces": {"row_group_size": 7, "data_page_size": 64, "compression": "zstd"},
}


def show(snapshot):
    out = {}
    for name in TABLES:
        table = pq.read_table(snapshot / (name + ".parquet"))
        out[name] = {
            "schema": [[f.name, str(f.type), f.nullable] for f in table.schema],
            "columns": table.to_pydict(),
        }
    meta = pq.read_metadata(snapshot / "edges.parquet")
    out["undying.schema"] = meta.metadata[b"undying.schema"].decode()
    json.dump(out, sys.stdout)


def rewrite(snapshot, variant):
    for name in TABLES:
        path = snapshot / (name + ".parquet")
        table = pq.read_table(path)
        options = dict(VARIANTS[variant])
        if "column_encoding" in options:
            known = options["column_encoding"]
            options["column_encoding"] = {c: known[c] for c in table.column_names if c in known} or None
        path.unlink()
        pq.write_table(table, path, **options)


if __name__ == "__main__":
    if sys.argv[1] == "show":
        show(pathlib.Path(sys.argv[2]))
    else:
        rewrite(pathlib.Path(sys.argv[2]), sys.argv[3])
