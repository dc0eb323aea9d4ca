// What a peer goes on sending must not put off the end that `closeTimeout` sets.
import { assert, deadline, delay, hex, test } from "../harness.ts";
import type { RawFrame } from "../support/frames.ts";
import { openRaw, serving } from "../support/server.ts";
import type { RawWebSocket } from "../support/server.ts";

const CLOSE_TIMEOUT = 300;

/** Sends the frame again and again until TCP is gone, which has to be soon. */
async function sendsUntilGone(client: RawWebSocket, frame: RawFrame): Promise<void> {
  const sending = async () => {
    while (!client.tcp.isClosed) {
      client.send(frame);
      await delay(20);
    }
  };
  await deadline(sending(), 10 * CLOSE_TIMEOUT, "the end of TCP");
}

const floods: Record<string, RawFrame> = {
  "messages": { first: 0x82, payload: "x" },
  "pings, whose pongs are read": { first: 0x89, payload: "x" },
};

for (const [what, frame] of Object.entries(floods)) {
  test(`closeTimeout ends a connection whose peer sends ${what} after both Closes`, async () => {
    const { server } = serving({}, { limits: { closeTimeout: CLOSE_TIMEOUT } });
    const client = await openRaw(server);
    client.send({ first: 0x88, payload: hex("03 e8") });
    await client.received("\x88\x02\x03\xe8");
    await sendsUntilGone(client, frame);
    assert(server.connections.size === 0);
  });

  test(`closeTimeout ends a connection whose peer sends ${what}, and no Close`, async () => {
    const { server } = serving({ open: (socket) => socket.close(1000) }, {
      limits: { closeTimeout: CLOSE_TIMEOUT },
    });
    const client = await openRaw(server);
    await client.received("\x88\x02\x03\xe8");
    await sendsUntilGone(client, frame);
    assert(server.connections.size === 0);
  });
}
