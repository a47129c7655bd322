//! Thrift's compact protocol, the format of Parquet's footers and page headers, as a tree, so that unknown fields are preserved.
//! No allocation has a size that is read from the bytes.

/// Largest depth of nested structures.
const MAX_DEPTH: usize = 32;

/// A value with its kind.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value<'a> {
    Bool(bool),
    Byte(u8),
    /// An integer and its number of bits.
    Int(Bits, i64),
    Double([u8; 8]),
    Bytes(&'a [u8]),
    /// Bytes in place of those that were read.
    Made(Vec<u8>),
    /// A list, or a set, and the kind of its elements.
    List(u8, u8, Vec<Value<'a>>),
    Map(u8, u8, Vec<(Value<'a>, Value<'a>)>),
    Uuid([u8; 16]),
    Struct(Struct<'a>),
}

/// Sizes of integers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bits {
    B16,
    B32,
    B64,
}

/// The fields of a structure by their numbers.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Struct<'a> {
    fields: Vec<(i16, Value<'a>)>,
}

impl<'a> Struct<'a> {
    /// Reads a structure from the front of the bytes; `None` if they are not one.
    pub(super) fn take(bytes: &mut &'a [u8]) -> Option<Self> {
        Input(bytes).structure(0)
    }

    fn get(&self, number: i16) -> Option<&Value<'a>> {
        let mut fields = self.fields.iter();
        let found = fields.find(|(known, _)| *known == number);
        found.map(|(_, value)| value)
    }

    pub(super) fn has(&self, number: i16) -> bool {
        self.get(number).is_some()
    }

    pub(super) fn int(&self, number: i16) -> Option<i64> {
        match self.get(number)? {
            Value::Int(_, value) => Some(*value),
            _ => None,
        }
    }

    pub(super) fn bool(&self, number: i16) -> Option<bool> {
        match self.get(number)? {
            Value::Bool(value) => Some(*value),
            _ => None,
        }
    }

    pub(super) fn bytes(&self, number: i16) -> Option<&'a [u8]> {
        match self.get(number)? {
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    pub(super) fn structure(&self, number: i16) -> Option<&Struct<'a>> {
        match self.get(number)? {
            Value::Struct(inner) => Some(inner),
            _ => None,
        }
    }

    pub(super) fn structure_mut(&mut self, number: i16) -> Option<&mut Struct<'a>> {
        let mut fields = self.fields.iter_mut();
        match fields.find(|(known, _)| *known == number)? {
            (_, Value::Struct(inner)) => Some(inner),
            _ => None,
        }
    }

    /// The elements of a list.
    pub(super) fn list(&self, number: i16) -> Option<&[Value<'a>]> {
        match self.get(number)? {
            Value::List(_, _, elements) => Some(elements),
            _ => None,
        }
    }

    /// Sets a field.
    pub(super) fn put(&mut self, number: i16, value: Value<'a>) {
        self.remove(number);
        let at = self.fields.partition_point(|(known, _)| *known < number);
        self.fields.insert(at, (number, value));
    }

    /// Sets an integer of 64 bits.
    pub(super) fn set(&mut self, number: i16, value: i64) {
        self.put(number, Value::Int(Bits::B64, value));
    }

    /// Sets an integer of 32 bits, where there is one already.
    pub(super) fn set_small(&mut self, number: i16, value: i32) {
        self.replace(number, Value::Int(Bits::B32, value.into()));
    }

    /// Sets a truth value.
    pub(super) fn set_bool(&mut self, number: i16, value: bool) {
        self.put(number, Value::Bool(value));
    }

    fn replace(&mut self, number: i16, with: Value<'a>) {
        let mut fields = self.fields.iter_mut();
        if let Some((_, value)) = fields.find(|(known, _)| *known == number) {
            *value = with;
        }
    }

    pub(super) fn remove(&mut self, number: i16) {
        self.fields.retain(|(known, _)| *known != number);
    }

    /// The structure without these fields.
    pub(super) fn without(&self, numbers: &[i16]) -> Self {
        let fields = self.fields.iter();
        let fields = fields.filter(|(number, _)| !numbers.contains(number));
        Self {
            fields: fields.cloned().collect(),
        }
    }

    pub(super) fn write(&self, to: &mut Vec<u8>) {
        self.write_after(Some(0), |_| true, to);
        to.push(END);
    }

    /// Writes the fields whose number is wanted, for a structure that is written piece by piece: [`END`] is its end.
    pub(super) fn write_fields(&self, is_wanted: impl Fn(i16) -> bool, to: &mut Vec<u8>) {
        self.write_after(None, is_wanted, to);
    }

    fn write_after(
        &self,
        mut last: Option<i16>,
        is_wanted: impl Fn(i16) -> bool,
        to: &mut Vec<u8>,
    ) {
        let fields = self.fields.iter();
        let wanted = fields.filter(|(number, _)| is_wanted(*number));
        for (number, value) in wanted {
            write_field(*number, last, value.kind(), to);
            last = Some(*number);
            if !matches!(value, Value::Bool(_)) {
                value.write(to);
            }
        }
    }
}

