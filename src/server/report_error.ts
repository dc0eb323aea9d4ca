import { WebSocketError } from "../protocol/errors.ts";
import type { WebSocketConnection } from "../connection/connection.ts";
import type { ServeOptions } from "./serve_options.ts";
import { isThenable } from "./upgrade_result.ts";

/** Calls a server's `onError`. An error that `onError` itself throws is printed. */
export function reportError<Data>(
  onError: ServeOptions<Data>["onError"] = printError,
  error: unknown,
  socket?: WebSocketConnection<Data>,
): void {
  const failed = (thrown: unknown) => console.error("onError() has thrown", thrown);
  try {
    const result: unknown = onError(error, socket);
    if (isThenable(result)) Promise.resolve(result).catch(failed);
  } catch (thrown) {
    failed(thrown);
  }
}

/**
 * The default of `onError`. Errors caused by peers are not printed, since peers could fill the log
 * with them.
 */
function printError(error: unknown): void {
  const cause = (error as { cause?: unknown } | null | undefined)?.cause;
  if (!(error instanceof WebSocketError) || cause !== undefined) console.error(error);
}
