import type { Addr, Transport, TransportHandler } from "../../src/transport/transport.ts";

/** A transport without a peer, which logs the calls. */
export class FakeTransport implements Transport {
  readonly lendsChunks = false;
  readonly localAddr: Addr = { transport: "tcp", hostname: "127.0.0.1", port: 1 };
  readonly remoteAddr: Addr = { transport: "tcp", hostname: "127.0.0.1", port: 2 };
  handler: TransportHandler | undefined;
  /** A copy of each written buffer. */
  readonly writes: Uint8Array[] = [];
  /** The other calls, in order. */
  readonly calls: string[] = [];
  /** Whether `write()` accepts the bytes at once; otherwise it keeps them until `drained()`. */
  takes = true;
  #isWriting = false;
  #isClosed = false;

  write(bytes: Uint8Array): boolean {
    if (this.#isWriting) throw new Error("write() was called before drain()");
    this.writes.push(bytes.slice());
    this.#isWriting = !this.takes;
    return this.takes;
  }

  /** Makes the transport write bytes without keeping the others: at most so many in each call. */
  writesSome(most: number): void {
    (this as Transport).writeSome = (bytes) => {
      if (this.#isWriting) throw new Error("writeSome() was called before drain()");
      const some = bytes.slice(0, most);
      this.writes.push(some);
      return some.length;
    };
  }

  /** Ends the pending write. */
  drained(): void {
    this.#isWriting = false;
    this.handler?.drain();
  }

  pause(): void {
    this.calls.push("pause");
  }

  resume(): void {
    this.calls.push("resume");
  }

  shutdown(): void {
    this.calls.push("shutdown");
  }

  close(): void {
    this.calls.push("close");
    this.reportClose();
  }

  abort(): void {
    this.calls.push("abort");
    this.reportClose();
  }

  /** Closes the connection, from either side. */
  reportClose(error?: unknown): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.handler?.close(error);
  }
}