/// The end of a structure.
pub(super) const END: u8 = 0;

/// Kind of structures.
const STRUCT: u8 = 12;

/// Writes a field that is an integer of 64 bits.
pub(super) fn write_int(number: i16, value: i64, to: &mut Vec<u8>) {
    write_field(number, None, 6, to);
    varint(zigzag(value), to);
}

/// Writes a field that is a list of structures, which are written one after the other already.
pub(super) fn write_structures(number: i16, count: usize, structures: &[u8], to: &mut Vec<u8>) {
    write_field(number, None, LIST, to);
    write_count(count, STRUCT, to);
    to.extend_from_slice(structures);
}

/// The beginning of a field, after the field `last`; without one, the number is written in full.
fn write_field(number: i16, last: Option<i16>, kind: u8, to: &mut Vec<u8>) {
    match last.and_then(|last| number.checked_sub(last)) {
        Some(step @ 1..=15) => to.push((step as u8) << 4 | kind),
        _ => {
            to.push(kind);
            varint(zigzag(i64::from(number)), to);
        }
    }
}

/// The beginning of a list of so many elements of this kind.
fn write_count(count: usize, of: u8, to: &mut Vec<u8>) {
    match count {
        short @ 0..=14 => to.push((short as u8) << 4 | of),
        long => {
            to.push(0xf0 | of);
            varint(long as u64, to);
        }
    }
}

/// Kind of lists.
const LIST: u8 = 9;

impl<'a> Value<'a> {
    /// A list of structures.
    pub(super) fn structures(of: Vec<Struct<'a>>) -> Self {
        Self::List(LIST, STRUCT, of.into_iter().map(Self::Struct).collect())
    }

    pub(super) fn as_struct(&self) -> Option<&Struct<'a>> {
        match self {
            Value::Struct(inner) => Some(inner),
            _ => None,
        }
    }

    fn kind(&self) -> u8 {
        match self {
            Value::Bool(true) => 1,
            Value::Bool(false) => 2,
            Value::Byte(_) => 3,
            Value::Int(Bits::B16, _) => 4,
            Value::Int(Bits::B32, _) => 5,
            Value::Int(Bits::B64, _) => 6,
            Value::Double(_) => 7,
            Value::Bytes(_) | Value::Made(_) => 8,
            Value::List(kind, ..) => *kind,
            Value::Map(..) => 11,
            Value::Struct(_) => STRUCT,
            Value::Uuid(_) => 13,
        }
    }

    fn write(&self, to: &mut Vec<u8>) {
        match self {
            Value::Bool(value) => to.push(if *value { 1 } else { 2 }),
            Value::Byte(value) => to.push(*value),
            Value::Int(_, value) => varint(zigzag(*value), to),
            Value::Double(bytes) => to.extend_from_slice(bytes),
            Value::Uuid(bytes) => to.extend_from_slice(bytes),
            Value::Bytes(bytes) => write_bytes(bytes, to),
            Value::Made(bytes) => write_bytes(bytes, to),
            Value::List(_, of, elements) => {
                write_count(elements.len(), *of, to);
                elements.iter().for_each(|element| element.write(to));
            }
            Value::Map(keys, values, entries) => {
                varint(entries.len() as u64, to);
                if !entries.is_empty() {
                    to.push(keys << 4 | values);
                }
                for (key, value) in entries {
                    key.write(to);
                    value.write(to);
                }
            }
            Value::Struct(inner) => inner.write(to),
        }
    }
}

fn write_bytes(bytes: &[u8], to: &mut Vec<u8>) {
    varint(bytes.len() as u64, to);
    to.extend_from_slice(bytes);
}

fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63).cast_unsigned()
}

