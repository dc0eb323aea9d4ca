import { appendFields, requestUrl } from "../http/request.ts";
import type { RequestTarget } from "../http/request.ts";
import { HeaderList } from "../http/header_list.ts";
import type { RequestHead } from "../http/request_head_parser.ts";
import type { RequestBody } from "./request_body.ts";

/** The parts that a {@linkcode LazyRequest} is made of. */
export interface LazyRequestInit {
  readonly head: RequestHead;
  readonly scheme: "http" | "https";
  readonly target: RequestTarget;
  /** The body: all of it, which becomes the application's, or one that is not complete. */
  readonly body: Uint8Array<ArrayBuffer> | RequestBody | null;
  /** Has the signal, which is made when it is first read. */
  readonly source: { readonly signal: AbortSignal };
}

const decoder = /* @__PURE__ */ new TextDecoder();

/** Returns a `Request`, which makes its parts when they are first used. */
export type MakeLazyRequest = (init: LazyRequestInit) => Request;

/**
 * Defines a `Request` that makes a platform's `Request` of itself only if it has to. That takes several
 * microseconds, more than the rest of a short request, and many handlers read the method and the URL alone.
 *
 * Everything that takes a `Request` has to take a lazy one: {@linkcode proves} tries it.
 *
 * @param Base A class whose instances are instances of `Request`.
 */
