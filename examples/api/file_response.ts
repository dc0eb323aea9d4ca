/** Answers requests for a file: whole, or the range that the client asks for (RFC 9110 §14). */

import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { Readable } from "node:stream";

/** A range of bytes, both ends included. */
interface Range {
  first: number;
  last: number;
}

/**
 * Parses a Range field with one range, such as `bytes=0-99`, `bytes=100-` and `bytes=-100`.
 *
 * @returns `undefined` for a field that is to be ignored: of another unit, malformed, or with several
 * ranges. `"unsatisfiable"` if no byte of the file is in the range.
 */
export function parseRange(field: string, size: number): Range | "unsatisfiable" | undefined {
  const [, start = "", end = ""] = /^bytes=(\d*)-(\d*)$/i.exec(field.trim()) ?? [];
  if (start === "" && end === "") return undefined;
  if (start !== "" && end !== "" && Number(end) < Number(start)) return undefined;
  const first = start === "" ? Math.max(0, size - Number(end)) : Number(start);
  const last = start === "" || end === "" ? size - 1 : Math.min(Number(end), size - 1);
  return first <= last ? { first, last } : "unsatisfiable";
}

/** Returns the response to a GET or HEAD request for a file. */
export async function fileResponse(
  request: Request,
  file: URL,
  contentType: string,
): Promise<Response> {
  const { size, mtimeMs } = await stat(file);
  const etag = `"${size.toString(16)}-${Math.floor(mtimeMs).toString(16)}"`;
  const headers = new Headers({
    "Content-Type": contentType,
    "Accept-Ranges": "bytes",
    "ETag": etag,
    "Cache-Control": "no-cache",
    "X-Content-Type-Options": "nosniff",
  });
  if (request.headers.get("If-None-Match") === etag) {
    return new Response(null, { status: 304, headers });
  }
  // RFC 9110 §13.1.5: a range of a file that has changed is of no use to the client.
  const isCurrent = [null, etag].includes(request.headers.get("If-Range"));
  const field = request.method === "GET" && isCurrent ? request.headers.get("Range") : null;
  const range = field === null ? undefined : parseRange(field, size);
  if (range === "unsatisfiable") {
    headers.set("Content-Range", `bytes */${size}`);
    return new Response(null, { status: 416, headers });
  }
  const { first, last } = range ?? { first: 0, last: size - 1 };
  headers.set("Content-Length", String(last - first + 1));
  if (range !== undefined) headers.set("Content-Range", `bytes ${first}-${last}/${size}`);
  const status = range === undefined ? 200 : 206;
  if (request.method === "HEAD" || size === 0) return new Response(null, { status, headers });
  const stream = Readable.toWeb(createReadStream(file, { start: first, end: last }));
  return new Response(stream as unknown as ReadableStream, { status, headers });
}
