import { openFeed } from "../../dashboard/page/feed.js";

const { broker, ports } = await (await fetch("/nodes")).json();

function element(name, text, parent) {
  const made = document.createElement(name);
  made.textContent = text;
  parent.append(made);
  return made;
}

for (const name of ["broker", ...Object.keys(ports)]) {
  const button = element(
    "button",
    `Kill ${name === "broker" ? broker : name}`,
    document.querySelector("#buttons"),
  );
  button.onclick = () => fetch(`/kill/${encodeURIComponent(name)}`, { method: "POST" });
}

for (const [name, port] of Object.entries(ports)) {
  const section = element("section", "", document.querySelector("#nodes"));
  element("h2", `A client of ${name}`, section);
  const status = element("p", "connecting", section);
  const sums = element("p", "no ticks yet", section);
  const log = element("ol", "", section);
  const received = {};
  let lost = 0;

  const say = (text) => {
    element("li", text, log);
    if (log.children.length > 12) log.firstChild.remove();
  };
  openFeed(`ws://${location.hostname}:${port}/`, ["ticks", "news"], (event) => {
    if (event.closed) status.textContent = "connecting again";
    else if ("gap" in event) {
      lost += event.count ?? 0;
      say(`${event.count ?? "Some"} ticks were lost`);
    } else if (event.control) {
      status.textContent = "connected";
      if (event.topic === "news" && event.recovered) say("No news was missed");
    } else if (event.topic === "ticks") {
      const [from] = event.data.split(":");
      received[from] = (received[from] ?? 0) + 1;
    } else say(event.data);
    const counts = Object.entries(received).map(([from, count]) => `${count} ticks of ${from}`);
    if (counts.length > 0) sums.textContent = `${counts.sort().join(", ")}, ${lost} lost`;
  });
}
