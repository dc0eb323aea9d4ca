/**
 * The body of an HTTP answer as it came, for tests that read one by hand: put together where it came
 * in chunks (RFC 9112 §7.1). One that lacks its last chunk has been cut short.
 */
export function decodeBody(head: string, body: string): { body: string; isWhole: boolean } {
  if (!/^transfer-encoding: chunked$/im.test(head.replaceAll("\r", ""))) {
    return { body, isWhole: true };
  }
  let rest = body;
  let whole = "";
  while (true) {
    const [, size] = /^([0-9a-f]+)\r\n/.exec(rest) ?? [];
    if (size === undefined) return { body: whole, isWhole: false };
    const length = parseInt(size, 16);
    const start = size.length + 2;
    whole += rest.slice(start, start + length);
    if (length === 0) return { body: whole, isWhole: rest === "0\r\n\r\n" };
    if (rest.slice(start + length, start + length + 2) !== "\r\n") {
      return { body: whole, isWhole: false };
    }
    rest = rest.slice(start + length + 2);
  }
}
