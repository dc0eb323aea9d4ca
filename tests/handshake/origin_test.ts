import { createOriginCheck } from "../../src/handshake/origin.ts";
import type { OriginPolicy } from "../../src/handshake/origin.ts";
import { assert, assertEquals, assertThrows, test } from "../harness.ts";
import { assertLinear, assertRefused } from "./helpers.ts";

function checkOrigin(
  origin: string | null,
  host: string,
  policy?: OriginPolicy,
  isSecure?: boolean,
): void {
  createOriginCheck(policy, isSecure)(origin, host);
}

const ORIGIN = "ERR_HANDSHAKE_ORIGIN";

const MALFORMED = [
  "",
  "example.com",
  "//example.com",
  "http:example.com",
  "http://",
  "http://example.com/",
  "http://example.com/path",
  "http://u@example.com",
  "http://example.com?x",
  "http://example.com#x",
  "http://example.com http://example.com",
  "http://example.com, http://example.com",
  "http://ex\xe4mple.com",
  "http://example.com:99999",
  "NULL",
  "*",
];

test("checkOrigin lets a request without an Origin through", () => {
  checkOrigin(null, "example.com");
  checkOrigin(null, "example.com", []);
});

test("checkOrigin lets the Host's own origin through, aware of case and default ports", () => {
  for (
    const [origin, host] of [
      ["http://example.com", "example.com"],
      ["https://example.com", "example.com"],
      ["https://example.com", "example.com:443"],
      ["http://example.com", "example.com:80"],
      ["http://example.com:80", "example.com"],
      ["http://example.com", "example.com:"],
      ["HTTP://Example.COM", "eXample.com"],
      ["http://localhost:8080", "localhost:8080"],
      ["http://[::1]:3000", "[::1]:3000"],
      ["http://127.0.0.1", "127.0.0.1:80"],
    ]
  ) {
    checkOrigin(origin, host);
  }
});

test("checkOrigin answers 403 to another host or port", () => {
  for (
    const [origin, host] of [
      ["http://evil.example", "example.com"],
      ["http://example.com.evil.example", "example.com"],
      ["http://evilexample.com", "example.com"],
      ["http://sub.example.com", "example.com"],
      ["http://example.com", "sub.example.com"],
      ["http://example.com:8080", "example.com"],
      ["http://example.com", "example.com:8080"],
      ["https://example.com", "example.com:80"],
      ["http://example.com", "example.com:443"],
      ["chrome-extension://example.com", "example.com"],
      ["file://", "example.com"],
      ["null", "example.com"],
      ["null", "null"],
    ]
  ) {
    assertRefused(() => checkOrigin(origin, host), 403, ORIGIN, `"${origin}"`);
  }
});

test("checkOrigin answers 403 to a malformed Origin, without asking the policy", () => {
  for (const origin of MALFORMED) {
    assertRefused(() => checkOrigin(origin, "example.com"), 403, ORIGIN, "serialized origin");
    assertRefused(() => checkOrigin(origin, "example.com", () => true), 403, ORIGIN);
  }
});

test("checkOrigin widens with a list of exact origins, and keeps the Host's own", () => {
  const list = ["https://Example.com:443", "http://app.example:8080", "file://", "null"];
  for (
    const origin of [
      "https://example.com",
      "https://EXAMPLE.com:443",
      "http://app.example:8080",
      "file://",
      "null",
      "http://server",
    ]
  ) {
    checkOrigin(origin, "server", list);
  }
  for (const origin of ["http://example.com", "http://app.example", "https://www.example.com"]) {
    assertRefused(() => checkOrigin(origin, "server", list), 403, ORIGIN);
  }
  checkOrigin("chrome-extension://abcdef", "server", ["chrome-extension://abcdef"]);
  assertRefused(() => checkOrigin("chrome-extension://abcdef", "server", []), 403, ORIGIN);
});

