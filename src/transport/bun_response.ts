/** The members of the runtime that are used here, declared for the checkers of other runtimes. */
interface Runtime {
  /** Of Bun: returns the value of a promise that is fulfilled, otherwise the promise. */
  Bun?: { peek?<Value>(promise: Promise<Value>): Value | Promise<Value> };
  process?: {
    getBuiltinModule?(
      name: string,
    ): { estimateShallowMemoryUsageOf?(value: object): number } | undefined;
  };
}

/** The content of a response that is in memory. */
export interface MemoryContent {
  readonly content: string | Uint8Array<ArrayBuffer>;
  /** Whether the response was made of a string. It is only found out if its Content-Type is missing. */
  readonly isText: boolean;
}

const { Bun, process } = globalThis as unknown as Runtime;
const peek = Bun?.peek;
const memoryOf = process?.getBuiltinModule?.("bun:jsc")?.estimateShallowMemoryUsageOf;
/** The memory of a `Response` without a body, in bytes. */
const OWN_MEMORY = memoryOf?.(new Response(null)) ?? 0;
/** A copy of a body of this size in bytes, or a larger one, is cancelled, so that it shares no memory. */
const MIN_CANCELLED = 65_536;

/**
 * Whether `Response` omits the Content-Type of a string, and the memory of a response, and of its clone,
 * show the string.
 */
const isBlind = memoryOf !== undefined && peek !== undefined &&
  new Response("hi").headers.get("content-type") === null &&
  memoryOf(new Response("hi")) === OWN_MEMORY + 2 &&
  memoryOf(new Response(new ReadableStream())) === OWN_MEMORY &&
  memoryOf(new Response("hi").clone()) === OWN_MEMORY + 2 &&
  memoryOf(new Response(new Uint8Array(2))) === OWN_MEMORY + 2 &&
  memoryOf(new Response(new Uint8Array(2)).clone()) === OWN_MEMORY;

/**
 * Takes the content of a response whose body is a string or an `ArrayBuffer`, and so in memory.
 *
 * Fetch gives a response made of a string a Content-Type. Bun adds it in its own server only, and has no
 * API that returns the kind of a body. But the memory usage of a response contains the length of a string
 * and of an `ArrayBuffer`, not that of a stream or a Blob. And `clone()` makes an `ArrayBuffer` a Blob,
 * and leaves a string of ASCII as it is. It makes another string bytes of UTF-8, whose number mostly is
 * not the memory of the string. If it is, as with letters of two bytes alone, the kind remains unknown,
 * and is not guessed.
 *
 * @param response The response. Its headers have been read, so that Bun has derived the Content-Type of
 * other bodies.
 * @param hasType Whether it has a Content-Type.
 * @returns `undefined` for other bodies, for one that has been used, and on other runtimes.
 */
export function takeMemoryContent(
  response: object,
  hasType: boolean,
): MemoryContent | undefined {
  if (!isBlind || !(response instanceof Response)) return undefined;
  const { statusText, url, bodyUsed } = response;
  // Members that the application has added, and a URL, take memory as well.
  if (url !== "" || bodyUsed || Reflect.ownKeys(response).length > 0) return undefined;
  const own = OWN_MEMORY + statusText.length;
  const size = memoryOf!(response) - own;
  if (size <= 0) return undefined;
  const kind = hasType ? undefined : clonedSize(response, own, size);
  if (kind === size) {
    const content = peek!(response.text());
    return typeof content === "string" ? { content, isText: true } : undefined;
  }
  const buffer = peek!(response.arrayBuffer());
  if (!(buffer instanceof ArrayBuffer)) return undefined;
  const content = new Uint8Array(buffer);
  const isText = kind === 0 && size !== content.length && isStringOf(size, content);
  return { content, isText };
}

function clonedSize(response: Response, own: number, size: number): number {
  const copy = response.clone();
  const clonedSize = memoryOf!(copy) - own;
  if (clonedSize === 0 && size >= MIN_CANCELLED) copy.body?.cancel();
  return clonedSize;
}

/** Returns whether a string of this memory usage, of one or two bytes a character, has these bytes. */
function isStringOf(size: number, bytes: Uint8Array): boolean {
  const { length } = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  return size === length || size === 2 * length;
}
