// swift-format-ignore-file
// Made by scripts/embed-page.py from ask.html: change that and run it again.

/// The page that a browser shows at `/`.
enum AskPage {
  /// Lets a browser run the page's own script and style, talk to this server, and nothing else.
  static let contentSecurityPolicy =
    "default-src 'none'; script-src 'sha256-456EyupSFFJ/XPLZe2k3TYZU3LToxF9OGKZGecrpMuM='; style-src 'sha256-J0EU6+Mso35WN0y8YQwsMK4VhSC/wGDOuXyzSh+tg1Q='; img-src 'self' blob: data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

  static let html = ##"""
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>vl2</title>
<link rel="icon" href="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3C
rect x='1.5' y='1.5' width='13' height='13' rx='2' fill='none' stroke='%232a7ad1' stroke-width='2'/%3E%3C
circle cx='8' cy='8' r='3' fill='%232a7ad1'/%3E%3C/svg%3E">
<style>
:root {
  --ground: #f3f5f7; --surface: #fff; --asked: #dfeafa; --text: #181c20; --muted: #4f5a65;
  --line: #c9d0d8; --edge: #76818d; --accent: #0b5cad; --on-accent: #fff; --bad: #a3161b; --bad-ground: #fdecec;
  color: var(--text); background: var(--ground);
  font: 1rem/1.45 system-ui, -apple-system, "Segoe UI", Roboto, Ubuntu, "DejaVu Sans", sans-serif;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #121518; --surface: #1d2125; --asked: #1d3552; --text: #e9ecef; --muted: #aab4be;
    --line: #363d45; --edge: #7f8a96; --accent: #86bdf7; --on-accent: #0a1a2b; --bad: #ffb3b0;
    --bad-ground: #3b1a1b;
  }
}
*, ::before, ::after { box-sizing: border-box; }
[hidden] { display: none !important; }
html, body { margin: 0; height: 100%; }
body { display: grid; grid-template: auto minmax(0, 1fr) auto / minmax(0, 1fr); height: 100dvh; }
.unseen {
  position: absolute; width: 1px; height: 1px; margin: -1px; overflow: hidden; clip-path: inset(50%);
  white-space: nowrap;
}
h1, h2, p, ul, fieldset, figure { margin: 0; padding: 0; border: 0; }
ul { list-style: none; }
button, .button, textarea, input { font: inherit; color: inherit; }
button, .button {
  display: inline-flex; align-items: center; justify-content: center; min-height: 2.5rem; padding: .4rem .8rem; border: 1px solid var(--edge);
  border-radius: .5rem; background: var(--surface); cursor: pointer; white-space: nowrap;
}
button:hover, .button:hover { border-color: var(--accent); color: var(--accent); }
button.main { border-color: var(--accent); background: var(--accent); color: var(--on-accent); font-weight: 600; }
button.main:hover { color: var(--on-accent); filter: brightness(1.1); }
button.small { min-height: 2rem; padding: .15rem .6rem; font-size: .875rem; }
:focus-visible, input.unseen:focus-visible + label { outline: 3px solid var(--accent); outline-offset: 2px; }

header {
  display: flex; align-items: center; gap: .5rem; padding: .5rem max(.75rem, calc(50% - 24rem));
  border-bottom: 1px solid var(--line); background: var(--surface);
}
h1 { flex: 1; min-width: 0; font-size: 1.1rem; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
h1 span { margin-left: .4rem; color: var(--muted); font-weight: 400; }

main { overflow-y: auto; padding: 1rem max(.75rem, calc(50% - 24rem)); scroll-padding: 1rem; }
main:focus-visible { outline-offset: -3px; }
.note {
  margin-bottom: 1rem; padding: .5rem .75rem; border-left: 4px solid var(--accent); border-radius: .25rem;
  background: var(--surface); overflow-wrap: anywhere;
}
.note.bad, .bad { background: var(--bad-ground); color: var(--bad); border-color: var(--bad); }
#welcome {
  display: grid; place-content: center; gap: .75rem; min-height: min(22rem, 60vh); padding: 1rem;
  text-align: center;
  border: 2px dashed var(--edge); border-radius: 1rem; color: var(--muted);
}
#welcome strong { display: block; color: var(--text); font-size: 1.25rem; }
body.dropping { outline: 4px solid var(--accent); outline-offset: -4px; }

.exchange { display: grid; gap: .75rem; margin-bottom: 1.5rem; }
.asked, .answer { max-width: 100%; padding: .75rem 1rem; border-radius: 1rem; overflow-wrap: anywhere; }
.asked {
  justify-self: end; min-width: 8rem; max-width: min(100%, 34rem);
  background: var(--asked); border-bottom-right-radius: .25rem;
}
.asked h2 { font-size: 1rem; font-weight: 400; white-space: pre-wrap; }
.asked .kind { font-size: .875rem; color: var(--muted); }
.answer {
  justify-self: start; width: 100%; border: 1px solid var(--line); background: var(--surface);
  border-bottom-left-radius: .25rem;
}
.said { white-space: pre-wrap; }
.said:not(:empty) { margin-bottom: .25rem; }
.at-work { color: var(--muted); }
.at-work::before {
  content: ""; display: inline-block; width: .6rem; height: .6rem; margin-right: .5rem; border-radius: 50%;
  background: var(--accent);
}
@media (prefers-reduced-motion: no-preference) {
  .at-work::before { animation: beat 1.2s ease-in-out infinite alternate; }
  @keyframes beat { from { opacity: .25; } }
}
.problem { margin: .25rem 0; padding: .5rem .75rem; border-radius: .5rem; }
.facts { display: flex; flex-wrap: wrap; align-items: center; gap: .5rem; margin-top: .5rem; }
.facts p { flex: 1 1 12rem; font-size: .875rem; color: var(--muted); }

