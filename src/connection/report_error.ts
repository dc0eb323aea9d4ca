import { WebSocketError } from "../protocol/errors.ts";
import { callReporter } from "../util/promises.ts";

/** Receives errors, and the connection that each belongs to, if any. */
export type ErrorReport<Socket> = (error: unknown, socket?: Socket) => void;

/** Calls an `onError`. An error that `onError` itself throws is printed. */
export function reportError<Socket>(
  onError: ErrorReport<Socket> = printError,
  error: unknown,
  socket?: Socket,
): void {
  callReporter(() => onError(error, socket));
}

/**
 * The default of `onError`. Errors caused by peers are not printed, since peers could fill the log
 * with them.
 */
function printError(error: unknown): void {
  const cause = (error as { cause?: unknown } | null | undefined)?.cause;
  if (!(error instanceof WebSocketError) || cause !== undefined) console.error(error);
}
