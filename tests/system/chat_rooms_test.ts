// Parts of the chat example: its rooms, and the delays of its page.
import {
  BadMessage,
  cleanName,
  MAX,
  parseClientMessage,
  Room,
  Rooms,
} from "../../examples/chat/chat.ts";
import { assert, assertEquals, assertThrows, test } from "../harness.ts";

const said = (id: string, text = "Hello") => ({ id, text });

test("cleanName gives one line without control characters", () => {
  assertEquals(cleanName("  Ann \t\n\0 Lee ", 32), "Ann Lee");
  assertEquals(cleanName("e\u0301", 32), "\u00e9");
  assertEquals(cleanName("日本 🙂", 32), "日本 🙂");
});

test("cleanName refuses a name that is empty, invisible or too long", () => {
  for (const name of ["", "  ", "\0", "\u200b\u200d", "a".repeat(33)]) {
    assertEquals(cleanName(name, 32), undefined);
  }
  assertEquals(cleanName("a".repeat(32), 32), "a".repeat(32));
});

test("Rooms makes a room for its first member and deletes it with its last", () => {
  const rooms = new Rooms<string>();
  const ann = rooms.join("lobby", "Ann", "a");
  const bob = rooms.join("lobby", "Bob", "b");
  const eve = rooms.join("attic", "Eve", "e");
  assert(ann.room === bob.room && ann.room !== eve.room);
  assertEquals(rooms.size, 2);
  assertEquals(ann.room.people, ["Ann", "Bob"]);
  assertEquals(ann.room.members, ["a", "b"]);
  assertEquals(rooms.leave(ann.room, "Ann"), true);
  assertEquals(rooms.leave(ann.room, "Ann"), false);
  assertEquals(bob.room.people, ["Bob"]);
  assertEquals(rooms.size, 2);
  rooms.leave(bob.room, "Bob");
  assertEquals(rooms.size, 1);
});

test("Rooms forgets what was said in a room that was empty", () => {
  const rooms = new Rooms<string>();
  const { room } = rooms.join("lobby", "Ann", "a");
  room.say("Ann", said("1"), 0);
  rooms.leave(room, "Ann");
  assertEquals(rooms.join("lobby", "Ann", "a").room.history, []);
});

test("Room gives a name that is taken a suffix, whatever its case", () => {
  const room = new Room<number>("lobby");
  assertEquals([1, 2, 3].map((n) => room.join("Ann", n)), ["Ann", "Ann (2)", "Ann (3)"]);
  assertEquals(room.join("ann", 4), "ann (4)");
  room.leave("Ann (2)");
  assertEquals(room.members, [1, 3, 4]);
  assertEquals(room.join("Ann", 5), "Ann (2)");
});

test("Room keeps a name with a suffix within its bound, and its characters whole", () => {
  const room = new Room<number>("lobby");
  for (const name of ["a".repeat(MAX.name), "\u{1f642}".repeat(MAX.name / 2)]) {
    assertEquals(room.join(name, 1), name);
    const second = room.join(name, 2);
    assert(second.endsWith(" (2)") && second.length <= MAX.name && second.isWellFormed(), second);
  }
});

test("Room notes who said what, and when", () => {
  const room = new Room<number>("lobby");
  const entry = { id: "1", at: 17, from: "Ann", text: "Hello" };
  assertEquals(room.say("Ann", said("1"), 17), entry);
  assertEquals(room.history, [entry]);
});

test("Room keeps the last 50 messages", () => {
  const room = new Room<number>("lobby");
  for (let n = 1; n <= 52; n++) room.say("Ann", said(`${n}`), n);
  assertEquals(room.history.length, 50);
  assertEquals(room.history[0]?.id, "3");
  assertEquals(room.history.at(-1)?.id, "52");
});

test("Room notes a message that is sent again once", () => {
  const room = new Room<number>("lobby");
  room.say("Ann", said("1"), 1);
  assertEquals(room.say("Ann (2)", said("1"), 2), undefined);
  assertEquals(room.history.length, 1);
});

test("parseClientMessage reads a message up to its bounds", () => {
  const message = { type: "say", id: "i".repeat(64), text: "t".repeat(2000) };
  assertEquals(parseClientMessage(JSON.stringify(message)) as unknown, message);
  assertEquals(parseClientMessage('{"type":"say","id":"1","text":" Hi\\n"}').text, "Hi");
});

const bad: [string, string][] = [
  ["text that is not JSON", "{"],
  ["null", "null"],
  ["a number", "1"],
  ["an unknown type", '{"type":"shout","id":"1","text":"Hi"}'],
  ["no id", '{"type":"say","text":"Hi"}'],
  ["a long id", `{"type":"say","id":"${"i".repeat(65)}","text":"Hi"}`],
  ["no text", '{"type":"say","id":"1"}'],
  ["an empty text", '{"type":"say","id":"1","text":" "}'],
  ["a long text", `{"type":"say","id":"1","text":"${"t".repeat(2001)}"}`],
];

for (const [what, json] of bad) {
  test(`parseClientMessage refuses ${what}`, () => {
    assertThrows(() => parseClientMessage(json), BadMessage);
  });
}
