import {
  aBoolean,
  aFunction,
  aListOf,
  anInteger,
  anOptionsObject,
  anything,
  aSignal,
  aString,
  checkCallbacks,
  checkOptions,
  either,
  oneOf,
} from "../../src/util/options.ts";
import type { OptionCheck } from "../../src/util/options.ts";
import { assertEquals, assertThrows, test } from "../harness.ts";

const checks = {
  port: anInteger(0, 65535),
  nested: anOptionsObject({ level: anInteger(1, 9) }),
};

test("checkOptions accepts known options, and undefined for each", () => {
  checkOptions("serve()", {}, checks);
  checkOptions("serve()", { port: 0, nested: { level: 1 } }, checks);
  checkOptions("serve()", { port: undefined, nested: undefined }, checks);
});

const bad: [options: unknown, text: string][] = [
  [undefined, "Cannot use serve(): expected an object of options, got undefined"],
  ["8080", 'Cannot use serve(): expected an object of options, got "8080"'],
  [[], "Cannot use serve(): expected an object of options, got []"],
  [{ Port: 1 }, "Cannot use option Port of serve(): unknown, expected one of port, nested"],
  [{ prot: undefined }, "Cannot use option prot of serve(): unknown"],
  [
    { port: "80" },
    'Cannot use option port of serve(): expected an integer from 0 to 65535, got "80"',
  ],
  [{ nested: 1 }, "Cannot use option nested of serve(): expected an object, got 1"],
  [{ nested: { levle: 1 } }, "Cannot use option levle of nested of serve(): unknown"],
  [
    { nested: { level: 0 } },
    "Cannot use option level of nested of serve(): expected an integer from 1 to 9, got 0",
  ],
];
for (const [options, text] of bad) {
  test(`checkOptions refuses ${JSON.stringify(options) ?? "undefined"}`, () => {
    assertThrows(() => checkOptions("serve()", options, checks), TypeError, text);
  });
}

test("checkOptions checks the value of an inherited option", () => {
  assertThrows(() => checkOptions("serve()", Object.create({ port: -1 }), checks), TypeError);
});

const values: [name: string, check: OptionCheck, good: unknown[], bad: unknown[]][] = [
  ["anything", anything, [null, 0, ""], []],
  ["aBoolean", aBoolean, [true, false], [0, "true", null]],
  ["aFunction", aFunction, [() => {}, class {}], [{}, null, "f"]],
  ["aString", aString, ["a"], ["", 1, null]],
  ["aSignal", aSignal, [new AbortController().signal], [new AbortController(), {}, null, 1]],
  ["anInteger", anInteger(1, 3), [1, 3], [0, 4, 1.5, NaN, "1"]],
  ["oneOf", oneOf("a", "b"), ["a", "b"], ["c", ["a"], 1]],
  ["either", either(aBoolean, oneOf("x")), [true, "x"], ["y", 1]],
  ["aListOf", aListOf("numbers", Number.isInteger), [[], [1]], [1, "1", ["1"], { length: 0 }]],
];
for (const [name, check, good, bad] of values) {
  test(`${name} accepts its values, and says what it expects of others`, () => {
    for (const value of good) assertEquals(check(value, ""), undefined);
    for (const value of bad) assertEquals(typeof check(value, ""), "string");
  });
}

const names = ["open", "message"];

test("checkCallbacks accepts objects and instances with callbacks", () => {
  class Chat {
    rooms = new Map();
    message(): void {}
  }
  for (const callbacks of [{}, { open() {}, message: undefined }, new Chat()]) {
    checkCallbacks("serve()", callbacks, names);
  }
});

const badCallbacks: [what: string, callbacks: object, text: string][] = [
  ["a misspelt callback", { onMessage() {} }, 'unknown callback "onMessage", expected one of open'],
  ["options", { port: 1, message() {} }, 'unknown callback "port"'],
  ["a callback that is no function", { open: 1 }, 'callback "open": expected a function, got 1'],
  ["an instance without callbacks", new (class A {})(), "no callback, expected at least one of"],
  ["an array", [], "no callback"],
];
for (const [what, callbacks, text] of badCallbacks) {
  test(`checkCallbacks refuses ${what}`, () => {
    assertThrows(() => checkCallbacks("serve()", callbacks, names), TypeError, text);
  });
}
