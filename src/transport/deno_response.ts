/** The content of a response that is in memory. */
export interface StaticContent {
  /** A string, or bytes that nothing changes. */
  readonly content: string | Uint8Array<ArrayBuffer>;
  /** The Content-Type, if it is the only header field; otherwise the fields have to be read. */
  readonly onlyType: string | undefined;
}

/** The members of a Deno body that are used here. Not documented. */
interface StaticBody {
  body: unknown;
  consumed: boolean;
}

/** The members of a Deno response that are used here. Not documented. */
interface InnerResponse {
  headerList: readonly unknown[];
  body: { streamOrStatic: StaticBody | ReadableStream } | null;
}

type Members = Record<symbol, unknown>;

const TEXT_TYPE = "text/plain;charset=UTF-8";

/** The symbols of Deno's `Response` that are used here. */
interface Symbols {
  readonly inner: symbol;
  readonly headers: symbol;
  readonly text: symbol;
  readonly type: symbol;
  readonly isConsumed: symbol;
}

/** `null` if this runtime's `Response` has no such members, or they mean something else. */
let symbols: Symbols | null | undefined;

/**
 * Takes the content of a response that has been made of a string or of bytes, and marks its body as used.
 *
 * Fetch has no synchronous way to the content, and the asynchronous ones cost as much as the rest of a
 * short response. Deno keeps the content in members without a documentation. They are used if responses
 * of each kind prove that they are what they seem; otherwise the body is read as a stream.
 *
 * @returns `undefined` for other bodies, and on other runtimes.
 */
export function takeStaticContent(response: object): StaticContent | undefined {
  if (symbols === undefined) symbols = findSymbols();
  return symbols === null || !(response instanceof Response)
    ? undefined
    : take(response as unknown as Members, symbols);
}

function take(response: Members, symbols: Symbols): StaticContent | undefined {
  const inner = response[symbols.inner] as InnerResponse;
  const text = response[symbols.text];
  if (typeof text === "string") {
    if (response[symbols.isConsumed] === true) return undefined;
    const isOnly = response[symbols.headers] === null && inner.headerList.length === 0;
    const type = response[symbols.type] as string | null;
    response[symbols.isConsumed] = true;
    return { content: text, onlyType: isOnly ? type ?? TEXT_TYPE : undefined };
  }
  const body = inner.body?.streamOrStatic as StaticBody | undefined;
  if (body?.consumed !== false) return undefined;
  const content = body.body;
  if (typeof content !== "string" && !(content instanceof Uint8Array)) return undefined;
  body.consumed = true;
  return { content: content as string | Uint8Array<ArrayBuffer>, onlyType: undefined };
}

function findSymbols(): Symbols | null {
  try {
    const own = new Map(
      Object.getOwnPropertySymbols(new Response("a")).map((key) => [key.description, key]),
    );
    const found = {
      inner: own.get("response")!,
      headers: own.get("headers")!,
      text: own.get("lazy static body")!,
      type: own.get("lazy static content type")!,
      isConsumed: own.get("serve fast consumed")!,
    };
    return Object.values(found).includes(undefined as never) || !prove(found) ? null : found;
  } catch {
    return null;
  }
}

/** Returns whether the content of responses of each kind is found. */
function prove(symbols: Symbols): boolean {
  const bytes = new Uint8Array([0x61]);
  const headers = { "x-a": "b" };
  const cases: [response: Response, content: string | Uint8Array | undefined, type?: string][] = [
    [new Response("a"), "a", TEXT_TYPE],
    [Response.json("a"), '"a"', "application/json"],
    [new Response("a", { headers, status: 404 }), "a"],
    [new Response(bytes), bytes],
    [new Response(bytes, { headers }), bytes],
    [new Response(null), undefined],
    [new Response(new Blob(["a"])), undefined],
    [new Response(new ReadableStream()), undefined],
  ];
  const read = new Response("a");
  const isRead = read.body !== null;
  const withHeaders = new Response("a");
  withHeaders.headers.append("x-a", "b");
  const parts = (content: unknown) => content instanceof Uint8Array ? `bytes ${content}` : content;
  return isRead && take(read as unknown as Members, symbols) === undefined &&
    take(withHeaders as unknown as Members, symbols)?.onlyType === undefined &&
    cases.every(([response, content, type]) => {
      const taken = take(response as unknown as Members, symbols);
      return parts(taken?.content) === parts(content) && taken?.onlyType === type &&
        response.bodyUsed === (content !== undefined) &&
        (type === undefined || [...response.headers].join() === `content-type,${type}`);
    });
}
