// Shows the events so far, and those that the WebSocket reports.
const status = document.querySelector("#status");
const list = document.querySelector("#events");
const empty = document.querySelector("#empty");

/** Adds an event at the top. */
function show({ title, at }) {
  const time = document.createElement("time");
  time.dateTime = new Date(at).toISOString();
  time.textContent = new Date(at).toLocaleTimeString();
  const item = document.createElement("li");
  item.append(time, ` ${title}`);
  list.prepend(item);
  empty.hidden = true;
}

/** Opens the feed, again a second or more after it has been lost. */
function open(delay = 1000) {
  const socket = new WebSocket(`${location.origin.replace("http", "ws")}/feed`);
  socket.onmessage = ({ data }) => {
    const { user, events, ...event } = JSON.parse(data);
    if (user === undefined) return show(event);
    delay = 1000;
    status.textContent = `Connected as ${user}`;
    list.replaceChildren();
    empty.hidden = events.length > 0;
    for (const each of events) show(each);
  };
  socket.onclose = ({ code }) => {
    if (code === 4001) return location.reload();
    status.textContent = "Disconnected";
    setTimeout(open, delay, Math.min(2 * delay, 30_000));
  };
}

open();
