/** The view of the page. Text of users is inserted as `textContent`, never as markup. */

/** The number of lines that the page keeps. The oldest are removed first. */
const MAX_LINES = 500;
/** Messages of one person within this time are grouped, in milliseconds. */
const TOGETHER = 5 * 60_000;

const time = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });
const dayAndTime = new Intl.DateTimeFormat(undefined, {
  day: "numeric",
  month: "short",
  hour: "numeric",
  minute: "2-digit",
});
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });

export const byId = (id) => document.getElementById(id);

/** Creates an element with a class, properties, and children: elements or text. */
function element(tag, className, properties = {}, ...children) {
  const node = document.createElement(tag);
  node.className = className;
  Object.assign(node, properties);
  node.append(...children);
  return node;
}

function timeOf(at) {
  const date = new Date(at);
  const isToday = date.toDateString() === new Date().toDateString();
  const text = (isToday ? time : dayAndTime).format(date);
  return element("time", "", { dateTime: date.toISOString(), title: full.format(date) }, text);
}

/** Creates a person's initial on a colour that depends on the name. */
function avatar(name) {
  let hash = 0;
  for (const character of name) hash = (hash * 31 + character.codePointAt(0)) % 360;
  const node = element("span", "avatar", { ariaHidden: "true" }, [...name][0].toUpperCase());
  node.style.setProperty("--hue", hash);
  return node;
}

const log = byId("log");
const lines = byId("entries");
const newest = byId("newest");

const isAtEnd = () => log.scrollHeight - log.scrollTop - log.clientHeight < 60;

export function scrollToEnd() {
  log.scrollTop = log.scrollHeight;
  newest.hidden = true;
}

log.addEventListener("scroll", () => newest.hidden ||= isAtEnd());
// An on-screen keyboard or a growing composer must not hide the last message.
let wasAtEnd = true;
log.addEventListener("scroll", () => wasAtEnd = isAtEnd());
new ResizeObserver(() => wasAtEnd && scrollToEnd()).observe(log);
newest.addEventListener("click", scrollToEnd);

/** Appends a line. If the user has scrolled up, shows a notice instead of scrolling down. */
function append(line, { follow = false } = {}) {
  const followed = follow || isAtEnd();
  lines.append(line);
  while (lines.children.length > MAX_LINES) lines.firstElementChild.remove();
  if (followed) scrollToEnd();
  else newest.hidden = false;
}

/** Shows a notice about the room: a member joined or left. */
export function showNotice(at, ...children) {
  append(element("li", "notice", {}, ...children, " ", timeOf(at)));
}

/** Creates a name within a notice, isolated so that its direction of writing does not spread. */
export const nameOf = (name) => element("bdi", "", {}, name);

/** An address in a text. Punctuation after it is not part of it. */
const ADDRESS = /https?:\/\/[^\s<>"]*[^\s<>"'.,;:!?()[\]{}]/g;

/** Splits a text into text and links. Only the schemes http and https make a link. */
function withLinks(text) {
  const parts = [];
  let end = 0;
  for (const { 0: address, index } of text.matchAll(ADDRESS)) {
    if (!URL.canParse(address)) continue;
    const properties = { href: address, target: "_blank", rel: "noopener noreferrer nofollow" };
    parts.push(text.slice(end, index), element("a", "", properties, address));
    end = index + address.length;
  }
  return [...parts, text.slice(end)];
}

/** Shows a message. An unconfirmed one is the user's own and has no time yet. */
export function showEntry({ id, at, from, text }, { isOwn, isPending = false }) {
  const who = element("p", "who", {}, nameOf(isOwn ? "You" : from));
  who.append(" ", isPending ? element("span", "sending", {}, "sending") : timeOf(at));
  const line = element(
    "li",
    "entry",
    {},
    avatar(from),
    who,
    element("p", "text", {}, ...withLinks(text)),
  );
  line.classList.toggle("own", isOwn);
  line.classList.toggle("pending", isPending);
  line.dataset.id = id;
  line.dataset.from = from;
  line.dataset.at = at;
  const { dataset: previous } = lines.lastElementChild ?? { dataset: {} };
  const isNext = previous.from === from && at - previous.at < TOGETHER;
  line.classList.toggle("next", isNext);
  byId("empty").hidden = true;
  append(line, { follow: isOwn });
  return line;
}

/** Shows the members. */
export function showPeople(people, me) {
  byId("people").replaceChildren(...people.map((name) => {
    const item = element("li", "", {}, avatar(name), nameOf(name));
    if (name === me) item.append(element("span", "quiet", {}, " you"));
    return item;
  }));
  for (const node of document.querySelectorAll(".count")) node.textContent = people.length;
}

let countdown;

/** Shows the state of the connection: a state of `Link`, or "idle". */
export function showState({ name, until, reason }) {
  clearInterval(countdown);
  byId("state").dataset.state = name;
  byId("state-text").textContent = {
    idle: "Not connected",
    connecting: "Connecting…",
    open: "Connected",
    waiting: "Connection lost,",
    closed: `Closed: ${reason}`,
  }[name];
  byId("state-wait").textContent = "";
  byId("retry").hidden = name !== "waiting" && name !== "closed";
  byId("send").setAttribute("aria-disabled", name !== "open");
  if (name !== "waiting") return;
  const tick = () => {
    const seconds = Math.max(1, Math.ceil((until - Date.now()) / 1000));
    byId("state-wait").textContent = `retrying in ${seconds} s`;
  };
  tick();
  countdown = setInterval(tick, 500);
}
