import { resolveAcceptOptions } from "../../src/server/accept_options.ts";
import type { AcceptOptions } from "../../src/server/accept_options.ts";
import { ServerHandshake } from "../../src/server/server_handshake.ts";
import { HandshakeError } from "../../src/http/errors.ts";
import { parseRequestHead } from "../../src/http/request_head_parser.ts";
import { assert, assertEquals, assertMatch, test } from "../harness.ts";
import { upgradeRequest } from "../support/http.ts";
import { turns } from "../support/open.ts";

const addr = { transport: "tcp", hostname: "192.0.2.1", port: 1 } as const;

/** Begins a handshake, and logs what becomes of it. */
function begin(
  options: AcceptOptions,
  fields: Record<string, string> = {},
  checkUpgrade?: () => HandshakeError | undefined,
) {
  const log: string[] = [];
  const errors: HandshakeError[] = [];
  let response = "";
  const handshake = new ServerHandshake(resolveAcceptOptions(options), {
    info: { remoteAddr: addr, clientAddr: addr },
    callBegan: () => log.push("call"),
    callEnded: () => log.push("settled"),
    open(accepted) {
      response = new TextDecoder().decode(accepted.response);
      log.push(`open ${accepted.protocol} ${accepted.data}`);
    },
    refuse(error) {
      errors.push(error);
      log.push(`refuse ${error.status}`);
    },
    refuseWith: ({ status }) => log.push(`response ${status}`),
  }, checkUpgrade === undefined ? {} : { checkUpgrade });
  handshake.begin(parseRequestHead(upgradeRequest(fields)));
  return { handshake, log, errors, response: () => response };
}

test("ServerHandshake accepts at once without upgrade()", () => {
  const { log, response } = begin({ protocols: ["one"] }, { "Sec-WebSocket-Protocol": "two, one" });
  assertEquals(log, ["open one undefined"]);
  assertMatch(response(), /^HTTP\/1\.1 101 /);
});

test("ServerHandshake accepts at once by an upgrade() that is no promise", () => {
  assertEquals(begin({ upgrade: () => ({ data: 7 }) }).log, ["open  7"]);
});

test("ServerHandshake counts a promise of upgrade() as a pending call", async () => {
  const { promise, resolve } = Promise.withResolvers<{ data: number }>();
  const { log } = begin({ upgrade: () => promise });
  assertEquals(log, ["call"]);
  resolve({ data: 1 });
  await turns();
  assertEquals(log, ["call", "settled", "open  1"]);
});

test("ServerHandshake that is cancelled aborts its signal, and ignores the result", async () => {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const signals: AbortSignal[] = [];
  const { log, handshake } = begin({
    upgrade(request) {
      signals.push(request.signal);
      return promise;
    },
  });
  const reason = new Error("left");
  handshake.cancel(reason);
  assertEquals([signals[0]!.aborted, signals[0]!.reason === reason], [true, true]);
  resolve(undefined);
  await turns();
  assertEquals(log, ["call", "settled"]);
});

test("ServerHandshake asks the server before and after upgrade()", async () => {
  const busy = new HandshakeError("busy", { code: "ERR_BUSY", status: 503 });
  let refusal: HandshakeError | undefined;
  const upgrade = async () => {
    refusal = busy;
    await null;
    return undefined;
  };
  const late = begin({ upgrade }, {}, () => refusal);
  await turns();
  assertEquals(late.log, ["call", "settled", "refuse 503"]);
  assertEquals(begin({ upgrade }, {}, () => busy).log, ["refuse 503"]);
});

test("ServerHandshake refuses with the error, and wraps those of the application", () => {
  const oops = new Error("oops");
  const { log, errors } = begin({
    upgrade() {
      throw oops;
    },
  });
  assertEquals([log, errors[0]!.code], [["refuse 500"], "ERR_HANDSHAKE_INTERNAL"]);
  assert(errors[0]!.cause === oops);
  assertEquals(begin({}, { Origin: "https://other.example" }).log, ["refuse 403"]);
  assertEquals(begin({}, { "Sec-WebSocket-Version": "8" }).log, ["refuse 426"]);
  assertEquals(begin({ upgrade: () => new Response(null, { status: 404 }) }).log, ["response 404"]);
});
