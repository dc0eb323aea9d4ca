import process from "node:process";
import { HandshakeError } from "../../src/http/errors.ts";
import { HeaderList } from "../../src/http/header_list.ts";
import type { RequestHead } from "../../src/http/request_head_parser.ts";
import { assert, assertThrows, fail } from "../harness.ts";

export { latin1 } from "../support/bytes.ts";

/** The bytes of the request of RFC 6455 §1.2. */
export const SAMPLE = "GET /chat HTTP/1.1\r\n" +
  "Host: server.example.com\r\n" +
  "Upgrade: websocket\r\n" +
  "Connection: Upgrade\r\n" +
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
  "Origin: http://example.com\r\n" +
  "Sec-WebSocket-Protocol: chat, superchat\r\n" +
  "Sec-WebSocket-Version: 13\r\n" +
  "\r\n";

/** Returns the head of a valid upgrade in which `fields` replace the fields of those names. */
export function upgradeHead(
  fields: [name: string, ...values: string[]][] = [],
  start: Partial<Pick<RequestHead, "method" | "target">> = {},
): RequestHead {
  const all = new Map<string, string[]>([
    ["host", ["server.example.com"]],
    ["upgrade", ["websocket"]],
    ["connection", ["Upgrade"]],
    ["sec-websocket-key", ["dGhlIHNhbXBsZSBub25jZQ=="]],
    ["sec-websocket-version", ["13"]],
  ]);
  for (const [name, ...values] of fields) all.set(name, values);
  const headers = new HeaderList();
  for (const [name, values] of all) for (const value of values) headers.append(name, value);
  return { method: "GET", target: "/chat", minorVersion: 1, headers, ...start };
}

/** Asserts that `fn` throws a HandshakeError with this status and code. Returns the error. */
export function assertRefused(
  fn: () => unknown,
  status: number,
  code: string,
  text = "",
): HandshakeError {
  const error = assertThrows(fn, HandshakeError, text);
  assert(error.status === status, `status ${error.status}, expected ${status}: ${error.message}`);
  assert(error.code === code, `code ${error.code}, expected ${code}`);
  assert(/^[\x20-\x7e]+$/.test(error.message), `not printable: ${error.message}`);
  return error;
}

/**
 * Asserts that `run` takes time in proportion to its input: 16 times the size takes less than 64
 * times as long. Quadratic time would be 256 times as long. It is CPU time, since a clock also counts
 * what other processes take meanwhile.
 */
export function assertLinear(run: (size: number) => void, size: number): void {
  const time = (n: number) => {
    let best = Infinity;
    for (let i = 0; i < 5; i++) {
      const start = process.cpuUsage();
      run(n);
      const { user, system } = process.cpuUsage(start);
      best = Math.min(best, (user + system) / 1000);
    }
    return best;
  };
  time(size);
  // Other load on the machine, and caches, can distort one measurement. Quadratic time never passes.
  const tried: string[] = [];
  for (let attempt = 0; attempt < 5; attempt++) {
    const small = Math.max(time(size), 0.05);
    const large = time(size * 16);
    if (large < small * 64) return;
    tried.push(`${size}: ${small} ms, ${size * 16}: ${large} ms`);
  }
  fail(tried.join("; "));
}
