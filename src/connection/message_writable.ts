import { notOpen } from "./ready_state.ts";
import type { CloseInfo } from "./close_info.ts";
import type { Sendable } from "./sendable.ts";

/** How many microtasks a pipe may take to pass on the end, from one stream to another and on. */
const PIPE_TURNS = 64;

/** The connection that a {@linkcode Writable} sends to. */
export interface WritableTarget {
  /** As of the connection. */
  send(data: Sendable): Promise<void>;
  /** As of the connection. */
  close(code: number): Promise<CloseInfo>;
  /** As of the connection. */
  readonly closed: Promise<CloseInfo>;
}

/** What {@linkcode Writable} asks of the inside of its connection. */
export interface WritableHooks {
  /** Whether what has been sent need not be waited for. */
  hasRoom(): boolean;
  /** A write that has waited is done. */
  written(): void;
  /** Closes the connection, as its streams' end has it. */
  finish(): Promise<void>;
}

/** A connection as a stream that messages are written to. */
export class Writable {
  readonly stream: WritableStream<Sendable>;
  /** Whether a write waits for room. */
  isWriting = false;

  constructor(target: WritableTarget, hooks: WritableHooks) {
    const abort = async () => void await target.close(1011);
    this.stream = new WritableStream<Sendable>({
      start: (controller) => {
        // abort() itself comes only after a write that waits, perhaps for good.
        controller.signal.addEventListener("abort", abort);
        // Who writes nothing for now, such as a pipe from a quiet source, is told as well.
        target.closed.then(async (info) => {
          // What is piped from `readable` closes first where that ends well. A timer would outlive all.
          for (let i = info.wasClean ? PIPE_TURNS : 0; i > 0; i--) await null;
          controller.error(info.error ?? notOpen("Cannot write"));
        });
      },
      write: (data) => this.#write(target.send(data), hooks),
      close: () => hooks.finish(),
      abort,
    }, { highWaterMark: 64 });
  }

  #write(sent: Promise<void>, hooks: WritableHooks): Promise<void> | void {
    // A promise costs the stream a turn: none where there is room.
    if (hooks.hasRoom()) return;
    this.isWriting = true;
    return sent.finally(() => {
      this.isWriting = false;
      hooks.written();
    });
  }
}
