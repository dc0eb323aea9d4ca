/** The chat's page: joins the room in the URL, shows its messages and sends typed ones. */

import { Link } from "./link.js";
import { byId, nameOf, scrollToEnd, showEntry, showNotice, showPeople, showState } from "./view.js";

/** The number of messages that the server keeps. If all are new to this page, it may have missed some. */
const HISTORY = 50;
/** The time without an answer after which the connection counts as dead, in milliseconds. */
const ANSWER_TIME = 10_000;

const room = decodeURIComponent(location.pathname.slice("/r/".length));
/** The lines of the shown messages, by id. */
const shown = new Map();
/** The sent messages that the server has not confirmed, by id. */
const pending = new Map();
/** The ids of this page's messages, kept across a reload. */
const own = new Set(JSON.parse(sessionStorage.getItem(`own ${room}`) ?? "[]"));

let link;
let me = "";
let people = [];
let unread = 0;

function connect(wanted) {
  link?.stop();
  const url = new URL(location.pathname, location.href);
  url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  url.searchParams.set("name", wanted);
  link = new Link(url, "chat.v1", {
    onState(state) {
      // The members are unknown until the next welcome.
      if (state.name !== "open") showPeople(people = [], me);
      showState(state);
    },
    onMessage: (json) => receive(JSON.parse(json)),
  });
  link.start();
}

function receive(message) {
  const { type, name, at } = message;
  if (type === "welcome") {
    welcome(message);
  } else if (type === "message") {
    confirm(message.entry);
    if (document.hidden) setUnread(unread + 1);
  } else if (type === "joined") {
    showPeople(people = [...people, name], me);
    showNotice(at, nameOf(name), " joined");
  } else if (type === "left") {
    showPeople(people = people.filter((other) => other !== name), me);
    showNotice(at, nameOf(name), " left");
  }
}

function welcome(message) {
  const { history, name } = message;
  const known = history.filter(({ id }) => shown.has(id)).length;
  if (shown.size > 0 && known === 0 && history.length >= HISTORY) {
    showNotice(history[0].at, "Some messages before this may be missing");
  }
  for (const entry of history) confirm(entry);
  if (name !== me) showNotice(Date.now(), "You are here as ", nameOf(name));
  me = name;
  showPeople(people = message.people, me);
  // These may have arrived before the connection was lost. The server ignores the second of two with
  // the same id.
  for (const id of pending.keys()) send(id);
}

/** Shows a message of the server once, in the server's order. */
function confirm(entry) {
  const { id } = entry;
  if (shown.has(id) && !pending.has(id)) return;
  pending.delete(id);
  shown.get(id)?.remove();
  shown.set(id, showEntry(entry, { isOwn: own.has(id) }));
  // The server's history is shorter than this: older ids do not arrive again.
  for (const old of shown.keys()) {
    if (shown.size <= 10 * HISTORY) break;
    shown.delete(old);
  }
}

function say(content) {
  // Not randomUUID(): it is missing if the page came over plain HTTP from another machine.
  const random = crypto.getRandomValues(new Uint8Array(16));
  const id = Array.from(random, (byte) => byte.toString(16).padStart(2, "0")).join("");
  own.add(id);
  sessionStorage.setItem(`own ${room}`, JSON.stringify([...own].slice(-HISTORY)));
  const entry = { id, at: Date.now(), from: me, text: content };
  pending.set(id, content);
  shown.set(id, showEntry(entry, { isOwn: true, isPending: true }));
  send(id);
}

function send(id) {
  link.send(JSON.stringify({ type: "say", id, text: pending.get(id) }));
  const used = link;
  setTimeout(() => {
    if (pending.has(id) && used === link && link.isOpen) link.drop();
  }, ANSWER_TIME);
}

// The composer. Its text is kept until it is sent, across a lost connection and a reload.
const text = byId("text");

function setDraft(draft) {
  text.value = draft;
  fitDraft();
}

function fitDraft() {
  sessionStorage.setItem(`draft ${room}`, text.value);
  text.style.height = "auto";
  text.style.height = `${text.scrollHeight + text.offsetHeight - text.clientHeight}px`;
  const left = text.maxLength - text.value.length;
  byId("hint-keys").hidden = left <= 200;
  byId("hint-left").textContent = left <= 200 ? `${left} characters left` : "";
}

text.addEventListener("input", fitDraft);
text.addEventListener("keydown", (event) => {
  // While an input method composes, Enter accepts its suggestion.
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  byId("composer").requestSubmit();
});
byId("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  const content = text.value.trim();
  text.focus();
  if (content === "" || !link?.isOpen || me === "") return;
  say(content);
  setDraft("");
});

// The name of the user.
const join = byId("join");

function askName() {
  byId("name").value = localStorage.getItem("name") ?? "";
  join.showModal();
  byId("name").select();
}

byId("join-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const wanted = byId("name").value.trim();
  localStorage.setItem("name", wanted);
  join.close();
  connect(wanted);
  text.focus();
});
// The dialog cannot be cancelled before the first connection.
join.addEventListener("cancel", (event) => link === undefined && event.preventDefault());
byId("rename").addEventListener("click", askName);

// The room.
function setUnread(count) {
  unread = count;
  document.title = `${count > 0 ? `(${count}) ` : ""}${room} · Sluice chat`;
}

async function copyLink() {
  try {
    await navigator.clipboard.writeText(location.href);
  } catch {
    // No clipboard without HTTPS: show the link, to be copied by hand.
    prompt("The link to this room", location.href);
    return;
  }
  byId("copy-text").textContent = "Copied";
  setTimeout(() => byId("copy-text").textContent = "Copy link", 2_000);
}

byId("copy").addEventListener("click", copyLink);
byId("panel-toggle").addEventListener("click", ({ currentTarget }) => {
  const isOpen = byId("panel").classList.toggle("open");
  currentTarget.setAttribute("aria-expanded", isOpen);
});
byId("go").addEventListener("submit", (event) => {
  event.preventDefault();
  const name = byId("go-room").value.trim();
  if (name !== "") location.href = `/r/${encodeURIComponent(name)}`;
});

byId("retry").addEventListener("click", () => link.start());
document.addEventListener("visibilitychange", () => document.hidden || setUnread(0));

byId("room").textContent = byId("join-room").textContent = room;
setUnread(0);
setDraft(sessionStorage.getItem(`draft ${room}`) ?? "");
scrollToEnd();
const name = localStorage.getItem("name");
if (name === null) askName();
else connect(name);
