/** The part of the runtime that is used here. */
interface BunProcess {
  getBuiltinModule?(
    name: string,
  ): { estimateShallowMemoryUsageOf?(value: object): number } | undefined;
}

const { process } = globalThis as unknown as { process?: BunProcess };
const memoryOf = process?.getBuiltinModule?.("bun:jsc")?.estimateShallowMemoryUsageOf;
/** The memory of a `Response` without a body, in bytes. */
const OWN_MEMORY = memoryOf?.(new Response(null)) ?? 0;
/** Whether `Response` omits the Content-Type of a string, and its memory shows the string. */
const isBlind = memoryOf !== undefined &&
  new Response("hi").headers.get("content-type") === null &&
  memoryOf(new Response("hi")) === OWN_MEMORY + 2 &&
  memoryOf(new Response(new ReadableStream())) === OWN_MEMORY;

/**
 * Returns the length of a response's body that is a string or an `ArrayBuffer`: about, in bytes. Such a
 * body is in memory, and may need the Content-Type of a string.
 *
 * Fetch gives a response made from a string a Content-Type. Bun adds it in its own server only, and has
 * no API that returns the kind of a body. The memory usage of a response is the one property that
 * differs: it has the length of a string and of an `ArrayBuffer`, and not that of a stream or a Blob.
 *
 * @returns 0 for other bodies, and if the runtime sets the Content-Type itself, as Deno does.
 */
export function lengthInMemory(response: object): number {
  if (!isBlind || !(response instanceof Response)) return 0;
  const { statusText, url } = response;
  // Members that the application has added, and a URL, take memory as well.
  if (url !== "" || Reflect.ownKeys(response).length > 0) return 0;
  return Math.max(0, memoryOf!(response) - OWN_MEMORY - statusText.length);
}
