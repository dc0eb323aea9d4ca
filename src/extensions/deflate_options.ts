import { checkNames, show } from "../protocol/options.ts";
import { MAX_WINDOW_BITS } from "./deflate_parameters.ts";

/**
 * Options of {@linkcode PerMessageDeflate}. "Server" and "client" are used as in the RFC, so an option means
 * the same at either end. An option that is set is required of the peer. A default is requested, and
 * dropped if the peer does not support it.
 */
export interface PerMessageDeflateOptions {
  /**
   * Whether the server compresses each message independently. Neither end then keeps a window of the
   * server's messages: at the server 0.6 KiB a connection instead of about 3. But short messages are
   * compressed much less.
   *
   * @default {false}
   */
  serverNoContextTakeover?: boolean;
  /**
   * Whether the client compresses each message independently. The server then keeps no window of the
   * client's messages: 0.7 to 8 KiB a connection instead of 5 to 10, or of 33 with a window of 15 bits.
   *
   * @default {false}
   */
  clientNoContextTakeover?: boolean;
  /**
   * The server's window, 8 to 15: the base-2 logarithm of how many bytes back a message may refer. zlib
   * cannot compress with 8: a server then declines the extension, and a client sends uncompressed
   * messages. 15 is the largest window, without a limit: a client then does not offer the parameter.
   *
   * @default {12} 4 KiB, if the client leaves the choice to the server
   */
  serverMaxWindowBits?: number;
  /**
   * The client's window, 8 to 15. If it is set, a server declines an offer without
   * "client_max_window_bits". If it is not set, the server accepts such an offer with a window of 15, and
   * keeps 23 to 33 KiB for each such connection. A client always keeps to its own window, whatever the
   * server answers.
   *
   * @default {12} 4 KiB, if the client supports a limit
   */
  clientMaxWindowBits?: number;
  /**
   * The compression level of sent messages: 0 (none), 1 (fastest) to 9 (smallest).
   *
   * @default {1} for 1 KiB of JSON three times as fast as 6, with 50 % more bytes
   */
  level?: number;
  /**
   * How much memory zlib uses to compress, 1 to 9. The zlib-ng of Deno and Bun uses at least 128 KiB, and a
   * few KiB more for each step; zlib uses 2 ** (memLevel + 9) bytes. At most 32 streams are kept for all
   * connections.
   *
   * @default {5}
   */
  memLevel?: number;
  /**
   * The smallest message that is compressed, in bytes. Compressing a smaller one saves little.
   *
   * @default {1024} 1 KiB
   */
  threshold?: number;
  /**
   * What a client offers; a server ignores it.
   *
   * - `"limited"`: the extension with the window bits and the hints of these options.
   * - `"plain"`: the extension with only those parameters that are required of the server, by default
   *   none. For servers that reject a request with a parameter that they do not know.
   * - `"all"`: the first, the first without `server_max_window_bits`, and the second, for servers that
   *   decline those before. If `serverMaxWindowBits` is set, the first alone.
   *
   * @default {"all"}
   */
  offers?: "all" | "limited" | "plain";
  /**
   * Whether a server answers `server_max_window_bits` if the client has not offered it. RFC 7692 allows
   * it, and it saves memory at the client. But some clients, such as nhooyr.io/websocket 1.8.7, refuse the
   * response. With `false` the server uses the same window without announcing it.
   *
   * @default {true}
   */
  announceServerMaxWindowBits?: boolean;
}

/** The options with their defaults; `undefined` for a window that is not required. */
export type ResolvedDeflateOptions =
  & Required<
    Omit<PerMessageDeflateOptions, "serverMaxWindowBits" | "clientMaxWindowBits">
  >
  & {
    serverMaxWindowBits: number | undefined;
    clientMaxWindowBits: number | undefined;
  };

/** The window bits that are requested if none are required. */
export const DEFAULT_WINDOW_BITS = 12;

const FLAGS = [
  "serverNoContextTakeover",
  "clientNoContextTakeover",
  "announceServerMaxWindowBits",
] as const;

const NAMES: readonly string[] = [
  ...FLAGS,
  "serverMaxWindowBits",
  "clientMaxWindowBits",
  "level",
  "memLevel",
  "threshold",
  "offers",
];

/**
 * Returns the options with their defaults.
 *
 * @throws {RangeError} If an option is out of its range.
 * @throws {TypeError} If an option is unknown, is no boolean, or `offers` has another value.
 */
export function resolveDeflateOptions(
  options: PerMessageDeflateOptions = {},
): Readonly<ResolvedDeflateOptions> {
  checkNames("PerMessageDeflate", options, NAMES);
  for (const name of FLAGS) {
    const value = options[name];
    if (value === undefined || typeof value === "boolean") continue;
    throw new TypeError(`Cannot use option ${name}: expected a boolean, got ${show(value)}`);
  }
  const resolved: ResolvedDeflateOptions = {
    serverNoContextTakeover: options.serverNoContextTakeover ?? false,
    clientNoContextTakeover: options.clientNoContextTakeover ?? false,
    serverMaxWindowBits: options.serverMaxWindowBits,
    clientMaxWindowBits: options.clientMaxWindowBits,
    level: options.level ?? 1,
    memLevel: options.memLevel ?? 5,
    threshold: options.threshold ?? 1024,
    offers: options.offers ?? "all",
    announceServerMaxWindowBits: options.announceServerMaxWindowBits ?? true,
  };
  checkRange("serverMaxWindowBits", options.serverMaxWindowBits, 8, MAX_WINDOW_BITS);
  checkRange("clientMaxWindowBits", options.clientMaxWindowBits, 8, MAX_WINDOW_BITS);
  checkRange("level", options.level, 0, 9);
  checkRange("memLevel", options.memLevel, 1, 9);
  if (!(typeof resolved.threshold === "number" && resolved.threshold >= 0)) {
    throw new RangeError(
      `Cannot use option threshold: expected a number, 0 or more, got ${show(resolved.threshold)}`,
    );
  }
  if (!["all", "limited", "plain"].includes(resolved.offers)) {
    throw new TypeError(
      `Cannot use option offers: expected "all", "limited" or "plain", got ${
        show(resolved.offers)
      }`,
    );
  }
  return resolved;
}

function checkRange(name: string, value: number | undefined, least: number, most: number): void {
  if (value === undefined) return;
  if (Number.isInteger(value) && value >= least && value <= most) return;
  throw new RangeError(
    `Cannot use option ${name}: expected an integer, ${least} to ${most}, got ${show(value)}`,
  );
}