.pictures { display: flex; flex-wrap: wrap; gap: .5rem; margin-bottom: .5rem; }
.pictures figure, .pictures li { min-width: 0; max-width: 100%; }
.pictures img { display: block; border-radius: .5rem; background: var(--line); }
.pictures.little img { width: auto; max-width: 100%; height: 4.5rem; object-fit: contain; }
#strip img { width: auto; max-width: 6rem; object-fit: contain; }
figcaption, #strip span {
  display: block; max-width: 12rem; overflow: hidden; font-size: .8125rem; color: var(--muted);
  text-overflow: ellipsis; white-space: nowrap;
}
.frame { position: relative; overflow: hidden; margin: .5rem 0 .25rem; border-radius: .25rem; }
.frame img { display: block; width: 100%; height: auto; }
.box { position: absolute; border: 3px solid; box-shadow: 0 0 0 1px #000a, inset 0 0 0 1px #000a; }
.box span {
  position: absolute; bottom: 100%; left: -3px; max-width: 14rem; overflow: hidden; padding: 0 .35rem;
  color: #000; font-size: .8125rem; font-weight: 600; text-overflow: ellipsis; white-space: nowrap;
}
.box.high span { bottom: auto; top: 0; }
.box.right span { left: auto; right: -3px; }

#composer {
  display: grid; gap: .5rem; padding: .6rem max(.75rem, calc(50% - 24rem));
  padding-bottom: max(.5rem, env(safe-area-inset-bottom)); border-top: 1px solid var(--line); background: var(--surface);
}
#strip { margin: 0; max-height: 9rem; overflow-y: auto; }
#strip li { display: grid; grid-template: auto auto / auto auto; gap: 0 .5rem; place-items: end start; }
#strip img { grid-row: span 2; height: 3.75rem; }
#strip span { max-width: 8rem; }
#strip button { align-self: start; }
#hint { padding: .4rem .75rem; border-radius: .5rem; overflow-wrap: anywhere; }
.tools { display: flex; flex-wrap: wrap; align-items: center; gap: .5rem; }
.tools .button { min-height: 2.25rem; padding: .25rem .7rem; }
.pick { position: relative; display: inline-block; }
#take { display: none; }
@media (any-pointer: coarse) { #take { display: inline-block; } }
#modes { display: flex; border: 1px solid var(--edge); border-radius: .5rem; overflow: clip; overflow-clip-margin: 6px; }
#modes div { position: relative; }
#modes label { display: block; padding: .3rem .7rem; cursor: pointer; }
#modes div + div label { border-left: 1px solid var(--edge); }
#modes input:checked + label { background: var(--accent); color: var(--on-accent); }
.line { display: flex; align-items: end; gap: .5rem; }
textarea {
  flex: 1; min-width: 0; min-height: 2.75rem; max-height: 9rem; padding: .55rem .75rem; resize: none;
  border: 1px solid var(--edge); border-radius: .5rem; background: var(--ground); field-sizing: content;
}
textarea::placeholder { color: var(--muted); opacity: 1; }
.line button { min-height: 2.75rem; min-width: 4.5rem; }
.warning { font-size: .8125rem; color: var(--muted); }

dialog {
  width: min(34rem, calc(100vw - 1.5rem)); max-height: calc(100dvh - 2rem); padding: 1rem; border: 1px solid var(--edge);
  border-radius: .75rem; background: var(--surface); color: var(--text); overflow: auto;
}
dialog::backdrop { background: #0009; }
dialog h2 { margin-bottom: .5rem; font-size: 1.1rem; }
dialog p { margin-bottom: .75rem; overflow-wrap: anywhere; }
dialog input:not([type=checkbox]) {
  display: block; width: 100%; margin: .25rem 0 .75rem; padding: .5rem .75rem; border: 1px solid var(--edge);
  border-radius: .5rem; background: var(--ground);
}
.check { display: block; margin: 0 0 .75rem; }
.check input { width: 1.1rem; height: 1.1rem; margin: 0 .4rem 0 0; vertical-align: -.15rem; accent-color: var(--accent); }
.row { display: flex; flex-wrap: wrap; gap: .5rem; }
#kept { margin-bottom: .75rem; }
#kept li { display: flex; align-items: center; gap: .5rem; padding: .35rem 0; border-bottom: 1px solid var(--line); }
#kept .open {
  flex: 1; justify-content: start; gap: .75rem; min-width: 0; padding-inline: .25rem; border-color: transparent;
  text-align: left;
}
#kept img { flex: none; width: 3rem; height: 3rem; border-radius: .25rem; object-fit: cover; }
#kept .open span { min-width: 0; overflow: hidden; text-overflow: ellipsis; }
#kept small { display: block; color: var(--muted); white-space: normal; }

@media (max-width: 30rem) {
  .tools .button, #modes label { padding-inline: .55rem; }
  .asked, .answer { padding: .6rem .75rem; }
  .facts p { flex-basis: 100%; }
}
/* So low that head and question would leave nothing between them: a phone on its side, or a page enlarged four times. */
@media (max-height: 28rem) {
  body { display: block; height: auto; }
  main { overflow: visible; }
}
</style>
</head>
<body>
<header>
  <h1>vl2<span id="model"></span></h1>
  <button type="button" id="history">History</button>
  <button type="button" id="new">New</button>
</header>

<main id="conversation" tabindex="0" aria-label="Conversation">
  <p id="state" class="note" hidden></p>
  <p id="notice" class="note" hidden></p>
  <div id="welcome">
    <p><strong>Ask about a picture</strong></p>
    <p>Drop a picture here, paste one, or add one below.<br>Pictures go to this server and nowhere else.</p>
  </div>
  <div id="exchanges"></div>
</main>

<form id="composer" aria-label="Question">
  <ul id="strip" class="pictures" aria-label="Pictures to send" hidden></ul>
  <p id="hint" class="bad" role="alert" hidden></p>
  <div class="tools">
    <span class="pick">
      <input type="file" id="files" class="unseen" accept="image/*" multiple>
      <label for="files" class="button">Add pictures</label>
    </span>
    <span class="pick" id="take">
      <input type="file" id="camera" class="unseen" accept="image/*" capture="environment">
      <label for="camera" class="button">Take a photo</label>
    </span>
    <fieldset id="modes">
      <legend class="unseen">Kind of answer</legend>
      <div>
        <input type="radio" name="mode" id="mode-text" class="unseen" value="text" checked>
        <label for="mode-text">Answer</label>
      </div>
      <div>
        <input type="radio" name="mode" id="mode-find" class="unseen" value="find"><label for="mode-find">Find</label>
      </div>
      <div>
        <input type="radio" name="mode" id="mode-boxes" class="unseen" value="boxes">
        <label for="mode-boxes">Boxes</label>
      </div>
    </fieldset>
  </div>
  <div class="line">
    <label for="question" class="unseen">Question</label>
    <textarea id="question" rows="1" maxlength="8000" enterkeyhint="send"></textarea>
    <button id="ask" class="main">Ask</button>
    <button type="button" id="stop" hidden>Stop</button>
  </div>
  <p class="warning">Answers can be wrong. Check what matters.</p>
</form>

<div id="announced" class="unseen" role="status" aria-live="polite"></div>

<dialog id="key-dialog" aria-labelledby="key-title">
  <form id="key-form">
    <h2 id="key-title">This server wants a key</h2>
    <p id="key-wrong" class="problem bad" role="alert" hidden></p>
    <p>Whoever runs it has the key: a line of the file that <code>--api-key-file</code> names.</p>
    <label for="key">Key</label>
    <input type="password" id="key" autocomplete="off" spellcheck="false" maxlength="4000">
    <label class="check"><input type="checkbox" id="key-remember">Remember it in this browser</label>
    <div class="row">
      <button class="main">Use this key</button>
      <button type="button" id="key-cancel">Cancel</button>
    </div>
  </form>
</dialog>

<dialog id="history-dialog" aria-labelledby="history-title">
  <h2 id="history-title">History</h2>
  <p id="history-state"></p>
  <ul id="kept" aria-label="Conversations"></ul>
  <label class="check"><input type="checkbox" id="keep">Keep conversations in this browser</label>
  <div class="row">
    <button type="button" id="history-close" class="main">Close</button>
    <button type="button" id="delete-all">Delete all</button>
    <button type="button" id="forget-key" hidden>Forget the key</button>
  </div>
</dialog>

<script type="module">
// What the model, the server and files say is text: it is set with textContent and nothing else.

const limits = {
  pictures: 16, // of a request (the server's)
  pixels: 50e6, // of a picture (the server's)
  fileBytes: 20e6, // of a picture that is sent as it is
  allBytes: 22e6, // of a conversation's pictures: in base64 within the 32 MiB that the server takes
  openedBytes: 200e6, // of a file that is opened at all
  exchanges: 40, // of a conversation, so that the page stays small
  kept: 50, // conversations
  keptBytes: 60e6, // of all that is kept
  keptSide: 1280, // pixels of a kept picture's longer side
  keptAsIs: 400e3, // bytes of a picture that is kept as it is
};

const $ = (id) => document.getElementById(id);

function make(name, className, text) {
  const element = document.createElement(name);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

function announce(text) {
  $("announced").textContent = text;
}

/** Something that went wrong, in words for the person who asks. */
class Problem extends Error {}

const seconds = (value) => (value < 10 ? value.toFixed(1) : value.toFixed(0)) + " s";
const count = (number, one, many) => `${number} ${number === 1 ? one : many}`;

// MARK: what the browser keeps for this page. It may keep nothing: each of these works without.

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

const keys = {
  current: storage.read("sessionStorage", "vl2-key") ?? storage.read("localStorage", "vl2-key"),
  use(key, isRemembered) {
    this.current = key;
    storage.write("sessionStorage", "vl2-key", isRemembered ? null : key);
    storage.write("localStorage", "vl2-key", isRemembered ? key : null);
  },
};

/** Conversations, in IndexedDB: what a list shows in `heads`, everything else in `bodies`. */
const shelf = {
  database: null,
  work: Promise.resolve(),

  get isOn() { return storage.read("localStorage", "vl2-keep") !== "no"; },

  open() {
    this.database ??= new Promise((resolve, reject) => {
      // Some browsers neither open nor refuse.
      setTimeout(() => reject(new Error("the browser does not answer")), 4000);
      const request = indexedDB.open("vl2", 1);
      request.onupgradeneeded = () => {
        request.result.createObjectStore("heads", { keyPath: "id" });
        request.result.createObjectStore("bodies", { keyPath: "id" });
      };
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
      request.onblocked = () => reject(new Error("another page is in the way"));
    }).catch((error) => { this.database = null; throw error; });
    return this.database;
  },

  /** Does `action` with both stores in one transaction; the value is that of the request that it returns. */
  async transact(mode, action) {
    const database = await this.open();
    return new Promise((resolve, reject) => {
      const transaction = database.transaction(["heads", "bodies"], mode);
      const request = action(transaction.objectStore("heads"), transaction.objectStore("bodies"));
      transaction.oncomplete = () => resolve(request?.result);
      transaction.onabort = transaction.onerror = () => reject(transaction.error);
    });
  },

  list() {
    return this.transact("readonly", (heads) => heads.getAll())
      .then((list) => list.sort((a, b) => b.updated - a.updated));
  },

  get(id) { return this.transact("readonly", (_, bodies) => bodies.get(id)); },

  async put(head, body) {
    const others = (await this.list()).filter((other) => other.id !== head.id);
    let bytes = head.bytes;
    const gone = others.filter((other, index) => {
      bytes += other.bytes;
      return index + 2 > limits.kept || bytes > limits.keptBytes;
    });
    await this.transact("readwrite", (heads, bodies) => {
      for (const { id } of gone) { heads.delete(id); bodies.delete(id); }
      heads.put(head);
      bodies.put(body);
    });
  },

  remove(id) { return this.transact("readwrite", (heads, bodies) => { heads.delete(id); bodies.delete(id); }); },
  clear() { return this.transact("readwrite", (heads, bodies) => { heads.clear(); bodies.clear(); }); },
};

// MARK: pictures

/** What the first bytes say that a picture is, of what the server reads; null for anything else. */
function typeOf(bytes) {
  const begins = (at, ...values) => values.every((value, index) => bytes[at + index] === value);
  if (begins(0, 0xff, 0xd8, 0xff)) return "image/jpeg";
  if (begins(0, 0x89, 0x50, 0x4e, 0x47)) return "image/png";
  if (begins(0, 0x52, 0x49, 0x46, 0x46) && begins(8, 0x57, 0x45, 0x42, 0x50)) return "image/webp";
  return null;
}

async function decoded(link) {
  const image = new Image();
  image.src = link;
  await image.decode();
  if (!image.naturalWidth || !image.naturalHeight) throw new Error("no size");
  return image;
}

/** A JPEG of a picture, whose longer side has at most `side` pixels. */
function encoded(image, side, quality) {
  const scale = Math.min(1, side / Math.max(image.naturalWidth, image.naturalHeight));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(image.naturalWidth * scale));
  canvas.height = Math.max(1, Math.round(image.naturalHeight * scale));
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve, reject) => canvas.toBlob((blob) => {
    if (!blob) return reject(new Problem("This browser cannot make the picture smaller: send a smaller one."));
    resolve({ blob, width: canvas.width, height: canvas.height });
  }, "image/jpeg", quality));
}

