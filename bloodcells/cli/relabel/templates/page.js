"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const cells = data.cells;
const choices = [
  ...data.classes.map((name, place) => ({ key: data.keys[place], value: name, text: name })),
  { key: "u", value: data.unsure, text: "unsure" },
  { key: "0", value: data.drop, text: "drop: not a usable cell" },
];

// ---- what was entered: one entry per cell, for each reader, kept in this browser under the page's own hash

const place = `bloodcells relabel ${$("data").dataset.key}`;
let keeps = true;
let reader = "";
let state = empty();

function empty() {
  return { at: 0, entries: cells.map(() => ({ choice: "", date: "", note: "" })), history: [], saved: true };
}

function stored(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    keeps = false;
    return null;
  }
}

function store() {
  try {
    localStorage.setItem(place, reader);
    if (reader) localStorage.setItem(`${place} ${reader}`, JSON.stringify(state));
  } catch {
    keeps = false;
  }
}

function restore(name) {
  reader = name;
  state = empty();
  try {
    const kept = JSON.parse(stored(`${place} ${name}`) || "{}");
    if (kept.entries && kept.entries.length === cells.length) state = kept;
  } catch {
    // not ours: begin anew
  }
}

const many = (number, what) => `${number} ${what}${number === 1 ? "" : "s"}`;
const isRead = (entry) => entry.choice !== "";
const readers = (text) => text.replace(/[\p{C}\s]+/gu, " ").trim().toUpperCase();

function today() {
  const now = new Date();
  const two = (number) => String(number).padStart(2, "0");
  return `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}`;
}

// ---- what the reader does

function choose(value) {
  if (state.at === cells.length || !named()) return;
  const entry = state.entries[state.at];
  state.history.push({ at: state.at, choice: entry.choice, date: entry.date });
  Object.assign(entry, { choice: value, date: today() });
  state.saved = false;
  const at = state.at;
  const order = cells.map((_, step) => (at + 1 + step) % cells.length);
  const next = order.find((one) => !isRead(state.entries[one]));
  state.at = next === undefined ? cells.length : next;
  changed(`Cell ${at + 1}: ${value}.`);
}

function undo() {
  const last = state.history.pop();
  if (!last) return say("There is nothing to undo.");
  state.at = last.at;
  Object.assign(state.entries[last.at], { choice: last.choice, date: last.date });
  state.saved = false;
  changed(`Cell ${last.at + 1}: taken back.`);
}

function move(step) {
  state.at = Math.min(Math.max(state.at + step, 0), cells.length);
  changed("");
}

function named() {
  if (reader) return true;
  $("reader").classList.add("wanted");
  $("reader").focus();
  say("Enter your initials first, then press Enter.");
  return false;
}

function changed(text) {
  store();
  show();
  say(text);
}

function say(text) {
  const lost = keeps ? "" : "This browser keeps nothing: save before you close the page. ";
  $("status").textContent = lost + text;
}

// ---- files

