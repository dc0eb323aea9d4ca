/** A server that attacks its clients. */

import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import type { Context } from "./attack.ts";
import { Attacker } from "./attacker.ts";

/** The behaviour towards a connection whose request has been received. */
export type Behaviour = (peer: Attacker, head: string) => void | Promise<void>;

/** How the victim ended: its own report, and what the attacker received. */
export interface ClientOutcome {
  /** The result of the victim's `connect()`. */
  told: string;
  /** The answer on the wire: see `Attacker.answer`. */
  answer: string;
  /** The request. */
  head: string;
}

/** Has the victim connect to a server with this behaviour, and waits for its end. */
export async function attackClient(
  context: Context,
  behave: Behaviour,
  order: (port: number) => Parameters<Context["target"]["connect"]>[0] = (port) => ({
    url: `ws://127.0.0.1:${port}/`,
  }),
): Promise<ClientOutcome> {
  const behaved = Promise.withResolvers<void>();
  let head = "";
  let peer: Attacker | undefined;
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const own = peer = context.keep(new Attacker(socket, context, true));
    const onData = (chunk: Uint8Array): void => {
      head += new TextDecoder("latin1").decode(chunk);
      if (!head.includes("\r\n\r\n")) return;
      socket.off("data", onData);
      own.readsFrames = true;
      Promise.resolve(behave(own, head)).then(behaved.resolve, behaved.reject);
    };
    own.readsFrames = false;
    socket.on("data", onData);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const { port } = server.address() as AddressInfo;
    const told = await context.target.connect(order(port));
    // It may have refused to send a request.
    if (head.includes("\r\n\r\n")) await behaved.promise;
    await peer?.answered(1000);
    return { told, answer: peer?.answer ?? "dropped", head };
  } finally {
    peer?.destroy();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }
}
