// The game example: its rules, its binary messages, and its server as a process.
import { encodeSnapshot, FIELD, Game, Key, MAX_PLAYERS, TICKS } from "../../examples/game/game.ts";
import { connect } from "../../mod.ts";
import type { WebSocketConnection } from "../../mod.ts";
import { signal, startExample } from "./example_process.ts";
import { assert, assertEquals, deadline, onTestEnd, test } from "../harness.ts";

/** Numbers that place everything in the middle of the field. */
const middle = () => 0.5;

test("a player moves with its keys, equally fast in each direction, and stays in the field", () => {
  const game = new Game(middle);
  const player = game.join("ann")!;
  const { x, y } = player;
  game.press(player, Key.Left);
  for (let i = 0; i < TICKS; i++) game.step();
  assertEquals([Math.round(x - player.x), player.y], [420, y]);
  game.press(player, Key.Left | Key.Down | Key.Up);
  for (let i = 0; i < 10 * TICKS; i++) game.step();
  assertEquals([player.x, player.y], [28, y]);
  game.press(player, Key.Right | Key.Down);
  game.step();
  const moved = Math.hypot(player.x - 28, player.y - y);
  assertEquals(Math.round(moved * TICKS), 420);
  for (let i = 0; i < 10 * TICKS; i++) game.step();
  assertEquals([player.x, player.y], [FIELD.width - 28, FIELD.height - 28]);
});

test("a player that reaches a coin scores, and the coin appears elsewhere", () => {
  let place = 0;
  const game = new Game(() => place);
  place = 1;
  const player = game.join("ann")!;
  const count = game.coins.length;
  game.step();
  assertEquals(player.score, 0);
  place = 0;
  Object.assign(player, game.coins[0]);
  place = 1;
  game.step();
  assertEquals([player.score, game.coins.length], [count, count]);
  assert(game.coins.every(({ x }) => x > FIELD.width / 2));
});

test("a game has ids for a limited number of players, and uses those of players that have left", () => {
  const game = new Game();
  for (let id = 1; id <= MAX_PLAYERS; id++) assertEquals(game.join("one")?.id, id);
  assertEquals(game.join("one too many"), undefined);
  game.players.delete(7);
  assertEquals(game.join("the next one")?.id, 7);
});

test("a player is idle when its keys have not changed for a time", () => {
  const game = new Game();
  const [ann, bob] = [game.join("ann")!, game.join("bob")!];
  for (let i = 0; i <= 2 * TICKS; i++) game.step();
  game.press(bob, Key.Up);
  assertEquals(game.idle(2), [ann]);
});

/** A player on the server of the example, and the messages that it gets. */
class Guest {
  constructor(readonly socket: WebSocketConnection) {
    onTestEnd(async () => void await socket.close());
  }

  /** Reads up to a message for which `find` returns a value. */
  async until<T>(find: (message: string | Uint8Array) => T | undefined, what: string): Promise<T> {
    const read = async () => {
      for await (const message of this.socket) {
        const found = find(message);
        if (found !== undefined) return found;
      }
      throw new Error(`The game has ended before ${what}`);
    };
    return await deadline(read(), 10_000, what);
  }

  roster(players: number): Promise<{ you: number; host: number }> {
    return this.until((message) => {
      const roster = typeof message === "string" ? JSON.parse(message) : undefined;
      return roster?.players.length === players ? roster : undefined;
    }, "the roster");
  }
}

test("the game's server sends snapshots and round trips, moves players, and removes them by code", async () => {
  const example = await startExample("game/main.ts");
  const join = async (name: string) =>
    new Guest(await connect(`ws://127.0.0.1:${example.port}/?name=${name}`));
  const ann = await join("ann");
  const { you } = await ann.roster(1);
  const bob = await join("bob");
  const { host, you: bobId } = await bob.roster(2);
  assertEquals(host, you);

  const isBytes = (message: string | Uint8Array) => typeof message !== "string";
  const xOf = (message: string | Uint8Array, id: number) => {
    if (!isBytes(message) || message[0] !== 0) return undefined;
    const bytes = message as Uint8Array;
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    for (let n = 0, at = 2; n < bytes[1]!; n++, at += 7) {
      if (bytes[at] === id) return view.getUint16(at + 1);
    }
    return undefined;
  };
  const before = await ann.until((message) => xOf(message, you), "a snapshot");
  ann.socket.send(Uint8Array.of(0, before > FIELD.width / 2 ? Key.Left : Key.Right));
  await ann.until((message) => {
    const x = xOf(message, you);
    return x !== undefined && Math.abs(x - before) > 20 ? true : undefined;
  }, "a move");
  await ann.until((message) => isBytes(message) && message[0] === 1 ? true : undefined, "a ping");

  // A guest can't remove the host, and the host can remove a guest.
  bob.socket.send(Uint8Array.of(1, you));
  ann.socket.send(Uint8Array.of(1, bobId));
  await ann.roster(1);
  const closed = await deadline(bob.socket.closed, 5000, "the close");
  assertEquals([closed.closeCode, closed.reason], [4001, "ann has removed you"]);
  const odd = await join("odd");
  odd.socket.send("text");
  assertEquals((await deadline(odd.socket.closed, 5000, "the close")).closeCode, 4004);

  signal(example, "SIGTERM");
  assertEquals((await deadline(ann.socket.closed, 5000, "the close")).closeCode, 1001);
  const { code, stderr } = await deadline(example.child.exited, 5000, "the end of the game");
  assertEquals([code, stderr], [0, ""]);
});

test("a snapshot has seven bytes for each player and four for each coin", () => {
  const game = new Game(middle);
  const player = game.join("ann")!;
  player.score = 258;
  const bytes = encodeSnapshot(game);
  assertEquals(bytes.length, 2 + 7 + 4 * game.coins.length);
  assertEquals([...bytes.subarray(0, 9)], [
    0,
    1,
    1,
    800 >> 8,
    800 & 255,
    450 >> 8,
    450 & 255,
    1,
    2,
  ]);
});
