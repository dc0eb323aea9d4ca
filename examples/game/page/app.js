/** The game's page: sends the keys, and draws the newest snapshot of the server. */
import { ReconnectingWebSocket } from "../../../src/browser/mod.ts";

const byId = (id) => document.getElementById(id);
const canvas = byId("field");
const context = canvas.getContext("2d");
const KEYS = {
  ArrowUp: 1,
  KeyW: 1,
  ArrowDown: 2,
  KeyS: 2,
  ArrowLeft: 4,
  KeyA: 4,
  ArrowRight: 8,
  KeyD: 8,
};

let socket;
/** The players by id, each with its name and its score. */
let players = new Map();
let you = 0;
let host = 0;
/** The newest positions: of players with an id, and of coins. */
let drawn = { players: [], coins: [] };
let keys = 0;

const colorOf = (id) => `hsl(${(id * 137) % 360} 65% 50%)`;

async function play(name) {
  socket = new ReconnectingWebSocket(`/?name=${encodeURIComponent(name)}`, {
    initialDelay: 300,
    // The codes of the game say that this player can't go on.
    isFinal: ({ closeCode }) => closeCode === 1000 || closeCode >= 4000,
  });
  byId("state").textContent = "Connecting…";
  for await (const event of socket) {
    if (event.type === "open") {
      byId("state").textContent = "Connected";
      sendKeys(0);
    } else if (event.type === "close") {
      lost(event);
    } else if (typeof event.data === "string") {
      showRoster(JSON.parse(event.data));
    } else {
      receive(event.data);
    }
  }
}

function receive(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint8(0) === 1) {
    byId("ping").textContent = `· ${view.getUint16(1)} ms`;
    return;
  }
  const next = { players: [], coins: [] };
  let at = 2;
  for (let count = view.getUint8(1); count > 0; count--, at += 7) {
    const [id, x, y] = [view.getUint8(at), view.getUint16(at + 1), view.getUint16(at + 3)];
    next.players.push({ id, x, y });
    showScore(id, view.getUint16(at + 5));
  }
  for (; at < bytes.length; at += 4) {
    next.coins.push({ x: view.getUint16(at), y: view.getUint16(at + 2) });
  }
  drawn = next;
}

function lost({ info, retryIn }) {
  drawn = { players: [], coins: [] };
  byId("ping").textContent = "";
  byId("players").replaceChildren();
  if (retryIn !== undefined) {
    byId("state").textContent = "Connection lost, connecting again…";
    return;
  }
  byId("state").textContent = "Not connected";
  askName(info.reason || `The connection has ended with code ${info.closeCode}`);
}

function showRoster(roster) {
  ({ you, host } = roster);
  const scores = players;
  players = new Map(roster.players.map(({ id, name }) => {
    return [id, { name, score: scores.get(id)?.score ?? 0 }];
  }));
  byId("players").replaceChildren(...Array.from(players, ([id, { name, score }]) => {
    const item = document.createElement("li");
    item.dataset.id = id;
    const dot = document.createElement("span");
    dot.className = "dot";
    // A style attribute is not allowed by the page's policy, but this is.
    dot.style.background = colorOf(id);
    const text = document.createElement("span");
    text.className = id === you ? "name you" : "name";
    text.textContent = `${name}${id === host ? " (host)" : ""}`;
    const points = document.createElement("span");
    points.className = "score";
    points.textContent = score;
    item.append(dot, text, points);
    if (you === host && id !== you) {
      const button = document.createElement("button");
      button.textContent = "Remove";
      button.setAttribute("aria-label", `Remove ${name}`);
      button.onclick = () => void socket.send(Uint8Array.of(1, id));
      item.append(button);
    }
    return item;
  }));
}

function showScore(id, score) {
  const player = players.get(id);
  if (player === undefined || player.score === score) return;
  player.score = score;
  byId("players").querySelector(`[data-id="${id}"] .score`).textContent = score;
}

function sendKeys(next) {
  keys = next;
  void socket?.connection?.send(Uint8Array.of(0, keys));
}

function change(code, isDown) {
  const bit = KEYS[code];
  const next = isDown ? keys | bit : keys & ~bit;
  if (bit !== undefined && next !== keys) sendKeys(next);
}

addEventListener("keydown", (event) => {
  if (KEYS[event.code] === undefined || byId("join").open) return;
  event.preventDefault();
  change(event.code, true);
});
addEventListener("keyup", (event) => change(event.code, false));
addEventListener("blur", () => keys !== 0 && sendKeys(0));

// Dragging moves the player towards the pointer.
function follow({ offsetX, offsetY }) {
  const own = drawn.players.find(({ id }) => id === you);
  if (own === undefined) return;
  const scale = canvas.width / canvas.clientWidth;
  const [dx, dy] = [offsetX * scale - own.x, offsetY * scale - own.y];
  const next = (dy < -20 ? 1 : 0) | (dy > 20 ? 2 : 0) | (dx < -20 ? 4 : 0) | (dx > 20 ? 8 : 0);
  if (next !== keys) sendKeys(next);
}
let pointer;
canvas.addEventListener("pointerdown", (event) => {
  canvas.setPointerCapture(event.pointerId);
  pointer = event;
});
canvas.addEventListener("pointermove", (event) => pointer &&= event);
for (const end of ["pointerup", "pointercancel"]) {
  canvas.addEventListener(end, () => {
    pointer = undefined;
    sendKeys(0);
  });
}

function draw() {
  if (pointer !== undefined) follow(pointer);
  const style = getComputedStyle(document.documentElement);
  // The size of a CSS pixel, in units of the field.
  const scale = canvas.width / canvas.clientWidth;
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.fillStyle = style.getPropertyValue("--coin");
  for (const { x, y } of drawn.coins) disc(x, y, 12);
  for (const { id, x, y } of drawn.players) {
    context.fillStyle = colorOf(id);
    disc(x, y, 28);
    context.fillStyle = style.getPropertyValue("--text");
    context.font = `${14 * scale}px system-ui`;
    context.textAlign = "center";
    const name = players.get(id)?.name ?? "";
    // Within the field, at its edges too.
    const half = context.measureText(name).width / 2 + 8;
    const center = Math.min(Math.max(x, half), canvas.width - half);
    context.fillText(name, center, y < 60 + 14 * scale ? y + 36 + 14 * scale : y - 38);
  }
  requestAnimationFrame(draw);
}

function disc(x, y, radius) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fill();
}

function askName(reason) {
  byId("ended").hidden = reason === undefined;
  byId("ended").textContent = reason ?? "";
  byId("name").value ||= localStorage.getItem("game name") ?? "";
  byId("join").showModal();
}
byId("join").addEventListener("cancel", (event) => event.preventDefault());
byId("join-form").addEventListener("submit", () => {
  const name = byId("name").value.trim();
  localStorage.setItem("game name", name);
  void play(name);
});

askName();
draw();
