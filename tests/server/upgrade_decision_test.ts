// upgrade() and the other callbacks that decide on a client let it in only by a value that says so.
import { HandshakeError } from "../../mod.ts";
import type { HandshakeErrorOptions } from "../../mod.ts";
import { tcpConnect } from "../support/raw_tcp.ts";
import { accept } from "../../src/server/accept.ts";
import type { UpgradeResult } from "../../src/server/accept_options.ts";
import { assertEquals, assertMatch, assertThrows, delay, test } from "../harness.ts";
import { assertRefused } from "../support/accepting.ts";
import { upgradeRequest } from "../support/http.ts";
import { HttpPeer } from "../support/http_peer.ts";
import { PlatformClient, serving } from "../support/server.ts";

/** A `Response` of another class, as of undici or node-fetch. */
class ForeignResponse {
  readonly headers = new Map([["x-reason", "none"]]);
  readonly statusText = "Sorry";
  readonly body = null;
  get status(): number {
    return 403;
  }
}

const accepted: [what: string, result: () => unknown][] = [
  ["undefined", () => undefined],
  ["no options", () => ({})],
  ["options", () => ({ data: 1, headers: { "X-A": "b" }, protocol: undefined })],
  ["options without a prototype", () => Object.assign(Object.create(null), { data: 1 })],
  ["a promise of options", () => Promise.resolve({ data: 1 })],
  [
    "a thenable of undefined",
    () => ({ then: (done: (value: unknown) => void) => done(undefined) }),
  ],
];
for (const [what, result] of accepted) {
  test(`upgrade() accepts by ${what}`, async () => {
    const peer = new HttpPeer();
    const accepting = accept(peer.conn, { upgrade: result as () => UpgradeResult<unknown> });
    peer.send(upgradeRequest());
    (await accepting).abort();
  });
}

const refused: [what: string, result: () => unknown, status: number][] = [
  ["a Response", () => new Response("no", { status: 401 }), 401],
  ["a Response of another class", () => new ForeignResponse(), 403],
  ["a promise of a Response of another class", () => Promise.resolve(new ForeignResponse()), 403],
  ["an object with a status", () => ({ status: 401 }), 401],
  ["a thenable of a Response", () => ({
    then: (done: (value: unknown) => void) => done(new Response(null, { status: 404 })),
  }), 404],
];
for (const [what, result, status] of refused) {
  test(`upgrade() refuses by ${what}`, async () => {
    const upgrade = result as () => UpgradeResult<unknown>;
    const { peer } = await assertRefused(
      upgradeRequest(),
      { upgrade },
      status,
      "ERR_HANDSHAKE_REFUSED",
    );
    if (status === 403) assertMatch(peer.text, /^HTTP\/1\.1 403 Sorry\r\nx-reason: none\r\n/);
  });
}

const failed: [what: string, result: () => unknown][] = [
  ["false", () => false],
  ["true", () => true],
  ["null", () => null],
  ["0", () => 0],
  ["a string", () => "no"],
  ["a promise of false", () => Promise.resolve(false)],
  ["an array", () => []],
  ["a function", () => () => {}],
  ["an Error", () => new Error("no")],
  ["a Map", () => new Map([["data", 1]])],
  ["Headers", () => new Headers()],
  ["an object of unknown options", () => ({ status_code: 401 })],
  ["an object with a status that is no number", () => ({ status: "401" })],
  ["an async generator", () => (async function* () {})()],
  ["a protocol that is no string", () => ({ protocol: 1 })],
  ["a Response with a status that cannot be sent", () => ({ status: 42 })],
  ["a thenable that throws", () => ({
    then() {
      throw new Error("oops");
    },
  })],
];
for (const [what, result] of failed) {
  test(`upgrade() that returns ${what} is answered with 500`, async () => {
    const upgrade = result as () => UpgradeResult<unknown>;
    await assertRefused(upgradeRequest(), { upgrade }, 500, "ERR_HANDSHAKE_INTERNAL");
  });
}

test("onError gets a TypeError for a result of upgrade() that decides nothing", async () => {
  const { url, errors } = serving({}, { upgrade: () => false as unknown as undefined });
  const outcome = await new PlatformClient(url).opened.then(() => "open", () => "refused");
  assertEquals(outcome, "refused");
  const [{ error }] = errors;
  assertEquals((error as Error).name, "TypeError");
  assertMatch(
    (error as Error).message,
    /the result of upgrade\(\): expected undefined,.* got false/,
  );
});

const decisions: [what: string, result: unknown, status: number][] = [
  ["true", true, 101],
  ["false", false, 403],
  ["a promise of false", Promise.resolve(false), 500],
  ["a promise of true", Promise.resolve(true), 500],
  ["a thenable", { then: (_: unknown, reject: () => void) => reject() }, 500],
  ["undefined", undefined, 500],
  ["1", 1, 500],
  ["a string", "no", 500],
];
for (const [what, result, status] of decisions) {
  test(`an origins function that returns ${what} gives ${status}`, async () => {
    const peer = new HttpPeer();
    const origins = () => result as boolean;
    const accepting = accept(peer.conn, { origins }).then((socket) => socket.abort(), () => {});
    peer.send(upgradeRequest({ Origin: "https://other.example" }));
    assertEquals(await peer.answered(), status);
    await accepting;
  });
}

test("an origins function whose promise rejects refuses the client, and the process goes on", async () => {
  const peer = new HttpPeer();
  // An unhandled rejection would fail the test.
  const origins = (() => Promise.reject(new Error("no database"))) as unknown as () => boolean;
  const accepting = accept(peer.conn, { origins }).then(undefined, () => {});
  peer.send(upgradeRequest({ Origin: "https://other.example" }));
  assertEquals(await peer.answered(), 500);
  await accepting;
  await delay(10);
});

const unusable: [what: string, options: Partial<HandshakeErrorOptions>][] = [
  ["status 0", { status: 0 }],
  ["status 101", { status: 101 }],
  ["status 999", { status: 999 }],
  ["a field with a line feed", { headers: [["X-A", "a\nX-B: b"]] }],
  ["a field whose name is no token", { headers: [["X A", "a"]] }],
];
for (const [what, options] of unusable) {
  test(`upgrade() that throws a HandshakeError with ${what} is answered with 500`, async () => {
    const { server, errors } = serving({}, {
      upgrade: () => {
        throw new HandshakeError("no", { code: "ERR_NO", ...options });
      },
    });
    const client = await tcpConnect(server.addr);
    client.write(upgradeRequest());
    await client.until(({ hasEnded }) => hasEnded, "the end");
    assertMatch(client.text, /^HTTP\/1\.1 500 /);
    assertEquals(errors.length, 1);
    client.end();
  });
}

test("upgrade() that is a generator function is refused before anything listens", () => {
  const upgrade = async function* () {} as unknown as () => undefined;
  assertThrows(() => serving({}, { upgrade }), TypeError, "a generator function");
});
