/** The HTTP part of the example: a Hono application. */

import { Buffer } from "node:buffer";
import { createHmac, timingSafeEqual } from "node:crypto";
import { Hono } from "hono";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import { cors } from "hono/cors";
import { secureHeaders } from "hono/secure-headers";
import { fileResponse } from "./file_response.ts";
import type { Session, Sessions } from "./sessions.ts";

/** The name of the cookie with the token of a session. */
export const COOKIE = "session";

/** An event that a webhook reports. */
export interface FeedEvent {
  title: string;
  /** When the server received it, in milliseconds since 1970. */
  at: number;
}

/** What the application is made from. */
export interface ApiInit {
  sessions: Sessions;
  /** The last events, to which the application adds. */
  events: FeedEvent[];
  /** The only account. */
  account: { user: string; password: string };
  /** The secret that signs the requests of the webhook. */
  webhookSecret: string;
  /** The origin whose pages may read `/api/events`. */
  allowedOrigin: string;
  /** Whether the server is about to end. */
  isDraining(): boolean;
  /** Sends an event to all WebSockets; returns their number. */
  publish(event: FeedEvent): number;
  /** Closes the WebSockets of a session that has ended. */
  closeSession(token: string): void;
}

/** The files of the page. The list is fixed: a request cannot name any other file. */
const FILES: Record<string, [file: string, contentType: string]> = {
  "/app.js": ["app.js", "text/javascript; charset=utf-8"],
  "/style.css": ["style.css", "text/css; charset=utf-8"],
  "/files/capitals.csv": ["capitals.csv", "text/csv; charset=utf-8"],
};
const HTML = "text/html; charset=utf-8";
/** The number of events that are kept. */
const MAX_EVENTS = 50;
/** The length of a title, in UTF-16 code units. */
const MAX_TITLE = 200;

/** Compares two texts in a time that does not depend on where they differ. */
function isEqual(a: string, b: string): boolean {
  const [x, y] = [a, b].map((text) => createHmac("sha256", "").update(text).digest());
  return timingSafeEqual(x!, y!);
}

/** Returns the signature of a webhook's body, for its `X-Signature` field. */
export function sign(body: string | Uint8Array, secret: string): string {
  return `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`;
}

function pageFile(name: string): URL {
  return new URL(`page/${name}`, import.meta.url);
}

/** Returns the title in the JSON of a webhook, or `undefined` if there is none. */
function titleOf(json: string): string | undefined {
  try {
    const { title } = JSON.parse(json);
    if (typeof title === "string" && title !== "" && title.length <= MAX_TITLE) return title;
  } catch {
    // Not JSON, or not an object.
  }
  return undefined;
}

/** Makes the application. Its `fetch()` is that of the server. */
export function createApp(init: ApiInit): Hono<{ Variables: { session: Session } }> {
  const { sessions, events, account, webhookSecret, allowedOrigin } = init;
  const app = new Hono<{ Variables: { session: Session } }>();

  app.use(secureHeaders({
    contentSecurityPolicy: {
      defaultSrc: ["'none'"],
      scriptSrc: ["'self'"],
      styleSrc: ["'self'"],
      connectSrc: ["'self'"],
      baseUri: ["'none'"],
      formAction: ["'self'"],
      frameAncestors: ["'none'"],
    },
    // For a server behind HTTPS only.
    strictTransportSecurity: false,
  }));

  app.get("/healthz", (c) => init.isDraining() ? c.text("draining\n", 503) : c.text("ok\n"));

  app.get("/", (c) => {
    const isLoggedIn = sessions.get(getCookie(c, COOKIE)) !== undefined;
    return fileResponse(c.req.raw, pageFile(isLoggedIn ? "index.html" : "login.html"), HTML);
  });

  app.post("/login", async (c) => {
    const { user, password } = await c.req.parseBody();
    const isRight = [
      isEqual(String(user), account.user),
      isEqual(String(password), account.password),
    ].every((each) => each);
    if (!isRight) return c.text("The name or the password is wrong.\n", 403);
    setCookie(c, COOKIE, sessions.start(account.user), {
      httpOnly: true,
      sameSite: "Strict",
      secure: new URL(c.req.url).protocol === "https:",
      path: "/",
      maxAge: sessions.maxAge,
    });
    return c.redirect("/", 303);
  });

  app.post("/logout", (c) => {
    const token = getCookie(c, COOKIE);
    if (token !== undefined) {
      sessions.end(token);
      init.closeSession(token);
    }
    deleteCookie(c, COOKIE, { path: "/" });
    return c.redirect("/", 303);
  });

  // Pages of one other origin may read the events. The middleware answers the preflight.
  app.use("/api/*", cors({ origin: allowedOrigin, allowMethods: ["GET"], maxAge: 600 }));
  app.get("/api/events", (c) => c.json(events));

  app.post("/webhook", async (c) => {
    const body = Buffer.from(await c.req.arrayBuffer());
    if (!isEqual(c.req.header("X-Signature") ?? "", sign(body, webhookSecret))) {
      return c.text("The signature is wrong.\n", 401);
    }
    const title = titleOf(body.toString());
    if (title === undefined) return c.text("Expected JSON with a title.\n", 400);
    const event = { title, at: Date.now() };
    if (events.push(event) > MAX_EVENTS) events.shift();
    return c.json({ receivers: init.publish(event) }, 202);
  });

  for (const [path, [name, contentType]] of Object.entries(FILES)) {
    app.get(path, (c) => fileResponse(c.req.raw, pageFile(name), contentType));
  }

  app.notFound((c) => c.text("Not found\n", 404));
  return app;
}
