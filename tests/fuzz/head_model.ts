/** RFC 9112, as two regular expressions over all the bytes at once, one character for each. */

const LINE = "[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\\t\\x20-\\x7e\\x80-\\xff]*\\r\\n";
const HEADS = {
  request: new RegExp(
    `^(?:\\r\\n)?([!#$%&'*+.^_\`|~0-9A-Za-z-]+) ([!-"$-~]+) HTTP/1\\.([1-9])\\r\\n((?:${LINE})*)\\r\\n`,
  ),
  response: new RegExp(
    `^HTTP/1\\.([0-9]) ([1-9][0-9][0-9])(?: ([\\t\\x20-\\x7e\\x80-\\xff]*))?\\r\\n((?:${LINE})*)\\r\\n`,
  ),
};

/** What stands in a place where nothing has come yet; each of its ends completes some beginning. */
const WHOLE = {
  request: "\r\nG / HTTP/1.1\r\na:b\r\n\r\n",
  response: "HTTP/1.1 200 o\r\na:b\r\n\r\n",
};
/** Ends that those lack: a digit of a status which its first ones rule out, and the like. */
const ENDS = {
  request: endsOf(WHOLE.request),
  response: endsOf(WHOLE.response),
};

function endsOf(whole: string): string[] {
  return Array.from({ length: whole.length }, (_, i) => whole.slice(i));
}

/** Which of them. */
export type HeadKind = keyof typeof HEADS;

/** A head. */
export interface ModelHead {
  /** How many bytes it has. */
  length: number;
  /** What the start line says: method, target and version; version, status and reason. */
  start: (string | undefined)[];
  fields: [name: string, value: string][];
}

/** The head that the text begins with; `null` where it begins with none. */
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

/** Whether the text can yet become a head: whether one of the ends makes it one. */
export function isBeginning(kind: HeadKind, text: string): boolean {
  return ENDS[kind].some((end) => HEADS[kind].test(text + end));
}
