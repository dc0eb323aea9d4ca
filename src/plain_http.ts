import { writeResponseHead } from "./handshake/response.ts";
import type { Farewell } from "./farewell.ts";

/** Statuses whose answers have no body: RFC 9110 §6.4.1. */
const NO_BODY = new Set([204, 304]);

/**
 * Sends a Web `Response` as the last thing on a connection. Its body ends with the connection, so that
 * any length will do.
 *
 * @param farewell The connection.
 * @param response The answer.
 * @param isHead Whether it answers a HEAD, which has no body.
 * @throws {unknown} what the body's stream throws: the connection is then dropped, since its length
 * can't say that the body is cut short.
 */
export async function sendResponse(
  farewell: Farewell,
  response: Response,
  isHead: boolean,
): Promise<void> {
  const { body } = response;
  const head = writeResponseHead(response, {
    date: new Date(),
    ...(body === null && !isHead ? { contentLength: 0 } : {}),
  });
  await farewell.write(head);
  if (isHead || NO_BODY.has(response.status)) {
    await body?.cancel();
  } else if (body !== null) {
    await sendBody(farewell, body);
  }
  farewell.finish();
}

async function sendBody(farewell: Farewell, body: ReadableStream<Uint8Array>): Promise<void> {
  try {
    for await (const chunk of body) {
      await farewell.write(chunk);
      // Leaving the loop cancels the body.
      if (farewell.isGone) break;
    }
  } catch (error) {
    farewell.abort();
    throw error;
  }
}
