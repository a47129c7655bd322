//! NDJSON: one JSON object a line; a column is a key of any of them.

use std::borrow::Cow;
use std::collections::HashMap;

use memchr::memchr;

use tessera_spec::FormatSyntax;
use tessera_spec::text_keys::{DECIMAL, ENCODING, NULLS, THOUSANDS};

use crate::footer::Footer;
use crate::formats::{Reads, SourceFormat};
use crate::text::input::Input;
use crate::text::json::{Value, object};
use crate::text::stage::Keeper;
use crate::text::{Fault, MAX_COLUMNS, Task, check_names, footer, not_utf8};

pub(super) static FORMAT: SourceFormat = SourceFormat {
    syntax: FormatSyntax {
        name: "ndjson",
        summary: "One JSON object a line, whose keys are columns.",
        text: &[&ENCODING, &DECIMAL, &THOUSANDS, &NULLS],
    },
    shown: "NDJSON",
    endings: &["ndjson", "jsonl", "json"],
    further_endings: &["txt", "text", "log"],
    begins: None,
    reads: Reads::Records(read),
};

/// How a reading ended.
enum Reading {
    Done(Footer),
    /// A key that no earlier object has, after rows were written without it.
    LateKey(Vec<String>),
}

/// Reads the file. Where a key turns up late, the file is read again for all keys first and then kept with them.
fn read(task: &mut Task<'_>) -> Result<Footer, String> {
    let known = match once(task, Vec::new())? {
        Reading::Done(footer) => return Ok(footer),
        Reading::LateKey(known) => known,
    };
    let stage = task.stage.take();
    let trial = task.trial.take();
    let names = match once(task, known)? {
        Reading::Done(footer) => footer.columns.into_iter().map(|(name, _)| name).collect(),
        Reading::LateKey(names) => names,
    };
    task.stage = stage;
    task.trial = trial;
    match once(task, names)? {
        Reading::Done(footer) => Ok(footer),
        Reading::LateKey(_) => Err("it changed while it was read".to_owned()),
    }
}

fn once(task: &mut Task<'_>, known: Vec<String>) -> Result<Reading, String> {
    let mut input = Input::open(task.path, &task.watch, task.settings.encoding.as_deref())?;
    let mut columns = Columns::new(&known);
    let declared = task.declared;
    let mut keeper = Keeper::new(task, known)?;
    let mut values: Vec<Value<'static>> = Vec::new();
    let mut first = true;
    let mut first_problem = None;
    while let Some(length) = next_line(&mut input)? {
        let undecoded = input.undecoded_before(input.position() + length as u64);
        let line = input.line;
        let bytes = &input.rest()[..length];
        if bytes.iter().all(u8::is_ascii_whitespace) {
            input.consume(length, 1);
            continue;
        }
        if first && bytes.trim_ascii_start().starts_with(b"[") {
            return Err("it begins with `[`, like a JSON array; NDJSON has one object per line: convert it, for example with `jq -c '.[]'`".to_owned());
        }
        first = false;
        match fields(bytes, undecoded, &mut columns, &mut values) {
            Ok(()) => {
                let more = columns.names.len() - keeper.width();
                if more > 0 && !keeper.has_room(more) {
                    return Ok(Reading::LateKey(columns.names));
                }
                for name in columns.names.iter().skip(keeper.width()) {
                    keeper.add_column(name.clone());
                }
                for (column, value) in values.iter().enumerate() {
                    keeper.value(column, value.as_deref(), line);
                }
                keeper.end_row();
            }
            Err(problem) => {
                columns.forget_beyond(keeper.width());
                keeper.broken(&Fault {
                    line,
                    problem: &problem,
                    record: bytes,
                });
                first_problem.get_or_insert_with(|| format!("line {line}: {problem}"));
            }
        }
        input.consume(length, 1);
        keeper.flush_if_full()?;
    }
    if columns.names.is_empty() && first && !declared.is_empty() {
        // A file without a line has no rows, and all columns that the contract names.
        return Ok(Reading::LateKey(
            declared
                .iter()
                .map(|column| column.name.value.clone())
                .collect(),
        ));
    }
    if columns.names.is_empty() {
        return Err(if first {
            "the file is empty".to_owned()
        } else {
            let such = first_problem.map_or_else(String::new, |problem| format!(" ({problem})"));
            format!(
                "none of its lines is a JSON object with keys{such}; if its objects stand in several lines each, convert it, for example with `jq -c .`"
            )
        });
    }
    check_names(&columns.names)?;
    let (names, rows) = keeper.finish()?;
    footer(&names, rows, input).map(Reading::Done)
}

/// Length of the next line with its end.
fn next_line(input: &mut Input) -> Result<Option<usize>, String> {
    loop {
        if let Some(end) = memchr(b'\n', input.rest()) {
            return Ok(Some(end + 1));
        }
        if input.ended() {
            return Ok(Some(input.rest().len()).filter(|length| *length > 0));
        }
        input.more()?;
    }
}

/// Keys of the objects so far.
struct Columns {
    names: Vec<String>,
    places: HashMap<String, usize>,
    /// For each column the last object that has it.
    last: Vec<u64>,
    object: u64,
}

impl Columns {
    fn new(known: &[String]) -> Self {
        Self {
            names: known.to_vec(),
            places: known.iter().cloned().zip(0..).collect(),
            last: vec![0; known.len()],
            object: 0,
        }
    }

    /// Forgets the keys beyond the first ones, which only an object has that cannot be read.
    fn forget_beyond(&mut self, count: usize) {
        for name in self.names.drain(count.min(self.names.len())..) {
            self.places.remove(&name);
        }
        self.last.truncate(count);
    }

    /// Place of a key of the present object.
    fn place(&mut self, key: &str) -> Result<usize, String> {
        let place = match self.places.get(key) {
            Some(place) => *place,
            None if self.names.len() >= MAX_COLUMNS => {
                return Err(format!(
                    "a key beyond the first {MAX_COLUMNS} different ones"
                ));
            }
            None => {
                let place = self.names.len();
                self.names.push(key.to_owned());
                self.places.insert(key.to_owned(), place);
                self.last.push(0);
                place
            }
        };
        if self.last[place] == self.object {
            let shown: String = key.chars().take(60).collect();
            return Err(format!("the key `{shown}` occurs twice in the object"));
        }
        self.last[place] = self.object;
        Ok(place)
    }
}

/// The values of an object by column.
fn fields(
    bytes: &[u8],
    undecoded: bool,
    columns: &mut Columns,
    values: &mut Vec<Value<'static>>,
) -> Result<(), String> {
    if undecoded {
        return Err("bytes that are invalid in the stated encoding (shown as U+FFFD)".to_owned());
    }
    let text = str::from_utf8(bytes).map_err(|_| not_utf8(bytes).unwrap_or_default())?;
    columns.object += 1;
    values.iter_mut().for_each(|value| *value = None);
    values.resize(columns.names.len(), None);
    object(text, |key, value| {
        let place = columns.place(&key)?;
        if place >= values.len() {
            values.resize(place + 1, None);
        }
        values[place] = value.map(|text| Cow::Owned(text.into_owned()));
        Ok(())
    })
}