function dataURL(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(new Problem("A picture cannot be read any more: add it again."));
    reader.readAsDataURL(blob);
  });
}

function blobOf(url) {
  const [head, data] = url.split(",");
  return new Blob([Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0))], { type: head.slice(5).split(";")[0] });
}

/** A picture as the server takes it: {name, blob, width, height, link}. `taken`: bytes that others have of `allBytes`. */
async function pictureOf(file, taken) {
  const name = file.name || "picture";
  if (file.size > limits.openedBytes) throw new Problem(`${name} is too large: over 200 MB.`);
  let bytes;
  try {
    bytes = new Uint8Array(await file.arrayBuffer());
  } catch {
    throw new Problem(`${name} cannot be read: add it again.`);
  }
  const type = typeOf(bytes);
  const blob = new Blob([bytes], { type: type ?? file.type });
  const link = URL.createObjectURL(blob);
  let image;
  try {
    image = await decoded(link);
  } catch {
    URL.revokeObjectURL(link);
    const isHEIC = /\.hei[cf]$/i.test(name) || /^image\/hei[cf]/.test(file.type);
    throw new Problem(isHEIC
      ? `This browser cannot open ${name}: save the photo as JPEG, or set the camera to JPEG.`
      : `${name} is no picture that this browser can open: choose a JPEG, PNG or WebP file.`);
  }
  const pixels = image.naturalWidth * image.naturalHeight;
  const fits = (size) => size <= limits.fileBytes && taken + size <= limits.allBytes;
  if (type && pixels <= limits.pixels && fits(blob.size)) {
    return { name, blob, width: image.naturalWidth, height: image.naturalHeight, link };
  }
  try {
    let made = await encoded(image, 4000, 0.92);
    if (!fits(made.blob.size)) made = await encoded(image, 2000, 0.85);
    if (!fits(made.blob.size)) throw new Problem(`${name} is too much beside the other pictures: begin a new conversation.`);
    return { name, ...made, link: URL.createObjectURL(made.blob) };
  } finally {
    URL.revokeObjectURL(link);
  }
}

