// An honest client in a process of its own: `honest_main.ts PORT`. Sends a message, waits for its echo
// and for a pause, and repeats. For each line on stdin it prints its measurements since the last one.
import process from "node:process";
import { createInterface } from "node:readline";
import { pause } from "./attack.ts";
import { Attacker } from "./attacker.ts";
import { frame } from "../../support/frames.ts";

/** How long it waits after an echo, in milliseconds. */
const PAUSE = 2;

const port = Number(process.argv.at(-1));
const message = frame({ opcode: 1, payload: "still there?" });
let times: number[] = [];
let sentAt = 0;

function report(): void {
  // An echo that is still missing counts, with the time so far.
  const all = [...times, performance.now() - sentAt].sort((a, b) => a - b);
  const at = (part: number) => all[Math.min(all.length - 1, Math.floor(all.length * part))]!;
  console.log(JSON.stringify({ count: times.length, p50: at(0.5), p99: at(0.99), max: at(1) }));
  times = [];
}

createInterface({ input: process.stdin }).on("line", report).on("close", () => process.exit(0));

const tally = { sent: 0 };
const peer = await Attacker.open(port, tally);
console.log(JSON.stringify("open"));
while (!peer.isGone) {
  const { messages } = peer.reader;
  sentAt = performance.now();
  peer.write(message);
  await peer.until(() => peer.reader.messages > messages || peer.isGone, 60_000);
  times.push(performance.now() - sentAt);
  await pause(PAUSE);
}
console.error("The honest client has lost its connection");
process.exit(1);
