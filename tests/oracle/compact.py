"""Changes to the footers of Parquet files, which are written in Thrift's compact protocol."""

import struct

STOP, TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = range(13)


class Struct:
    """The fields of a structure: number, kind, value."""

    def __init__(self, fields=()):
        self.fields = list(fields)

    def get(self, number):
        return next((value for known, _, value in self.fields if known == number), None)

    def list(self, number):
        """The elements of a list."""
        return self.get(number)[1]

    def drop(self, number):
        self.fields = [field for field in self.fields if field[0] != number]

    def put(self, number, kind, value):
        self.drop(number)
        self.fields.append((number, kind, value))
        self.fields.sort(key=lambda field: field[0])

    def put_i32(self, number, value):
        self.put(number, I32, value)

    def put_bytes(self, number, value):
        self.put(number, BINARY, value)

    def put_union(self, number, variant):
        """A union whose variant with this number is an empty structure."""
        self.put(number, STRUCT, Struct([(variant, STRUCT, Struct())]))


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def read(kind, data, at):
    """A value of this kind, and where it ends."""
    if kind in (TRUE, FALSE):
        return data[at] == TRUE, at + 1
    if kind == BYTE:
        return data[at], at + 1
    if kind in (I16, I32, I64):
        value, at = varint(data, at)
        return value >> 1 ^ -(value & 1), at
    if kind == DOUBLE:
        return struct.unpack_from("<d", data, at)[0], at + 8
    if kind == BINARY:
        length, at = varint(data, at)
        return data[at : at + length], at + length
    if kind in (LIST, SET):
        head = data[at]
        at += 1
        count = head >> 4
        if count == 15:
            count, at = varint(data, at)
        values = []
        for _ in range(count):
            value, at = read(head & 15, data, at)
            values.append(value)
        return (head & 15, values), at
    if kind == STRUCT:
        fields, last = [], 0
        while data[at] != STOP:
            head = data[at]
            at += 1
            if head >> 4:
                last += head >> 4
            else:
                last, at = read(I16, data, at)
            if head & 15 in (TRUE, FALSE):
                fields.append((last, head & 15, None))
                continue
            value, at = read(head & 15, data, at)
            fields.append((last, head & 15, value))
        return Struct(fields), at + 1
    raise ValueError(f"kind {kind}")


def number(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def write(kind, value):
    if kind in (TRUE, FALSE):
        return bytes([TRUE if value else FALSE])
    if kind == BYTE:
        return bytes([value])
    if kind in (I16, I32, I64):
        return number(value << 1 if value >= 0 else (-value << 1) - 1)
    if kind == DOUBLE:
        return struct.pack("<d", value)
    if kind == BINARY:
        return number(len(value)) + value
    if kind in (LIST, SET):
        of, values = value
        head = bytes([len(values) << 4 | of]) if len(values) < 15 else bytes([0xF0 | of]) + number(len(values))
        return head + b"".join(write(of, item) for item in values)
    out, last = bytearray(), 0
    for field, of, item in value.fields:
        step = field - last
        out += bytes([step << 4 | of]) if 0 < step < 16 else bytes([of]) + write(I16, field)
        last = field
        if of not in (TRUE, FALSE):
            out += write(of, item)
    return bytes(out) + bytes([STOP])


def change_footer(path, change):
    """Changes the footer of a Parquet file, which `change` is given as a structure."""
    with open(path, "rb") as file:
        data = file.read()
    length = int.from_bytes(data[-8:-4], "little")
    footer, _ = read(STRUCT, data[-8 - length : -8], 0)
    change(footer)
    changed = write(STRUCT, footer)
    with open(path, "wb") as file:
        file.write(data[: -8 - length] + changed + len(changed).to_bytes(4, "little") + b"PAR1")
