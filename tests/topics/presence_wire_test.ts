import { decodePresence } from "../../src/topics/presence_wire.ts";
import { assertEquals, test } from "../harness.ts";

test("decodePresence() takes what nodes say", () => {
  const contents = [
    { type: "heartbeat" },
    { type: "bye" },
    { type: "diff", version: 1, set: [["a", { name: "A" }]], left: ["b"] },
    { type: "all", version: 0, set: [["a", null]] },
    { type: "request" },
    { type: "request", to: "b", question: 1 },
    { type: "told", to: "b", question: 1, versions: [["x", 0]], rest: 2 },
    { type: "told", to: "b", versions: [], rest: 0 },
  ];
  for (const content of contents) {
    const message = { node: "a", ...content };
    assertEquals(decodePresence(JSON.stringify(message)), message as never);
  }
});

test("decodePresence() takes no message that lacks a member, or has one of another type", () => {
  const diff = { type: "diff", version: 1, set: [["a", 1]], left: ["b"] };
  const all = { type: "all", version: 1, set: [["a", 1]] };
  const request = { type: "request", to: "b", question: 1 };
  const told = { type: "told", to: "b", question: 1, versions: [["x", 1]], rest: 0 };
  const wrong = [
    { type: "heartbeat", node: 1 },
    { type: "bye", node: undefined },
    { type: "other" },
    { type: undefined },
    ...[undefined, "1", -1, 2 ** 53].flatMap((
      version,
    ) => [{ ...diff, version }, { ...all, version }]),
    ...[undefined, {}, [1], [[]], [[1, 2]]].flatMap((set) => [{ ...diff, set }, { ...all, set }]),
    ...[undefined, {}, [1]].map((left) => ({ ...diff, left })),
    { ...request, to: 1 },
    { ...told, to: undefined },
    ...["1", null, -1].flatMap((question) => [{ ...request, question }, { ...told, question }]),
    ...[undefined, {}, [1], [["x"]], [["x", -1]], [[1, 1]]].map((versions) => ({
      ...told,
      versions,
    })),
    ...[undefined, "0", -1].map((rest) => ({ ...told, rest })),
  ];
  for (const content of wrong) {
    const text = JSON.stringify({ node: "a", ...content });
    assertEquals(decodePresence(text), undefined, text);
  }
  for (const text of ["", "{", "null", "1", "[]", "{}"]) {
    assertEquals(decodePresence(text), undefined, text);
  }
  assertEquals(decodePresence(new Uint8Array([0x7b])), undefined);
});
