//! What names of columns and tables say of their content: the words that people use for customers, times and money.

/// A person or company that buys, uses or pays, the more usual words for the customer of a business first.
const CUSTOMER: [&str; 27] = [
    "customer",
    "cust",
    "client",
    "account",
    "acct",
    "subscriber",
    "member",
    "donor",
    "patient",
    "policyholder",
    "household",
    "buyer",
    "shopper",
    "guest",
    "company",
    "organisation",
    "organization",
    "tenant",
    "contact",
    "user",
    "person",
    "visitor",
    "kunde",
    "kunden",
    "cliente",
    "klant",
    "msisdn",
];

/// A number or code that identifies something.
const ID: [&str; 12] = [
    "id", "key", "no", "nr", "number", "num", "code", "uuid", "guid", "ref", "nummer", "pk",
];

/// The words of a name: `customerID`, `Customer ID` and `customer_id` have the same.
pub(super) fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut last = ' ';
    for c in name.chars() {
        let begins = !c.is_alphanumeric()
            || c.is_uppercase() && last.is_lowercase()
            || c.is_ascii_digit() != last.is_ascii_digit();
        if begins || words.is_empty() {
            words.push(String::new());
        }
        if c.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(c.to_lowercase());
        }
        last = c;
    }
    words.retain(|word| !word.is_empty());
    // `customerid`
    let split = words.into_iter().flat_map(|word| {
        let end = CUSTOMER
            .iter()
            .find_map(|begin| word.strip_prefix(begin))
            .filter(|end| ID.contains(end));
        match end {
            Some(end) => vec![word[..word.len() - end.len()].to_owned(), end.to_owned()],
            None => vec![word],
        }
    });
    split.collect()
}

/// One of these words, or its plural.
fn is_one(word: &str, of: &[&str]) -> bool {
    let singular = word.strip_suffix('s').unwrap_or(word);
    of.contains(&word) || of.contains(&singular) || of.contains(&word.replace("ies", "y").as_str())
}

/// How much the name of a column says that it identifies the customer, from 0; the more usual word counts more.
pub(super) fn of_customer(name: &str) -> u32 {
    let words = words(name);
    // What people sign in with, where nothing else names them.
    if words == ["email"] || words == ["email", "address"] {
        return 1;
    }
    let Some(place) = CUSTOMER
        .iter()
        .position(|known| words.iter().any(|word| is_one(word, &[known])))
    else {
        return 0;
    };
    let is_id = words.iter().any(|word| ID.contains(&word.as_str()));
    // `customer_name`, `customer_since`
    let others = words
        .iter()
        .filter(|word| !is_one(word, &CUSTOMER) && !ID.contains(&word.as_str()));
    match (is_id, others.count()) {
        (_, 1..) => 0,
        (true, 0) => 100 - place as u32,
        (false, 0) => 50 - place as u32,
    }
}

/// Whether a table is named after customers.
pub(super) fn is_of_customers(table: &str) -> bool {
    let words = words(table);
    words.last().is_some_and(|word| {
        is_one(word, &CUSTOMER) || is_one(word, &["profile", "crm", "people", "base"])
    })
}

/// Whether a column is named `id` alone, or by another word for a number.
pub(super) fn is_bare_id(name: &str) -> bool {
    matches!(words(name).as_slice(), [word] if ID.contains(&word.as_str()))
}

/// Whether a name is that of a number or code.
pub(super) fn is_id(name: &str) -> bool {
    words(name)
        .last()
        .is_some_and(|word| ID.contains(&word.as_str()))
}

/// Whether the name has one of these words.
pub(super) fn has(name: &str, of: &[&str]) -> bool {
    words(name).iter().any(|word| of.contains(&word.as_str()))
}

