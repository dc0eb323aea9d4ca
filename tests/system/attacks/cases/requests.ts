/** Attacks by the content of a request: smuggling, injection, cross-site requests. */

import type { Attack, Context } from "../attack.ts";
import { request, text } from "../wire.ts";
import type { RequestParts } from "../wire.ts";

const SECOND = "GET /admin HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";

/** Sends each request on its own connection; returns `right` if all are answered correctly. */
async function all(
  context: Context,
  requests: Record<string, string>,
  right: string,
): Promise<string[]> {
  const answers: string[] = [];
  for (const [name, data] of Object.entries(requests)) {
    const { answer } = await context.ask(data);
    answers.push(answer === right ? right : `${name}: ${answer}`);
  }
  return answers;
}

/** Upgrade requests, each by its difference from a correct one. */
function requests(parts: Record<string, RequestParts>): Record<string, string> {
  return Object.fromEntries(Object.entries(parts).map(([name, part]) => [name, request(part)]));
}

/** Sends each upgrade request on its own connection. */
function upgrades(parts: Record<string, RequestParts>, right: string): Attack["run"] {
  return (context) => all(context, requests(parts), right);
}

/** Returns the result of a header, a subprotocol or a reason with a line break in it. */
async function injected(context: Context, target: string): Promise<string> {
  const peer = await context.open("callbacks", {
    target,
    fields: { "Sec-WebSocket-Protocol": "chat" },
  });
  await peer.until(() => peer.isGone || peer.reader.status === 101, 5000);
  if (/^evil/im.test(peer.reader.head)) return `injected by ${target}`;
  if (peer.reader.status === 101) return await context.echoes(peer, text) ? "served" : peer.answer;
  return peer.answer;
}

