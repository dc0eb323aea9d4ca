/** A model of RFC 9112: two regular expressions over all bytes at once, one character for each. */

const LINE = "[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\\t\\x20-\\x7e\\x80-\\xff]*\\r\\n";
const HEADS = {
  request: new RegExp(
    `^(?:\\r\\n)?([!#$%&'*+.^_\`|~0-9A-Za-z-]+) ([!-"$-~]+) HTTP/1\\.([1-9])\\r\\n((?:${LINE})*)\\r\\n`,
  ),
  response: new RegExp(
    `^HTTP/1\\.([0-9]) ([1-9][0-9][0-9])(?: ([\\t\\x20-\\x7e\\x80-\\xff]*))?\\r\\n((?:${LINE})*)\\r\\n`,
  ),
};

/** Endings of a head: each one completes some prefix. */
const WHOLE = {
  request: "\r\nG / HTTP/1.1\r\na:b\r\n\r\n",
  response: "HTTP/1.1 200 o\r\na:b\r\n\r\n",
};
/** Further endings, such as those for a status whose first digits exclude the others. */
const ENDS = {
  request: endsOf(WHOLE.request),
  response: endsOf(WHOLE.response),
};

function endsOf(whole: string): string[] {
  return Array.from({ length: whole.length }, (_, i) => whole.slice(i));
}

/** The kind of a head. */
export type HeadKind = keyof typeof HEADS;

/** A parsed head. */
export interface ModelHead {
  /** Its length in bytes. */
  length: number;
  /** The parts of the start line: method, target and version; or version, status and reason. */
  start: (string | undefined)[];
  fields: [name: string, value: string][];
}

/** Returns the head at the start of the text; `null` if there is none. */
export function matchHead(kind: HeadKind, text: string): ModelHead | null {
  const match = HEADS[kind].exec(text);
  if (match === null) return null;
  const [whole, ...groups] = match;
  const lines = groups.pop()!.split("\r\n").slice(0, -1);
  return {
    length: whole.length,
    start: groups,
    fields: lines.map((line) => {
      const colon = line.indexOf(":");
      return [
        line.slice(0, colon).toLowerCase(),
        line.slice(colon + 1).replace(/^[\t ]+/, "").replace(/[\t ]+$/, ""),
      ];
    }),
  };
}

/** Returns whether the text can still become a head: whether an ending completes it. */
export function isBeginning(kind: HeadKind, text: string): boolean {
  return ENDS[kind].some((end) => HEADS[kind].test(text + end));
}

const TRAILERS = new RegExp(`^(?:${LINE})*\\r\\n`);
const TRAILERS_ENDS = endsOf("a:b\r\n\r\n");

/** Returns the trailer section at the start of the text, or `null`. */
export function matchTrailers(text: string): string | null {
  return TRAILERS.exec(text)?.[0] ?? null;
}

/** Returns whether the text can become a trailer section. */
export function isTrailersBeginning(text: string): boolean {
  return TRAILERS_ENDS.some((end) => TRAILERS.test(text + end));
}
