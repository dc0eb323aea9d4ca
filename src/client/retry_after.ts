import { HandshakeError } from "../http/errors.ts";

/** The longest delay that a server can request, in milliseconds: a day. */
const MAX_RETRY_AFTER = 24 * 60 * 60 * 1000;

/**
 * Returns the delay in milliseconds that a response with status 429 or 503 asks for, at most a day.
 *
 * RFC 9110 §10.2.3: "Servers send the "Retry-After" header field to indicate how long the user agent ought
 * to wait before making a follow-up request." "Retry-After = HTTP-date / delay-seconds".
 *
 * @param error The error of an attempt.
 * @param now The time of day in milliseconds, as `Date.now()`.
 * @returns The delay; 0 if the response asks for none.
 */
export function retryAfterOf(error: unknown, now: number): number {
  if (!(error instanceof HandshakeError) || (error.status !== 429 && error.status !== 503)) {
    return 0;
  }
  const value = error.headers.find(([name]) => name.toLowerCase() === "retry-after")?.[1].trim();
  if (value === undefined) return 0;
  const delay = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - now;
  return delay > 0 ? Math.min(delay, MAX_RETRY_AFTER) : 0;
}
