import { resolvePerAttempt } from "../client/per_attempt.ts";
import type { PerAttempt } from "../client/per_attempt.ts";
import type { ReconnectAttempt, ReconnectDialer } from "../client/reconnect_target.ts";
import type { CloseInfo } from "../connection/close_info.ts";
import { checkMessage } from "../connection/sendable.ts";
import { checkNumber } from "../protocol/options.ts";
import { abortable, withTimeout } from "../util/abort.ts";
import { BrowserTarget } from "./browser_connection.ts";
import type { BrowserConnection, BrowserLimits } from "./browser_connection.ts";
import { isFinalClose } from "./final_close.ts";
import type { ReconnectOptions } from "./reconnect_options.ts";

/** Opens the connections of a ReconnectingWebSocket with the browser's `WebSocket`. */
export class BrowserDialer implements ReconnectDialer<BrowserConnection> {
  readonly maxBufferedAmount: number;
  readonly #url: PerAttempt<string | URL>;
  readonly #options: ReconnectOptions;
  readonly #limits: BrowserLimits;

  /** @throws {unknown} The error of an option that no attempt could use. */
  constructor(url: PerAttempt<string | URL>, options: ReconnectOptions) {
    const {
      maxBufferedAmount = 16 * 1024 ** 2,
      highWaterMark = 64 * 1024,
      maxUnread = 16 * 1024 ** 2,
      firstMessage,
    } = options;
    this.#url = url;
    this.#options = options;
    this.#limits = { maxBufferedAmount, highWaterMark, maxUnread };
    for (const [name, value] of Object.entries(this.#limits)) checkNumber(name, value, value > 0);
    this.maxBufferedAmount = maxBufferedAmount;
    if (typeof url !== "function") resolveUrl(url);
    if (typeof firstMessage !== "function") checkMessage(firstMessage);
  }

  async connect(signal: AbortSignal): Promise<ReconnectAttempt<BrowserConnection>> {
    const { protocols = [], firstMessage, timeout = 30_000 } = this.#options;
    // What the functions return counts as a part of the attempt: one that hangs must not end the retries.
    return await withTimeout({ timeout, signal }, async (signal) => {
      const resolved = Promise.all([
        resolvePerAttempt(this.#url, "URL"),
        resolvePerAttempt(protocols, "protocols"),
        resolvePerAttempt(firstMessage, "first message"),
      ]);
      const [url, offered, message] = await abortable(resolved, signal);
      checkMessage(message);
      const socket = new WebSocket(resolveUrl(url), offered as string | string[]);
      const target = new BrowserTarget(socket, this.#limits);
      try {
        await abortable(target.opened, signal);
      } catch (error) {
        target.abort();
        throw error;
      }
      return { target, firstMessage: message };
    });
  }

  isFinal(info: CloseInfo): boolean {
    return isFinalClose(info);
  }
}

/**
 * Returns the URL of a WebSocket. A relative URL is resolved with that of the page, and `http:` and
 * `https:` mean `ws:` and `wss:`, which older browsers do not know.
 *
 * @throws {DOMException} A `SyntaxError` if the URL is malformed.
 */
function resolveUrl(url: string | URL): URL {
  const base = (globalThis as { location?: { href: string } }).location?.href;
  const resolved = URL.parse(String(url), base);
  if (resolved === null || !/^(ws|http)s?:$/.test(resolved.protocol) || resolved.hash !== "") {
    throw new DOMException(
      `Cannot use URL "${url}": expected a ws:, wss:, http: or https: URL without a fragment`,
      "SyntaxError",
    );
  }
  resolved.protocol = resolved.protocol.replace("http", "ws");
  return resolved;
}
