"""DuckDB reads the files of a generated lake and must find the rows that the generator meant to write: this checks the generator."""

import os

from lake_values import wall

TYPES = {"i64": "BIGINT", "u64": "UBIGINT", "f64": "DOUBLE", "string": "VARCHAR", "bool": "BOOLEAN", "date": "DATE", "timestamp": "TIMESTAMP"}


def differences(db, lake, folder):
    """Differences between the rows that DuckDB reads and the intended ones, as texts; a lake with differences is not used."""
    found = []
    for source in lake.sources:
        for file in source.files:
            path = os.path.join(folder, source.path, file.path)
            columns = [c for c in file.columns if c not in source.partitions]
            read = parquet(db, path, columns, lake.world) if source.format == "parquet" else text(db, path, source, columns, file)
            if read is None:
                continue
            columns, rows = read
            meant = [tuple(told(c, row, lake.world) for c in columns) for row in file.rows]
            if rows != meant:
                wrong = next(((a, b) for a, b in zip(rows, meant) if a != b), (len(rows), len(meant)))
                found.append(f"{path}: DuckDB reads {wrong[0]}, meant is {wrong[1]}")
    return found


def told(column, row, world):
    value = row["_text"].get(column.name, row[column.name])
    if column.kind == "timestamp" and value is not None:
        return wall(value, world.zone)
    return value


def quoted(path):
    return "'" + path.replace("'", "''").replace("[", "[[]").replace("*", "[*]").replace("?", "[?]") + "'"


def parquet(db, path, columns, world):
    kinds = {row[0]: row[1] for row in db.execute(f"describe select * from read_parquet({quoted(path)}, hive_partitioning=false)").fetchall()}
    select = []
    # DuckDB reads decimals of more than 38 digits as floats.
    columns = [c for c in columns if c.kind != "decimal" or kinds[c.name] != "DOUBLE"]
    for column in columns:
        kind, name = kinds[column.name], f'"{column.name}"'
        wanted = f"DECIMAL(38, {column.scale})" if column.kind == "decimal" else TYPES[column.kind]
        if kind == "BLOB" and column.kind == "string":
            name = f"decode({name})"
        elif column.kind == "timestamp" and (kind == "TIMESTAMP WITH TIME ZONE" or kind.startswith("TIMESTAMPTZ")):
            name = f"timezone('{world.zone_name}', cast({name} as timestamptz))"
        elif column.kind == "timestamp" and kind.startswith("TIMESTAMP"):
            name = f"timezone('{world.zone_name}', timezone('{world.naive_name}', cast({name} as timestamp)))"
        select.append(f"cast({name} as {wanted})")
    rows = db.execute(f"select {', '.join(select)} from read_parquet({quoted(path)}, hive_partitioning=false, file_row_number=true) "
                      "order by file_row_number").fetchall()
    return columns, rows


def text(db, path, source, columns, file):
    """DuckDB reads the fields of text files; those of text columns and the number of rows are compared."""
    form = source.form
    columns = [c for c in columns if c.kind == "string"]
    if not columns or form.kind != "csv" or path.endswith((".zst", ".bz2")) or not form.header or form.skip_lines:
        return None
    nulls = ", ".join("'" + n.replace("'", "''") + "'" for n in form.nulls or [""])
    quote = form.quote.replace("'", "''")
    select = ", ".join(f'"{c.name}"' for c in columns)
    rows = db.execute(f"""select {select} from read_csv({quoted(path)}, auto_detect=false, all_varchar=true, header=true, delim='{form.delimiter}',
        quote='{quote}', escape='{quote}', nullstr=[{nulls}], encoding='{"latin-1" if form.encoding == "latin1" else "utf-8"}',
        columns={{{', '.join(f"'{n}': 'VARCHAR'" for n in header(path, form))}}}, parallel=false, strict_mode=true)""").fetchall()
    return columns, rows


def header(path, form):
    import csv
    import gzip
    opener = gzip.open if path.endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8-sig" if form.encoding == "utf-8" else form.encoding, newline="") as file:
        return next(csv.reader(file, delimiter=form.delimiter, quotechar=form.quote))
