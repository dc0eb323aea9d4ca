/** Node's own parser of HTTP/1.1, llhttp, which all runtimes have. */

import type { Buffer } from "node:buffer";

/** Receives a part of a message. */
export type NodeParserCallback = (...values: never[]) => number | void;

/** A parser for the messages of one connection. */
export interface NodeParser {
  initialize(type: number, resource: object, maxHeaderSize?: number, lenient?: number): void;
  /** Parses bytes. Returns their number, or an error. */
  execute(bytes: Buffer): number | Error & { code: string };
  /** Ends the connection, and with it a body that ends so. */
  finish(): void | Error & { code: string };
  [callback: number]: NodeParserCallback;
}

/** The class of the parser, with the keys of its callbacks. */
export interface NodeParserClass {
  new (): NodeParser;
  readonly REQUEST: number;
  readonly RESPONSE: number;
  readonly kOnHeaders: number;
  readonly kOnHeadersComplete: number;
  readonly kOnBody: number;
  readonly kOnMessageComplete: number;
}

/** The module has no types. */
const specifier: string = "node:_http_common";

const common = await import(specifier) as {
  HTTPParser: NodeParserClass;
  methods: readonly string[];
};

/** Node's parser. */
export const { HTTPParser } = common;
/** The methods that it knows. Its callback gives their index. */
export const { methods } = common;