/** What is kept of a picture: a smaller one where it is large. */
async function keptPicture({ name, blob, width, height, link, isSmaller }) {
  if (blob.size <= limits.keptAsIs) return { name, width, height, isSmaller, url: await dataURL(blob) };
  const made = await encoded(await decoded(link), limits.keptSide, 0.85);
  return { name, width: made.width, height: made.height, isSmaller: true, url: await dataURL(made.blob) };
}

function thumbnail(picture, alt) {
  const image = make("img");
  image.src = picture.link;
  image.alt = alt;
  image.width = picture.width;
  image.height = picture.height;
  return image;
}

/** A picture at a size to look at, with boxes over it wherever it is shown at whatever size. */
function framed(picture, boxes, size, mostHeight, mostWidth) {
  const frame = make("div", "frame");
  frame.style.width = `min(100%, ${(mostHeight * picture.width / picture.height).toFixed(2)}vh, ${mostWidth})`;
  frame.setAttribute("role", "img");
  const labels = boxes.map((box) => box.label || "no name");
  frame.setAttribute("aria-label", boxes.length
    ? `${picture.name} with ${count(boxes.length, "box", "boxes")}: ${labels.join(", ")}` : picture.name);
  frame.append(thumbnail(picture, ""));
  const colours = ["#ffd60a", "#5fd0ff", "#ff9f3d", "#7be384", "#ff9be0", "#cdb2ff"];
  const known = [...new Set(labels)];
  for (const box of boxes) {
    const share = (value, all) => Math.min(1, Math.max(0, value / all));
    const [left, right] = [share(box.left, size.width), share(box.right, size.width)];
    const [top, bottom] = [share(box.top, size.height), share(box.bottom, size.height)];
    const drawn = make("div", "box");
    drawn.style.left = `${100 * left}%`;
    drawn.style.top = `${100 * top}%`;
    drawn.style.width = `${100 * (right - left)}%`;
    drawn.style.height = `${100 * (bottom - top)}%`;
    drawn.classList.toggle("high", top < 0.1);
    drawn.classList.toggle("right", left > 0.6);
    const colour = colours[known.indexOf(box.label || "no name") % colours.length];
    drawn.style.borderColor = colour;
    if (box.label) {
      const label = make("span", "", box.label);
      label.style.backgroundColor = colour;
      drawn.append(label);
    }
    frame.append(drawn);
  }
  return frame;
}

// MARK: the server

/** Sends a request, with the key if there is one; asks for a key where the server wants one. */
async function send(path, options = {}) {
  for (;;) {
    const key = keys.current;
    const headers = { ...options.headers, ...(key ? { Authorization: `Bearer ${key}` } : {}) };
    let response;
    try {
      response = await fetch(path, { cache: "no-store", ...options, headers });
    } catch (error) {
      if (options.signal?.aborted) throw error;
      throw new Problem("The server cannot be reached. See whether it still runs and this device is on its network; "
        + "then ask again.");
    }
    if (response.status !== 401) return response;
    response.body?.cancel();
    // Another request may have asked for the key meanwhile.
    if (keys.current === key && !await keyGiven(key !== null)) {
      throw new Problem("The server wants a key. Ask again to give it.");
    }
  }
}

