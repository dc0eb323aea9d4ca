/** The values of {@linkcode WebSocketConnection.readyState}, as of the platform's `WebSocket`. */
export const ReadyState = {
  /** Messages can be sent. */
  Open: 1,
  /** Our Close frame has been sent. */
  Closing: 2,
  /** The TCP connection has ended. */
  Closed: 3,
} as const;

/** One of the values of {@linkcode ReadyState}. */
export type ReadyState = typeof ReadyState[keyof typeof ReadyState];

/** Makes the error of an operation on a connection that is not open. */
export function notOpen(what: string): DOMException {
  return new DOMException(`${what}: the WebSocket is not open`, "InvalidStateError");
}

/** Makes the error of what waited when the connection was closed. */
export function wasClosed(): DOMException {
  return notOpen("The connection was closed");
}
