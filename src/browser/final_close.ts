import type { CloseInfo } from "../connection/close_info.ts";

/**
 * Returns whether another attempt would be in vain. It is the default of the option `isFinal` of
 * {@linkcode ReconnectingWebSocket}; to change it, pass another function, which may call this one.
 *
 * | how it ended                                                         | final |
 * | -------------------------------------------------------------------- | ----- |
 * | close code 1000 (the purpose is fulfilled), 1008 (policy violation)  | yes   |
 * | any other close code, or a lost connection (1006)                    | no    |
 * | a failed attempt, also if the server has refused it: a browser gives | no    |
 * | no reason                                                            |       |
 * | a malformed URL, subprotocol or other option, `ws:` from an `https:` | yes   |
 * | page                                                                 |       |
 *
 * To end the reconnections of a client that is not let in, accept its connection and close it with 1008.
 *
 * @param info How the connection closed; for a failed attempt, 1006 with its `error`.
 */
export function isFinalClose({ closeCode, error }: CloseInfo): boolean {
  return closeCode === 1000 || closeCode === 1008 || error instanceof TypeError ||
    error instanceof RangeError ||
    (error instanceof DOMException && /^S(yntax|ecurity)Error$/.test(error.name));
}
