import { openFeed } from "./feed.js";

const rows = new Map();
const table = document.querySelector("#prices");
const status = document.querySelector("#status");
const slow = document.querySelector("#slow");
let updates = 0;

function rowOf(symbol) {
  if (!rows.has(symbol)) {
    const row = document.createElement("li");
    const name = document.createElement("b");
    const price = document.createElement("span");
    name.textContent = symbol;
    row.append(name, price);
    table.append(row);
    rows.set(symbol, { row, price, last: 0 });
  }
  return rows.get(symbol);
}

openFeed(
  `ws${location.protocol.slice(4)}//${location.host}/`,
  ["prices", "slow client"],
  (event) => {
    if (event.closed) status.textContent = "connecting again";
    else if (event.control) status.textContent = "connected";
    else if (event.topic === "prices") {
      const { symbol, price } = JSON.parse(event.data);
      const shown = rowOf(symbol);
      shown.row.className = price < shown.last ? "down" : "up";
      shown.price.textContent = price.toFixed(2);
      shown.last = price;
      updates++;
    } else {
      const { received, missed, age } = JSON.parse(event.data);
      slow.textContent =
        `${received} prices received, ${missed} replaced by newer ones, the last one ${age} ms old`;
    }
  },
);

setInterval(() => {
  document.querySelector("#rate").textContent = `${updates} prices a second`;
  updates = 0;
}, 1000);
