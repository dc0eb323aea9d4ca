/** The sessions of users that have logged in. A session is named by a random token, in a cookie. */

import { randomBytes } from "node:crypto";

/** The largest number of sessions. A new one replaces the oldest. */
const MAX_SESSIONS = 10_000;

/** A session. */
export interface Session {
  readonly user: string;
  /** When it ends, in milliseconds since 1970. */
  readonly expiresAt: number;
}

/** All sessions, in memory. */
export class Sessions {
  /** How long a session lasts, in seconds. */
  readonly maxAge: number;
  readonly #sessions = new Map<string, Session>();

  constructor(maxAge = 8 * 60 * 60) {
    this.maxAge = maxAge;
  }

  /** Starts a session, and returns its token. */
  start(user: string): string {
    if (this.#sessions.size >= MAX_SESSIONS) {
      for (const oldest of this.#sessions.keys()) {
        this.#sessions.delete(oldest);
        break;
      }
    }
    const token = randomBytes(32).toString("base64url");
    this.#sessions.set(token, { user, expiresAt: Date.now() + this.maxAge * 1000 });
    return token;
  }

  /** Returns the session of a token, or `undefined` if it has ended. */
  get(token: string | undefined): Session | undefined {
    const session = token === undefined ? undefined : this.#sessions.get(token);
    if (session === undefined || session.expiresAt > Date.now()) return session;
    this.end(token);
    return undefined;
  }

  /** Ends a session. */
  end(token: string | undefined): void {
    if (token !== undefined) this.#sessions.delete(token);
  }
}
