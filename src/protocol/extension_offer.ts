/**
 * One element of a Sec-WebSocket-Extensions field: an extension that a client offers, or that a
 * server has accepted.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc6455#section-9.1 RFC 6455 §9.1}
 */
export interface ExtensionOffer {
  /** The extension's name as received, such as `"permessage-deflate"`. */
  readonly name: string;
  /**
   * The parameters in their order, repeated names included: the extension decides whether those are
   * allowed. The value of a parameter without one is `true`.
   */
  readonly params: readonly (readonly [name: string, value: string | true])[];
}
