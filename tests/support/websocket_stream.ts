/** Streams to a raw server that the test directs. */

import { WebSocketError, WebSocketStream } from "../../mod.ts";
import type { WebSocketOpenInfo } from "../../mod.ts";
import { assertRejects, deadline } from "../harness.ts";
import { rawFrame } from "../protocol/frames.ts";
import type { RawFrame } from "../protocol/frames.ts";
import { latin1 } from "./bytes.ts";
import { frameWords, wholeFrames } from "./frame_text.ts";
import { switching } from "./http_text.ts";
import { closeFrame } from "./peer.ts";
import { rawServer } from "./raw_server.ts";
import type { RawConnection } from "./raw_server.ts";

/** Returns an open stream, to a raw server that behaves as `behave` says. */
export async function open(
  behave: (connection: RawConnection) => void | Promise<void> = () => {},
): Promise<{ stream: WebSocketStream; info: WebSocketOpenInfo; peer: RawConnection }> {
  const { port, first } = await rawServer(async (connection) => {
    connection.write(switching(await connection.head()));
    await behave(connection);
  });
  const stream = new WebSocketStream(`ws://127.0.0.1:${port}/`);
  const info = await deadline(stream.opened, 5000, "opened");
  return { stream, info, peer: await first };
}

/** Returns the frames that the peer has received, in words. */
export function sent(peer: RawConnection): string[] {
  const bytes = latin1(peer.text.slice(peer.text.indexOf("\r\n\r\n") + 4));
  return wholeFrames(bytes).frames.map(frameWords);
}

/** Waits for the client's Close, answers it, and ends the connection; returns it in words. */
export async function answerClose(peer: RawConnection, answer?: RawFrame): Promise<string> {
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