/// How much the name of a time says that it is when something happened, against when it was planned, changed or ended.
pub(super) fn of_event(name: &str) -> i32 {
    const HAPPENED: [&str; 24] = [
        "ordered",
        "order",
        "invoice",
        "invoiced",
        "purchase",
        "purchased",
        "transaction",
        "event",
        "occurred",
        "timestamp",
        "ts",
        "created",
        "placed",
        "booked",
        "booking",
        "paid",
        "answered",
        "opened",
        "sent",
        "visit",
        "session",
        "sale",
        "sold",
        "donated",
    ];
    const TIME: [&str; 11] = [
        "date", "time", "at", "day", "datetime", "when", "on", "datum", "tag", "fecha", "jour",
    ];
    const OTHER: [&str; 26] = [
        "birth",
        "dob",
        "born",
        "updated",
        "modified",
        "changed",
        "loaded",
        "ingested",
        "imported",
        "delivered",
        "delivery",
        "shipped",
        "due",
        "expected",
        "estimated",
        "planned",
        "closed",
        "resolved",
        "end",
        "ended",
        "until",
        "expires",
        "expiry",
        "cancelled",
        "limit",
        "returned",
    ];
    4 * i32::from(has(name, &HAPPENED)) + 2 * i32::from(has(name, &TIME))
        - 8 * i32::from(has(name, &OTHER))
}

/// Whether a time is the beginning of a state.
pub(super) fn begins(name: &str) -> bool {
    has(
        name,
        &[
            "start",
            "started",
            "starts",
            "begin",
            "began",
            "from",
            "since",
            "effective",
            "activated",
            "subscribed",
            "joined",
            "von",
            "seit",
            "beginn",
        ],
    )
}

/// Whether a time is the end of a state.
pub(super) fn ends(name: &str) -> bool {
    has(
        name,
        &[
            "end",
            "ended",
            "ends",
            "until",
            "bis",
            "ende",
            "to",
            "through",
            "expires",
            "expired",
            "expiry",
            "cancelled",
            "canceled",
            "terminated",
            "churned",
            "stopped",
        ],
    )
}

/// How much the name of a number says that it is the money of a row.
pub(super) fn of_money(name: &str) -> i32 {
    const WEIGHTS: [(&[&str], i32); 5] = [
        (
            &[
                "amount", "revenue", "sales", "spend", "spent", "turnover", "donation", "gift",
            ],
            6,
        ),
        (
            &[
                "total", "net", "paid", "payment", "value", "dollars", "eur", "euro", "usd", "gbp",
                "money", "subtotal",
            ],
            4,
        ),
        (
            &[
                "gross", "price", "charge", "charges", "fee", "mrr", "premium", "betrag", "summe",
                "beitrag", "praemie", "montant", "importe", "bedrag", "valor", "umsatz", "preis",
            ],
            3,
        ),
        (&["unit", "each", "per", "list", "original"], -4),
        (
            &[
                "refund", "refunded", "refunds", "cost", "discount", "tax", "vat", "shipping",
                "freight", "margin", "profit", "points", "balance", "limit", "quantity", "count",
                "qty", "days", "rate",
            ],
            -9,
        ),
    ];
    let words = words(name);
    let weight = |(of, weight): &(&[&str], i32)| match words
        .iter()
        .any(|word| of.contains(&word.as_str()))
    {
        true => *weight,
        false => 0,
    };
    WEIGHTS.iter().map(weight).sum()
}

/// Whether a number says how many pieces a row is about.
pub(super) fn is_quantity(name: &str) -> bool {
    has(name, &["quantity", "qty", "units", "pieces", "menge"])
}

/// Whether a number is the money of one piece.
pub(super) fn is_unit_price(name: &str) -> bool {
    has(name, &["price", "preis", "rate"]) && !has(name, &["total", "list", "original"])
}

/// Whether an id is that of a purchase.
pub(super) fn is_of_order(name: &str) -> bool {
    is_id(name)
        && has(
            name,
            &[
                "order",
                "invoice",
                "transaction",
                "basket",
                "receipt",
                "bill",
                "booking",
                "sale",
                "purchase",
                "ticket",
                "cart",
                "trans",
            ],
        )
        || has(name, &["orderid", "invoiceno", "transactionid", "basketid"])
}