/** The attacks. */
export const hostileRequests: readonly Attack[] = [
  {
    name: "body on the upgrade request, by length and in chunks",
    known: ["CVE-2026-69243"],
    expected: ["400"],
    maxGrowth: 16,
    run: (context) =>
      all(context, {
        length: request({ lines: `Content-Length: ${SECOND.length}\r\n` }) + SECOND,
        chunked: request({ lines: "Transfer-Encoding: chunked\r\n" }) + "5\r\nHello\r\n0\r\n\r\n",
        both: request({ lines: "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n" }) +
          "0\r\n\r\n",
        two: request({ lines: "Content-Length: 5\r\nContent-Length: 6\r\n" }) + "Hello",
      }, "400"),
  },
  {
    name: "second request behind the upgrade, in one segment",
    known: ["CVE-2026-130647"],
    expected: ["1002"],
    maxGrowth: 16,
    // RFC 6455 §4.1: after the handshake there are frames alone. A request line is a wrong one: an
    // ASCII letter as first byte sets RSV1 and no FIN.
    async run(context) {
      const answers: string[] = [];
      for (const second of [SECOND, request(), SECOND.replace("GET", "POST"), "get / x\r\n\r\n"]) {
        const peer = await context.connect();
        peer.write(request() + second);
        answers.push(await peer.answered(5000));
      }
      return answers;
    },
  },
  {
    name: "second request behind one that is refused, or the last",
    expected: ["one answer"],
    maxGrowth: 16,
    // RFC 9112 §9.6: after "close", no further request on the connection is processed.
    async run(context) {
      const plain = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
      const answers: string[] = [];
      for (const first of [plain, request({ method: "POST" }), request({ lines: "a b\r\n" })]) {
        const peer = await context.ask(first + SECOND);
        const { reader } = peer;
        const isLast = reader.field("Connection")?.toLowerCase() === "close" && peer.isGone;
        const isOne = isLast && !reader.body.includes("HTTP/1.1");
        answers.push(isOne ? "one answer" : `${reader.head}${reader.body}`);
      }
      return answers;
    },
  },
  {
    name: "older version of the protocol, without Connection and Upgrade",
    known: ["CVE-2026-59898"],
    expected: ["426"],
    maxGrowth: 16,
    run(context) {
      const version = (text: string) => ({ "Sec-WebSocket-Version": text });
      return all(
        context,
        requests({
          7: { fields: version("7") },
          8: { fields: version("8") },
          14: { fields: version("14") },
          "13, 8": { fields: version("13, 8") },
        }),
        "426",
      );
    },
  },
  {
    name: "upgrade that a proxy would not take for one",
    known: ["CVE-2026-59898", "CVE-2026-129502"],
    expected: ["400"],
    maxGrowth: 16,
    run: upgrades({
      "no Connection": { fields: { Connection: undefined } },
      "another Connection": { fields: { Connection: "keep-alive" } },
      "no Host": { fields: { Host: undefined } },
      "two Hosts": { lines: "Host: evil.example\r\n" },
      "two keys": { lines: "Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==\r\n" },
      "a fragment": { target: "/#/../admin" },
      "another host's target": { target: "http://evil.example/" },
      "no path": { target: "admin" },
    }, "400"),
  },
  {
    name: "CR, LF, NUL and folds in the request's fields",
    known: ["CVE-2026-1525"],
    expected: ["400"],
    maxGrowth: 16,
    run: upgrades({
      "bare CR": { lines: "X: a\rEvil: 1\r\n" },
      "bare LF": { lines: "X: a\nEvil: 1\r\n" },
      "NUL": { lines: "X: a\0b\r\n" },
      "fold": { lines: "X: a\r\n Evil: 1\r\n" },
      "space before the colon": { lines: "Content-Length : 5\r\n" },
      "vertical tab": { lines: "Transfer-Encoding\x0b: chunked\r\n" },
      "no colon": { lines: "Evil\r\n" },
      "no name": { lines: ": evil\r\n" },
      "control in the target": { target: "/\x01" },
      "space in the target": { target: "/a HTTP/1.1 b" },
    }, "400"),
  },
  {
    name: "CR, LF and NUL in a header or a subprotocol that upgrade() gives",
    known: ["CVE-2026-1527"],
    expected: ["500"],
    maxGrowth: 16,
    async run(context) {
      const answers: string[] = [];
      for (const end of ["%0d%0a", "%0a", "%0d", "%00", "%0d%0a%0d%0a"]) {
        answers.push(await injected(context, `/?header=a${end}Evil:%201`));
        answers.push(await injected(context, `/?protocol=chat${end}Evil:%201`));
      }
      return answers;
    },
  },
  {
    name: "CR, LF and NUL in the reason of a Close",
    expected: ["1000, as it was"],
    maxGrowth: 16,
    // A frame has a length, so a line break in it has no meaning.
    async run(context) {
      const peer = await context.open("callbacks", { target: "/?reason=a%0d%0aEvil:%201%00" });
      const answer = await peer.answered(5000);
      return [answer + (peer.reader.reason === "a\r\nEvil: 1\0" ? ", as it was" : ", changed")];
    },
  },
  {
    name: "page of another site",
    known: ["CVE-2026-112085", "CVE-2026-133111"],
    expected: ["403"],
    maxGrowth: 16,
    run(context) {
      const origins = [
        "https://evil.example",
        "null",
        "http://127.0.0.1.evil.example",
        "http://evil.example:80",
        "http://127.0.0.1:8081",
        "http://127.0.0.11",
        "file://",
      ];
      const parts = origins.map((Origin) => [Origin, { fields: { Origin } }]);
      return all(context, requests(Object.fromEntries(parts)), "403");
    },
  },
  {
    name: "more than one Origin, or none that is one",
    expected: ["refused"],
    maxGrowth: 16,
    async run(context) {
      const hostile = requests({
        two: { lines: "Origin: http://127.0.0.1\r\nOrigin: https://evil.example\r\n" },
        list: { fields: { Origin: "http://127.0.0.1 https://evil.example" } },
        user: { fields: { Origin: "http://127.0.0.1@evil.example" } },
        path: { fields: { Origin: "http://127.0.0.1/evil" } },
        empty: { fields: { Origin: "" } },
      });
      const answers: string[] = [];
      for (const [name, data] of Object.entries(hostile)) {
        const { answer } = await context.ask(data);
        answers.push(["400", "403"].includes(answer) ? "refused" : `${name}: ${answer}`);
      }
      return answers;
    },
  },
];
