import { readFileSync } from "node:fs";
import type { ConnectOptions } from "../client/connect_options.ts";
import type { Arguments, OptionSpec } from "./arguments.ts";
import { UsageError } from "./arguments.ts";

/** The options of a client's handshake. */
export const CONNECT_OPTIONS: readonly OptionSpec[] = [
  {
    name: "header",
    short: "H",
    value: "'NAME: VALUE'",
    isList: true,
    help: "add a header field to the request; may be repeated",
  },
  {
    name: "protocol",
    short: "p",
    value: "NAMES",
    isList: true,
    help: "offer subprotocols, separated by commas",
  },
  { name: "origin", value: "ORIGIN", help: "send an Origin, as a browser does" },
  { name: "compress", short: "z", help: "offer compression (permessage-deflate)" },
  { name: "ca", value: "FILE", isList: true, help: "trust the certificates in a PEM file" },
  { name: "proxy", value: "URL", help: "connect through an HTTP proxy" },
  { name: "timeout", value: "SECONDS", help: "give up an attempt after this time (30)" },
];

/**
 * Returns the options of `connect()` for the arguments.
 *
 * @throws {UsageError} If an argument is malformed, or a file can't be read.
 */
export function connectOptions(args: Arguments): ConnectOptions {
  const headers = args.all("header").map((field): [string, string] => {
    const at = field.indexOf(":");
    if (at < 1) throw new UsageError(`--header: expected "NAME: VALUE", got "${field}"`);
    return [field.slice(0, at).trim(), field.slice(at + 1).trim()];
  });
  const protocols = args.all("protocol").flatMap((names) => names.split(",")).map((name) =>
    name.trim()
  );
  const caCerts = args.all("ca").map(readPem);
  const origin = args.text("origin");
  const proxy = args.text("proxy");
  return {
    headers,
    protocols,
    compression: args.has("compress"),
    timeout: args.number("timeout", 30, 0.001) * 1000,
    ...(origin !== undefined && { origin }),
    ...(proxy !== undefined && { proxy }),
    ...(caCerts.length > 0 && { tls: { caCerts } }),
  };
}

/** Returns the text of a PEM file. */
export function readPem(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new UsageError(`${path} can't be read: ${(error as Error).message}`);
  }
}

/** Returns the URL of an operand; `ws:` is the default scheme. */
export function urlOperand(text: string): string {
  const url = /^[a-z][a-z\d+.-]*:\/\//i.test(text) ? text : `ws://${text}`;
  if (!URL.canParse(url) || !/^(?:wss?|https?):/i.test(url)) {
    throw new UsageError(`expected a URL of ws: or wss:, got "${text}"`);
  }
  return url;
}