let keyAsked = null;

/** Asks for the key; false where none is given. */
function keyGiven(wasWrong) {
  keyAsked ??= new Promise((resolve) => {
    const dialog = $("key-dialog");
    const complain = (text) => {
      $("key-wrong").hidden = !text;
      $("key-wrong").textContent = text;
    };
    complain(wasWrong ? "The server does not know this key. See whether it is written right." : "");
    $("key").value = "";
    $("key-remember").checked = storage.read("localStorage", "vl2-key") !== null;
    $("key-form").onsubmit = (event) => {
      event.preventDefault();
      const key = $("key").value.trim();
      if (!key) return complain("Write the key.");
      if (!/^[\x21-\x7e]+$/.test(key)) return complain("A key has no blanks and no letters beyond A to Z.");
      keys.use(key, $("key-remember").checked);
      dialog.close("given");
    };
    $("key-cancel").onclick = () => dialog.close("");
    dialog.onclose = () => {
      keyAsked = null;
      resolve(dialog.returnValue === "given");
    };
    dialog.returnValue = "";
    dialog.showModal();
    $("key").focus();
  });
  return keyAsked;
}

/** What a response that is no answer says, and what to do. */
async function problemOf(response) {
  let error = {};
  try { error = (await response.json()).error ?? {}; } catch { /* Not the server's own words: a proxy's. */ }
  const said = typeof error.message === "string" ? error.message : "";
  const after = Number(response.headers.get("retry-after"));
  const wait = after > 0 ? `Ask again in ${count(after, "second", "seconds")}.` : "Ask again in a while.";
  const status = response.status;
  if (status === 429) return new Problem(`Too many questions wait already. ${wait}`);
  if (status === 503 && error.code === "loading") return new Problem(`The model is still being loaded. ${wait}`);
  if (status === 503) return new Problem(`The server cannot answer now${said && `: ${said}`}. ${wait}`);
  if (status === 413) return new Problem("The pictures are too large together. Begin a new conversation with fewer.");
  if (error.type === "exceed_context_size_error" || error.code === "exceed_context_size_error") {
    return new Problem(`This is more than the model can read at once. Begin a new conversation, or send fewer pictures. `
      + `(${said})`);
  }
  if (status === 403) return new Problem(`The server refuses: ${said || "it does not let this device ask"}.`);
  if (status >= 500) return new Problem(`The server failed${said && `: ${said}`}. Its log says more; ask again later.`);
  return new Problem(`The server does not take this: ${said || `status ${status}`}.`);
}

/** Takes text as it comes, cut anywhere, and gives the data of each server-sent event that is complete. */
function eventParser(take) {
  let rest = "";
  let data = [];
  return (text) => {
    rest += text;
    // A carriage return at the very end may be half of a line's end.
    const lines = rest.split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop();
    for (const line of lines) {
      if (line === "") {
        if (data.length) take(data.join("\n"));
        data = [];
      } else if (line.startsWith("data:")) {
        data.push(line.slice(line[5] === " " ? 6 : 5));
      }
    }
  };
}

/** Reads a streamed answer; `take` is given each chunk. Throws where it ends before its end. */
async function readStream(response, take) {
  let isDone = false;
  const parse = eventParser((data) => {
    if (data === "[DONE]") {
      isDone = true;
      return;
    }
    let chunk;
    try { chunk = JSON.parse(data); } catch { throw new Problem("The server sends what this page cannot read."); }
    if (chunk?.error) throw new Problem(`The server could not finish: ${chunk.error.message ?? "it does not say why"}.`);
    take(chunk ?? {});
  });
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (value) parse(decoder.decode(value, { stream: true }));
      if (done || isDone) break;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
  if (!isDone) throw new Problem("The connection ended before the answer did. Ask again.");
}

// MARK: conversations

/** {id, exchanges: [{question, mode, pictures, answer, parts}]}; `parts` are the elements on the page. */
let conversation = blank();
/** What is being answered: {exchange, controller}. */
let busy = null;
/** Pictures that go with the next question. */
let chosen = [];
let opening = Promise.resolve();

function blank() {
  const id = Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  return { id, exchanges: [], isDeleted: false };
}

const picturesOf = (talk) => talk.exchanges.flatMap((exchange) => exchange.pictures);

/** The text without the marks that say where things are; of a text that is being written, without a mark that has begun. */
function plain(text, isWriting) {
  const whole = text.replace(/<\|det\|>[^]*?(<\|\/det\|>|$)/g, "").replace(/<\|\/?(ref|det|grounding)\|>/g, "");
  return (isWriting ? whole.replace(/<(\|[a-z/]*\|?)?$/, "") : whole).trim();
}

/** What an answer says to a person. */
function wording({ mode, answer }) {
  if (mode !== "find") return plain(answer.text, answer.state === "writing");
  if (answer.boxes.length) {
    return answer.boxes.map(({ label, left, top, right, bottom }) =>
      `${label || "(no name)"}: left ${left}, top ${top}, right ${right}, bottom ${bottom}`).join("\n");
  }
  if (answer.state !== "done") return "";
  const said = plain(answer.text);
  return said ? `Not found. The model says: ${said}` : "Not found.";
}

function freshAnswer() {
  return { text: "", boxes: [], state: "waiting", progress: "", problem: "", note: "", times: "", size: null };
}

/** The messages up to an exchange. Questions without an answer are left out, their pictures go with the next one. */
async function messagesTo(talk, last) {
  const messages = [];
  let pictures = [];
  for (const exchange of talk.exchanges) {
    pictures = [...pictures, ...exchange.pictures];
    if (exchange !== last && !exchange.answer.text) continue;
    const parts = await Promise.all(pictures.map(async (picture) =>
      ({ type: "image_url", image_url: { url: await dataURL(picture.blob) } })));
    messages.push({ role: "user", content: [...parts, { type: "text", text: exchange.question }] });
    pictures = [];
    if (exchange === last) break;
    messages.push({ role: "assistant", content: exchange.answer.text });
  }
  return messages;
}