test("checkOrigin widens with a function, which is asked about other origins only", () => {
  const asked: string[] = [];
  const policy = (origin: string) => {
    asked.push(origin);
    return origin.endsWith(".example.com");
  };
  checkOrigin("http://server", "server", policy);
  checkOrigin(null, "server", policy);
  checkOrigin("HTTPS://A.example.com:443", "server", policy);
  assertRefused(() => checkOrigin("https://other.example", "server", policy), 403, ORIGIN);
  assertRefused(() => checkOrigin("null", "server", policy), 403, ORIGIN);
  assertEquals(asked, ["https://a.example.com", "https://other.example", "null"]);
});

test("checkOrigin passes on what the policy throws", () => {
  const policy = () => {
    throw new RangeError("policy");
  };
  assertThrows(() => checkOrigin("http://a", "b", policy), RangeError, "policy");
});

test('checkOrigin looks at nothing when the policy is "*"', () => {
  for (const origin of [null, "http://evil.example", "null", ...MALFORMED]) {
    checkOrigin(origin, "example.com", "*");
  }
});

test("createOriginCheck throws TypeError for an entry that is not an origin", () => {
  for (const entry of MALFORMED) {
    assertThrows(() => createOriginCheck([entry]), TypeError, "expected an origin such as");
  }
});

test("createOriginCheck takes linear time for any Origin", () => {
  const check = createOriginCheck();
  for (const part of ["a", ":", "/", "a:", "http://", "%41", "1.", "["]) {
    assertLinear((size) => {
      try {
        check(`http://${part.repeat(size)}`, "example.com");
      } catch { /* Only the time counts. */ }
    }, 5_000);
  }
});

test("checkOrigin refuses an http page at a server that is reached by TLS", () => {
  for (
    const [origin, host] of [
      ["http://example.com", "example.com"],
      ["http://example.com:443", "example.com"],
      ["ws://example.com", "example.com"],
      ["http://example.com:8443", "example.com:8443"],
      ["https://example.com", "example.com:80"],
    ]
  ) {
    assertRefused(() => checkOrigin(origin, host, [], true), 403, ORIGIN, `"${origin}"`);
  }
  for (
    const [origin, host] of [
      ["https://example.com", "example.com"],
      ["https://example.com:443", "example.com"],
      ["https://example.com", "example.com:443"],
      ["wss://example.com", "example.com"],
      ["https://example.com:8443", "example.com:8443"],
    ]
  ) {
    checkOrigin(origin, host, [], true);
  }
  // A listed origin is allowed, whatever its scheme is.
  checkOrigin("http://example.com", "example.com", ["http://example.com"], true);
  checkOrigin("http://example.com", "example.com", () => true, true);
  checkOrigin("http://example.com", "example.com", "*", true);
});

test("createOriginCheck throws TypeError for a wildcard or a path, and names the entry", () => {
  for (
    const entry of [
      "https://*.example.com",
      "*.example.com",
      "https://*",
      "https://example.com:*",
      "https://example.com/",
      "https://example.com/chat",
      "https://example.com?x",
      "https://EXAMPLE.com/*",
    ]
  ) {
    const error = assertThrows(() => createOriginCheck(["null", entry]), TypeError);
    assert(error.message.includes(`"${entry}"`), error.message);
    assert(error.message.includes('expected an origin such as "https://example.com"'));
  }
});

test("createOriginCheck throws TypeError for a policy of another type", () => {
  const policies: unknown[] = ["https://example.com", "", null, 5, {}, [5], [undefined], new Set()];
  for (const policy of policies) {
    assertThrows(() => createOriginCheck(policy as OriginPolicy), TypeError, "Cannot use origin");
  }
});

test("createOriginCheck throws TypeError for a function's result that is no boolean", () => {
  for (const result of [undefined, null, 1, "true", Promise.resolve(true)]) {
    const policy = (() => result) as unknown as OriginPolicy;
    assertThrows(
      () => checkOrigin("https://a.example", "b.example", policy),
      TypeError,
      "expected a boolean",
    );
  }
});
