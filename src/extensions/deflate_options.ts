import { MAX_WINDOW_BITS } from "./deflate_parameters.ts";

/**
 * Options of {@linkcode PerMessageDeflate}. They say "server" and "client" as the RFC does, so that
 * they mean the same at either end; what is set is required of the peer, and what is left out is
 * asked for and done without where the peer can't.
 */
export interface PerMessageDeflateOptions {
  /**
   * Whether the server compresses each message by itself. It then keeps no window between two messages
   * (0.6 KiB a connection instead of about 3), nor does the client, but short messages compress much
   * less.
   *
   * @default {false}
   */
  serverNoContextTakeover?: boolean;
  /**
   * Whether the client compresses each message by itself. The server then keeps no window of what it
   * has received: 0.7 to 8 KiB a connection instead of 5 to 10, or of 33 for a window of 15.
   *
   * @default {false}
   */
  clientNoContextTakeover?: boolean;
  /**
   * The server's window: how far back, as the base-2 logarithm of a number of bytes, a message may
   * refer. 8 to 15; an end that is to compress with 8 sends everything as it is, or declines, since
   * zlib can't.
   *
   * @default {12} 4 KiB, where a client leaves the choice
   */
  serverMaxWindowBits?: number;
  /**
   * The client's window, 8 to 15. Where it's set, a server declines an offer without
   * "client_max_window_bits"; where it's not, it takes such a client's messages with a window of 15,
   * which is kept: 23 to 33 KiB for each such connection.
   *
   * @default {12} 4 KiB, where a client lets itself be limited
   */
  clientMaxWindowBits?: number;
  /**
   * How hard to compress what is sent: 0 (not at all), 1 (fastest) to 9 (smallest).
   *
   * @default {1} on 1 KiB of JSON three times as fast as 6, for half as many bytes more
   */
  level?: number;
  /**
   * How much memory zlib compresses with, 1 to 9. The zlib-ng of Deno and Bun takes 128 KiB whatever it
   * says, and a few more for each step; zlib itself 2 ** (memLevel + 9) bytes. The streams are shared:
   * there are 32 of them at most, however many connections there are.
   *
   * @default {5}
   */
  memLevel?: number;
  /**
   * The smallest message that is compressed, in bytes. Of those below, there is little to gain.
   *
   * @default {1024} 1 KiB
   */
  threshold?: number;
}

/** The options, all of them; `undefined` for a window that is not required. */
export type ResolvedDeflateOptions =
  & Required<
    Omit<PerMessageDeflateOptions, "serverMaxWindowBits" | "clientMaxWindowBits">
  >
  & {
    serverMaxWindowBits: number | undefined;
    clientMaxWindowBits: number | undefined;
  };

/** The window that is asked for where none is required. */
export const DEFAULT_WINDOW_BITS = 12;

/**
 * Fills the gaps with the defaults.
 *
 * @throws {RangeError} where an option is out of its range.
 */
export function resolveDeflateOptions(
  options: PerMessageDeflateOptions = {},
): Readonly<ResolvedDeflateOptions> {
  const resolved: ResolvedDeflateOptions = {
    serverNoContextTakeover: options.serverNoContextTakeover ?? false,
    clientNoContextTakeover: options.clientNoContextTakeover ?? false,
    serverMaxWindowBits: options.serverMaxWindowBits,
    clientMaxWindowBits: options.clientMaxWindowBits,
    level: options.level ?? 1,
    memLevel: options.memLevel ?? 5,
    threshold: options.threshold ?? 1024,
  };
  checkRange("serverMaxWindowBits", options.serverMaxWindowBits, 8, MAX_WINDOW_BITS);
  checkRange("clientMaxWindowBits", options.clientMaxWindowBits, 8, MAX_WINDOW_BITS);
  checkRange("level", options.level, 0, 9);
  checkRange("memLevel", options.memLevel, 1, 9);
  if (!(resolved.threshold >= 0)) {
    throw new RangeError(
      `Cannot use option threshold: expected a number, 0 or more, got ${resolved.threshold}`,
    );
  }
  return resolved;
}

function checkRange(name: string, value: number | undefined, least: number, most: number): void {
  if (value === undefined) return;
  if (Number.isInteger(value) && value >= least && value <= most) return;
  throw new RangeError(
    `Cannot use option ${name}: expected an integer, ${least} to ${most}, got ${value}`,
  );
}
