/** Streams to a raw server that the test directs. */

import { WebSocketError, WebSocketStream } from "../../mod.ts";
import type { WebSocketOpenInfo } from "../../mod.ts";
import { assertRejects, deadline } from "../harness.ts";
import { frameWords, rawFrame, wholeFrames } from "./frames.ts";
import type { RawFrame } from "./frames.ts";
import { latin1 } from "./bytes.ts";
import { switching } from "./http.ts";
import { closeFrame } from "./memory_peer.ts";
import { rawServer } from "./raw_tcp.ts";
import type { RawTcp } from "./raw_tcp.ts";

/** Returns an open stream, to a raw server that behaves as `behave` says. */
export async function open(
  behave: (connection: RawTcp) => void | Promise<void> = () => {},
): Promise<{ stream: WebSocketStream; info: WebSocketOpenInfo; peer: RawTcp }> {
  const { port, first } = await rawServer(async (connection) => {
    connection.write(switching(await connection.head()));
    await behave(connection);
  });
  const stream = new WebSocketStream(`ws://127.0.0.1:${port}/`);
  const info = await deadline(stream.opened, 5000, "opened");
  return { stream, info, peer: await first };
}

/** Returns the frames that the peer has received, in words. */
export function sent(peer: RawTcp): string[] {
  const bytes = latin1(peer.text.slice(peer.text.indexOf("\r\n\r\n") + 4));
  return wholeFrames(bytes).frames.map(frameWords);
}

/** Waits for the client's Close, answers it, and ends the connection; returns it in words. */
export async function answerClose(peer: RawTcp, answer?: RawFrame): Promise<string> {
  const close = () => sent(peer).find((words) => words.startsWith("close"));
  await peer.until(() => close() !== undefined, "a Close");
  const words = close()!;
  const [, code = "", ...reason] = words.split(" ");
  const same = code === "" ? closeFrame() : closeFrame(+code, reason.join(" "));
  peer.write(rawFrame(answer ?? same));
  peer.socket.end();
  return words;
}

/** Returns the error of a stream that was not closed cleanly. */
export async function unclean(stream: WebSocketStream): Promise<WebSocketError> {
  return await assertRejects(() => deadline(stream.closed, 5000, "closed"), WebSocketError);
}