fn varint(mut value: u64, to: &mut Vec<u8>) {
    while value >= 0x80 {
        to.push(value as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}

/// Bytes that are taken from the front.
struct Input<'i, 'a>(&'i mut &'a [u8]);

impl<'a> Input<'_, 'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        *self.0 = rest;
        Some(*first)
    }

    fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        *self.0 = rest;
        Some(taken)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    fn int(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    fn structure(&mut self, depth: usize) -> Option<Struct<'a>> {
        let mut fields = Vec::new();
        let mut last = 0_i16;
        loop {
            let head = self.byte()?;
            if head == END {
                return Some(Struct { fields });
            }
            let number = match head >> 4 {
                0 => i16::try_from(self.int()?).ok()?,
                step => last.checked_add(i16::from(step))?,
            };
            last = number;
            let value = match head & 0x0f {
                1 => Value::Bool(true),
                2 => Value::Bool(false),
                kind => self.value(kind, depth)?,
            };
            fields.push((number, value));
        }
    }

    fn value(&mut self, kind: u8, depth: usize) -> Option<Value<'a>> {
        if depth == MAX_DEPTH {
            return None;
        }
        Some(match kind {
            1 | 2 => Value::Bool(self.byte()? == 1),
            3 => Value::Byte(self.byte()?),
            4 => Value::Int(Bits::B16, self.int()?),
            5 => Value::Int(Bits::B32, self.int()?),
            6 => Value::Int(Bits::B64, self.int()?),
            7 => Value::Double(self.bytes(8)?.try_into().ok()?),
            8 => {
                let length = usize::try_from(self.varint()?).ok()?;
                Value::Bytes(self.bytes(length)?)
            }
            9 | 10 => {
                let head = self.byte()?;
                let count = match head >> 4 {
                    15 => self.varint()?,
                    short => u64::from(short),
                };
                let of = head & 0x0f;
                let elements = (0..count).map(|_| self.value(of, depth + 1));
                Value::List(kind, of, elements.collect::<Option<_>>()?)
            }
            11 => {
                let count = self.varint()?;
                let kinds = if count == 0 { 0 } else { self.byte()? };
                let (keys, values) = (kinds >> 4, kinds & 0x0f);
                let entry =
                    |_| Some((self.value(keys, depth + 1)?, self.value(values, depth + 1)?));
                Value::Map(keys, values, (0..count).map(entry).collect::<Option<_>>()?)
            }
            12 => Value::Struct(self.structure(depth + 1)?),
            13 => Value::Uuid(self.bytes(16)?.try_into().ok()?),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Field 1: i32 -3; field 2: two texts; field 3: true; field 40: a structure with a double; field 41: a list of 20 bytes.
    fn bytes() -> Vec<u8> {
        let mut bytes = vec![
            0x15, 5, 0x19, 0x28, 1, b'a', 2, b'b', b'c', 0x11, 0x0c, 80, 0x17,
        ];
        bytes.extend_from_slice(&1.5_f64.to_le_bytes());
        bytes.extend_from_slice(&[0, 0x19, 0xf3, 20]);
        bytes.extend_from_slice(&[7; 20]);
        bytes.push(0);
        bytes
    }

    #[test]
    fn what_is_read_is_written_again() {
        let bytes = bytes();
        let mut rest = bytes.as_slice();
        let tree = Struct::take(&mut rest).unwrap();
        assert!(rest.is_empty());
        assert_eq!(tree.int(1), Some(-3));
        assert_eq!(tree.list(2).unwrap().len(), 2);
        assert_eq!(tree.bool(3), Some(true));
        assert!(tree.structure(40).unwrap().has(1));
        let mut written = Vec::new();
        tree.write(&mut written);
        assert_eq!(written, bytes);
    }

    #[test]
    fn what_is_written_piece_by_piece_is_the_structure() {
        let bytes = bytes();
        let tree = Struct::take(&mut bytes.as_slice()).unwrap();
        let mut written = Vec::new();
        tree.write_fields(|number| number < 3, &mut written);
        write_int(3, 7, &mut written);
        let element = tree.structure(40).unwrap();
        let mut elements = Vec::new();
        for _ in 0..20 {
            element.write(&mut elements);
        }
        write_structures(4, 20, &elements, &mut written);
        tree.write_fields(|number| number > 3, &mut written);
        written.push(END);
        let mut rest = written.as_slice();
        let read = Struct::take(&mut rest).unwrap();
        assert!(rest.is_empty());
        assert_eq!(read.int(3), Some(7));
        let read_elements = read.list(4).unwrap();
        assert_eq!(read_elements.len(), 20);
        assert!(
            read_elements
                .iter()
                .all(|of| of.as_struct() == Some(element))
        );
        assert_eq!(read.without(&[3, 4]), tree.without(&[3, 4]));
    }

    #[test]
    fn every_prefix_and_every_depth_ends() {
        let bytes = bytes();
        for end in 0..bytes.len() {
            assert!(Struct::take(&mut &bytes[..end]).is_none(), "{end}");
        }
        let deep = vec![0x1c; 1 << 20];
        assert!(Struct::take(&mut deep.as_slice()).is_none());
        // A list of 2^63 elements without their bytes.
        let long = [0x19, 0xf5, 255, 255, 255, 255, 255, 255, 255, 255, 127];
        assert!(Struct::take(&mut long.as_slice()).is_none());
    }
}
