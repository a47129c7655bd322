"use strict";
// Sorts and filters tables, copies them as CSV, copies the SQL of a table or of one number. The page is whole without it.
(() => {
  const all = (selector, root = document) => Array.from(root.querySelectorAll(selector));
  const make = (tag, attributes, text) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    if (text !== undefined) element.textContent = text;
    return element;
  };

  // Says what was done, to eyes and screen readers.
  const status = make("p", { role: "status", class: "status" });
  document.body.append(status);
  let clearing;
  const say = (text) => {
    status.textContent = text;
    clearTimeout(clearing);
    clearing = setTimeout(() => { status.textContent = ""; }, 2500);
  };
  // Files opened from a disk have no clipboard in some browsers: then the text is selected in a field.
  const copy = async (text, what) => {
    try {
      await navigator.clipboard.writeText(text);
      say(what + " copied");
    } catch {
      const field = make("textarea", { class: "copying", "aria-label": what });
      field.value = text;
      document.body.append(field);
      field.select();
      const done = document.execCommand("copy");
      field.remove();
      say(done ? what + " copied" : "copying is not allowed here");
    }
  };

  // ---- SQL
  const quoted = (text) => "'" + text.replaceAll("'", "''") + "'";
  const named = (column) => '"' + column.replaceAll('"', '""') + '"';
  const queryOf = (block) => all("details.sql pre", block).find((pre) => pre.closest(".q") === block).textContent;
  // The query of one number: its column of the block's query, in the row that the elements around it name.
  const queryOfNumber = (number) => {
    const block = number.closest(".q");
    const keys = [];
    for (let at = number; at !== block; at = at.parentElement) {
      if (at.dataset.k !== undefined) keys.unshift(at.dataset.k);
    }
    const by = (block.dataset.by || "").split(",").filter((column) => column !== "");
    const where = by.map((column, place) => "cast(" + named(column) + " as varchar) = " + quoted(keys[place] || ""));
    const sql = queryOf(block);
    if (by.length === 0) return "select " + named(number.dataset.c) + " from (\n" + sql + "\n)";
    return "select " + named(number.dataset.c) + " from (\n" + sql + "\n) where " + where.join(" and ");
  };
  for (const details of all("details.sql")) {
    const button = make("button", { type: "button", class: "sql", title: "Copy the SQL that gives these numbers" }, "SQL");
    button.addEventListener("click", () => copy(queryOf(details.closest(".q")), "SQL"));
    details.before(button);
    details.hidden = true;
  }
  document.addEventListener("dblclick", (event) => {
    const number = event.target.closest("data[data-c]");
    if (number) copy(queryOfNumber(number), "SQL of this number");
  });
  // Hover: the number unrounded, and how to get its SQL.
  document.addEventListener("mouseover", (event) => {
    const number = event.target.closest("data[data-c]");
    if (number && !number.title) number.title = number.value + " (double-click copies its SQL)";
  });

  // ---- tables
  const numberIn = (cell) => {
    const number = cell && cell.querySelector("data[value]");
    return number ? Number(number.value) : NaN;
  };
  const textOf = (cell) => cell ? cell.textContent.trim() : "";
  const compare = (place, way) => (a, b) => {
    const [x, y] = [a.cells[place], b.cells[place]];
    const [n, m] = [numberIn(x), numberIn(y)];
    // What has no number stands last, whichever way.
    if (Number.isNaN(n) !== Number.isNaN(m)) return Number.isNaN(n) ? 1 : -1;
    const order = Number.isNaN(n) ? textOf(x).localeCompare(textOf(y)) : n - m;
    return way * order;
  };
  const csvOf = (table) => {
    const value = (cell) => {
      const numbers = all("data[value]", cell);
      const text = numbers.length === 1 && /^[^\p{L}]*$/u.test(textOf(cell).replace(/(days|[kM]|bn|[A-Z]{3})/gu, ""))
        ? numbers[0].value : textOf(cell).replace(/\s+/gu, " ");
      // A text that a spreadsheet would take for a formula is kept a text.
      const safe = numbers.length === 0 && /^[=+@-]/u.test(text) ? "'" + text : text;
      if (safe === "–") return "";
      return /[",\n]/u.test(safe) ? '"' + safe.replaceAll('"', '""') + '"' : safe;
    };
    return Array.from(table.rows, (row) => Array.from(row.cells, value).join(",")).join("\r\n") + "\r\n";
  };
  const sortable = (table) => {
    all("thead th", table).forEach((head, place) => {
      const button = make("button", { type: "button", class: "sort" });
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const way = head.getAttribute("aria-sort") === "descending" ? 1 : -1;
        all("thead th", table).forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", way > 0 ? "ascending" : "descending");
        const body = table.tBodies[0];
        body.append(...Array.from(body.rows).sort(compare(place, way)));
      });
    });
  };
  const filterable = (table, tools) => {
    const field = make("input", { type: "search", placeholder: "filter", "aria-label": "Filter rows" });
    field.addEventListener("input", () => {
      const wanted = field.value.toLowerCase();
      for (const row of table.tBodies[0].rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
    });
    tools.append(field);
  };
  for (const table of all("table")) {
    if (!table.tHead || !table.tBodies[0]) continue;
    const rows = table.tBodies[0].rows.length;
    const caption = table.caption || table.createCaption();
    const tools = make("span", { class: "tools" });
    if (rows > 1 && !table.matches(".matrix, .rfm")) sortable(table);
    if (rows > 8 && !table.matches(".matrix, .rfm")) filterable(table, tools);
    const button = make("button", { type: "button", title: "Copy this table as CSV" }, "CSV");
    button.addEventListener("click", () => copy(csvOf(table), "Table"));
    tools.append(button);
    caption.append(tools);
  }

  // ---- details are printed open
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = all(".front details:not(.sql)").filter((details) => !details.open);
    opened.forEach((details) => { details.open = true; });
  });
  addEventListener("afterprint", () => { opened.forEach((details) => { details.open = false; }); });
})();
