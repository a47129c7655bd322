//! The named grids, as tables.

/// The 11-segment map: every one of the 125 cells, as digits R F M.
pub(super) const ELEVEN: [(&str, &str); 11] = [
    ("Champions", "555 554 544 545 454 455 445"),
    ("Loyal", "543 444 435 355 354 345 344 335"),
    (
        "Potential Loyalist",
        "553 551 552 541 542 533 532 531 452 451 442 441 431 453 433 432 423 353 352 351 342 341 333 323",
    ),
    ("New Customers", "512 511 422 421 412 411 311"),
    (
        "Promising",
        "525 524 523 522 521 515 514 513 425 424 413 414 415 315 314 313",
    ),
    ("Need Attention", "535 534 443 434 343 334 325 324"),
    ("About To Sleep", "331 321 312 221 213 231 241 251"),
    (
        "At Risk",
        "255 254 245 244 253 252 243 242 235 234 225 224 153 152 145 143 142 135 134 133 125 124",
    ),
    ("Cannot Lose Them", "155 154 144 214 215 115 114 113"),
    ("Hibernating", "332 322 233 232 223 222 132 123 122 212 211"),
    ("Lost", "111 112 121 131 141 151"),
];

/// The 10-segment grid over R and F: name, R from and to, F from and to; M does not matter.
pub(super) const TEN: [(&str, [u8; 2], [u8; 2]); 10] = [
    ("hibernating", [1, 2], [1, 2]),
    ("at_risk", [1, 2], [3, 4]),
    ("cant_lose", [1, 2], [5, 5]),
    ("about_to_sleep", [3, 3], [1, 2]),
    ("need_attention", [3, 3], [3, 3]),
    ("loyal", [3, 4], [4, 5]),
    ("promising", [4, 4], [1, 1]),
    ("new", [5, 5], [1, 1]),
    ("potential_loyalist", [4, 5], [2, 3]),
    ("champions", [5, 5], [4, 5]),
];

/// A line of an interval grid: name, then R, F and M from and to.
type Line = (&'static str, [[u8; 2]; 3]);

/// R rfm's documentation, v0.2.0; first match wins.
pub(super) const INTERVAL_DOCS: [Line; 10] = [
    ("Champions", [[4, 5], [4, 5], [4, 5]]),
    ("Loyal", [[2, 5], [3, 5], [3, 5]]),
    ("Potential Loyalist", [[3, 5], [1, 3], [1, 3]]),
    ("New", [[4, 5], [1, 1], [1, 1]]),
    ("Promising", [[3, 4], [1, 1], [1, 1]]),
    ("Need Attention", [[2, 3], [2, 3], [2, 3]]),
    ("About To Sleep", [[2, 3], [1, 2], [1, 2]]),
    ("At Risk", [[1, 2], [2, 5], [2, 5]]),
    ("Can't Lose", [[1, 1], [4, 5], [4, 5]]),
    ("Lost", [[1, 2], [1, 2], [1, 2]]),
];

/// R rfm's README; first match wins. Gives that package's published result.
pub(super) const INTERVAL_README: [Line; 10] = [
    ("Champions", [[5, 5], [5, 5], [5, 5]]),
    ("Potential Loyalist", [[3, 5], [3, 5], [2, 5]]),
    ("Loyal Customers", [[2, 4], [2, 4], [2, 4]]),
    ("Promising", [[3, 4], [1, 3], [3, 5]]),
    ("New Customers", [[4, 5], [1, 3], [1, 5]]),
    ("Can't Lose Them", [[1, 2], [3, 4], [4, 5]]),
    ("At Risk", [[1, 2], [2, 5], [4, 5]]),
    ("Need Attention", [[1, 3], [3, 5], [3, 5]]),
    ("About To Sleep", [[2, 3], [1, 3], [1, 4]]),
    ("Lost", [[1, 1], [1, 5], [1, 5]]),
];
