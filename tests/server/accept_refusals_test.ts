import type { AcceptOptions } from "../../src/server/accept_options.ts";
import { assertEquals, test } from "../harness.ts";
import { assertRefused } from "../support/accepting.ts";
import { upgradeRequest } from "../support/http.ts";

const refusals: [
  what: string,
  request: string,
  options: AcceptOptions,
  status: number,
  code: string,
][] = [
  ["a request that is not HTTP", "\x16\x03\x01", {}, 400, "ERR_HANDSHAKE_HEAD"],
  ["HTTP/1.0", "GET / HTTP/1.0\r\n", {}, 505, "ERR_HANDSHAKE_HTTP_VERSION"],
  ["plain HTTP", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", {}, 426, "ERR_HANDSHAKE_UPGRADE"],
  ["a POST", "POST / HTTP/1.1\r\nHost: a\r\n\r\n", {}, 405, "ERR_HANDSHAKE_METHOD"],
  [
    "another version",
    upgradeRequest({ "Sec-WebSocket-Version": "8" }),
    {},
    426,
    "ERR_HANDSHAKE_VERSION",
  ],
  [
    "a page of another host",
    upgradeRequest({ Origin: "https://evil.example" }),
    {},
    403,
    "ERR_HANDSHAKE_ORIGIN",
  ],
  [
    "a head over maxHeadSize",
    upgradeRequest(),
    { limits: { maxHeadSize: 100 } },
    431,
    "ERR_HANDSHAKE_HEAD_TOO_LARGE",
  ],
  [
    "more fields than maxHeaders",
    upgradeRequest(),
    { limits: { maxHeaders: 4 } },
    431,
    "ERR_HANDSHAKE_HEAD_TOO_LARGE",
  ],
];
for (const [what, request, options, status, code] of refusals) {
  test(`accept refuses ${what} with ${status}`, async () => {
    await assertRefused(request, options, status, code);
  });
}

test("accept omits the body of its response to HEAD", async () => {
  const { peer } = await assertRefused(
    "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
    {},
    426,
    "ERR_HANDSHAKE_UPGRADE",
  );
  assertEquals(peer.body, "");
});
