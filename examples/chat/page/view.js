/** What the page shows. Whatever people wrote goes in as `textContent`, never as markup. */

/** How many lines the page keeps; the oldest go first. */
const MAX_LINES = 500;
/** Messages of one person within this time stand under one name, in milliseconds. */
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

/** An element with a class, attributes or properties, and children: elements, or text. */
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

/** A person's initial on a colour of their own, always the same. */
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
// A keyboard that slides in, or a composer that grows, must not hide the last message.
let wasAtEnd = true;
log.addEventListener("scroll", () => wasAtEnd = isAtEnd());
new ResizeObserver(() => wasAtEnd && scrollToEnd()).observe(log);
newest.addEventListener("click", scrollToEnd);

/** Appends a line. Who reads further up is not torn away, but told. */
function append(line, { follow = false } = {}) {
  const followed = follow || isAtEnd();
  lines.append(line);
  while (lines.children.length > MAX_LINES) lines.firstElementChild.remove();
  if (followed) scrollToEnd();
  else newest.hidden = false;
}

/** A line about the room: who came, who went. */
export function showNotice(at, ...children) {
  append(element("li", "notice", {}, ...children, " ", timeOf(at)));
}

/** A name within a notice; isolated, so that its direction of writing stays its own. */
export const nameOf = (name) => element("bdi", "", {}, name);

/** Shows a message. One that is not confirmed yet is own, and has no time. */
export function showEntry({ id, at, from, text }, { isOwn, isPending = false }) {
  const who = element("p", "who", {}, nameOf(isOwn ? "You" : from));
  who.append(" ", isPending ? element("span", "sending", {}, "sending") : timeOf(at));
  const line = element("li", "entry", {}, avatar(from), who, element("p", "text", {}, text));
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

/** Shows who is here. */
export function showPeople(people, me) {
  byId("people").replaceChildren(...people.map((name) => {
    const item = element("li", "", {}, avatar(name), nameOf(name));
    if (name === me) item.append(element("span", "quiet", {}, " you"));
    return item;
  }));
  for (const node of document.querySelectorAll(".count")) node.textContent = people.length;
}

let countdown;

/** Shows the state of the connection: what `Link` tells, or "idle". */
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