/// Whether a text is about a person, and no basis of a segment.
pub(super) fn is_personal(name: &str) -> bool {
    const ANYWHERE: [&str; 14] = [
        "email",
        "iban",
        "ssn",
        "password",
        "birth",
        "dob",
        "birthday",
        "lat",
        "lng",
        "latitude",
        "longitude",
        "surname",
        "firstname",
        "lastname",
    ];
    const LAST: [&str; 15] = [
        "name", "mail", "phone", "mobile", "address", "street", "ip", "comment", "comments",
        "note", "notes", "text", "url", "token", "hash",
    ];
    let words = words(name);
    has(name, &ANYWHERE)
        || words
            .last()
            .is_some_and(|word| LAST.contains(&word.as_str()))
}

/// Whether a table has what customers do with a product, whose latest row says when they were last active.
pub(super) fn is_activity(table: &str) -> bool {
    has(
        table,
        &[
            "visits", "usage", "session", "sessions", "logins", "clicks", "views", "events",
        ],
    )
}

/// Whether a table of events holds no purchases by its name.
pub(super) fn is_no_purchase(table: &str) -> bool {
    is_activity(table)
        || has(
            table,
            &[
                "churn",
                "ticket",
                "tickets",
                "support",
                "survey",
                "surveys",
                "refund",
                "refunds",
                "returns",
                "cancellations",
                "complaints",
                "calls",
                "emails",
                "feedback",
                "reviews",
            ],
        )
}

/// A name as the program's own columns are written.
pub(super) fn slug(name: &str) -> String {
    let joined = words(name).join("_");
    let ascii = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let plain: String = joined.chars().map(ascii).collect();
    match plain.chars().next() {
        Some(first) if first.is_ascii_alphabetic() => plain,
        _ => format!("c_{plain}"),
    }
}

/// The base of an attribute, by its name.
pub(super) fn base(name: &str) -> &'static str {
    const BASES: [(&[&str], &str); 4] = [
        (
            &[
                "country", "region", "state", "city", "zip", "postcode", "postal", "county",
                "location", "area", "market", "land",
            ],
            "geographic",
        ),
        (
            &[
                "age",
                "gender",
                "sex",
                "education",
                "income",
                "marital",
                "married",
                "partner",
                "dependents",
                "children",
                "occupation",
                "job",
                "role",
                "citizen",
                "senior",
            ],
            "demographic",
        ),
        (
            &[
                "industry",
                "sector",
                "employees",
                "size",
                "plan",
                "tier",
                "contract",
                "company",
                "segment",
                "type",
                "package",
                "product",
                "branch",
            ],
            "firmographic",
        ),
        (
            &[
                "preference",
                "preferred",
                "interest",
                "need",
                "needs",
                "optin",
                "consent",
                "newsletter",
                "language",
            ],
            "needs",
        ),
    ];
    BASES
        .iter()
        .find(|(of, _)| has(name, of))
        .map_or("behavioural", |(_, base)| base)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_in_any_spelling() {
        for name in [
            "customer_id",
            "CustomerID",
            "Customer ID",
            "customerId",
            "customerid",
            "CUSTOMER-ID",
        ] {
            assert_eq!(words(name), ["customer", "id"], "{name}");
            assert_eq!(of_customer(name), 100, "{name}");
        }
        assert!(of_customer("user_id") > of_customer("user"));
        assert!(
            of_customer("customer") > 0 && of_customer("account_number") > of_customer("user_id")
        );
        for other in [
            "customer_name",
            "customer_since",
            "order_id",
            "id",
            "company_size",
            "user_agent",
        ] {
            assert_eq!(of_customer(other), 0, "{other}");
        }
        assert!(of_customer("email") > 0 && of_customer("email_sent") == 0);
        assert!(is_of_customers("crm_accounts") && !is_of_customers("customer_orders"));
    }

    #[test]
    fn what_happened_is_told_from_what_is_planned_or_changed() {
        let best =
            |names: &[&'static str]| *names.iter().max_by_key(|name| of_event(name)).unwrap();
        assert_eq!(
            best(&["updated_at", "order_date", "shipped_date"]),
            "order_date"
        );
        assert_eq!(best(&["birth_date", "timestamp"]), "timestamp");
        let best =
            |names: &[&'static str]| *names.iter().max_by_key(|name| of_money(name)).unwrap();
        assert_eq!(
            best(&["tax", "unit_price", "total_amount", "discount_amount"]),
            "total_amount"
        );
        assert_eq!(best(&["quantity", "price"]), "price");
    }
}
