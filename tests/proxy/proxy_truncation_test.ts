// A PROXY header that is cut, or broken, at each of its bytes: the port answers nothing before a proxy has
// spoken, and no handler hears of the connection.
import { assertEquals, eventually, test } from "../harness.ts";
import { hex } from "../support/bytes.ts";
import { upgradeRequest } from "../support/http.ts";
import { tcpConnect } from "../support/raw_tcp.ts";
import type { RawTcp } from "../support/raw_tcp.ts";
import { serving } from "../support/server.ts";

const headers: [name: string, header: Uint8Array][] = [
  ["version 1", new TextEncoder().encode("PROXY TCP4 192.0.2.7 10.0.0.1 5 80\r\n")],
  [
    "version 1, IPv6",
    new TextEncoder().encode("PROXY TCP6 2001:db8::7 2001:db8::1 65535 443\r\n"),
  ],
  ["version 1, unknown", new TextEncoder().encode("PROXY UNKNOWN\r\n")],
  ["version 2", hex("0d0a0d0a000d0a515549540a 2111000c c0000207 0a000001 0005 0050")],
  ["version 2, LOCAL", hex("0d0a0d0a000d0a515549540a 20000000")],
  [
    "version 2 with a field",
    hex("0d0a0d0a000d0a515549540a 21110011 c0000207 0a000001 0005 0050 03 0002 1234"),
  ],
];

/** The ways to stop after a part of the header. */
const ends: [name: string, end: (client: RawTcp) => void][] = [
  ["FIN", (client) => client.end()],
  ["RST", (client) => client.reset()],
];

/** Serves, and counts what reaches the application. */
function silent() {
  const calls: string[] = [];
  const served = serving({ open: () => void calls.push("open") }, {
    trustedProxies: ["127.0.0.1"],
    proxyProtocol: true,
    fetch() {
      calls.push("fetch");
      return new Response("an answer");
    },
    upgrade: () => void calls.push("upgrade"),
  });
  return { ...served, calls };
}

for (const [name, header] of headers) {
  for (const [how, end] of ends) {
    test(`a PROXY header of ${name} that ends by a ${how} at any byte gets no answer`, async () => {
      const { server, calls } = silent();
      const cut = async (length: number) => {
        const client = await tcpConnect(server.addr);
        await new Promise<void>((sent) => {
          if (length === 0) sent();
          else client.socket.write(header.subarray(0, length), () => sent());
        });
        end(client);
        await client.untilGone();
        assertEquals([length, client.text], [length, ""]);
      };
      await Promise.all(header.keys().map(cut));
      await eventually(() => server.stats.connections === 0, 5000, "the end of all connections");
      assertEquals(calls, []);
    });
  }

  test(`a PROXY header of ${name} with a wrong byte gets no answer`, async () => {
    const { server, calls } = silent();
    // All of version 1; the signature, the version and the command of version 2.
    const size = name.startsWith("version 1") ? header.length : 13;
    const flip = async (index: number) => {
      const bytes = header.slice();
      bytes[index]! ^= 0x80;
      const client = await tcpConnect(server.addr);
      client.write(bytes);
      client.write(upgradeRequest());
      await client.untilGone();
      assertEquals([index, client.text], [index, ""]);
    };
    await Promise.all(header.subarray(0, size).keys().map(flip));
    await eventually(() => server.stats.connections === 0, 5000, "the end of all connections");
    assertEquals(calls, []);
  });
}
