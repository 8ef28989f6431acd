// swift-format-ignore-file
// Made by scripts/embed-page.py from kiosk.html: change that and run it again.

/// The page that a browser shows at `/kiosk`.
enum KioskPage {
  /// Lets a browser run the page's own script and style, talk to this server, and nothing else.
  static let contentSecurityPolicy =
    "default-src 'none'; script-src 'sha256-PsRsRc1qkgf2jIFA+pTsB+iQ3ijY3YkJW2iNnYqfdB0='; style-src 'sha256-0ko2Hb4ySSOIPylEH5cqqU3bOT/O7Xno2gKWovpKYmw='; img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

  static let html = ##"""
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="dark">
<title>vl2 kiosk</title>
<link rel="icon" href="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3C
rect x='1.5' y='1.5' width='13' height='13' rx='2' fill='none' stroke='%232a7ad1' stroke-width='2'/%3E%3C
circle cx='8' cy='8' r='3' fill='%232a7ad1'/%3E%3C/svg%3E">
<style>
:root {
  --ground: #0d1012; --surface: #1a1e22; --text: #f2f5f7; --muted: #aab4be; --line: #363d45; --edge: #7f8a96;
  --accent: #86bdf7; --on-accent: #0a1a2b; --bad: #ffb3b0; --bad-ground: #3b1a1b;
  color-scheme: dark; color: var(--text); background: var(--ground);
  font: 1rem/1.4 system-ui, -apple-system, "Segoe UI", Roboto, Ubuntu, "DejaVu Sans", sans-serif;
}
*, ::before, ::after { box-sizing: border-box; }
[hidden] { display: none !important; }
html, body { margin: 0; height: 100%; overflow: hidden; }
h1, h2, p { margin: 0; }
body { cursor: none; }
dialog { cursor: auto; }
.unseen {
  position: absolute; width: 1px; height: 1px; margin: -1px; overflow: hidden; clip-path: inset(50%);
  white-space: nowrap;
}

main {
  display: grid; grid-template: minmax(0, 1fr) / minmax(0, 3fr) minmax(0, 2fr);
  height: 100dvh; gap: 2vmin; padding: 2vmin;
}
@media (orientation: portrait) {
  main { grid-template: minmax(0, 5fr) minmax(0, 4fr) / minmax(0, 1fr); }
  main:has(.many) { grid-template-rows: minmax(0, 1fr) minmax(0, 1fr); }
  #questions.many { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); grid-auto-rows: minmax(0, 1fr); }
}
#view { position: relative; display: grid; place-items: center; overflow: hidden; border-radius: 1.5vmin; background: #000; }
#frame { position: relative; overflow: hidden; }
#picture { display: block; width: 100%; height: 100%; }
/* The last picture of a camera that gives no more is not what is there. */
.old #picture { filter: grayscale(1) brightness(.35); }
.box { position: absolute; border: max(3px, .5vmin) solid; box-shadow: 0 0 0 1px #000a, inset 0 0 0 1px #000a; }
.box span {
  position: absolute; bottom: 100%; left: -3px; max-width: 40vmin; overflow: hidden; padding: 0 .35em;
  color: #000; font-size: clamp(.8rem, 2.4vmin, 2rem); font-weight: 600; text-overflow: ellipsis; white-space: nowrap;
}
.box.high span { bottom: auto; top: 0; }
.box.right span { left: auto; right: -3px; }
#trouble {
  position: absolute; inset: auto 0; padding: 3vmin 4vmin; background: #000d; text-align: center; overflow-wrap: anywhere;
  border-block: .6vmin solid var(--bad); max-height: 100%; overflow: hidden;
}
#trouble strong { display: block; font-size: clamp(1.4rem, 6vmin, 5rem); line-height: 1.15; color: var(--bad); }
#trouble span { display: block; margin-top: 1vmin; font-size: clamp(1rem, 2.6vmin, 2rem); }

#questions { display: flex; flex-direction: column; gap: 2vmin; }
.question {
  flex: 1 1 0; min-height: 0; display: grid; grid-template-rows: auto minmax(0, 1fr) auto; gap: .8vmin; padding: 1.6vmin 2.2vmin;
  border-radius: 1.5vmin; background: var(--surface); container-type: size;
}
.question h2 {
  display: -webkit-box; overflow: hidden; -webkit-box-orient: vertical; -webkit-line-clamp: 2; font-weight: 400;
  font-size: clamp(1rem, 2.6vmin, 2.2rem); line-height: 1.25; color: var(--muted); overflow-wrap: anywhere;
}
@container (height < 11rem) { .question h2 { -webkit-line-clamp: 1; } }
/* Where there is little room, it is the answer's. */
@container (height < 5rem) { .question .note { display: none; } }
.said {
  min-height: 0; overflow: hidden; font-weight: 650; line-height: 1.12; overflow-wrap: break-word; white-space: pre-line;
  font-size: 1rem;
}
.older .said, .none .said { color: var(--muted); }
/* Its place is kept where it is empty, so that answers keep their size. */
.note {
  min-height: 1.4em; overflow: hidden; font-size: clamp(.9rem, 2.2vmin, 1.8rem); color: var(--muted); text-overflow: ellipsis; white-space: nowrap;
}
.looking .note::before {
  content: ""; display: inline-block; width: .7em; height: .7em; margin-right: .5em; border-radius: 50%;
  background: var(--accent);
}
@media (prefers-reduced-motion: no-preference) {
  .looking .note::before { animation: beat 1.2s ease-in-out infinite alternate; }
  @keyframes beat { from { opacity: .25; } }
}

dialog {
  width: min(34rem, calc(100vw - 1.5rem)); padding: 1rem; border: 1px solid var(--edge); border-radius: .75rem;
  background: var(--surface); color: var(--text);
}
dialog::backdrop { background: #000b; }
dialog h2 { margin-bottom: .5rem; font-size: 1.1rem; }
dialog p { margin-bottom: .75rem; }
dialog .bad { padding: .5rem .75rem; border-radius: .5rem; background: var(--bad-ground); color: var(--bad); }
button, input { font: inherit; color: inherit; }
dialog input:not([type=checkbox]) {
  display: block; width: 100%; margin: .25rem 0 .75rem; padding: .5rem .75rem; border: 1px solid var(--edge);
  border-radius: .5rem; background: var(--ground);
}
.check { display: block; margin: 0 0 .75rem; }
button {
  min-height: 2.5rem; padding: .4rem .8rem; border: 1px solid var(--accent); border-radius: .5rem; background: var(--accent);
  color: var(--on-accent); font-weight: 600; cursor: pointer;
}
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
</style>
</head>
<body>
<main>
  <h1 class="unseen">What the camera sees</h1>
  <div id="view">
    <div id="frame">
      <canvas id="picture" role="img" aria-label="The camera's picture" width="4" height="3"></canvas>
      <div id="boxes"></div>
    </div>
    <p id="trouble" role="status" hidden><strong></strong><span></span></p>
  </div>
  <div id="questions"></div>
  <p id="announced" class="unseen" aria-live="polite"></p>
</main>

<dialog id="key-dialog" aria-labelledby="key-title">
  <form id="key-form">
    <h2 id="key-title">This server wants a key</h2>
    <p id="key-wrong" class="bad" role="alert" hidden></p>
    <p>Whoever runs it has the key: a line of the file that <code>--api-key-file</code> names.</p>
    <label for="key">Key</label>
    <input type="password" id="key" autocomplete="off" spellcheck="false" maxlength="4000">
    <label class="check"><input type="checkbox" id="key-remember"> Remember it in this browser</label>
    <button>Use this key</button>
  </form>
</dialog>

<script type="module">
// What the model, the server and the camera say is text: it is set with textContent and nothing else.

const limits = {
  picturePause: 450, // milliseconds from one picture to the next
  pictureSide: 1920, // pixels of the longer side that are kept of a picture
  boxes: 100, // on the picture
  text: 700, // characters of an answer
  message: 4e6, // characters of one message of the server's
  silence: 35e3, // milliseconds without a sign after which the server counts as away; it gives one every 10 s
  pause: 30e3, // the longest one before the server is tried again
  // Browsers that run for weeks break: the page begins anew when it is old, at a quiet moment, or when it is very old.
  age: 6 * 3600e3, ageAtMost: 6.5 * 3600e3, events: 20000, eventsAtMost: 22000, quiet: 60e3,
};

const $ = (id) => document.getElementById(id);

function make(name, className, text) {
  const element = document.createElement(name);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

// MARK: the key

const storage = {
  read(store, name) {
    try { return globalThis[store].getItem(name); } catch { return null; }
  },
  write(store, name, value) {
    try {
      if (value === null) globalThis[store].removeItem(name);
      else globalThis[store].setItem(name, value);
    } catch { /* Then it is forgotten with the page. */ }
  },
};

const isKey = (text) => /^[\x21-\x7e]+$/.test(text);

const keys = {
  current: storage.read("sessionStorage", "vl2-key") ?? storage.read("localStorage", "vl2-key"),
  use(key, isRemembered) {
    this.current = key;
    storage.write("sessionStorage", "vl2-key", isRemembered ? null : key);
    storage.write("localStorage", "vl2-key", isRemembered ? key : null);
  },
};

/** Whoever starts the browser can give the key behind the address, `#key=…`: it is never sent with that. */
function takeKeyFromAddress() {
  const [, written] = /^#key=(.+)$/.exec(location.hash) ?? [];
  if (!written) return;
  let key = written;
  try { key = decodeURIComponent(written); } catch { /* It is no escaped text, so it is taken as it stands. */ }
  if (!isKey(key)) return;
  keys.use(key, false);
  // Where the browser keeps nothing, the address has to go on to have it for when the page begins anew.
  if (storage.read("sessionStorage", "vl2-key") === key) history.replaceState(null, "", location.pathname);
}

/** Asks for the key, until one is given or the dialog is closed. */
function askForKey(wasWrong) {
  return new Promise((resolve) => {
    const dialog = $("key-dialog");
    const complain = (text) => {
      $("key-wrong").hidden = !text;
      $("key-wrong").textContent = text;
    };
    complain(wasWrong ? "The server does not know this key. See whether it is written right." : "");
    $("key").value = "";
    $("key-form").onsubmit = (event) => {
      event.preventDefault();
      const key = $("key").value.trim();
      if (!isKey(key)) return complain("A key has no blanks and no letters beyond A to Z.");
      keys.use(key, $("key-remember").checked);
      dialog.close();
    };
    dialog.onclose = resolve;
    dialog.showModal();
    $("key").focus();
  });
}

function ask(path, options = {}) {
  const key = keys.current;
  return fetch(path, {
    cache: "no-store", ...options, headers: { ...options.headers, ...(key ? { Authorization: `Bearer ${key}` } : {}) },
  });
}

// MARK: what is shown

/** What the server said last: how the camera is, and the questions with their answers. */
let state = null;
/** Why there is nothing to show: [words, more]; null where the server speaks. */
let away = ["Connecting to the server", ""];

const words = {
  starting: ["Waiting for the camera", "It has given no picture yet."],
  gone: ["The camera is not there", "It is tried again and again."],
  hung: ["The camera gives no pictures", "It is started again."],
  frozen: ["The picture stands still", "The camera gives the same picture again and again."],
  dark: ["Too dark to see", "The lens is covered, or there is no light."],
  outside: ["Nothing to look at", "The part of the picture that is looked at lies outside of it."],
  ended: ["The camera has ended", "There are no more pictures."],
};

function trouble() {
  if (away) return away;
  // The server's own message names the camera, perhaps with a password: it is not for everybody who passes by.
  return words[state.camera] ?? null;
}

/** Whether the picture on the screen is not what is there now. */
const isOld = () => away !== null || ["gone", "hung", "ended", "starting", "outside"].includes(state?.camera);

const cut = (text, most) => (text.length > most ? text.slice(0, most).trimEnd() + "…" : text);

/** An answer as people read it; one under a schema is a value. */
function readable(value, depth = 0) {
  if (typeof value === "string") return value;
  if (value === null || typeof value !== "object" || depth > 3) return String(value);
  const parts = Array.isArray(value)
    ? value.map((each) => readable(each, depth + 1))
    : Object.entries(value).map(([name, each]) => `${name}: ${readable(each, depth + 1)}`);
  return parts.join(Array.isArray(value) || depth > 0 ? ", " : "\n");
}

/** What an answer says; of what was found, its name, since its place is shown as a box. */
function said(line) {
  const text = readable(line.answer).trim();
  if (!Array.isArray(line.boxes)) return text;
  return text.replace(/<\|det\|>[^|]*<\|\/det\|>/g, "").replace(/<\|\/?(ref|grounding)\|>/g, "").trim() || text;
}

function clock(time) {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return "";
  const isToday = date.toDateString() === new Date().toDateString();
  return isToday ? date.toLocaleTimeString() : date.toLocaleString();
}

/** How a question is shown: [class, the large text, the small one]. */
function shown(question) {
  const last = question.last ?? null;
  const hasText = last !== null && last.answer !== null && last.answer !== undefined;
  const text = hasText ? cut(said(last), limits.text) : "";
  const time = last === null ? "" : clock(last.time);
  const before = hasText ? `Before, ${time}: ${cut(text, 200)}` : "";
  if (trouble()) return ["none", "–", before];
  const isLooking = Boolean(state.asking);
  if (!question.holds) {
    return isLooking ? ["none looking", "…", "Looking"] : ["none", last ? "No answer" : "…", before];
  }
  // What was said about another scene is not said of this one.
  if (isLooking && state.asking !== "timer") return ["older looking", text, `Looking again; this was at ${time}`];
  const share = typeof last.probability === "number" ? `, ${Math.round(100 * last.probability)} %` : "";
  return [isLooking ? "looking" : "", text, time + share];
}

/** The answers' texts, of which a place may have room for the beginning alone. */
const whole = new WeakMap();

/** Shows a text at the largest size at which it fits into its place; as much of it as fits where none is small enough. */
function fit(element) {
  const text = whole.get(element) ?? "";
  const { clientWidth: width, clientHeight: height } = element;
  const fits = () => element.scrollHeight <= height && element.scrollWidth <= width;
  const smallest = 14;
  element.textContent = text;
  let [low, high] = [smallest, Math.max(smallest, Math.min(0.7 * height, width / 2.5, 260))];
  for (let step = 0; step < 9; step++) {
    const size = (low + high) / 2;
    element.style.fontSize = `${size}px`;
    if (fits()) low = size;
    else high = size;
  }
  element.style.fontSize = `${Math.floor(low)}px`;
  for (let most = text.length; most > 1 && !fits(); most = Math.floor(0.9 * most)) element.textContent = cut(text, most);
}

function setText(element, text) {
  if (element.textContent === text) return false;
  element.textContent = text;
  return true;
}

function show() {
  const [problem, more] = trouble() ?? [null, ""];
  $("trouble").hidden = problem === null;
  setText($("trouble").firstChild, problem ?? "");
  setText($("trouble").lastChild, more);
  $("view").classList.toggle("old", isOld());
  const questions = Array.isArray(state?.questions) ? state.questions : [];
  const rows = $("questions");
  let isNew = rows.childElementCount !== questions.length;
  while (rows.childElementCount > questions.length) rows.lastChild.remove();
  while (rows.childElementCount < questions.length) {
    const row = make("section", "question");
    const said = make("p", "said");
    const asked = make("h2");
    said.dir = asked.dir = "auto";
    row.append(asked, said, make("p", "note"));
    rows.append(row);
  }
  questions.forEach((question, index) => {
    const row = rows.children[index];
    const [kind, text, note] = shown(question);
    row.className = `question ${kind}`;
    isNew = setText(row.children[0], cut(String(question.ask), 200)) || isNew;
    const isChanged = whole.get(row.children[1]) !== text;
    whole.set(row.children[1], text);
    setText(row.children[2], note);
    if (isChanged && !isNew) fit(row.children[1]);
  });
  rows.classList.toggle("many", questions.length > 3);
  if (isNew) fitAll();
  showBoxes(questions);
}

const fitAll = () => { for (const each of document.querySelectorAll(".said")) fit(each); };

const colours = ["#ffd60a", "#5fd0ff", "#ff9f3d", "#7be384", "#ff9be0", "#cdb2ff"];

function showBoxes(questions) {
  const drawn = [];
  const { width, height } = state?.frame ?? {};
  if (!trouble() && width > 0 && height > 0) {
    questions.forEach((question, index) => {
      const boxes = question.last?.boxes;
      if (!question.holds || !Array.isArray(boxes) || (state.asking && state.asking !== "timer")) return;
      for (const box of boxes.slice(0, limits.boxes)) drawn.push(boxOf(box, width, height, colours[index % colours.length]));
    });
  }
  $("boxes").replaceChildren(...drawn.slice(0, limits.boxes));
}

function boxOf(box, width, height, colour) {
  const share = (value, all) => Math.min(1, Math.max(0, Number(value) / all)) || 0;
  const [left, right] = [share(box.left, width), share(box.right, width)];
  const [top, bottom] = [share(box.top, height), share(box.bottom, height)];
  const element = make("div", "box");
  element.style.left = `${100 * left}%`;
  element.style.top = `${100 * top}%`;
  element.style.width = `${100 * Math.max(0, right - left)}%`;
  element.style.height = `${100 * Math.max(0, bottom - top)}%`;
  element.style.borderColor = colour;
  element.classList.toggle("high", top < 0.1);
  element.classList.toggle("right", left > 0.6);
  if (box.label) {
    const label = make("span", "", cut(String(box.label), 80));
    label.style.backgroundColor = colour;
    element.append(label);
  }
  return element;
}

/** As large as the place allows, in the picture's own form. */
function placeFrame() {
  const { width, height } = $("picture");
  const scale = Math.min($("view").clientWidth / width, $("view").clientHeight / height);
  $("frame").style.width = `${Math.floor(width * scale)}px`;
  $("frame").style.height = `${Math.floor(height * scale)}px`;
}

// MARK: the picture

const picture = { wanted: 0, shown: 0, isBusy: false, due: 0 };

/** Shows the newest picture, if it is another one than that on the screen. */
async function refresh() {
  if (picture.isBusy) return;
  picture.isBusy = true;
  while (picture.wanted !== picture.shown && !document.hidden && !away) {
    const early = picture.due - performance.now();
    if (early > 0) await sleep(early);
    picture.due = performance.now() + limits.picturePause;
    const wanted = picture.wanted;
    try {
      const response = await ask("/live/frame.jpg", { signal: AbortSignal.timeout(20e3) });
      if (!response.ok) throw new Error(`status ${response.status}`);
      const bitmap = await createImageBitmap(await response.blob());
      draw(bitmap);
      bitmap.close();
      // The server may have a newer one by now, of which it has told or will tell.
      picture.shown = Number(response.headers.get("X-Frame-Number")) || wanted;
      if (picture.shown > picture.wanted) picture.wanted = picture.shown;
    } catch {
      // The next one is tried when the server tells of it.
      picture.shown = picture.wanted;
    }
  }
  picture.isBusy = false;
}

function draw(bitmap) {
  const canvas = $("picture");
  const scale = Math.min(1, limits.pictureSide / Math.max(bitmap.width, bitmap.height));
  const [width, height] = [Math.max(1, Math.round(bitmap.width * scale)), Math.max(1, Math.round(bitmap.height * scale))];
  if (canvas.width !== width || canvas.height !== height) {
    [canvas.width, canvas.height] = [width, height];
    placeFrame();
  }
  canvas.getContext("2d").drawImage(bitmap, 0, 0, width, height);
}

function want(frame) {
  if (!frame || !Number.isInteger(frame.number)) return;
  if (state) state.frame = frame;
  picture.wanted = frame.number;
  refresh();
}

// MARK: what the server tells

const age = { begin: performance.now(), events: 0, lastTold: -Infinity, version: null };
let lastID = null;

function take(name, id, data) {
  if (name !== "frame") age.events += 1;
  if (id) lastID = id;
  if (name === "end") throw new Error("the server ends");
  if (!["state", "answer", "frame"].includes(name)) return;
  const value = JSON.parse(data);
  if (name === "frame") return want(value);
  if (name === "answer") {
    age.lastTold = performance.now();
    if (value.answer !== null) $("announced").textContent = cut(said(value), limits.text);
    return;
  }
  // Numbers of pictures begin anew with each server.
  if (state?.server !== value.server) [picture.shown, picture.wanted] = [0, 0];
  age.version ??= value.version;
  away = null;
  state = value;
  show();
  want(value.frame);
}

/** Follows what the server tells until it ends; throws where it breaks off. */
async function follow() {
  const stop = new AbortController();
  let timer;
  const wait = () => {
    clearTimeout(timer);
    timer = setTimeout(() => stop.abort(), limits.silence);
  };
  wait();
  try {
    const key = keys.current;
    const response = await ask("/live/events", { signal: stop.signal, headers: lastID ? { "Last-Event-ID": lastID } : {} });
    if (!response.ok) return await refused(response, key);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return null;
      wait();
      text += value;
      if (text.length > limits.message) throw new Error("a message is too long");
      const messages = text.split("\n\n");
      text = messages.pop();
      for (const message of messages) {
        const fields = {};
        for (const line of message.split("\n")) {
          const [, field, rest] = /^(\w+): ?([^]*)$/.exec(line) ?? [];
          if (field) fields[field] = rest;
        }
        if (fields.event) take(fields.event, fields.id, fields.data ?? "null");
      }
    }
  } finally {
    clearTimeout(timer);
    stop.abort();
  }
}

/** What to show for a response that is no stream. */
async function refused(response, key) {
  let message = "";
  try { message = (await response.json()).error?.message ?? ""; } catch { /* Not the server's own words: a proxy's. */ }
  if (response.status === 401) {
    away = ["The server wants a key", ""];
    show();
    await askForKey(key !== null);
    return 0;
  }
  const more = cut(String(message), 300);
  if (response.status === 404) return ["This server looks through no camera", more];
  if (response.status === 403) return ["The server refuses this screen", more];
  return ["The server has no time", more];
}

async function run() {
  let pause = 1e3;
  for (;;) {
    let problem = ["The server is away", "It is tried again and again."];
    const before = age.events;
    try {
      const answer = await follow();
      if (answer === 0) continue;
      problem = answer ?? problem;
    } catch { /* It broke off, or cannot be reached. */ }
    if (age.events > before) pause = 1e3;
    away = problem;
    show();
    await sleep(pause * (0.75 + Math.random() / 2));
    pause = Math.min(2 * pause, limits.pause);
  }
}

/** Begins anew where it is time to: only while the server answers, since without it there would be no page. */
async function renew() {
  const old = performance.now() - age.begin;
  const isNewVersion = state !== null && age.version !== state.version;
  const isDue = old > limits.age || age.events > limits.events || isNewVersion;
  const isOverdue = old > limits.ageAtMost || age.events > limits.eventsAtMost;
  const isQuiet = performance.now() - age.lastTold > limits.quiet && !state?.asking;
  if (away || !(isOverdue || (isDue && isQuiet))) return;
  try {
    const response = await ask("/kiosk", { method: "HEAD", signal: AbortSignal.timeout(10e3) });
    if (response.ok) location.reload();
  } catch { /* Later. */ }
}

takeKeyFromAddress();
// An address that was changed by hand begins nothing anew by itself.
addEventListener("hashchange", () => {
  const before = keys.current;
  takeKeyFromAddress();
  if (keys.current !== before) location.reload();
});
new ResizeObserver(() => {
  placeFrame();
  fitAll();
}).observe($("view"));
document.addEventListener("visibilitychange", refresh);
setInterval(renew, 30e3);
placeFrame();
show();
run();
</script>
</body>
</html>
"""##
}