async function answer(talk, exchange) {
  const controller = new AbortController();
  const own = busy = { exchange, controller };
  const said = exchange.answer = freshAnswer();
  const begun = performance.now();
  const pictures = talk.exchanges.slice(0, talk.exchanges.indexOf(exchange) + 1).flatMap((each) => each.pictures);
  said.progress = "Waiting for the server";
  said.size = pictures.length ? { width: pictures.at(-1).width, height: pictures.at(-1).height } : null;
  said.boxed = pictures.at(-1) ?? null;
  showBusy();
  render(exchange);
  scrollToEnd();
  announce(said.progress);
  const clock = setInterval(() => {
    said.elapsed = (performance.now() - begun) / 1000;
    renderSoon(exchange);
  }, 1000);
  let finish = null;
  try {
    const body = {
      messages: await messagesTo(talk, exchange), stream: true, stream_options: { include_usage: true },
      timings_per_token: true, return_progress: true,
    };
    if (exchange.mode === "find") body.ground = true;
    if (exchange.mode === "boxes") body.boxes = true;
    controller.signal.throwIfAborted();
    const response = await send("v1/chat/completions", {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
      signal: controller.signal,
    });
    if (!response.ok) throw await problemOf(response);
    said.progress = pictures.length ? "Looking and reading" : "Reading";
    renderSoon(exchange);
    await readStream(response, (chunk) => {
      const choice = chunk.choices?.[0];
      const { total, processed } = chunk.prompt_progress ?? {};
      if (total > 0) said.progress = `Reading, ${Math.round(100 * processed / total)} %`;
      if (typeof choice?.delta?.content === "string" && choice.delta.content) {
        said.text += choice.delta.content;
        said.state = "writing";
        said.progress = "Writing";
      }
      for (const box of choice?.delta?.boxes ?? []) {
        const numbers = [box.left, box.top, box.right, box.bottom];
        if (numbers.every(Number.isFinite) && said.boxes.length < 100) {
          const [left, top, right, bottom] = numbers;
          said.boxes.push({ label: String(box.label ?? ""), left, top, right, bottom });
        }
      }
      finish = choice?.finish_reason ?? finish;
      if (chunk.timings || chunk.usage) said.times = timesOf(chunk) || said.times;
      renderSoon(exchange);
    });
    if (finish === "length") said.note = "The answer is cut off: its time or its length was used up.";
  } catch (error) {
    if (controller.signal.aborted) said.note = "Stopped.";
    else if (error instanceof Problem) said.problem = error.message;
    else if (error instanceof TypeError) said.problem = "The connection to the server broke. Ask again.";
    else {
      said.problem = "This page failed. Ask again, or load it anew.";
      throw error;
    }
  } finally {
    clearInterval(clock);
    said.state = "done";
    if (busy === own) busy = null;
    if (talk === conversation) {
      render(exchange);
      showBusy();
      if (!own.isLeft) announce([wording(exchange), said.problem, said.note].filter(Boolean).join(" "));
    }
    keep(talk);
  }
}

function timesOf({ timings, usage }) {
  const parts = [];
  if (timings) {
    const { queued_ms: queued, image_ms: looked, prompt_ms: read, predicted_ms: wrote } = timings;
    if (queued >= 500) parts.push(`waited ${seconds(queued / 1000)}`);
    if (looked > 0) parts.push(`looked ${seconds(looked / 1000)}`);
    if (read >= 0) parts.push(`read ${seconds((read - (looked > 0 ? looked : 0)) / 1000)}`);
    if (wrote >= 0) parts.push(`wrote ${seconds(wrote / 1000)}`);
  }
  if (usage) parts.push(`${usage.prompt_tokens} tokens read, ${usage.completion_tokens} written`);
  const text = parts.join(", ");
  return text && text[0].toUpperCase() + text.slice(1);
}

/** What is kept of a conversation, after those that were to be kept before. */
function keep(talk) {
  shelf.work = shelf.work.then(async () => {
    if (!shelf.isOn || talk.isDeleted || !talk.exchanges.length) return;
    const exchanges = [];
    for (const { question, mode, pictures, answer: { text, boxes, problem, note, times, size } } of talk.exchanges) {
      exchanges.push({
        question, mode, answer: { text, boxes, problem, note, times, size },
        pictures: await Promise.all(pictures.map(async (picture) => picture.kept ??= await keptPicture(picture))),
      });
    }
    if (talk.isDeleted) return;
    const body = { id: talk.id, exchanges };
    const first = picturesOf(talk)[0];
    const head = {
      id: talk.id, updated: Date.now(), title: talk.exchanges[0].question.slice(0, 120),
      count: exchanges.length, bytes: JSON.stringify(body).length,
      thumbnail: first ? await dataURL((await encoded(await decoded(first.link), 96, 0.8)).blob) : null,
    };
    await shelf.put(head, body);
    shelf.problem = "";
  }).catch((error) => { shelf.problem = String(error?.message || error); });
}

function leave() {
  if (busy) {
    busy.isLeft = true;
    busy.controller.abort();
    busy = null;
  }
  // What is to be kept is made from the pictures: their links go after that.
  const links = picturesOf(conversation).map((picture) => picture.link);
  queueMicrotask(() => { shelf.work = shelf.work.then(() => links.forEach((link) => URL.revokeObjectURL(link))); });
  setHint("");
  $("exchanges").replaceChildren();
}

function begin(talk) {
  leave();
  conversation = talk;
  storage.write("sessionStorage", "vl2-open", talk.exchanges.length ? talk.id : null);
  for (const exchange of talk.exchanges) show(exchange);
  showBusy();
  scrollToEnd();
}

async function open(id) {
  const body = await shelf.get(id);
  if (!body) return false;
  const exchanges = body.exchanges.map((exchange) => ({
    ...exchange,
    pictures: exchange.pictures.map((kept) => {
      const blob = blobOf(kept.url);
      return { ...kept, blob, kept, link: URL.createObjectURL(blob), url: undefined };
    }),
    answer: { ...freshAnswer(), ...exchange.answer, state: "done" },
  }));
  exchanges.forEach((exchange, index) => {
    exchange.answer.boxed = exchanges.slice(0, index + 1).flatMap((each) => each.pictures).at(-1) ?? null;
  });
  begin({ id, exchanges, isDeleted: false });
  return true;
}

