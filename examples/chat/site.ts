/** The HTTP part of the chat: its page, on the same port as its WebSockets. */

import { readFile } from "node:fs/promises";
import { browserModule } from "../browser_modules.ts";
import { cleanName, MAX } from "./chat.ts";

/** The files of the page. The list is fixed: a request cannot name any other file. */
const FILES: Record<string, [file: string, contentType: string]> = {
  "/app.js": ["app.js", "text/javascript; charset=utf-8"],
  "/link.js": ["link.js", "text/javascript; charset=utf-8"],
  "/view.js": ["view.js", "text/javascript; charset=utf-8"],
  "/style.css": ["style.css", "text/css; charset=utf-8"],
  "/icon.svg": ["icon.svg", "image/svg+xml"],
};
const PAGE: [file: string, contentType: string] = ["index.html", "text/html; charset=utf-8"];

/** The page may only load its own files and open its own WebSocket. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

const TEXT = "text/plain; charset=utf-8";

/** Returns the name of the room that a URL names, or `undefined` if it names none. */
export function roomOf(url: URL): string | undefined {
  const encoded = url.pathname.match(/^\/r\/([^/]+)$/)?.[1];
  if (encoded === undefined) return undefined;
  try {
    return cleanName(decodeURIComponent(encoded), MAX.room);
  } catch {
    return undefined; // An invalid percent-encoding.
  }
}

/** Answers a request for the page, its files, or the health check. */
export async function answer(request: Request): Promise<Response> {
  const url = new URL(request.url);
  const { pathname } = url;
  if (pathname === "/") return respond("", TEXT, 302, { location: "/r/lobby" });
  if (pathname === "/healthz") return respond("ok", TEXT);
  const script = await browserModule(pathname);
  if (script !== undefined) return respond(script, "text/javascript; charset=utf-8");
  const file = Object.hasOwn(FILES, pathname) ? FILES[pathname] : undefined;
  const [name, contentType] = file ?? (roomOf(url) === undefined ? [] : PAGE);
  if (name === undefined || contentType === undefined) return respond("Not found\n", TEXT, 404);
  return respond(await readFile(new URL(`page/${name}`, import.meta.url), "utf8"), contentType);
}

function respond(
  body: string,
  contentType: string,
  status = 200,
  headers: Record<string, string> = {},
): Response {
  return new Response(body, {
    status,
    headers: {
      "content-type": contentType,
      "content-security-policy": CONTENT_SECURITY_POLICY,
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
      "cache-control": "no-cache",
      ...headers,
    },
  });
}
