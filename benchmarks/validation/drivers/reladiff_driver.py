"""reladiff's row diff; prints missing, extra and changed as JSON. Usage: ALGORITHM URL TABLE URL TABLE.

Sorting of the result is off: with it, reladiff 0.6.0 ends with a TypeError on a key of numbers.
"""

import json
import sys

from reladiff import Algorithm, connect_to_table, diff_tables

COLUMNS = ("customer_id", "qty", "amount", "rate", "name", "note", "created_at")


def main() -> None:
    """Diff by `id`."""
    algorithm, left, left_table, right, right_table = sys.argv[1:]
    sides = [
        connect_to_table(url, table, "id", extra_columns=COLUMNS, thread_count=2)
        for url, table in ((left, left_table), (right, right_table))
    ]
    found = diff_tables(
        *sides, algorithm=Algorithm(algorithm), extra_columns=COLUMNS, threaded=True, max_threadpool_size=2,
        skip_sort_results=True,
    )  # fmt: skip
    signs: dict[str, set[str]] = {"-": set(), "+": set()}
    for sign, row in found:
        signs[sign].add(row[0])
    gone, new = signs["-"], signs["+"]
    print(json.dumps([len(gone - new), len(new - gone), len(gone & new)]))


main()
