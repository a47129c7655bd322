//! Random well-typed expression texts, for the properties of the parser here and of the engines elsewhere.

use tessera_expr::{Schema, Type};

/// Two columns of every type, one of them with a name that needs quotes.
pub fn schema() -> Schema {
    let columns = [
        ("b", Type::Bool),
        ("c", Type::Bool),
        ("i", Type::Int),
        ("j", Type::Int),
        ("x", Type::Float),
        ("y", Type::Float),
        ("s", Type::String),
        ("t", Type::String),
        ("d", Type::Date),
        ("Order Date", Type::Date),
        ("m", Type::Timestamp),
        ("n", Type::Timestamp),
    ];
    Schema {
        columns: columns.map(|(name, ty)| (name.to_owned(), ty)).into(),
    }
}

/// Types a value can have.
pub const TYPES: [Type; 6] = [
    Type::Bool,
    Type::Int,
    Type::Float,
    Type::String,
    Type::Date,
    Type::Timestamp,
];

const UNITS: &[&str] = &["day", "week", "month", "quarter", "year"];

/// A grammar driven by a list of random choices; when they run out it takes the first, which is the smallest, so that a
/// property test shrinks by shortening the list.
pub struct Generator {
    choices: std::vec::IntoIter<u32>,
}

impl Generator {
    /// A generator that follows these choices.
    pub fn new(choices: Vec<u32>) -> Self {
        Self {
            choices: choices.into_iter(),
        }
    }

    fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }

    fn below(&mut self, n: usize) -> usize {
        self.choices.next().map_or(0, |c| c as usize % n)
    }

    /// A text of a random type.
    pub fn any(&mut self, levels: u32) -> String {
        let ty = self.pick(&TYPES);
        self.text(ty, levels)
    }

    /// A text whose value has the type, nested at most `levels` deep.
    pub fn text(&mut self, ty: Type, levels: u32) -> String {
        if levels == 0 {
            return self.leaf(ty);
        }
        match self.below(6) {
            0 => self.leaf(ty),
            1 => self.choice(ty, levels - 1),
            _ => match ty {
                Type::Bool => self.boolean(levels - 1),
                Type::Int => self.integer(levels - 1),
                Type::Float => self.float(levels - 1),
                Type::String => self.string(levels - 1),
                Type::Date => self.date(levels - 1),
                Type::Timestamp => self.timestamp(levels - 1),
                Type::Null | Type::Decimal { .. } => "null".to_owned(),
            },
        }
    }

    fn leaf(&mut self, ty: Type) -> String {
        let names: &[&str] = match ty {
            Type::Bool => &["b", "c"],
            Type::Int => &["i", "j"],
            Type::Float => &["x", "y"],
            Type::String => &["s", "t"],
            Type::Date => &["d", "\"Order Date\"", "as_of()"],
            Type::Timestamp => &["m", "n"],
            Type::Null | Type::Decimal { .. } => &["null"],
        };
        match self.below(4) {
            3 => self.constant(ty),
            _ => self.pick(names).to_owned(),
        }
    }

    fn constant(&mut self, ty: Type) -> String {
        let list: &[&str] = match ty {
            Type::Bool => &["true", "FALSE"],
            Type::Int => &[
                "0",
                "1",
                "-1",
                "2",
                "3",
                "7",
                "-13",
                "9223372036854775807",
                "-9223372036854775808",
            ],
            Type::Float => &[
                "0.0", "-0.0", "0.5", "-2.5", "1.5e3", "1e308", "-1e-308", "3.0", "2.675",
            ],
            Type::String => &[
                "''",
                "'a'",
                "'It''s'",
                "'10'",
                "' 2.5 '",
                "'2024-02-29'",
                "'Å_%\\'",
                "'true'",
            ],
            Type::Date => &[
                "date '2024-02-29'",
                "date '1969-12-31'",
                "date '0001-01-01'",
                "DATE '9999-12-31'",
            ],
            Type::Timestamp => &[
                "timestamp '2024-02-29 23:59:59.999999'",
                "timestamp '1969-12-31T00:00:01'",
                "timestamp '2000-01-01'",
            ],
            Type::Null | Type::Decimal { .. } => &["null"],
        };
        self.pick(list).to_owned()
    }

    fn or_null(&mut self, ty: Type, levels: u32) -> String {
        if self.below(5) == 4 {
            "null".to_owned()
        } else {
            self.text(ty, levels)
        }
    }

    /// Forms that exist for every type.
    fn choice(&mut self, ty: Type, n: u32) -> String {
        match self.below(6) {
            0 => format!("({})", self.text(ty, n)),
            1 => format!("coalesce({}, {})", self.text(ty, n), self.or_null(ty, n)),
            2 => format!("nullif({}, {})", self.text(ty, n), self.or_null(ty, n)),
            3 => {
                let when = self.text(Type::Bool, n);
                format!(
                    "case when {when} then {} else {} end",
                    self.text(ty, n),
                    self.or_null(ty, n)
                )
            }
            4 => {
                let (one, two) = (self.text(Type::Bool, n), self.text(Type::Bool, n));
                format!(
                    "case when {one} then {} when {two} then {} end",
                    self.text(ty, n),
                    self.text(ty, n)
                )
            }
            _ => {
                let of = self.text(Type::Int, n);
                format!(
                    "case {of} when 0 then {} when 1 then {} end",
                    self.text(ty, n),
                    self.text(ty, n)
                )
            }
        }
    }

    fn pair(&mut self, ty: Type, signs: &[&str], n: u32) -> String {
        let sign = self.pick(signs);
        format!("({}) {sign} ({})", self.text(ty, n), self.text(ty, n))
    }

    fn cast(&mut self, from: &[Type], to: &str, n: u32) -> String {
        let from = self.pick(from);
        let name = self.pick(&["cast", "try_cast"]);
        format!("{name}({} as {to})", self.text(from, n))
    }

    fn boolean(&mut self, n: u32) -> String {
        let ty = self.pick(&TYPES[1..]);
        match self.below(16) {
            0..4 => {
                let signs = [
                    "=",
                    "<>",
                    "!=",
                    "<",
                    "<=",
                    ">",
                    ">=",
                    "is distinct from",
                    "is not distinct from",
                ];
                self.pair(ty, &signs, n)
            }
            4 => format!(
                "({}) < ({})",
                self.text(Type::Int, n),
                self.text(Type::Float, n)
            ),
            5 => format!(
                "({}) >= ({})",
                self.text(Type::Date, n),
                self.text(Type::Timestamp, n)
            ),
            6 => self.list(ty, n),
            7 => {
                let word = self.pick(&["between", "not between"]);
                format!(
                    "({}) {word} ({}) and ({})",
                    self.text(ty, n),
                    self.text(ty, n),
                    self.text(ty, n)
                )
            }
            8 | 9 => {
                let patterns = [
                    "'%'", "'a%'", "'%a'", "'%a%'", "'_'", "'a_%'", "'%\\%%'", "'\\_'", "''",
                    "'%a%b_'", "'a'", "'A\\a'", "'%b_%a'", "'_é%'",
                ];
                let (word, pattern) = (self.pick(&["like", "not like"]), self.pick(&patterns));
                format!("({}) {word} {pattern}", self.text(Type::String, n))
            }
            10 => {
                let (ty, word) = (self.pick(&TYPES), self.pick(&["is null", "is not null"]));
                format!("({}) {word}", self.text(ty, n))
            }
            11 => self.cast(&[Type::Int, Type::Float, Type::String], "boolean", n),
            12 => format!("not ({})", self.text(Type::Bool, n)),
            13 => self.pair(Type::Bool, &["=", "<>", "is distinct from"], n),
            14 => self.pair(Type::Bool, &["and"], n),
            _ => self.pair(Type::Bool, &["or"], n),
        }
    }

    fn list(&mut self, ty: Type, n: u32) -> String {
        let (word, of) = (self.pick(&["in", "not in"]), self.text(ty, n));
        let items: Vec<String> = (0..=self.below(3))
            .map(|_| match self.below(4) {
                0 | 1 => self.constant(ty),
                2 => self.text(ty, n),
                _ => "null".to_owned(),
            })
            .collect();
        format!("({of}) {word} ({})", items.join(", "))
    }

    fn day(&mut self, n: u32) -> String {
        let ty = self.pick(&[Type::Date, Type::Timestamp]);
        self.text(ty, n)
    }

    fn integer(&mut self, n: u32) -> String {
        match self.below(14) {
            0..4 => self.pair(Type::Int, &["+", "-", "*", "%"], n),
            4 => format!(
                "{} - ({})",
                self.pair(Type::Int, &["+", "*"], n),
                self.text(Type::Int, n)
            ),
            5 => format!("-({})", self.text(Type::Int, n)),
            6 => {
                let (name, of) = (
                    self.pick(&["abs", "round", "floor", "ceil"]),
                    self.text(Type::Int, n),
                );
                format!("{name}({of})")
            }
            7 => format!(
                "least({}, {}, {})",
                self.text(Type::Int, n),
                self.text(Type::Int, n),
                self.text(Type::Int, n)
            ),
            8 => format!(
                "greatest({}, {})",
                self.text(Type::Int, n),
                self.or_null(Type::Int, n)
            ),
            9 => format!("length({})", self.text(Type::String, n)),
            10 | 11 => {
                let unit = self.pick(UNITS);
                format!("date_diff('{unit}', {}, {})", self.day(n), self.day(n))
            }
            12 => self.pair(Type::Date, &["-"], n),
            _ => self.cast(&[Type::Bool, Type::Float, Type::String], "bigint", n),
        }
    }

    fn float(&mut self, n: u32) -> String {
        let names = [
            "abs", "round", "floor", "ceil", "ln", "log10", "exp", "sqrt",
        ];
        match self.below(12) {
            0..3 => self.pair(Type::Float, &["+", "-", "*", "/", "%"], n),
            3 => self.pair(Type::Int, &["/"], n),
            4 => format!(
                "({}) * ({})",
                self.text(Type::Int, n),
                self.text(Type::Float, n)
            ),
            5 => format!("-({})", self.text(Type::Float, n)),
            6 | 7 => format!("{}({})", self.pick(&names), self.text(Type::Float, n)),
            8 => format!("round({}, {})", self.text(Type::Float, n), self.below(5)),
            9 => format!(
                "power({}, {})",
                self.text(Type::Float, n),
                self.text(Type::Float, n)
            ),
            10 => format!(
                "{}({}, {})",
                self.pick(&["least", "greatest"]),
                self.text(Type::Float, n),
                self.text(Type::Int, n)
            ),
            _ => self.cast(&[Type::Bool, Type::Int, Type::String], "double", n),
        }
    }

    fn string(&mut self, n: u32) -> String {
        match self.below(11) {
            8 => format!(
                "replace({}, {}, {})",
                self.text(Type::String, n),
                self.text(Type::String, n),
                self.text(Type::String, n)
            ),
            9 => format!(
                "split_part({}, {}, {})",
                self.text(Type::String, n),
                self.text(Type::String, n),
                self.text(Type::Int, n)
            ),
            10 => {
                let (pattern, group) = self.pick(&[
                    ("a", 0),
                    ("([a-z])(.?)", 2),
                    ("^(b)?a", 1),
                    ("[0-9]+", 0),
                    ("\\s", 0),
                    ("é|ß", 0),
                ]);
                let of = self.text(Type::String, n);
                format!("regexp_extract({of}, '{pattern}', {group})")
            }
            0 => format!(
                "{}({})",
                self.pick(&["lower", "upper", "trim"]),
                self.text(Type::String, n)
            ),
            1 => self.pair(Type::String, &["||"], n),
            2 => format!(
                "concat({}, {})",
                self.text(Type::String, n),
                self.or_null(Type::String, n)
            ),
            3 => format!(
                "substring({}, {}, {})",
                self.text(Type::String, n),
                self.text(Type::Int, n),
                self.text(Type::Int, n)
            ),
            4 => format!(
                "substring({} from {})",
                self.text(Type::String, n),
                self.text(Type::Int, n)
            ),
            5 => format!(
                "{}({}, {})",
                self.pick(&["least", "greatest"]),
                self.text(Type::String, n),
                self.text(Type::String, n)
            ),
            _ => self.cast(
                &[
                    Type::Bool,
                    Type::Int,
                    Type::Float,
                    Type::Date,
                    Type::Timestamp,
                ],
                "string",
                n,
            ),
        }
    }

    fn date(&mut self, n: u32) -> String {
        match self.below(7) {
            6 => format!(
                "{}({}, '%d.%m.%Y')",
                self.pick(&["strptime", "try_strptime"]),
                self.text(Type::String, n)
            ),
            0 | 1 => format!(
                "({}) {} ({})",
                self.text(Type::Date, n),
                self.pick(&["+", "-"]),
                self.text(Type::Int, n)
            ),
            2 => format!(
                "({}) + ({})",
                self.text(Type::Int, n),
                self.text(Type::Date, n)
            ),
            3 => format!(
                "date_trunc('{}', {})",
                self.pick(UNITS),
                self.text(Type::Date, n)
            ),
            4 => format!(
                "{}({}, {})",
                self.pick(&["least", "greatest"]),
                self.text(Type::Date, n),
                self.text(Type::Date, n)
            ),
            _ => self.cast(&[Type::String, Type::Timestamp], "date", n),
        }
    }

    fn timestamp(&mut self, n: u32) -> String {
        match self.below(4) {
            3 => {
                let (ty, unit) = (
                    self.pick(&[Type::Int, Type::Float]),
                    self.pick(&["s", "ms", "us", "ns"]),
                );
                format!("to_timestamp({}, '{unit}')", self.text(ty, n))
            }
            0 => format!(
                "date_trunc('{}', {})",
                self.pick(UNITS),
                self.text(Type::Timestamp, n)
            ),
            1 => format!(
                "{}({}, {})",
                self.pick(&["least", "greatest"]),
                self.text(Type::Timestamp, n),
                self.text(Type::Date, n)
            ),
            _ => self.cast(&[Type::String, Type::Date], "timestamp", n),
        }
    }
}
