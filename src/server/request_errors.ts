import { quote } from "../http/characters.ts";
import { HandshakeError, internalServerError } from "../http/errors.ts";
import type { RequestHead } from "../http/request_head_parser.ts";
import { writeErrorResponse } from "../http/response_writer.ts";

/** Returns whether the client waits for a 100. */
export function expectsContinue({ headers, minorVersion }: RequestHead): boolean {
  const expectation = headers.get("expect");
  // RFC 9110 §10.1.1: "A server that receives a 100-continue expectation in an HTTP/1.0 request MUST
  // ignore that expectation."
  if (expectation === null || minorVersion === 0) return false;
  if (expectation.toLowerCase() === "100-continue") return true;
  // RFC 9110 §10.1.1: "A server that receives an Expect field value containing a member other than
  // 100-continue MAY respond with a 417 (Expectation Failed) status code".
  throw new HandshakeError(
    `Cannot accept request: Expect ${quote(expectation)}, expected "100-continue"`,
    { code: "ERR_HTTP_EXPECT", status: 417 },
  );
}

/** Makes the refusal of a request whose client has ended the connection within the body. */
export function incompleteBody(): HandshakeError {
  return new HandshakeError("Cannot read request: the connection ended within its body", {
    code: "ERR_HTTP_BODY_INCOMPLETE",
  });
}

/** Makes the refusal of a body of a GET or HEAD, which a `Request` cannot have. */
export function unexpectedBody(method: string): HandshakeError {
  // RFC 9110 §9.3.1: "content received in a GET request has no generally defined semantics", and "might
  // lead some implementations to reject the request".
  return new HandshakeError(`Cannot accept request: a body of a ${method}, expected none`, {
    code: "ERR_HANDSHAKE_BODY",
  });
}

/**
 * Makes the refusal of a request for its time.
 *
 * @param part What has taken longer: the client's head or body, or the decision of `upgrade()`.
 * @param timeout The time, in milliseconds.
 */
export function lateRequest(part: "head" | "body" | "upgrade", timeout: number): HandshakeError {
  if (part === "upgrade") {
    return new HandshakeError(`Cannot answer the request within ${timeout} ms`, {
      code: "ERR_HANDSHAKE_UPGRADE_TIMEOUT",
      status: 503,
    });
  }
  const [what, code] = part === "head"
    ? ["request", "ERR_HANDSHAKE_TIMEOUT"] as const
    : ["body", "ERR_HTTP_BODY_TIMEOUT"] as const;
  const message = `Cannot wait for the ${what} for more than ${timeout} ms`;
  return new HandshakeError(message, { code, status: 408 });
}

/** Makes the error that reports a refusal by the response of `upgrade()`. */
export function refusedByUpgrade(status: number): HandshakeError {
  return new HandshakeError(`upgrade() refused with status ${status}`, {
    code: "ERR_HANDSHAKE_REFUSED",
    status,
  });
}

/**
 * Encodes the response that refuses a request.
 *
 * @returns The response, and the error that it reports: another one if the application's own error has a
 * status or a field that can't be sent.
 */
export function encodeRefusal(
  error: HandshakeError,
  omitBody: boolean,
): { sent: HandshakeError; response: Uint8Array<ArrayBuffer> } {
  const options = { date: new Date(), omitBody };
  try {
    return { sent: error, response: writeErrorResponse(error, options) };
  } catch (cause) {
    const sent = internalServerError(cause);
    return { sent, response: writeErrorResponse(sent, options) };
  }
}
