import { accept } from "../../src/server/accept.ts";
import type { AcceptOptions } from "../../src/server/accept_options.ts";
import { HandshakeError } from "../../src/http/errors.ts";
import { assertEquals, assertRejects } from "../harness.ts";
import { HttpPeer } from "./http_peer.ts";
import { turns } from "./open.ts";

/** Asserts that the handshake is refused, with this error for the caller and this response. */
export async function assertRefused(
  request: string,
  options: AcceptOptions,
  status: number,
  code: string,
): Promise<{ peer: HttpPeer; error: HandshakeError }> {
  const peer = new HttpPeer();
  const accepting = accept(peer.conn, options);
  peer.send(request);
  const error = await assertRejects(() => accepting, HandshakeError);
  assertEquals([error.code, error.status], [code, status]);
  assertEquals(await peer.answered(), status);
  await turns();
  assertEquals(peer.conn.isClosed, true, "the connection is closed");
  return { peer, error };
}