// MARK: showing

const kinds = { text: "", find: "Find", boxes: "With boxes" };

/** Adds an exchange to the page. */
function show(exchange) {
  const parts = exchange.parts = {
    whole: make("section", "exchange"), asked: make("div", "asked"), answer: make("div", "answer"),
    said: make("p", "said"), work: make("p", "at-work"), problem: make("p", "problem bad"), note: make("p", "note"),
    place: make("div"), facts: make("div", "facts"), times: make("p"), copy: make("button", "small", "Copy"),
    again: make("button", "small", "Ask again"),
  };
  parts.said.dir = "auto";
  parts.copy.type = parts.again.type = "button";
  parts.copy.onclick = () => copy(wording(exchange), parts.copy);
  parts.again.onclick = () => {
    if (busy || exchange !== conversation.exchanges.at(-1)) return;
    answer(conversation, exchange);
    $("stop").focus();
  };
  if (exchange.pictures.length) {
    const isLittle = exchange.mode !== "text" || exchange.pictures.length > 1;
    const list = make("div", isLittle ? "pictures little" : "pictures");
    for (const picture of exchange.pictures) {
      const figure = make("figure");
      const image = isLittle ? thumbnail(picture, picture.name) : framed(picture, [], null, 32, "20rem");
      figure.append(image, make("figcaption", "", picture.name + (picture.isSmaller ? " (a smaller copy)" : "")));
      list.append(figure);
    }
    parts.asked.append(list);
  }
  const heading = make("h2", "", exchange.question);
  heading.dir = "auto";
  parts.asked.append(heading);
  if (kinds[exchange.mode]) parts.asked.append(make("p", "kind", kinds[exchange.mode]));
  parts.facts.append(parts.times, parts.copy, parts.again);
  parts.answer.append(parts.said, parts.place, parts.work, parts.problem, parts.note, parts.facts);
  parts.whole.append(parts.asked, parts.answer);
  $("exchanges").append(parts.whole);
  render(exchange);
}

const set = (element, text) => {
  if (element.textContent !== text) element.textContent = text;
  element.hidden = !text;
};

/** Brings the page up to date with an exchange's answer. */
function render(exchange) {
  const { parts, answer: said } = exchange;
  if (!parts) return;
  const isDone = said.state === "done";
  set(parts.said, wording(exchange));
  set(parts.work, isDone ? "" : said.progress + (said.elapsed >= 2 ? `, ${seconds(Math.floor(said.elapsed))}` : "") + " …");
  set(parts.problem, said.problem);
  set(parts.note, said.note);
  set(parts.times, said.times);
  parts.copy.hidden = !isDone || !parts.said.textContent;
  parts.again.hidden = !isDone || exchange !== conversation.exchanges.at(-1);
  parts.facts.hidden = !isDone;
  const drawn = said.boxed ? said.boxes.length : 0;
  if (parts.drawn !== drawn) {
    parts.drawn = drawn;
    parts.place.replaceChildren(...(drawn ? [framed(said.boxed, said.boxes, said.size, 55, "32rem")] : []));
  }
  parts.answer.setAttribute("aria-busy", String(!isDone));
}

const changed = new Set();

/** Renders before the next frame, however often something changes. */
function renderSoon(exchange) {
  if (!changed.size) {
    requestAnimationFrame(() => {
      const list = $("conversation");
      const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 120;
      for (const each of changed) render(each);
      changed.clear();
      if (isAtEnd) scrollToEnd();
    });
  }
  changed.add(exchange);
}

function scrollToEnd() {
  $("exchanges").lastElementChild?.scrollIntoView({ block: "end" });
}

/** Which buttons are there, of those that depend on whether something is being answered. */
function showBusy() {
  const had = document.activeElement;
  $("ask").hidden = busy !== null;
  $("stop").hidden = busy === null;
  // A button that is hidden while it has the focus would lose it to the top of the page.
  if (had === $("ask") && busy) $("stop").focus();
  if (had === $("stop") && !busy) $("question").focus();
  for (const exchange of conversation.exchanges) if (exchange !== busy?.exchange) render(exchange);
  $("welcome").hidden = conversation.exchanges.length > 0;
  if (!busy) requestAnimationFrame(scrollToEnd);
}

function setHint(text) {
  $("hint").textContent = text;
  $("hint").hidden = !text;
}

function showChosen() {
  $("strip").replaceChildren(...chosen.map((picture) => {
    const item = make("li");
    const remove = make("button", "small", "Remove");
    remove.type = "button";
    remove.setAttribute("aria-label", `Remove ${picture.name}`);
    remove.onclick = () => {
      URL.revokeObjectURL(picture.link);
      chosen = chosen.filter((other) => other !== picture);
      showChosen();
      $("question").focus();
    };
    item.append(thumbnail(picture, ""), make("span", "", picture.name), remove);
    return item;
  }));
  $("strip").hidden = !chosen.length;
}

async function copy(text, button) {
  let isDone = false;
  try {
    await navigator.clipboard.writeText(text);
    isDone = true;
  } catch {
    // Without https a browser has no clipboard for pages but this old way.
    const area = make("textarea", "unseen");
    area.value = text;
    document.body.append(area);
    area.select();
    isDone = document.execCommand("copy");
    area.remove();
    button.focus();
  }
  button.textContent = isDone ? "Copied" : "Not copied";
  announce(isDone ? "Copied" : "This browser does not let pages copy.");
  setTimeout(() => { button.textContent = "Copy"; }, 2000);
}

// MARK: what a person does

/** Opens files one after the other: each needs to know how much room the others left. */
function add(files) {
  setHint("");
  opening = opening.then(async () => {
    const problems = [];
    for (const file of files) {
      const others = [...picturesOf(conversation), ...chosen];
      try {
        if (others.length >= limits.pictures) {
          throw new Problem(`A conversation has at most ${limits.pictures} pictures: begin a new one for ${file.name}.`);
        }
        chosen.push(await pictureOf(file, others.reduce((sum, { blob }) => sum + blob.size, 0)));
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        problems.push(error.message);
      }
      showChosen();
    }
    if (problems.length) setHint(problems.slice(0, 3).join(" "));
    else if (chosen.length) announce(count(chosen.length, "picture to send", "pictures to send"));
    $("question").focus();
  });
}

