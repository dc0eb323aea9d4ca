import { isPersistent } from "../http/persistence.ts";
import { validateRequest } from "../http/request.ts";
import type { RequestTarget } from "../http/request.ts";
import { requestBodyLength } from "../http/request_body.ts";
import type { RequestHead } from "../http/request_head_parser.ts";
import { expectsContinue, unexpectedBody } from "./request_errors.ts";

/** A valid request for `fetch()`. */
export interface FetchRequest {
  readonly head: RequestHead;
  readonly target: RequestTarget;
  /** The framing of the body. */
  readonly bodyLength: number | "chunked";
  /** Whether the client waits for a 100 before it sends the body. */
  readonly expectsContinue: boolean;
  /** Whether the client asks to keep the connection. */
  readonly isPersistent: boolean;
}

/**
 * Validates the head of a plain HTTP request.
 *
 * @throws {HandshakeError} If it is invalid, or has what the server does not support: 400, 417 or 501.
 */
export function parseFetchRequest(head: RequestHead): FetchRequest {
  const target = validateRequest(head);
  const bodyLength = requestBodyLength(head);
  if (bodyLength !== 0 && (head.method === "GET" || head.method === "HEAD")) {
    throw unexpectedBody(head.method);
  }
  return {
    head,
    target,
    bodyLength,
    expectsContinue: expectsContinue(head),
    isPersistent: isPersistent(head),
  };
}
