/** The parts of Deno and Bun that the benchmark uses, declared so that each type checker knows both. */

/** A socket of `Bun.connect()` or `Bun.listen()`. */
export interface BunSocket<Data> {
  data: Data;
  write(bytes: Uint8Array): number;
  end(): void;
  terminate(): void;
  setNoDelay(noDelay?: boolean): boolean;
}

/** The callbacks of such a socket. */
export interface BunSocketHandler<Data> {
  binaryType: "uint8array";
  open?(socket: BunSocket<Data>): void;
  data?(socket: BunSocket<Data>, chunk: Uint8Array): void;
  drain?(socket: BunSocket<Data>): void;
  close?(socket: BunSocket<Data>): void;
  error?(socket: BunSocket<Data>, error: unknown): void;
  connectError?(socket: BunSocket<Data>, error: unknown): void;
}

/** A socket of `Bun.serve()`. */
export interface BunWebSocket {
  send(message: string | Uint8Array, compress?: boolean): number;
  subscribe(topic: string): void;
}

/** A server of `Bun.serve()`. */
export interface BunServer {
  readonly port: number;
  upgrade(request: Request): boolean;
  publish(topic: string, message: string | Uint8Array, compress?: boolean): number;
}

interface BunNamespace {
  connect<Data>(options: {
    hostname: string;
    port: number;
    data: Data;
    socket: BunSocketHandler<Data>;
  }): Promise<BunSocket<Data>>;
  listen<Data>(options: {
    hostname: string;
    port: number;
    socket: BunSocketHandler<Data>;
  }): { readonly port: number };
  serve(options: {
    hostname: string;
    port: number;
    fetch(request: Request, server: BunServer): Response | undefined | Promise<Response>;
    websocket: {
      open?(socket: BunWebSocket): void;
      message(socket: BunWebSocket, message: string | Uint8Array): void;
      backpressureLimit?: number;
      idleTimeout?: number;
      sendPings?: boolean;
      perMessageDeflate?: boolean | { compress: string; decompress: string };
    };
  }): BunServer;
  gc(force: boolean): void;
}

/** A connection of `Deno.listen()`. */
export interface DenoConn {
  read(buffer: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
  setNoDelay(noDelay?: boolean): void;
  close(): void;
}

interface DenoNamespace {
  listen(options: { hostname: string; port: number }): AsyncIterable<DenoConn> & {
    readonly addr: { port: number };
  };
  serve(
    options: { hostname: string; port: number; onListen(addr: { port: number }): void },
    handler: (request: Request) => Response | Promise<Response>,
  ): unknown;
  upgradeWebSocket(
    request: Request,
    options?: { idleTimeout: number },
  ): { socket: WebSocket; response: Response };
}

const globals = globalThis as unknown as { Bun?: BunNamespace; Deno?: DenoNamespace };

/** The current runtime. */
export const runtime: "deno" | "bun" = globals.Deno === undefined ? "bun" : "deno";
/** The global `Bun`, only defined on Bun. */
export const Bun: BunNamespace = globals.Bun!;
/** The global `Deno`, only defined on Deno. */
export const Deno: DenoNamespace = globals.Deno!;
