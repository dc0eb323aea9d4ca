import { show } from "../../src/util/options.ts";
import { DEFAULT_LIMITS, resolveLimits } from "../../src/connection/limits.ts";
import type { Limits } from "../../src/connection/limits.ts";
import { assert, assertEquals, assertThrows, test } from "../harness.ts";

const defaults: Limits = {
  maxMessageSize: 1_048_576,
  maxFragments: 1024,
  outgoingHighWaterMark: 65_536,
  maxBufferedAmount: 16_777_216,
  incomingHighWaterMark: 65_536,
  incomingMaxMessages: 16,
  maxConnectionMemory: 33_554_432,
  maxHeadSize: 16_384,
  maxHeaders: 100,
  handshakeTimeout: 10_000,
  maxBodySize: 16 * 1024 * 1024,
  bodyTimeout: 30_000,
  keepAliveTimeout: 65_000,
  closeTimeout: 5_000,
  pingInterval: 30_000,
  pongTimeout: 20_000,
  maxControlFrames: 1_000,
  messageRate: Infinity,
  burst: Infinity,
  byteRate: Infinity,
};
/** What a connection's memory has to fit. */
const RAISES = new Set(["maxMessageSize", "maxBufferedAmount", "incomingHighWaterMark"]);
const names = Object.keys(defaults) as (keyof Limits)[];

test("DEFAULT_LIMITS are the documented ones, and frozen", () => {
  assertEquals({ ...DEFAULT_LIMITS }, defaults);
  assert(Object.isFrozen(DEFAULT_LIMITS));
});

test("resolveLimits fills every gap with the default", () => {
  assertEquals(resolveLimits(), defaults);
  assertEquals(resolveLimits({}), defaults);
});

/** The limits that count something. */
const COUNTS: ReadonlySet<string> = new Set([
  "maxFragments",
  "incomingMaxMessages",
  "maxHeaders",
  "maxControlFrames",
]);

for (const name of names) {
  test(`resolveLimits takes ${name}, Infinity too, and leaves the others`, () => {
    const burst = name === "messageRate" && { burst: 7 };
    assertEquals(resolveLimits({ [name]: 7 }), { ...defaults, ...burst, [name]: 7 });
    const raised = {
      ...(RAISES.has(name) && { maxConnectionMemory: Infinity }),
      ...(name === "maxMessageSize" && { maxFragments: Infinity }),
    };
    assertEquals(resolveLimits({ [name]: Infinity }), {
      ...defaults,
      [name]: Infinity,
      ...raised,
    });
    assertEquals(resolveLimits({ [name]: undefined } as Partial<Limits>), defaults);
  });

  const isCount = COUNTS.has(name);
  test(`resolveLimits refuses a ${name} that is ${isCount ? "no integer" : "not"} above 0`, () => {
    for (const value of [0, -1, NaN, "7", null, 7n, ...(isCount ? [1.5, 0.5] : [])]) {
      assertThrows(
        () => resolveLimits({ [name]: value } as Partial<Limits>),
        RangeError,
        `Cannot use limit ${name}: expected ${isCount ? "an integer" : "a number"} above 0, got ${
          show(value)
        }`,
      );
    }
  });
}

test("resolveLimits refuses what is no limit", () => {
  const limits = { other: 1 } as Partial<Limits>;
  assertThrows(() => resolveLimits(limits), TypeError, "option other of limits: unknown");
});

test("resolveLimits raises maxConnectionMemory for what the others allow, and lowers it never", () => {
  const MIB = 1024 * 1024;
  for (const name of RAISES) {
    const { maxConnectionMemory } = resolveLimits({ [name]: 300 * MIB });
    assert(maxConnectionMemory >= 400 * MIB || name === "incomingHighWaterMark");
    assert(maxConnectionMemory >= 300 * MIB && maxConnectionMemory < 1300 * MIB);
    assertEquals(resolveLimits({ [name]: 1 }).maxConnectionMemory, 32 * MIB);
    assertEquals(
      resolveLimits({ [name]: 300 * MIB, maxConnectionMemory: MIB }).maxConnectionMemory,
      MIB,
      "what is said, holds",
    );
  }
});

test("resolveLimits lets the default of maxFragments grow with maxMessageSize", () => {
  const fragments = (limits: Partial<Limits>) => resolveLimits(limits).maxFragments;
  assertEquals(fragments({ maxMessageSize: 1000 }), 1024);
  assertEquals(fragments({ maxMessageSize: 1024 * 1024 + 1 }), 1025);
  assertEquals(fragments({ maxMessageSize: 8 * 1024 * 1024 }), 8192);
  assertEquals(fragments({ maxMessageSize: Infinity, maxFragments: 7 }), 7);
});
