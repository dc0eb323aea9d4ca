import { retryAfterOf } from "../../src/client/retry_after.ts";
import { HandshakeError } from "../../src/http/errors.ts";
import { assertEquals, test } from "../harness.ts";

const NOW = Date.UTC(2026, 0, 1, 12);
const DAY = 24 * 60 * 60 * 1000;

function refusal(status: number, value?: string): HandshakeError {
  const headers: [string, string][] = value === undefined ? [] : [["retry-after", value]];
  return new HandshakeError("no", { code: "ERR_HANDSHAKE_STATUS", status, headers });
}

const cases: [name: string, error: unknown, delay: number][] = [
  ["seconds with 429", refusal(429, "7"), 7000],
  ["seconds with 503", refusal(503, " 120 "), 120_000],
  ["a date", refusal(503, "Thu, 01 Jan 2026 12:01:00 GMT"), 60_000],
  ["a date that has passed", refusal(503, "Thu, 01 Jan 2026 11:59:00 GMT"), 0],
  ["more than a day", refusal(503, "99999999999999999999"), DAY],
  ["0 seconds", refusal(503, "0"), 0],
  ["garbage", refusal(503, "soon"), 0],
  ["a negative number", refusal(503, "-5"), 0],
  ["an empty field", refusal(503, ""), 0],
  ["no field", refusal(503), 0],
  ["another status", refusal(500, "7"), 0],
  ["another error", new Error("lost"), 0],
];

for (const [name, error, delay] of cases) {
  test(`retryAfterOf reads ${name}`, () => assertEquals(retryAfterOf(error, NOW), delay));
}