async function ask() {
  setHint("");
  await opening;
  const question = $("question").value.trim();
  const mode = document.querySelector("input[name=mode]:checked").value;
  if (busy) return setHint("Wait for the answer, or stop it.");
  if (!question) return setHint(mode === "find" ? "Write what to find." : "Write a question.");
  if (mode !== "text" && !chosen.length && !picturesOf(conversation).length) return setHint("Add a picture first.");
  if (conversation.exchanges.length >= limits.exchanges) {
    return setHint("This conversation is long enough: begin a new one.");
  }
  const exchange = { question, mode, pictures: chosen, answer: freshAnswer() };
  chosen = [];
  showChosen();
  $("question").value = "";
  conversation.exchanges.push(exchange);
  storage.write("sessionStorage", "vl2-open", conversation.id);
  show(exchange);
  await answer(conversation, exchange);
}

$("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  ask();
});
$("question").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  ask();
});
$("stop").addEventListener("click", () => busy?.controller.abort());
$("new").addEventListener("click", () => {
  begin(blank());
  $("question").focus();
});

for (const input of [$("files"), $("camera")]) {
  input.addEventListener("change", () => {
    add([...input.files]);
    // So that the same file can be chosen again.
    input.value = "";
  });
  // To browsers the key that opens it is the space bar, and Enter sends the form.
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    input.click();
  });
}
document.addEventListener("paste", (event) => {
  const files = [...event.clipboardData.files];
  if (!files.length) return;
  event.preventDefault();
  add(files);
});
// A file that is dropped beside its place would replace the page.
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.toggle("dropping", event.dataTransfer.types.includes("Files"));
});
for (const name of ["dragleave", "drop"]) {
  document.addEventListener(name, () => document.body.classList.remove("dropping"));
}
document.addEventListener("drop", (event) => {
  event.preventDefault();
  if (event.dataTransfer.files.length) add([...event.dataTransfer.files]);
});

function showMode() {
  $("question").placeholder = {
    text: "Ask about the picture", find: "The red ball", boxes: "Describe the picture.",
  }[document.querySelector("input[name=mode]:checked").value];
}
$("modes").addEventListener("change", showMode);

// MARK: history

async function showHistory() {
  const state = $("history-state");
  let list = [];
  set(state, "One moment …");
  await shelf.work;
  try {
    list = await shelf.list();
    state.textContent = list.length ? "" : "No conversation is kept.";
    if (shelf.problem) state.textContent = `The last conversation could not be kept: ${shelf.problem}`;
  } catch {
    state.textContent = "This browser keeps nothing for this page, so conversations end with it.";
  }
  if (!shelf.isOn) state.textContent += " From now on none is kept.";
  state.hidden = !state.textContent;
  $("keep").checked = shelf.isOn;
  $("delete-all").hidden = !list.length;
  $("forget-key").hidden = keys.current === null;
  $("kept").hidden = !list.length;
  $("kept").replaceChildren(...list.map((head) => {
    const item = make("li");
    const open_ = make("button", "open");
    const text = make("span", "", head.title);
    const date = new Date(head.updated).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
    text.append(make("small", "", `${date}, ${count(head.count, "question", "questions")}`));
    if (head.thumbnail) {
      const image = make("img");
      image.src = head.thumbnail;
      image.alt = "";
      open_.append(image);
    }
    open_.append(text);
    open_.type = "button";
    open_.onclick = async () => {
      if (head.id === conversation.id || await open(head.id).catch(() => false)) {
        $("history-dialog").close();
        $("question").focus();
      } else {
        showHistory();
      }
    };
    const remove = make("button", "small", "Delete");
    remove.type = "button";
    remove.setAttribute("aria-label", `Delete ${head.title}`);
    remove.onclick = () => forget([head.id], () => shelf.remove(head.id));
    item.append(open_, remove);
    return item;
  }));
}

/** Deletes conversations; the one on the page ends if it is among them. */
async function forget(ids, action) {
  if (!ids || ids.includes(conversation.id)) {
    conversation.isDeleted = true;
    begin(blank());
  }
  shelf.work = shelf.work.then(action).catch((error) => { shelf.problem = String(error?.message || error); });
  await showHistory();
  announce("Deleted");
  $("history-close").focus();
}

$("history").addEventListener("click", () => {
  $("history-dialog").showModal();
  showHistory();
});
$("history-close").addEventListener("click", () => $("history-dialog").close());
$("delete-all").addEventListener("click", () => forget(null, () => shelf.clear()));
$("keep").addEventListener("change", () => {
  storage.write("localStorage", "vl2-keep", $("keep").checked ? null : "no");
  showHistory();
});
$("forget-key").addEventListener("click", () => {
  keys.use(null, false);
  storage.write("localStorage", "vl2-key", null);
  showHistory();
  $("history-close").focus();
});

// MARK: the beginning

/** Shows whose answers these are; where the server is not ready, tries again. */
async function greet() {
  let problem = "";
  let again = 5;
  try {
    const response = await send("v1/models");
    if (response.ok) {
      const model = (await response.json()).data?.[0] ?? {};
      $("model").textContent = model.id ?? "";
      document.title = model.id ? `vl2: ${model.id}` : "vl2";
      set($("notice"), typeof model.description === "string" ? model.description : "");
    } else {
      problem = response.status === 503 ? "The model is being loaded." : (await problemOf(response)).message;
      again = Math.max(1, Number(response.headers.get("retry-after")) || again);
    }
  } catch (error) {
    problem = error instanceof Problem ? error.message : "The server's answer cannot be read.";
    if (keys.current === null && problem.includes("key")) again = 0;
  }
  set($("state"), problem);
  if (problem && again) setTimeout(greet, 1000 * again);
}

showMode();
greet();
const last = storage.read("sessionStorage", "vl2-open");
if (last) open(last).catch(() => {});
$("question").focus();
</script>
</body>
</html>
"""##
}
