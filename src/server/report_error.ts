import { WebSocketError } from "../protocol/errors.ts";
import type { WebSocketConnection } from "../connection/connection.ts";
import type { ServeOptions } from "./serve_options.ts";

/** Tells a server's `onError` what has gone wrong; one that fails over it is printed. */
export function callOnError<Data>(
  onError: ServeOptions<Data>["onError"] = printError,
  error: unknown,
  socket?: WebSocketConnection<Data>,
): void {
  const failed = (thrown: unknown) => console.error("onError() has thrown", thrown);
  try {
    const result: unknown = onError(error, socket);
    if (result instanceof Promise) result.catch(failed);
  } catch (thrown) {
    failed(thrown);
  }
}

/** The default of `onError`: what peers do wrong would let them fill the log. */
function printError(error: unknown): void {
  const { cause } = error as { cause?: unknown };
  if (!(error instanceof WebSocketError) || cause !== undefined) console.error(error);
}