function defineLazyRequest(Base: new (url: string) => object): MakeLazyRequest {
  class LazyRequest extends Base {
    readonly #init: LazyRequestInit;
    #request: Request | undefined;
    #url: string | undefined;
    #isUsed = false;

    constructor(init: LazyRequestInit) {
      super("http://localhost/");
      this.#init = init;
    }

    /** The platform's `Request`, which then holds the body and the fields. It lacks the signal. */
    static platform(lazy: LazyRequest): Request {
      return lazy.#request ??= lazy.#make();
    }

    get method(): string {
      return this.#init.head.method;
    }

    get url(): string {
      return this.#url ??= requestUrl(this.#init.scheme, this.#init.target);
    }

    get headers(): Headers {
      return LazyRequest.platform(this).headers;
    }

    get signal(): AbortSignal {
      return this.#init.source.signal;
    }

    get body(): ReadableStream<Uint8Array<ArrayBuffer>> | null {
      return this.#init.body === null ? null : LazyRequest.platform(this).body;
    }

    get bodyUsed(): boolean {
      return this.#request?.bodyUsed ?? this.#isUsed;
    }

    clone(): Request {
      // A clone of its own would not follow the signal.
      return new Request(LazyRequest.platform(this).clone(), { signal: this.signal });
    }

    async arrayBuffer(): Promise<ArrayBuffer> {
      return (await this.bytes()).buffer;
    }

    async blob(): Promise<Blob> {
      return await LazyRequest.platform(this).blob();
    }

    async bytes(): Promise<Uint8Array<ArrayBuffer>> {
      const bytes = await this.#read();
      return bytes.length === bytes.buffer.byteLength ? bytes : bytes.slice();
    }

    async formData(): Promise<FormData> {
      return await LazyRequest.platform(this).formData();
    }

    async json(): Promise<unknown> {
      return JSON.parse(await this.text());
    }

    async text(): Promise<string> {
      return decoder.decode(await this.#read());
    }

    /** Returns the content of the body, which may be a part of a larger buffer. */
    #read(): Uint8Array<ArrayBuffer> | Promise<Uint8Array<ArrayBuffer>> {
      const { body } = this.#init;
      if (body === null) return new Uint8Array(0);
      if (this.#request !== undefined) {
        return this.#request.arrayBuffer().then((buffer) => new Uint8Array(buffer));
      }
      if (this.#isUsed) throw new TypeError("Cannot read body: it has been used");
      this.#isUsed = true;
      return body instanceof Uint8Array ? body : body.collect();
    }

    #make(): Request {
      const { head, body } = this.#init;
      const init: RequestInit & { duplex?: "half" } = {};
      if (head.method !== "GET") init.method = head.method;
      if (body !== null) {
        init.body = this.#isUsed
          ? new Uint8Array(0)
          : body instanceof Uint8Array
          ? body
          : body.stream;
        init.duplex = "half";
      }
      const request = new Request(this.url, init);
      // Fields in `init` would take two to five times as long.
      appendFields(request.headers, head.headers);
      if (this.#isUsed) request.arrayBuffer().catch(() => {});
      return request;
    }
  }
  complete(LazyRequest.prototype, LazyRequest.platform);
  return (init) => new LazyRequest(init) as unknown as Request;
}

/** A class without a constructor of `Request`, whose objects are instances of `Request` nevertheless. */
function withoutConstructor(): new (url: string) => object {
  const Base = class {};
  Object.setPrototypeOf(Base.prototype, Request.prototype);
  return Base;
}

let make: MakeLazyRequest | null | undefined;

/**
 * Returns the function that makes lazy requests, or `null` if this runtime's `Request` cannot be extended
 * like that, so that each request has to be made at once.
 *
 * Deno's own functions read members with symbols of a `Request` that they are given, in place of private
 * ones. An object that has those needs no constructor. Bun's read the public members of an instance of a
 * class that extends `Request`.
 */
export function lazyRequestMaker(): MakeLazyRequest | null {
  if (make === undefined) make = findMaker([withoutConstructor, () => Request]);
  return make;
}

function findMaker(bases: (() => new (url: string) => object)[]): MakeLazyRequest | null {
  for (const base of bases) {
    try {
      const make = defineLazyRequest(base());
      if (proves(make)) return make;
    } catch {
      // The next one.
    }
  }
  return null;
}

/** Gives a class the remaining members of `Request`, which are those of the platform's `Request`. */
function complete<Lazy extends object>(
  prototype: Lazy & Pick<Request, "signal">,
  platform: (lazy: Lazy) => Request,
): void {
  const sample = new Request("http://localhost/");
  for (const key of [...Reflect.ownKeys(sample), ...Reflect.ownKeys(Request.prototype)]) {
    const own = Object.getOwnPropertyDescriptor(sample, key);
    const member = own ?? Object.getOwnPropertyDescriptor(Request.prototype, key)!;
    const isMethod = own === undefined && member.get === undefined;
    if (Object.hasOwn(prototype, key) || (isMethod && typeof key === "symbol")) continue;
    const value = Reflect.get(sample, key) as unknown;
    const isSignal = value instanceof AbortSignal;
    const descriptor: PropertyDescriptor & ThisType<Lazy & Pick<Request, "signal">> = isMethod
      ? {
        value(...args: unknown[]) {
          return (value as (...args: unknown[]) => unknown).apply(platform(this), args);
        },
        writable: true,
      }
      : {
        get() {
          return isSignal ? this.signal : Reflect.get(platform(this), key) as unknown;
        },
        set(value: unknown) {
          Reflect.set(platform(this), key, value);
        },
      };
    Object.defineProperty(prototype, key, { ...descriptor, configurable: true });
  }
}

/** Returns whether the platform's functions take a lazy request for a `Request`. */
function proves(make: MakeLazyRequest): boolean {
  const controller = new AbortController();
  const lazy = () =>
    make({
      head: {
        method: "POST",
        target: "/a",
        minorVersion: 1,
        headers: new HeaderList([["x-a", "b"], ["x-a", "c"]]),
      },
      scheme: "http",
      target: { host: "localhost", path: "/a" },
      body: new Uint8Array([0x61]),
      source: controller,
    });
  const used = lazy();
  used.text();
  const requests = [
    lazy(),
    new Request(lazy()),
    lazy().clone(),
    new Request(lazy(), { body: "b" }),
  ];
  const isEqual = requests.every((request) =>
    request instanceof Request && request.method === "POST" &&
    request.url === "http://localhost/a" && request.headers.get("x-a") === "b, c" &&
    !request.bodyUsed && request.body !== null && !request.signal.aborted
  );
  controller.abort();
  return isEqual && used.bodyUsed && requests.every((request) => request.signal.aborted);
}
