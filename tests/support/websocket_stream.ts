/** Streams to a server that does as it's told, and what comes of them. */

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

/** A stream that's open, to a server that does as it's told. */
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

/** The frames that have come, in words. */
export function sent(peer: RawConnection): string[] {
  const bytes = latin1(peer.text.slice(peer.text.indexOf("\r\n\r\n") + 4));
  return wholeFrames(bytes).frames.map(frameWords);
}

/** Waits for the client's Close, gives it in words, and answers it with the same, or another, and the end. */
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

/** How a stream that was not closed cleanly tells of it. */
export async function unclean(stream: WebSocketStream): Promise<WebSocketError> {
  return await assertRejects(() => deadline(stream.closed, 5000, "closed"), WebSocketError);
}