const guard = (text) => (/^[=+\-@'\t\r]/.test(text) ? `'${text}` : text); // or a spreadsheet would compute it
const unguard = (text) => (/^'[=+\-@'\t\r]/.test(text) ? text.slice(1) : text);
const quote = (text) => (/[",;\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
const row = (values) => `${values.map((text) => quote(guard(text))).join(",")}\r\n`;

function table() {
  const rows = cells.map(({ cell, label }, place) => {
    const { choice, date, note } = state.entries[place];
    return choice ? row([cell, label, choice, reader, date, note.trim()]) : "";
  });
  return row(data.columns) + rows.join("");
}

function save() {
  if (!named()) return;
  const count = state.entries.filter(isRead).length;
  if (!count) return say("Nothing has been read yet.");
  const link = document.createElement("a");
  link.download = `${data.dataset}-${reader.replace(/[^\p{L}\p{N}]+/gu, "-")}.csv`;
  link.href = URL.createObjectURL(new Blob([table()], { type: "text/csv" }));
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  state.saved = true;
  const open = state.entries.filter((entry) => entry.note.trim() && !isRead(entry)).length;
  const left = open ? ` Without a choice, the notes on ${many(open, "cell")} are not in it.` : "";
  changed(`Saved ${many(count, "cell")} to ${link.download}.${left}`);
}

/** Return the rows of a CSV file (RFC 4180, or with semicolons or tabs as a spreadsheet saves it), as objects. */
function parse(text) {
  text = text.replace(/^\ufeff/, "");
  const head = text.split(/\r?\n/, 1)[0];
  const separator = [",", ";", "\t"].reduce((a, b) => (head.split(b).length > head.split(a).length ? b : a));
  const rows = [[""]];
  let quoted = false;
  for (let at = 0; at < text.length; at += 1) {
    const letter = text[at];
    const fields = rows[rows.length - 1];
    if (quoted && letter === '"' && text[at + 1] === '"') {
      fields[fields.length - 1] += '"';
      at += 1;
    } else if (letter === '"' && (quoted || fields[fields.length - 1] === "")) quoted = !quoted;
    else if (!quoted && letter === separator) fields.push("");
    else if (!quoted && letter === "\n") rows.push([""]);
    else if (quoted || letter !== "\r") fields[fields.length - 1] += letter;
  }
  const names = rows.shift().map((name) => name.trim().toLowerCase());
  if (quoted || data.columns.some((name) => !names.includes(name))) return null;
  return rows
    .filter((fields) => fields.some(Boolean))
    .map((fields) => new Map(names.map((name, place) => [name, unguard(fields[place] || "").trim()])));
}

function load(name, text) {
  const rows = parse(text);
  if (!rows) return say(`${name} is not a file of this page: it needs the columns ${data.columns.join(", ")}.`);
  const by = [...new Set(rows.map((one) => readers(one.get("reader"))))];
  if (by.length !== 1 || !by[0]) return say(`${name} must be of one reader; it is of ${by.join(", ") || "none"}.`);
  if (reader && by[0] !== reader) {
    return say(`${name} is of reader ${by[0]}, and you are ${reader}: change the initials to go on with it.`);
  }
  if (!reader) {
    restore(by[0]);
    $("reader").blur();
  }
  const known = new Map(cells.map((one, place) => [one.cell, place]));
  const values = new Set(choices.map((one) => one.value));
  const count = { taken: 0, kept: 0, other: 0 };
  for (const one of rows) {
    const at = known.get(one.get("image"));
    if (at === undefined || cells[at].label !== one.get("old") || !values.has(one.get("new"))) count.other += 1;
    else if (isRead(state.entries[at])) count.kept += 1;
    else {
      state.entries[at] = { choice: one.get("new"), date: one.get("date"), note: one.get("note") };
      count.taken += 1;
    }
  }
  state.at = Math.max(state.entries.findIndex((entry) => !isRead(entry)), 0);
  if (state.entries.every(isRead)) state.at = cells.length;
  if (count.taken) state.saved = false;
  const kept = count.kept ? ` Left out: ${many(count.kept, "cell")} that you have read here.` : "";
  const other = count.other ? ` Left out: ${many(count.other, "row")} about other cells or other labels.` : "";
  changed(`Loaded ${many(count.taken, "cell")} from ${name}.${kept}${other}`);
}

// ---- what the page shows

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function show() {
  const read = state.entries.filter(isRead).length;
  const finished = state.at === cells.length;
  $("bar").max = cells.length;
  $("bar").value = read;
  $("progress").textContent = `${finished ? "End" : `Cell ${state.at + 1} of ${cells.length}`} · ${read} read`;
  $("reader").value = reader;
  $("reader").classList.toggle("wanted", !reader);
  $("save").firstChild.textContent = state.saved ? "Save " : "Save • ";
  $("save").title = state.saved ? "" : "Not saved since the last change";
  $("question").hidden = finished;
  $("summary").hidden = !finished;
  if (finished) $("summary").replaceChildren(...summary());
  else ask(cells[state.at], state.entries[state.at]);
}

function ask(one, entry) {
  const open = !data.blind || isRead(entry);
  $("picture").src = one.picture;
  $("picture").alt = `Cell ${state.at + 1} of ${cells.length}`;
  $("cell").style.setProperty("--ratio", one.ratio);
  frame($("box"), one.box);
  $("around-figure").hidden = !one.around;
  if (one.around) {
    $("around").src = one.around;
    frame($("place"), one.place);
  }
  $("duplicate-figure").hidden = !one.duplicate;
  if (one.duplicate) {
    $("duplicate").src = one.duplicate.picture;
    $("duplicate-label").textContent = open ? `${one.duplicate.cell}, labeled ${one.duplicate.label}` : "";
  }
  $("hidden").hidden = open;
  $("known").hidden = !open;
  $("known").replaceChildren(...(open ? known(one) : []));
  for (const button of $("choices").children) {
    button.setAttribute("aria-pressed", String(button.value === entry.choice));
  }
  $("note").value = entry.note;
  $("back").disabled = state.at === 0;
  $("undo").disabled = !state.history.length;
}

function frame(box, edges) {
  const [left, top, right, bottom] = edges.map((fraction) => 100 * fraction);
  const size = { left: `${left}%`, top: `${top}%`, width: `${right - left}%`, height: `${bottom - top}%` };
  Object.assign(box.style, size);
  box.hidden = !edges.length;
}

function known(one) {
  const parts = [element("dt", "Cell"), element("dd", one.cell, "wide"), element("dt", "Label")];
  parts.push(element("dd", one.label, "wide"));
  for (const [model, predicted, probability] of one.votes) {
    const sign = predicted === one.label ? "" : "≠ ";
    parts.push(
      element("dt", model),
      element("dd", sign + predicted, sign ? "against" : ""),
      element("dd", `${Math.round(100 * probability)} %`),
    );
  }
  return parts;
}

function summary() {
  const is = {
    kept: (place) => state.entries[place].choice === cells[place].label,
    unsure: (place) => state.entries[place].choice === data.unsure,
    dropped: (place) => state.entries[place].choice === data.drop,
    unread: (place) => !isRead(state.entries[place]),
  };
  is.changed = (place) => !Object.keys(is).some((name) => name !== "changed" && is[name](place));
  const all = cells.map((_, place) => place);
  const count = (what, some = all) => some.filter(is[what]).length;
  const unread = count("unread");
  const parts = [element("h2", unread ? `Not read yet: ${many(unread, "cell")}` : "All cells are read")];
  const say = (text) => parts.push(element("p", text));
  say(
    `You confirmed ${many(count("kept"), "label")}, changed ${count("changed")}, dropped ${count("dropped")}, and are ` +
      `unsure about ${count("unsure")}.`,
  );
  const controls = all.filter((place) => !cells[place].doubtful && isRead(state.entries[place]));
  if (controls.length) {
    say(
      `Among these are ${many(controls.length, "cell")} whose label no model contradicts. You changed or dropped ` +
        `${count("changed", controls) + count("dropped", controls)} of them: if that is much, this reading differs ` +
        "from the first one everywhere, not only where the labels are doubtful.",
    );
  }
  if (data.left_out) say(`This page has no room for ${many(data.left_out, "more cell")}: read them in the next one.`);
  const next = element("p", "Save the file, put it into ");
  next.append(element("code", `datasets/${data.dataset}/corrections/`), ", name it under ", element("code", "corrections"));
  next.append(" in ", element("code", `datasets/${data.dataset}/record.yaml`), ", and run ", element("code", "dvc repro"), ".");
  parts.push(next);
  const shown = all.filter((place) => !is.unread(place) && !is.kept(place));
  if (shown.length) {
    const made = element("table");
    const line = (kind, values) => {
      const one = element("tr");
      one.append(...values.map((text) => element(kind, text)));
      made.append(one);
    };
    line("th", ["", "image", "label", "yours", "note"]);
    for (const place of shown) {
      const { choice, note } = state.entries[place];
      line("td", [String(place + 1), cells[place].cell, cells[place].label, choice, note]);
    }
    parts.push(made);
  }
  return parts;
}

// ---- keys and buttons

for (const { key, value, text } of choices) {
  const button = element("button", undefined, data.classes.includes(value) ? "" : "apart");
  button.type = "button";
  button.value = value;
  button.append(element("kbd", key), element("span", text));
  button.addEventListener("click", () => choose(value));
  $("choices").append(button);
}
$("choices").classList.toggle("many", choices.length > 9);

const keys = new Map([
  ["backspace", undo],
  ["z", undo],
  ["arrowleft", () => move(-1)],
  ["arrowright", () => move(1)],
  ["n", () => $("note").focus()],
  ["s", save],
]);

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.target.closest("input")) {
    if (event.key === "Enter" || event.key === "Escape") event.target.blur();
    return;
  }
  const pressed = event.key.toLowerCase();
  const digit = /^(?:Digit|Numpad)(\d)$/.exec(event.code); // where digits need the shift key
  const one = choices.find(({ key }) => key === pressed) || (digit && choices.find(({ key }) => key === digit[1]));
  const action = one ? () => choose(one.value) : keys.get(pressed);
  if (!action) return;
  event.preventDefault();
  if (!event.repeat || pressed.startsWith("arrow")) action();
});

$("reader").addEventListener("change", () => {
  restore(readers($("reader").value));
  const read = state.entries.filter(isRead).length;
  changed(reader ? (read ? `${reader} has read ${many(read, "cell")} here before.` : "") : "");
});
$("note").addEventListener("focus", named);
$("note").addEventListener("input", () => {
  state.entries[state.at].note = $("note").value;
  state.saved = false;
  store();
});
$("back").addEventListener("click", () => move(-1));
$("next").addEventListener("click", () => move(1));
$("undo").addEventListener("click", undo);
$("save").addEventListener("click", save);
$("load").addEventListener("click", () => $("file").click());
$("file").addEventListener("change", async () => {
  const [file] = $("file").files;
  if (file) load(file.name, await file.text());
  $("file").value = "";
});
window.addEventListener("storage", (event) => {
  if (event.key === `${place} ${reader}`) { // another tab with the same page
    restore(reader);
    show();
  }
});
window.addEventListener("beforeunload", (event) => {
  if (!keeps && !state.saved) event.preventDefault();
});

restore(readers(stored(place) || ""));
show();
say(reader ? "" : "Enter your initials to begin.");
if (!reader) $("reader").focus();
