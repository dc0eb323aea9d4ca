/** The parts of a response, and of its request, that determine its framing. */
export interface ResponseFramingInit {
  /** The method of the request. */
  readonly method: string;
  /** The minor version of the request's HTTP/1.x. */
  readonly minorVersion: number;
  /** The status of the response: 100 to 599. */
  readonly status: number;
  /** Whether the response has a body, which may be empty. */
  readonly hasBody: boolean;
  /**
   * The length of the body in bytes; `undefined` if it is unknown. For a response to HEAD and for a
   * 304, the length that a response to GET would have.
   */
  readonly length: number | undefined;
}

/** How the end of a response is marked. */
export interface ResponseFraming {
  /** Whether the bytes of the body are sent. */
  readonly sendsBody: boolean;
  /** The value of Content-Length; `undefined` if the field is not sent. */
  readonly contentLength: number | undefined;
  /** Whether the body is sent in chunks, with `Transfer-Encoding: chunked`. */
  readonly isChunked: boolean;
  /** Whether the end of the connection marks the end of the body, so that the server must close it. */
  readonly endsByClose: boolean;
}

/**
 * Returns how a response is framed: whether it has a body, and how the body's end is marked.
 *
 * | response | body | framing |
 * | --- | --- | --- |
 * | 1xx, 204 | not sent | neither Content-Length nor Transfer-Encoding |
 * | 205 | not sent | `Content-Length: 0` |
 * | 304 | not sent | Content-Length if the length is known |
 * | to HEAD | not sent | Content-Length if the length is known |
 * | without a body | none | `Content-Length: 0` |
 * | with a body of known length | sent | Content-Length |
 * | with a body of unknown length | sent | chunks; to HTTP/1.0, the end of the connection |
 *
 * @param init The parts of the response and its request.
 * @see {@link https://www.rfc-editor.org/rfc/rfc9112#section-6.3 RFC 9112 §6.3}
 */
export function frameResponse(init: ResponseFramingInit): ResponseFraming {
  const { method, minorVersion, status, hasBody, length } = init;
  // RFC 9110 §8.6: "A server MUST NOT send a Content-Length header field in any response with a status
  // code of 1xx (Informational) or 204 (No Content)." RFC 9112 §6.1: the same for Transfer-Encoding.
  if (status < 200 || status === 204) return withoutBody(undefined);
  // RFC 9110 §15.3.6: "a server MUST NOT generate content in a 205 response." RFC 9112 §6.3: unlike a
  // 204, it does not end with its head, so its length is sent.
  if (status === 205) return withoutBody(0);
  // RFC 9112 §6.3: "any response with a 1xx (Informational), 204 (No Content), or 304 (Not Modified)
  // status code is always terminated by the first empty line", and so is a response to HEAD. RFC 9110
  // §8.6: a Content-Length there is the one that a 200 to a GET would have.
  if (status === 304 || method === "HEAD") return withoutBody(length);
  const knownLength = hasBody ? length : 0;
  if (knownLength !== undefined) {
    return { sendsBody: hasBody, contentLength: knownLength, isChunked: false, endsByClose: false };
  }
  // RFC 9112 §6.1: "A server MUST NOT send a response containing Transfer-Encoding unless the
  // corresponding request indicates HTTP/1.1 (or later minor revisions)."
  const isChunked = minorVersion > 0;
  return { sendsBody: true, contentLength: undefined, isChunked, endsByClose: !isChunked };
}

function withoutBody(contentLength: number | undefined): ResponseFraming {
  return { sendsBody: false, contentLength, isChunked: false, endsByClose: false };
}
